"""Sizes and lengths of buckets: those that the model does not take, and those that it rounds."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.compiler import compile_job
from tests.unit.checks.support import JobCheck, dataset

SQUARE = [[960, 960, 1]]
FIXED = {"type": "precaptioned", "directories": [{"path": "/data/a"}]}


@pytest.mark.parametrize(
    ("training", "places"),
    [
        ({"size_buckets": [[512, 512, 1]]}, ["/training/size_buckets/0"]),
        ({"dataset": {"size_buckets": [*SQUARE, [1024, 768, 1]]}}, ["/training/dataset/size_buckets/1"]),
        ({"directory": {"size_buckets": [[960, 960, 33]]}}, ["/training/directory/size_buckets/0"]),
        ({"size_buckets": None}, ["/training/size_buckets"]),
        ({"directory": {"size_buckets": None}}, ["/training/directory/size_buckets"]),
        ({"size_buckets": SQUARE}, []),
        ({}, []),
    ],
)
def test_models_of_fixed_sizes(check: JobCheck, training: dict[str, Any], places: list[str]) -> None:
    assert check("cosmos_7b", training).places("DPC457") == places


@pytest.mark.parametrize("table", ["dataset", "directory"])
def test_fixed_sizes_stand_in_every_place(check: JobCheck, table: str) -> None:
    made = compile_job(
        {"model_type": "cosmos_7b", "dataset": dataset("images"), "training": {table: {"size_buckets": SQUARE}}},
        catalogue=check.catalogue,
    )

    assert made.diagnostics == ()
    assert made.config is not None
    assert made.config.get("dataset", "directory", 0, "size_buckets") == SQUARE
    assert made.config.get("dataset", "size_buckets")


@pytest.mark.parametrize(
    ("training", "places"),
    [
        ({"resolution": 720}, ["/training/resolution"]),
        ({"resolution": [512, 720]}, ["/training/resolution/1"]),
        ({"size_buckets": [[720, 512, 1]]}, ["/training/size_buckets/0"]),
        ({"resolution": 640}, []),
        ({"resolution": [[720, 480]]}, []),
    ],
)
def test_models_that_resize_to_another_multiple(check: JobCheck, training: dict[str, Any], places: list[str]) -> None:
    assert check("minimax_h3", training).places("DPC446") == places


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"directories": [{"path": "/data/a", "resolutions": [512]}]}, "directories/0/resolutions"),
        ({"directories": [{"path": "/a"}, {"path": "/b", "max_ar": 2.0}]}, "directories/1/max_ar"),
        (
            {"directories": [{"path": "/a"}, {"path": "/b", "size_buckets": [[512, 512, 1]]}]},
            "directories/1/size_buckets/0",
        ),
        ({"eval": {"sets": [{"name": "a", "directories": [{"path": "/e", "min_ar": 0.5}]}]}}, "min_ar"),
        (
            {"eval": {"sets": [{"name": "a", "directories": [{"path": "/e", "size_buckets": [[512, 512, 1]]}]}]}},
            "size_buckets/0",
        ),
        ({"eval": {"sets": [{"name": "a", "resolutions": [512], "directories": [{"path": "/e"}]}]}}, "resolutions"),
        ({"directories": [{"path": "/a"}, {"path": "/b", "size_buckets": None}]}, "directories/1/size_buckets"),
        (
            {"eval": {"sets": [{"name": "a", "size_buckets": None, "directories": [{"path": "/e"}]}]}},
            "sets/0/size_buckets",
        ),
        (
            {"eval": {"sets": [{"name": "a", "directories": [{"path": "/e", "size_buckets": None}]}]}},
            "directories/0/size_buckets",
        ),
        (
            {"eval": {"sets": [{"name": "a", "size_buckets": [[512, 512, 1]], "directories": [{"path": "/e"}]}]}},
            "sets/0/size_buckets/0",
        ),
    ],
)
def test_fixed_sizes_hold_in_each_folder(check: JobCheck, more: dict[str, Any], place: str) -> None:
    found = check("cosmos_7b", data={**FIXED, **more}).only

    assert found.code == "DPC457"
    assert found.path.endswith(place)


@pytest.mark.parametrize("name", ["ar_buckets", "enable_ar_bucket", "frame_buckets"])
def test_what_fixed_sizes_make_meaningless_is_told_in_each_folder(check: JobCheck, name: str) -> None:
    value: Any = {"ar_buckets": [1.0], "enable_ar_bucket": True, "frame_buckets": [1, 33]}[name]
    own = {"eval": {"sets": [{"name": "a", name: value, "directories": [{"path": "/e"}]}]}}

    for more in (own, {"directories": [{"path": "/a"}, {"path": "/b", name: value}]}):
        found = check("cosmos_7b", data={**FIXED, **more}).only
        assert (found.code, found.path.rpartition("/")[2]) == ("DPC418", name)


def test_fixed_sizes_of_an_evaluation_set_stand_in_its_folders_too(check: JobCheck) -> None:
    sets = [{"name": "a", "size_buckets": SQUARE, "directories": [{"path": "/e"}, {"path": "/f"}]}]
    made = compile_job(
        {"model_type": "cosmos_7b", "dataset": {**FIXED, "eval": {"sets": sets}}}, catalogue=check.catalogue
    )

    assert made.diagnostics == ()
    assert made.config is not None
    assert [made.config.get("eval.1", "directory", row, "size_buckets") for row in (0, 1)] == [SQUARE, SQUARE]


def test_fixed_sizes_hold_in_the_tables_of_training(check: JobCheck) -> None:
    assert check("cosmos_7b", {"directory": {"num_ar_buckets": 3}}).places("DPC457") == [
        "/training/directory/num_ar_buckets"
    ]


@pytest.mark.parametrize(("given", "wanted"), [(528, "Write 512."), ([528, 528], "Write [512, 512].")])
def test_sides_that_the_model_resizes_otherwise(check: JobCheck, given: object, wanted: str) -> None:
    found = check("ltx2", {"resolutions": [given]}).only

    assert (found.code, found.hint) == ("DPC446", wanted)


@pytest.mark.parametrize(
    ("model", "lengths", "hint"),
    [
        ("wan13", [16], "Write 13, or 17 if the clips are long enough."),
        ("wan13", [1, 30, 48], "Write 29 and 45, or 33 and 49 if the clips are long enough."),
        ("wan13", [1, 3], "Write 5."),
        ("minimax_h3", [16], "Write 17."),
        ("minimax_h3", [33], "Write 17, or 34 if the clips are long enough."),
    ],
)
def test_lengths_beside_one_that_does_not_fit(check: JobCheck, model: str, lengths: list[int], hint: str) -> None:
    found = check(model, {"frame_buckets": lengths}, data="videos").only

    assert (found.code, found.hint) == ("DPC446", hint)


def test_no_size_is_proposed_that_takes_no_videos(check: JobCheck) -> None:
    training = {"size_buckets": [[512, 512, 3]]}

    assert check("wan13", training, data="videos").only.hint == "Write [512, 512, 5]."
    assert "Write [512, 512, 1]." in [found.hint for found in check("wan13", training, data="images").diagnostics]


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, []),
        ({"resolution": 1024}, []),
        ({"resolution": 1280}, [("warning", "/training/resolution", "Resolutions up to 1088 stay")]),
        ({"resolution": 2048}, [("error", "/training/resolution", "Resolutions up to 1088 stay")]),
        ({"resolution": 1536, "enable_ar_bucket": False}, []),
        ({"resolution": 1280, "ar_buckets": [1.0]}, []),
        ({"resolution": 1280, "max_ar": 1.2, "min_ar": 0.8}, []),
        ({"size_buckets": [[1024, 1024, 1], [1600, 800, 1]]}, [("error", "/training/size_buckets", "1536 pixels")]),
        ({"size_buckets": [[1536, 800, 1]]}, []),
        # At lower resolutions such a shape has a side of 0 pixels before it is short enough.
        ({"resolution": 1024, "ar_buckets": [0.001, 1.0]}, [("warning", "/training/resolution", "nearer to a square")]),
        ({"resolution": 1280, "num_ar_buckets": 10**12}, [("warning", "/training/resolution", "Resolutions up to")]),
    ],
)
def test_sides_stay_within_the_positions_that_a_model_has(
    check: JobCheck, training: dict[str, Any], said: list[tuple[str, str, str]]
) -> None:
    found = [d for d in check("auraflow_03", training, data="images").diagnostics if d.code == "DPC463"]

    assert [(d.severity, d.path) for d in found] == [(severity, path) for severity, path, _hint in said]
    assert all(hint in d.hint for d, (_severity, _path, hint) in zip(found, said, strict=True))


@pytest.mark.parametrize("model", ["sdxl", "auraflow_03", "anima_base"])
@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"resolution": 1e-300}, "a resolution comes to 0"),
        ({"resolution": [[1e-200, 1e-200]]}, "a resolution comes to 0"),
        ({"resolution": 5}, "a side comes to 0 pixels"),
        ({"resolution": 5, "enable_ar_bucket": False}, "a side comes to 0 pixels"),
        ({"ar_buckets": [0.000001, 1]}, "an aspect ratio comes to 0"),
        ({"ar_buckets": [0.001, 1], "resolution": 64}, "at resolution 64 and aspect ratio 0.001 a side comes to 0"),
        ({"min_ar": 5e-324}, "min_ar 5e-324 and max_ar 2.0 make no range"),
        ({"min_ar": 2, "max_ar": 5e-324}, "min_ar 2 and max_ar 5e-324 make no range"),
        ({"min_ar": 1e10, "max_ar": 1e11}, "a side comes to 0 pixels"),
    ],
)
def test_sizes_that_come_to_nothing(check: JobCheck, model: str, training: dict[str, Any], words: str) -> None:
    """Also for models whose sides other checks look at: those say no more then."""
    added = {"multiscale_loss_weight": 0.5} if model == "anima_base" else {}
    found = check(model, {**training, **added})

    assert found.codes == ["DPC466"]
    assert words in found.only.message


@pytest.mark.parametrize("training", [{"resolution": [1, 2, 3, 4]}, {"dataset": {"resolutions": None}}])
def test_what_is_told_otherwise_is_not_told_as_nothing(check: JobCheck, training: dict[str, Any]) -> None:
    assert "DPC466" not in check("sdxl", training).codes


def test_sides_beyond_all_measure_break_no_check(check: JobCheck) -> None:
    assert check("auraflow_03", {"resolution": 9e18}).codes == ["DPC463"]
