"""Folders that are trained where they lie, and evaluation sets of them."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.compiler import compile_job
from tests.unit.jobs import CATALOGUE, compiled, config_of, plan_of


def in_place(*directories: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "precaptioned", "directories": list(directories), **fields}


def told(data: dict[str, Any], training: Any = None, model: str = "wan13") -> list[tuple[str, str]]:
    return [(d.code, d.path) for d in compiled(model, training, data=data).diagnostics]


def test_each_folder_has_its_path_and_settings_of_its_own() -> None:
    config = config_of(
        "wan13", data=in_place({"path": "/data/a", "num_repeats": 5}, {"path": "/data/b", "resolutions": [256]})
    )

    directories = {k[2:]: s.value for k, s in config.settings.items() if k[:2] == ("dataset", "directory")}
    assert directories == {
        (0, "path"): "/data/a",
        (0, "num_repeats"): 5,
        (1, "path"): "/data/b",
        (1, "resolutions"): [256],
    }
    assert config.settings["dataset", "directory", 1, "resolutions"].origin.pointer == (
        "/dataset/directories/1/resolutions"
    )


def test_what_training_says_of_directories_holds_for_all_of_them() -> None:
    config = config_of(
        "flux", {"directory": {"num_repeats": 3}}, data=in_place({"path": "/data/a"}, {"path": "/data/b"})
    )

    assert [config.get("dataset", "directory", n, "num_repeats") for n in (0, 1)] == [3, 3]


def test_nothing_is_fetched_or_captioned() -> None:
    plan = plan_of("flux", data=in_place({"path": "/data/a"}))

    assert [s.kind for s in plan.steps if s.kind in ("fetch", "caption")] == []
    [inspect] = [s for s in plan.steps if s.kind == "inspect"]
    assert inspect.needs == ()
    assert inspect.args["folders"] == [{"role": "train", "media": None, "path": "/data/a"}]


def test_an_evaluation_set_has_a_file_of_its_own_with_the_settings_of_the_training() -> None:
    sets = [
        {"name": "held out", "directories": [{"path": "/data/e", "num_repeats": 2}]},
        {"name": "small", "resolutions": [256], "frame_buckets": None, "directories": [{"path": "/data/s"}]},
    ]
    config = config_of("wan13", data=in_place({"path": "/data/a"}, eval={"sets": sets}))

    first, second = config.get("train", "eval_datasets")
    assert (first["name"], second["name"]) == ("held out", "small")
    assert first["config"].endswith("/eval.1.toml")
    assert config.get("eval.1", "resolutions") == config.get("dataset", "resolutions")
    assert config.get("eval.1", "directory", 0, "num_repeats") == 2
    assert (config.get("eval.2", "resolutions"), config.get("eval.2", "frame_buckets")) == ([256], None)
    assert config.get("eval.2", "min_ar") == config.get("dataset", "min_ar")


def test_what_only_some_folders_say_is_not_taken_over_to_the_evaluation() -> None:
    evaluation = {"sets": [{"name": "e", "directories": [{"path": "/data/e"}]}]}
    folders = ({"path": "/a", "min_ar": 0.4, "max_ar": 1.5}, {"path": "/b", "min_ar": 0.4})
    config = config_of("flux", data=in_place(*folders, eval=evaluation))

    assert config.get("eval.1", "directory", 0, "min_ar") == 0.4
    assert config.get("eval.1", "directory", 0, "max_ar") is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (in_place({"path": "/a"}) | {"type": "images"}, ("DPC234", "/dataset/type")),
        (in_place({"path": "/a"}, images_url="/data/i"), ("DPC234", "/dataset/images_url")),
        (in_place({"path": "/a"}, trigger_word="ohwx"), ("DPC234", "/dataset/trigger_word")),
        (in_place({"path": "/a"}, eval={"fraction": 0.1}), ("DPC234", "/dataset/eval/fraction")),
        (in_place({"path": "/a"}, image_repeats=3), ("DPC227", "/dataset/image_repeats")),
        (in_place({"path": "https://example.com/a.zip"}), ("DPC221", "/dataset/directories/0/path")),
        (in_place({"path": "data/a"}), ("DPC434", "/dataset/directories/0/path")),
        (in_place({"path": "/a", "repeats": 3}), ("DPC214", "/dataset/directories/0/repeats")),
        (in_place({"path": "/a", "num_repeats": "3"}), ("DPC203", "/dataset/directories/0/num_repeats")),
        (in_place({"path": "/a"}, {"path": "/b", "mask_path": "m"}), ("DPC434", "/dataset/directories/1/mask_path")),
        (in_place({"path": "/a"}, {"path": "/b", "resolutions": [1, 2, 3, 4]}), ("DPC442", None)),
        (in_place({"path": "/a"}, {"path": "/b", "frame_buckets": [1, 34]}), ("DPC446", None)),
        (in_place({"num_repeats": 2}), ("DPC202", "/dataset/directories/0")),
        (in_place(), ("DPC205", "/dataset/directories")),
    ],
)
def test_what_does_not_go_with_them_is_told_at_its_place(data: dict[str, Any], expected: tuple[str, Any]) -> None:
    code, path = expected
    found = told(data)
    assert code in [each for each, _path in found], found
    assert path is None or expected in found


def test_checks_look_at_the_evaluation_sets_too() -> None:
    evaluation = {"sets": [{"name": "e", "resolutions": [1, 2, 3, 4], "directories": [{"path": "/data/e"}]}]}

    assert ("DPC442", "/dataset/eval/sets/0/resolutions") in told(in_place({"path": "/a"}, eval=evaluation))


def test_two_sets_of_one_name_are_told() -> None:
    one = {"name": "eval", "directories": [{"path": "/data/e"}]}
    data = {"type": "images", "images_url": "/i", "eval": {"fraction": 0.1, "sets": [one]}}

    assert ("DPC235", "/dataset/eval/sets/0/name") in told(data, model="flux")


def test_settings_given_by_set_are_placed_there() -> None:
    text = 'dataset.directories=[{"path": "/b", "num_repeats": "x"}]'
    job = {"model_type": "flux", "dataset": in_place({"path": "/a"})}
    result = compile_job(job, catalogue=CATALOGUE, sets=[text])

    [found] = [d for d in result.diagnostics if d.severity == "error"]
    assert (found.file, found.path) == ("--set", "/dataset/directories/0/num_repeats")
