"""The [model] table, and what it is computed in: timesteps, losses, number formats, paths."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

ENCODER = {"type": "lumina2", "path": "qwen.safetensors"}


@pytest.mark.parametrize(
    ("model", "training", "code", "place"),
    [
        ("wan13", {"min_t": 0.9, "max_t": 0.5}, "DPC417", "/training/min_t"),
        ("wan13", {"min_t": 0.5, "max_t": 0.5}, "DPC417", "/training/min_t"),
        ("qwen", {"model_dtype": "float16"}, "DPC423", "/training/model_dtype"),
        ("qwen", {"lora_dtype": "float16"}, "DPC423", "/training/lora_dtype"),
        ("flux", {"adapter": None, "transformer_dtype": "float16"}, "DPC423", "/training/transformer_dtype"),
        ("krea2", {"adapter": None, "diffusion_model_dtype": "float16"}, "DPC423", "/training/diffusion_model_dtype"),
        ("qwen", {"model_dtype": "float8"}, "DPC429", "/training/model_dtype"),
        ("sdxl", {"model": {"dtype": "float8_e5m2"}}, "DPC429", "/training/model/dtype"),
        ("qwen", {"lora_dtype": "float8"}, "DPC429", "/training/lora_dtype"),
        ("sdxl", {"huber_delta": 0.1}, "DPC431", "/training/huber_delta"),
        ("sdxl", {"smooth_l1_beta": 0.1}, "DPC431", "/training/smooth_l1_beta"),
        ("qwen", {"transformer_path": "models/a.safetensors"}, "DPC434", "/training/transformer_path"),
        ("z_image_turbo", {"merge_adapters": ["/a", "b"]}, "DPC434", "/training/merge_adapters/1"),
        ("z_image_turbo", {"text_encoders": [ENCODER]}, "DPC434", "/training/text_encoders/0/path"),
        ("wan13", {"init_from_existing": "loras/first"}, "DPC434", "/training/init_from_existing"),
        ("flux", {"fuse_adapters": [{"path": "a"}]}, "DPC434", "/training/fuse_adapters/0/path"),
        ("qwen", {"directory": {"mask_path": "masks"}}, "DPC434", "/training/directory/mask_path"),
    ],
)
def test_told(check: JobCheck, model: str, training: dict[str, Any], code: str, place: str) -> None:
    found = check(model, training)

    assert (found.only.code, found.only.path) == (code, place)


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ("wan13", {"min_t": 0.0, "max_t": 0.875}),
        ("wan13", {"min_t": 0.875}),
        ("wan13", {"max_t": 0.358}),
        ("qwen", {"model_dtype": "float32", "lora_dtype": "float32"}),
        ("qwen", {"transformer_dtype": "float8_e5m2"}),
        ("qwen", {"save_dtype": "float16"}),
        ("flux", {"transformer_dtype": "float16"}),
        ("flux2_dev", {"flux_shift": True}),
        ("minimax_h3", {"flux_shift": True}),
        ("qwen", {"huber_delta": 0.1}),
        ("wan13", {"smooth_l1_beta": 0.0}),
        ("qwen", {"transformer_path": "/models/a.safetensors"}),
        ("z_image_turbo", {"merge_adapters": ["/a", "/b"]}),
        ("qwen", {"directory": {"mask_path": "/masks"}}),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, training: dict[str, Any]) -> None:
    assert check(model, training).codes == []


def test_float8_has_a_place_of_its_own(check: JobCheck) -> None:
    assert "transformer_dtype" in check("qwen", {"model_dtype": "float8"}).only.hint
    assert "diffusion_model_dtype" in check("z_image_turbo", {"model_dtype": "float8"}).only.hint
    assert check("sdxl", {"model_dtype": "float8"}).only.hint == 'Use "bfloat16".'


def test_a_wrong_limit_is_told_once(check: JobCheck) -> None:
    assert check("wan13", {"min_t": "high", "max_t": 0.0001}).codes == ["DPC203"]


def test_paths_of_the_spec_are_whole(check: JobCheck) -> None:
    assert check("z_image_turbo", {"vae": "ae.safetensors"}).places("DPC434") == ["/training/vae"]


RANGE = "Use 0 <= min_t < max_t <= 1, for example min_t "


@pytest.mark.parametrize(
    ("model", "training", "message", "hint"),
    [
        ("wan13", {"min_t": 0.9, "max_t": 0.5}, "min_t 0.9 is not below max_t 0.5: ", f"{RANGE}0.0 and max_t 0.875."),
        (
            "wan22_i2v_high",
            {"max_t": 0.5},
            "min_t 0.9 of the model spec wan22_i2v_high is not below max_t 0.5: ",
            "Set max_t above 0.9.",
        ),
        (
            "wan22_t2v_low",
            {"min_t": 0.9},
            "min_t 0.9 is not below max_t 0.875 of the model spec wan22_t2v_low: ",
            "Set min_t below 0.875.",
        ),
        ("wan22_i2v_high", {"min_t": 0.9, "max_t": 0.5}, "min_t 0.9 is not", f"{RANGE}0.9 and max_t 1.0."),
    ],
)
def test_an_empty_range_is_told_with_what_the_spec_says(
    check: JobCheck, model: str, training: dict[str, Any], message: str, hint: str
) -> None:
    found = check(model, training).only

    assert (found.code, found.hint) == ("DPC417", hint)
    assert found.message.startswith(message)
