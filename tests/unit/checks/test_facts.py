"""What checks look at, and how they say where something is wrong."""

from __future__ import annotations

import pytest

from tests.unit.checks.support import ADDRESS, JobCheck

OWN_DEFAULT = """
name: my_model
title: My Model
extends: qwen
defaults:
  model: {dtype: float16}
"""


def test_place_of_a_setting_in_the_job(check: JobCheck) -> None:
    found = check("qwen", {"epochs": 5, "model": {"dtype": "float16"}})

    assert found.only.path == "/training/model/dtype"
    assert found.source(found.only) == '"dtype": "float16"'


def test_place_in_an_envelope(check: JobCheck) -> None:
    inner = {"model_type": "qwen", "dataset": {"type": "images", "images_url": ADDRESS}}
    found = check("", id="first", input={**inner, "training": {"model_dtype": "float16"}})

    assert found.places("DPC423") == ["/input/training/model_dtype"]


def test_place_of_a_setting_by_set(check: JobCheck) -> None:
    found = check("qwen", {"model_dtype": "bfloat16"}, sets=["model_dtype=float16"]).only

    assert (found.file, found.path) == ("--set", "/training/model_dtype")


def test_place_of_what_a_spec_sets(check: JobCheck) -> None:
    assert check("my_model", spec=OWN_DEFAULT).places("DPC423") == ["/model_type"]


@pytest.mark.parametrize(
    ("training", "place"),
    [
        ({"learning_rate": None}, "/training/learning_rate"),
        ({"lr": None}, "/training/lr"),
        ({"optimizer": {"lr": None}}, "/training/optimizer/lr"),
        ({"optimizer_lr": None}, "/training/optimizer_lr"),
    ],
)
def test_place_of_a_null_however_it_is_spelt(check: JobCheck, training: dict[str, object], place: str) -> None:
    assert check("qwen", training).only.path == place


def test_place_of_a_null_by_set(check: JobCheck) -> None:
    found = check("qwen", {"learning_rate": 1e-4}, sets=["learning_rate=null"]).only

    assert (found.file, found.path) == ("--set", "/training/learning_rate")


@pytest.mark.parametrize(
    "training",
    [
        {"size_buckets": [[10**400, 16, 1], [16, 10**400, 1]]},
        {"resolution": [[1e200, 1e300]], "enable_ar_bucket": False},
        {"batch_size": 10**3000, "gradient_accumulation_steps": 10**3000, "save_every_n_examples": 5},
        {"pipeline_stages": 10**4000},
        {"passthrough": {"root": {"pipeline_stages": "two"}, "directory": {"size_buckets": 7}}},
    ],
)
def test_numbers_beyond_all_measure_do_no_harm(check: JobCheck, training: dict[str, object]) -> None:
    found = check("wan13", training, launch={"num_gpus": 10**3000, "hosts": ["a", "b"]})

    assert not [code for code in found.codes if code.startswith("DPC4")]
