"""Evaluation while training."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import ADDRESS, JobCheck

IMAGES = {"type": "images", "images_url": ADDRESS}
SPLIT = {**IMAGES, "eval": {"fraction": 0.1}}
FETCHED = {**IMAGES, "eval": {"images_url": "https://example.com/eval.zip"}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eval_every_n_epochs", 1),
        ("eval_every_n_steps", 100),
        ("eval_every_n_examples", 100),
        ("eval_before_first_step", True),
        ("eval_micro_batch_size_per_gpu", 2),
        ("disable_block_swap_for_eval", True),
    ],
)
def test_settings_without_a_set(check: JobCheck, key: str, value: object) -> None:
    found = check("qwen", {key: value})

    assert (found.only.code, found.only.path) == ("DPC428", f"/training/{key}")
    assert found.only.severity == "warning"
    assert '"eval"' in found.only.hint
    assert found.ok


@pytest.mark.parametrize("training", [{"eval_every_n_steps": 0}, {"eval_before_first_step": False}])
def test_switched_off_without_a_set(check: JobCheck, training: dict[str, Any]) -> None:
    assert check("qwen", training).codes == []


@pytest.mark.parametrize("data", [SPLIT, FETCHED])
def test_settings_with_a_set(check: JobCheck, data: dict[str, Any]) -> None:
    training = {"eval_every_n_epochs": 1, "eval_before_first_step": False, "eval_every_n_examples": 400}

    assert check("qwen", training, data=data).codes == []


def test_a_set_whose_address_is_wrong_is_a_set(check: JobCheck) -> None:
    data = {**IMAGES, "eval": {"images_url": "ftp://example.com/a.zip"}}

    assert check("qwen", {"eval_every_n_epochs": 1}, data=data).codes == ["DPC221"]


def test_an_empty_address_is_no_set(check: JobCheck) -> None:
    data = {**IMAGES, "eval": {"images_url": ""}}

    assert check("qwen", {"eval_every_n_epochs": 1}, data=data).codes == ["DPC229", "DPC428"]


def test_set_without_an_occasion(check: JobCheck) -> None:
    training = {"eval_every_n_epochs": None, "eval_before_first_step": False}

    found = check("qwen", training, data=SPLIT)

    assert (found.only.code, found.only.path) == ("DPC428", "/dataset/eval")
    assert check("qwen", {"eval_every_n_epochs": None}, data=SPLIT).codes == []


def test_fewer_examples_than_a_step_has(check: JobCheck) -> None:
    training = {"batch_size": 2, "gradient_accumulation_steps": 4}

    found = check("qwen", {**training, "eval_every_n_examples": 7}, data=SPLIT).only

    assert (found.code, found.path, found.hint) == ("DPC428", "/training/eval_every_n_examples", "Use 8 or more.")
    assert check("qwen", {**training, "eval_every_n_examples": 8}, data=SPLIT).codes == []
    assert check("qwen", {**training, "eval_every_n_examples": 0}, data=SPLIT).codes == []


def test_fetched_and_split_off(check: JobCheck) -> None:
    data = {**IMAGES, "eval": {"images_url": ADDRESS, "fraction": 0.1}}

    found = check("qwen", data=data).only

    assert (found.code, found.path) == ("DPC448", "/dataset/eval/fraction")
