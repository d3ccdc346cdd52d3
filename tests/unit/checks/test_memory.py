"""Block swapping, checkpointing and the division over GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

TWO_STAGES = {"pipeline_stages": 2}
REENTRANT = {"reentrant_activation_checkpointing": True}


@pytest.mark.parametrize(
    ("model", "training", "gpus", "code", "key"),
    [
        ("sdxl", {"blocks_to_swap": 4}, 1, "DPC424", "blocks_to_swap"),
        ("qwen", {"blocks_to_swap": 4, "adapter": None}, 1, "DPC424", "blocks_to_swap"),
        ("qwen", {"blocks_to_swap": 4, **TWO_STAGES}, 2, "DPC424", "blocks_to_swap"),
        ("wan13", {"blocks_to_swap": 4, "cache_text_embeddings": False}, 1, "DPC424", "blocks_to_swap"),
        ("qwen", {"blocks_to_swap": 59}, 1, "DPC425", "blocks_to_swap"),
        ("flux", {"blocks_to_swap": 35}, 1, "DPC425", "blocks_to_swap"),
        ("qwen", TWO_STAGES, 1, "DPC426", "pipeline_stages"),
        ("qwen", TWO_STAGES, 3, "DPC426", "pipeline_stages"),
        ("qwen", {"partition_method": "manual", **TWO_STAGES}, 2, "DPC427", "partition_method"),
        ("qwen", {"partition_method": "manual"}, 1, "DPC427", "partition_method"),
        (
            "qwen",
            {"partition_method": "manual", "partition_split": [9], "pipeline_stages": 3},
            3,
            "DPC427",
            "partition_split",
        ),
        (
            "qwen",
            {"partition_method": "manual", "partition_split": [30, 9], "pipeline_stages": 3},
            3,
            "DPC427",
            "partition_split",
        ),
        ("qwen", {"partition_split": [30], **TWO_STAGES}, 2, "DPC439", "partition_split"),
        (
            "qwen",
            {**REENTRANT, "activation_checkpointing": False, "blocks_to_swap": 4},
            1,
            "DPC435",
            "reentrant_activation_checkpointing",
        ),
        ("qwen", {**REENTRANT, "activation_checkpointing": False}, 1, "DPC439", "reentrant_activation_checkpointing"),
        (
            "qwen",
            {"activation_checkpointing": "unsloth", "reentrant_activation_checkpointing": False},
            1,
            "DPC439",
            "reentrant_activation_checkpointing",
        ),
    ],
)
def test_told(check: JobCheck, model: str, training: dict[str, Any], gpus: int, code: str, key: str) -> None:
    found = check(model, training, launch={"num_gpus": gpus})

    assert (found.only.code, found.only.path) == (code, f"/training/{key}")
    assert found.source(found.only).startswith(f'"{key}"')


@pytest.mark.parametrize(
    ("model", "training", "gpus"),
    [
        ("qwen", {"blocks_to_swap": 58}, 1),
        ("flux", {"blocks_to_swap": 34}, 1),
        ("wan13", {"blocks_to_swap": 28}, 4),
        ("sdxl", {"blocks_to_swap": 0}, 1),
        ("qwen", {"blocks_to_swap": 0, "adapter": None, **TWO_STAGES}, 2),
        ("wan13", {"cache_text_embeddings": False}, 1),
        ("qwen", TWO_STAGES, 2),
        ("qwen", TWO_STAGES, 4),
        ("qwen", {"partition_method": "manual", "partition_split": [30], **TWO_STAGES}, 2),
        ("qwen", {"partition_method": "manual", "partition_split": []}, 1),
        ("qwen", {"partition_method": "uniform", **TWO_STAGES}, 2),
        ("qwen", {"partition_method": "type:TransformerLayer", **TWO_STAGES}, 2),
        ("qwen", {**REENTRANT, "blocks_to_swap": 4}, 1),
        ("qwen", {**REENTRANT, "activation_checkpointing": "unsloth"}, 1),
        ("qwen", {"reentrant_activation_checkpointing": False}, 1),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, training: dict[str, Any], gpus: int) -> None:
    assert check(model, training, launch={"num_gpus": gpus}).codes == []


def test_all_that_keeps_blocks_from_being_swapped_is_told_at_once(check: JobCheck) -> None:
    training = {"blocks_to_swap": 99, "adapter": None, **TWO_STAGES}

    assert check("qwen", training, launch={"num_gpus": 2}).codes == ["DPC424", "DPC424", "DPC425"]


def test_swapping_of_a_preset(check: JobCheck) -> None:
    found = check("qwen", TWO_STAGES, preset="vram_24gb", launch={"num_gpus": 2})

    assert (found.only.code, found.only.path) == ("DPC424", "/preset")


def test_most_blocks_are_named(check: JobCheck) -> None:
    assert check("wan14b_t2v", {"blocks_to_swap": 40}).only.hint == "Use a value up to 38."


def test_all_machines_count(check: JobCheck) -> None:
    launch = {"num_gpus": 1, "hosts": ["a", "b"]}

    assert check("qwen", TWO_STAGES, launch=launch).codes == []
    assert check("qwen", {"pipeline_stages": 3}, launch=launch).codes == ["DPC426"]


def test_swapping_switched_off_for_evaluation(check: JobCheck) -> None:
    data = {"type": "images", "images_url": "https://example.com/a.zip", "eval": {"fraction": 0.1}}
    training = {"disable_block_swap_for_eval": True}

    found = check("qwen", training, data=data).only

    assert (found.code, found.path) == ("DPC439", "/training/disable_block_swap_for_eval")
    assert check("qwen", {**training, "blocks_to_swap": 4}, data=data).codes == []


def test_a_passed_through_value_of_any_kind_does_no_harm(check: JobCheck) -> None:
    training = {"passthrough": {"root": {"blocks_to_swap": "many", "pipeline_stages": [1]}}}

    assert check("qwen", training).codes == ["DPC216", "DPC216"]


@pytest.mark.parametrize(
    ("stages", "split", "message"),
    [
        (1, [9], "partition_split says where the layers are cut, and a single stage is not cut"),
        (2, [9, 20], "partition_split needs one layer number for 2 stages"),
        (3, [9], "partition_split needs 2 rising layer numbers for 3 stages"),
    ],
)
def test_a_split_is_told_how_many_numbers_it_needs(
    check: JobCheck, stages: int, split: list[int], message: str
) -> None:
    training = {"partition_method": "manual", "pipeline_stages": stages, "partition_split": split}

    assert check("qwen", training, launch={"num_gpus": stages}).only.message == message


@pytest.mark.parametrize(
    ("model", "split", "hint"),
    [
        ("flux", [59], "Give the number of the first layer of each stage but the first, at most 58."),
        ("qwen", [9999], "Give the number of the first layer of each stage but the first, at most 61."),
        ("flux", [58], None),
        ("sdxl", [9999], None),  # how many layers it has does not stand in the spec
    ],
)
def test_a_split_within_the_layers(check: JobCheck, model: str, split: list[int], hint: str | None) -> None:
    training = {"partition_method": "manual", "partition_split": split, **TWO_STAGES}

    found = check(model, training, launch={"num_gpus": 2})

    assert [(d.code, d.path, d.hint) for d in found.diagnostics] == (
        [("DPC427", "/training/partition_split", hint)] if hint else []
    )
