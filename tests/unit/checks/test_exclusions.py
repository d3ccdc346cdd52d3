"""Settings that take each other's meaning, or have none without another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import ADDRESS, JobCheck

OWN_SHIFT = """
name: my_model
title: My Model
extends: qwen
presets:
  shifted:
    title: Shifted
    description: Moves the noise levels.
    values:
      model: {shift: 3}
"""
SIZES = [[512, 512, 1]]


@pytest.mark.parametrize(
    ("model", "training", "code", "place"),
    [
        ("flux", {"shift": 3, "flux_shift": True}, "DPC418", "/training/flux_shift"),
        ("flux", {"shift": 3, "model": {"flux_shift": True}}, "DPC418", "/training/model/flux_shift"),
        ("qwen", {"huber_delta": 0.1, "smooth_l1_beta": 0.1}, "DPC418", "/training/smooth_l1_beta"),
        ("qwen", {"save_every_n_examples": 400, "save_every_n_steps": 50}, "DPC418", "/training/save_every_n_steps"),
        ("qwen", {"ar_buckets": [1.0], "num_ar_buckets": 9}, "DPC418", "/training/num_ar_buckets"),
        ("qwen", {"size_buckets": SIZES, "resolution": 512}, "DPC418", "/training/resolution"),
        ("qwen", {"directory": {"size_buckets": SIZES}, "resolution": 512}, "DPC418", "/training/resolution"),
        ("qwen", {"ar_buckets": [1.0], "directory": {"max_ar": 3.0}}, "DPC418", "/training/directory/max_ar"),
        ("qwen", {"directory": {"ar_buckets": [1.0], "max_ar": 3.0}}, "DPC418", "/training/directory/max_ar"),
        ("qwen", {"sigmoid_scale": 0.5, "timestep_sample_method": "uniform"}, "DPC432", "/training/sigmoid_scale"),
        ("qwen", {"resolution": 512, "directory": {"resolutions": [768]}}, "DPC439", "/training/resolution"),
        ("qwen", {"diffusers_path": None}, "DPC230", "/training/diffusers_path"),
        (
            "qwen",
            {"diffusers_path": None, "vae_path": "/v", "text_encoder_path": "/t"},
            "DPC230",
            "/training/diffusers_path",
        ),
        ("cosmos_predict2_2b", {"transformer_dtype": "float8"}, "DPC458", "/training/transformer_dtype"),
        ("qwen", {"resolution": None}, "DPC230", "/training/resolution"),
        ("qwen", {"resolution": None, "directory": {"resolutions": [512]}}, "DPC230", "/training/resolution"),
        ("qwen", {"dataset": {"max_ar": None}}, "DPC230", "/training/dataset/max_ar"),
        ("cosmos_7b", {"resolution": 960}, "DPC418", "/training/resolution"),
        ("z_image_turbo", {"merge_adapters": None}, "DPC437", "/training/merge_adapters"),
        ("z_image_turbo", {"merge_adapters": []}, "DPC437", "/training/merge_adapters"),
        ("wan22_t2v_low", {"max_t": 1.0}, "DPC437", "/training/max_t"),
        ("wan22_t2v_high", {"min_t": 0}, "DPC437", "/training/min_t"),
    ],
)
def test_told(check: JobCheck, model: str, training: dict[str, Any], code: str, place: str) -> None:
    found = check(model, training)

    assert (found.only.code, found.only.path) == (code, place)


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ("flux", {"shift": 3}),
        ("flux", {"shift": 3, "flux_shift": False}),
        ("flux", {"shift": 3, "flux_shift": None}),
        ("flux", {"flux_shift": True}),
        # Both count, each on its own.
        ("qwen", {"checkpoint_every_n_epochs": 5, "checkpoint_every_n_minutes": 60}),
        ("qwen", {"save_every_n_epochs": 5, "save_every_n_steps": 50}),
        ("qwen", {"ar_buckets": [1.0]}),
        ("qwen", {"size_buckets": SIZES}),
        ("qwen", {"size_buckets": SIZES, "enable_ar_bucket": False}),
        ("qwen", {"sigmoid_scale": 0.5}),
        ("qwen", {"sigmoid_scale": 0.5, "timestep_sample_method": None}),
        ("z_image_turbo", {"sigmoid_scale": 0.5}),
        ("qwen", {"sigmoid_scale": 1.0, "timestep_sample_method": "uniform"}),
        ("qwen", {"resolution": 512, "directory": {"resolutions": [512]}}),
        ("qwen", {"directory": {"resolutions": [768]}}),
        ("qwen", {"diffusers_path": None, "vae_path": "/v", "text_encoder_path": "/t", "transformer_path": "/m"}),
        ("z_image_turbo", {"merge_adapters": ["/runpod-volume/own.safetensors"]}),
        # With a file of one's own it may be a model that needs none.
        ("z_image_turbo", {"merge_adapters": [], "diffusion_model": "/runpod-volume/z_image.safetensors"}),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, training: dict[str, Any]) -> None:
    assert check(model, training).codes == []


def test_a_preset_against_the_job(check: JobCheck) -> None:
    found = check("my_model", {"flux_shift": True}, spec=OWN_SHIFT, preset="shifted")

    assert (found.only.code, found.only.path) == ("DPC418", "/training/flux_shift")
    assert found.only.hint == "Take flux_shift out, or set shift to null."


def test_reason_why_a_setting_is_expected(check: JobCheck) -> None:
    assert "distilled" in check("z_image_turbo", {"merge_adapters": []}).only.message


def test_all_that_is_missing_is_named(check: JobCheck) -> None:
    found = check("qwen", {"diffusers_path": None, "vae_path": "/v"}).only

    assert "transformer_path and text_encoder_path are not set" in found.message


def test_an_adapter_half_taken_away(check: JobCheck) -> None:
    found = check("qwen", {"adapter": None}, sets=["lora_dropout=0.1"])

    assert found.places("DPC230") == ["/training/adapter"] * 2
    assert check("qwen", {"adapter": None, "lora_rank": 8}).codes == ["DPC212"]


def test_one_bad_value_does_not_hide_another(check: JobCheck) -> None:
    training = {"shift": 3, "flux_shift": True, "save_every_n_examples": "many", "save_every_n_steps": 5}

    assert check("flux", training).codes == ["DPC203", "DPC418"]


def test_repeats_of_each_kind_and_of_all(check: JobCheck) -> None:
    both = {"type": "both", "images_url": ADDRESS, "videos_url": "https://example.com/clips.zip"}
    training = {"dataset": {"num_repeats": 3}}

    assert check("wan13", training, data=both).codes == []
    assert check("wan13", training, data={**both, "image_repeats": 2}).codes == []
    found = check("wan13", training, data={**both, "image_repeats": 2, "video_repeats": 4}).only
    assert (found.code, found.path) == ("DPC439", "/training/dataset/num_repeats")


TWO_GPUS = {"num_gpus": 2}


@pytest.mark.parametrize(
    ("training", "places"),
    [
        ({"pipeline_stages": 2}, ["/training/pipeline_stages"]),
        ({"pipeline_stages": 2, "cfg": 1.5}, ["/training/cfg"]),
        ({"pipeline_stages": 2, "cfg": 1}, []),
        ({"pipeline_stages": 2, "cfg": None}, []),
        ({"cfg": 3}, []),
    ],
)
def test_values_that_need_another_table(check: JobCheck, training: dict[str, Any], places: list[str]) -> None:
    assert check("minimax_h3", training, launch=TWO_GPUS).places("DPC459") == places


def test_models_of_fixed_sizes_are_not_told_to_go_without(check: JobCheck) -> None:
    assert "null" not in check("cosmos_7b", {"resolution": 960}).only.hint


def test_a_preset_gives_way_to_what_a_job_says_of_the_directories(check: JobCheck) -> None:
    training = {"directory": {"size_buckets": [[960, 960, 121]]}}

    assert check("cosmos_7b", training, data="videos", preset="videos").codes == []


@pytest.mark.parametrize(
    "training",
    [
        {"resolution": None, "size_buckets": SIZES},
        {"max_ar": None, "ar_buckets": [1.0]},
        {"min_ar": None, "max_ar": None, "num_ar_buckets": None, "enable_ar_bucket": False},
    ],
)
def test_sizes_that_are_not_needed(check: JobCheck, training: dict[str, Any]) -> None:
    assert check("qwen", training).codes == []


@pytest.mark.parametrize(
    ("model", "training", "start"),
    [
        ("wan22_i2v_high", {"min_t": 0}, "min_t is 0: this half is used from noise level 0.9 up"),
        ("wan22_t2v_low", {"max_t": None}, "max_t is taken away: this half is used up to noise level 0.875"),
        ("z_image_turbo", {"merge_adapters": []}, "merge_adapters is empty: Z-Image Turbo is distilled"),
    ],
)
def test_what_is_hardly_ever_left_out(check: JobCheck, model: str, training: dict[str, Any], start: str) -> None:
    assert check(model, training).only.message.startswith(start)


def _sets(own: dict[str, Any], directory: dict[str, Any], **trained: Any) -> dict[str, Any]:
    """A folder that is trained where it lies, and an evaluation set with settings of its own."""
    evaluated = {"name": "a", **own, "directories": [{"path": "/e", **directory}]}
    return {
        "type": "precaptioned",
        "directories": [{"path": "/a", **trained}],
        "eval": {"sets": [evaluated]},
    }


IN_SET = "/dataset/eval/sets/0"


@pytest.mark.parametrize(
    ("training", "data", "place"),
    [
        ({}, _sets({"size_buckets": SIZES, "resolutions": [512]}, {}), f"{IN_SET}/resolutions"),
        ({}, _sets({"ar_buckets": [1.0], "max_ar": 3.0}, {}), f"{IN_SET}/max_ar"),
        ({}, _sets({}, {"size_buckets": SIZES, "resolutions": [512]}), f"{IN_SET}/directories/0/resolutions"),
        ({}, _sets({"resolutions": [512]}, {"size_buckets": SIZES}), f"{IN_SET}/resolutions"),
        # What the training data has, the set has too.
        ({"size_buckets": SIZES}, _sets({"resolutions": [512]}, {}), f"{IN_SET}/resolutions"),
        ({}, _sets({"resolutions": [512]}, {}, size_buckets=SIZES), f"{IN_SET}/resolutions"),
    ],
)
def test_evaluation_sets_whose_settings_take_each_other_s_meaning(
    check: JobCheck, training: dict[str, Any], data: dict[str, Any], place: str
) -> None:
    found = check("wan13", training, data=data).only

    assert (found.code, found.path) == ("DPC418", place)


@pytest.mark.parametrize(
    ("training", "data"),
    [
        # What the set does not use, the training does.
        ({"resolution": 768}, _sets({"size_buckets": SIZES}, {})),
        ({}, _sets({}, {"size_buckets": SIZES}, resolutions=[512])),
        ({}, _sets({"size_buckets": SIZES}, {}, resolutions=[512])),
        ({}, _sets({"resolutions": [512], "size_buckets": None}, {}, size_buckets=SIZES)),
        ({"size_buckets": SIZES}, _sets({"resolutions": [512], "size_buckets": None}, {})),
    ],
)
def test_evaluation_sets_of_other_sizes(check: JobCheck, training: dict[str, Any], data: dict[str, Any]) -> None:
    assert check("wan13", training, data=data).codes == []


def test_sizes_of_the_training_data_are_taken_from_an_evaluation_set_by_null(check: JobCheck) -> None:
    found = check("wan13", {"size_buckets": SIZES}, data=_sets({"resolutions": [512]}, {})).only

    assert found.hint == "Take resolutions out, or set size_buckets to null in the evaluation set."


@pytest.mark.parametrize(
    ("second", "evaluated", "codes"),
    [
        ({}, False, []),
        ({"size_buckets": SIZES}, False, ["DPC418"]),
        # An evaluation set of two unlike folders has what is said for all of them.
        ({"resolutions": [256]}, True, []),
        ({"resolutions": [256]}, False, ["DPC418"]),
        ({"size_buckets": [[768, 768, 1]]}, True, []),
    ],
)
def test_what_one_folder_needs_is_not_without_effect(
    check: JobCheck, second: dict[str, Any], evaluated: bool, codes: list[str]
) -> None:
    folders = [{"path": "/a", "size_buckets": SIZES}, {"path": "/b", **second}]
    data: dict[str, Any] = {"type": "precaptioned", "directories": folders}
    data |= {"eval": {"sets": [{"name": "a", "directories": [{"path": "/e"}]}]}} if evaluated else {}

    found = check("wan13", {"resolution": 512}, data=data)

    assert found.codes == codes


def test_sizes_of_each_folder_leave_those_of_all_to_the_evaluation_set(check: JobCheck) -> None:
    folders = [{"path": "/a", "resolutions": [256]}, {"path": "/b", "resolutions": [768]}]
    data: dict[str, Any] = {"type": "precaptioned", "directories": folders}
    evaluated = {"eval": {"sets": [{"name": "a", "directories": [{"path": "/e"}]}]}}

    assert check("wan13", {"resolution": 512}, data=data).codes == ["DPC439"]
    assert check("wan13", {"resolution": 512}, data={**data, **evaluated}).codes == []


@pytest.mark.parametrize(
    ("training", "own", "place"),
    [
        ({}, {"resolutions": None}, f"{IN_SET}/resolutions"),
        ({"size_buckets": SIZES}, {"size_buckets": None}, IN_SET),
        ({"resolution": None}, {}, "/training/resolution"),
    ],
)
def test_sizes_that_an_evaluation_set_lacks(
    check: JobCheck, training: dict[str, Any], own: dict[str, Any], place: str
) -> None:
    found = check("wan13", training, data=_sets(own, {})).only

    assert (found.code, found.path) == ("DPC230", place)
