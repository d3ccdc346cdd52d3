"""How the trainer is started."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck


@pytest.mark.parametrize(
    ("launch", "code", "place"),
    [
        ({"env": {"HF_TOKEN": "x"}}, "DPC225", "/launch/env/HF_TOKEN"),
        ({"env": {"WANDB_API_KEY": "x"}}, "DPC225", "/launch/env/WANDB_API_KEY"),
        ({"env": {"MASTER_PORT": "29500"}}, "DPC451", "/launch/env/MASTER_PORT"),
        ({"env": {"CUDA_VISIBLE_DEVICES": "1"}}, "DPC451", "/launch/env/CUDA_VISIBLE_DEVICES"),
        ({"env": {"WORLD_SIZE": "2"}}, "DPC451", "/launch/env/WORLD_SIZE"),
        ({"regenerate_cache": True, "trust_cache": True}, "DPC451", "/launch/trust_cache"),
        ({"hosts": ["gpu-1", "gpu-2", "gpu-1"]}, "DPC451", "/launch/hosts/2"),
    ],
)
def test_told(check: JobCheck, launch: dict[str, Any], code: str, place: str) -> None:
    found = check("qwen", launch=launch)

    assert (found.only.code, found.only.path) == (code, place)


@pytest.mark.parametrize(
    "launch",
    [
        {},
        {"env": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True", "NCCL_P2P_DISABLE": "1"}},
        {"regenerate_cache": True},
        {"trust_cache": True},
        {"resume": True, "regenerate_cache": True},
        {"hosts": ["gpu-1", "gpu-2"], "num_gpus": 8},
        {"time_limit_minutes": 60},
    ],
)
def test_left_in_peace(check: JobCheck, launch: dict[str, Any]) -> None:
    assert check("qwen", launch=launch).codes == []


def test_a_wandb_key_has_a_place_of_its_own(check: JobCheck) -> None:
    assert "wandb_api_key" in check("qwen", launch={"env": {"WANDB_API_KEY": "x"}}).only.hint


def test_said_by_set(check: JobCheck) -> None:
    found = check("qwen", launch={"regenerate_cache": True}, sets=["launch.trust_cache=true"])

    assert (found.only.file, found.only.path) == ("--set", "/launch/trust_cache")
