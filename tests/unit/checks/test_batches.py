"""How many examples go into a batch and into a step, and what is counted in examples."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck, dataset

UNEVEN = {"batch_size": [[512, 4], [1024, 1]]}


@pytest.mark.parametrize("counted", ["save_every_n_examples", "eval_every_n_examples"])
def test_counting_batches_of_several_sizes(check: JobCheck, counted: str) -> None:
    data = {"type": "images", "images_url": "https://example.com/a.zip", "eval": {"fraction": 0.1}}

    found = check("qwen", {**UNEVEN, counted: 4000}, data=data)

    assert (found.only.code, found.only.path) == ("DPC454", f"/training/{counted}")
    assert "counts 4 examples" in found.only.message
    assert check("qwen", {"batch_size": [[512, 4], [1024, 4]], counted: 4000}, data=data).codes == []


def test_half_life_counts_examples_too(check: JobCheck) -> None:
    found = check("qwen", {**UNEVEN, "beta2_half_life": 5000}).only

    assert (found.code, found.path) == ("DPC454", "/training/beta2_half_life")


def test_batches_of_several_sizes_that_nobody_counts(check: JobCheck) -> None:
    assert check("qwen", UNEVEN).codes == []


def test_one_resolution_with_two_batch_sizes(check: JobCheck) -> None:
    found = check("qwen", {"batch_size": [[512, 4], [512, 2]]}).only

    assert (found.code, found.path) == ("DPC418", "/training/batch_size")
    assert "resolution 512" in found.message


def test_image_batches_without_images(check: JobCheck) -> None:
    training = {"image_micro_batch_size_per_gpu": 4}

    found = check("wan13", training, data="videos").only

    assert (found.code, found.path) == ("DPC439", "/training/image_micro_batch_size_per_gpu")
    assert check("wan13", training, data="both").codes == []
    assert check("wan13", training, data="images").codes == []


@pytest.mark.parametrize(
    ("training", "place"),
    [
        ({"batch_size": 2}, "/training/batch_size"),
        ({"batch_size": [[512, 2], [1024, 1]]}, "/training/batch_size"),
        ({"image_micro_batch_size_per_gpu": 3}, "/training/image_micro_batch_size_per_gpu"),
        ({"gradient_accumulation_steps": 2}, "/training/gradient_accumulation_steps"),
        ({"batch_size": 2, "gradient_accumulation_steps": 2}, "/training/batch_size"),
    ],
)
def test_a_model_that_takes_one_example_a_step(check: JobCheck, training: dict[str, Any], place: str) -> None:
    found = check("flux2_dev", training).only

    assert (found.code, found.path) == ("DPC461", place)
    assert check("flux2_klein_4b", training).codes == []


@pytest.mark.parametrize(
    ("training", "place"),
    [
        ({"eval_micro_batch_size_per_gpu": 2}, "/training/eval_micro_batch_size_per_gpu"),
        ({"eval_gradient_accumulation_steps": 2}, "/training/eval_gradient_accumulation_steps"),
    ],
)
def test_one_example_a_step_of_an_evaluation(check: JobCheck, training: dict[str, Any], place: str) -> None:
    found = check("flux2_dev", training, data={**dataset("images"), "eval": {"fraction": 0.1}})

    assert (found.only.code, found.only.path) == ("DPC461", place)


def test_one_example_a_step_is_what_the_spec_begins_with(check: JobCheck) -> None:
    assert check("flux2_dev").codes == []
    assert check("flux2_dev", launch={"num_gpus": 2}).codes == []


PAIRS, PLAIN = {"path": "/data/pairs", "control_path": "/data/c"}, {"path": "/data/plain"}


@pytest.mark.parametrize(
    ("directories", "training", "places"),
    [
        ([PAIRS, PLAIN], {"batch_size": 2}, ["/dataset/directories/0/control_path"]),
        ([PLAIN, PAIRS], {"gradient_accumulation_steps": 4}, ["/dataset/directories/1/control_path"]),
        ([PAIRS, PLAIN], {"batch_size": 1, "gradient_accumulation_steps": 1}, []),
        ([PAIRS, {**PAIRS, "path": "/data/more"}], {"batch_size": 2}, []),
        ([PLAIN], {"batch_size": 2}, []),
    ],
)
def test_edit_pairs_beside_plain_files(
    check: JobCheck, directories: list[dict[str, Any]], training: dict[str, Any], places: list[str]
) -> None:
    data = {"type": "precaptioned", "directories": directories}

    assert check("flux", training, data=data).places("DPC464") == places
