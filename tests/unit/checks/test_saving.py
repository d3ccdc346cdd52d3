"""Models that are written to disk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

ACCUMULATED = {"gradient_accumulation_steps": 4}


def test_nothing_says_when_to_save(check: JobCheck) -> None:
    found = check("qwen", {"epochs": 5, "save_every_n_epochs": None})

    assert (found.only.code, found.only.path) == ("DPC421", "/training/save_every_n_epochs")
    assert found.source(found.only) == '"save_every_n_epochs": null'


@pytest.mark.parametrize("other", ["save_every_n_steps", "save_every_n_examples"])
def test_another_interval_is_enough(check: JobCheck, other: str) -> None:
    assert check("qwen", {"save_every_n_epochs": None, other: 500}).codes == []


@pytest.mark.parametrize(
    ("training", "gpus", "step"),
    [
        ({"batch_size": 2, **ACCUMULATED}, 1, 8),
        ({"batch_size": 2, **ACCUMULATED}, 4, 32),
        ({"batch_size": 2, **ACCUMULATED, "pipeline_stages": 2}, 4, 16),
        ({"batch_size": [[512, 3], [1024, 3]], **ACCUMULATED}, 1, 12),
    ],
)
def test_fewer_examples_than_a_step_has(check: JobCheck, training: dict[str, Any], gpus: int, step: int) -> None:
    few, enough = ({**training, "save_every_n_examples": n} for n in (step - 1, step))

    found = check("qwen", few, launch={"num_gpus": gpus})

    assert (found.only.code, found.only.path) == ("DPC438", "/training/save_every_n_examples")
    assert found.only.hint == f"Use {step} or more."
    assert check("qwen", enough, launch={"num_gpus": gpus}).codes == []


def test_a_full_fine_tune_that_is_saved_without_parts(check: JobCheck) -> None:
    found = check("ltx2", {"adapter": None}, data="videos")

    assert (found.only.code, found.only.path) == ("DPC460", "/training/adapter")
    assert "is saved without scale_shift_table and audio_scale_shift_table" in found.only.message
    assert check("ltx2", data="videos").codes == []
    assert check("krea2", {"adapter": None}).codes == []
