"""What is said of a checkpoint's size, against one that DeepSpeed writes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dpcompile.inspection.disk import optimizer_bytes
from dpcompile.inspection.size import DTYPE_BYTES, ModelSize, adapter_parameters

pytestmark = pytest.mark.torch

_BESIDE = 2500
"""Bytes that a checkpoint may have for each tensor beside its numbers."""


def test_a_checkpoint_is_the_adapter_and_what_the_optimizer_keeps(tmp_path: Path) -> None:
    width, rank, layers = 512, 16, 4
    command = [sys.executable, "-m", "tests.worker.training.pipelinecheckpoint", str(tmp_path / "run")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment = {**os.environ, "MASTER_PORT": str(free.getsockname()[1])}

    subprocess.run([*command, *map(str, (width, rank, layers))], env=environment, check=True, timeout=200)

    size = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
    numbers = adapter_parameters(ModelSize(adapted=((width, width, layers),)), {"type": "lora", "rank": rank})
    each = DTYPE_BYTES["bfloat16"]
    kept = optimizer_bytes({"optimizer": {"type": "adamw"}}, each)
    assert numbers is not None
    assert kept is not None
    said = numbers * (each + kept)
    assert said <= size <= said + 2 * layers * 3 * _BESIDE
