"""The learning rate over time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

AUTOMAGIC = {"optimizer_type": "automagic"}


@pytest.mark.parametrize(
    ("model", "training", "code", "key"),
    [
        ("qwen", {"lr_scheduler": "cosine", "learning_rate": 5e-7}, "DPC440", "learning_rate"),
        ("sdxl", {"lr_scheduler": "cosine", "text_encoder_1_lr": 0.0}, "DPC440", "text_encoder_1_lr"),
        ("qwen", {**AUTOMAGIC, "learning_rate": 0.01}, "DPC440", "learning_rate"),
        ("qwen", {"lr_scheduler": "linear", "max_steps": 2000}, "DPC420", "lr_scheduler"),
        ("qwen", {"lr_scheduler": "cosine", "epochs": 1000, "max_steps": 2000}, "DPC420", "lr_scheduler"),
        ("qwen", {"max_steps": 50}, "DPC420", "max_steps"),
        ("qwen", {"warmup_steps": 500, "max_steps": 300}, "DPC420", "warmup_steps"),
        ("qwen", {**AUTOMAGIC, "lr_scheduler": "linear"}, "DPC420", "lr_scheduler"),
        ("qwen", {**AUTOMAGIC, "warmup_steps": 50}, "DPC420", "warmup_steps"),
        ("qwen", {**AUTOMAGIC, "force_constant_lr": 1e-4}, "DPC420", "force_constant_lr"),
        (
            "qwen",
            {"optimizer": {"type": "genericoptim", "automagic": True}, "lr_scheduler": "linear"},
            "DPC420",
            "lr_scheduler",
        ),
        ("sdxl", {"force_constant_lr": 1e-4, "unet_lr": 1e-5}, "DPC433", "force_constant_lr"),
        ("qwen", {"force_constant_lr": 1e-4, "lr_scheduler": "linear"}, "DPC433", "force_constant_lr"),
        ("qwen", {"force_constant_lr": 1e-4, "warmup_steps": 10}, "DPC433", "force_constant_lr"),
    ],
)
def test_told(check: JobCheck, model: str, training: dict[str, Any], code: str, key: str) -> None:
    found = check(model, training)

    assert (found.only.code, found.only.path) == (code, f"/training/{key}")


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ("qwen", {"lr_scheduler": "cosine"}),
        ("qwen", {"lr_scheduler": "linear", "learning_rate": 5e-7}),
        ("qwen", {"lr_scheduler": "cosine", "learning_rate": 1.1e-6}),
        ("sdxl", {"text_encoder_1_lr": 0.0}),
        ("qwen", {"lr_scheduler": "cosine", "epochs": 20, "warmup_steps": 200}),
        ("qwen", {"max_steps": 2000}),
        ("qwen", {"lr_scheduler": "constant", "max_steps": 2000}),
        ("qwen", {"max_steps": 50, "warmup_steps": 0}),
        ("qwen", {"max_steps": 50, "force_constant_lr": 1e-4}),
        ("qwen", {**AUTOMAGIC, "learning_rate": 1e-4}),
        ("qwen", {**AUTOMAGIC, "max_steps": 50}),
        ("qwen", {**AUTOMAGIC, "lr_scheduler": "constant", "warmup_steps": 0}),
        # To override the rate is what it is there for.
        ("qwen", {"learning_rate": 1e-4, "force_constant_lr": 5e-5}),
        ("qwen", {"force_constant_lr": 5e-5, "lr_scheduler": "constant", "warmup_steps": 0}),
        ("sdxl", {"force_constant_lr": 1e-5, "unet_lr": 1e-5}),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, training: dict[str, Any]) -> None:
    assert check(model, training).codes == []


def test_rate_that_would_rise_is_shown(check: JobCheck) -> None:
    found = check("qwen", {"lr_scheduler": "cosine", "learning_rate": 5e-7}).only

    assert "learning_rate 5e-07" not in found.message
    assert "lr 5e-07 would rise" in found.message


def test_all_that_is_overridden_is_named(check: JobCheck) -> None:
    training = {"force_constant_lr": 1e-4, "lr_scheduler": "linear", "warmup_steps": 10, "unet_lr": 1e-5}

    found = check("sdxl", training).only

    assert found.message == "force_constant_lr overrides unet_lr, lr_scheduler and warmup_steps"


def test_wrong_scheduler_is_told_once(check: JobCheck) -> None:
    assert check("qwen", {"lr_scheduler": "cosinus", "learning_rate": 5e-7, "max_steps": 2000}).codes == ["DPC204"]
