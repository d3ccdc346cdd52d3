"""What the stand-in writes: run folders, models and checkpoints in the trainer's forms, small and without weights."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.rehearsal import REHEARSAL_FILE, REHEARSAL_TEXT
from worker.rehearsal.behaviour import Behaviour, kill_self

_FULL = Path("/dev/full")
"""The device that answers every write with "no space left"."""


def choose_run(output: Path, resume: str | bool) -> Path:
    """The run folder by the rules of train.py:541: the last entry, the one that is named, or a new one."""
    if resume is True:
        return max(output.glob("*"))
    if isinstance(resume, str):
        return output / resume
    while (new := output / datetime.now(UTC).strftime("%Y%m%d_%H-%M-%S")).exists():
        time.sleep(0.1)  # the trainer would share the folder with the run of the same second
    return new


def open_run(path: Path, copies: list[Path], *, resumed: bool) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / REHEARSAL_FILE).write_text(REHEARSAL_TEXT, encoding="utf-8")
    if not resumed:
        for file in copies:
            shutil.copy(file, path)


def save_model(run: Path, name: str, config: Path, settings: Mapping[str, Any], behaviour: Behaviour) -> None:
    """Writes a model in the order of utils/saver.py:58: tmp first, then weights and configuration, tmp last away."""
    folder = run / name
    tmp = folder / "tmp"
    tmp.mkdir(parents=True, exist_ok=False)
    if behaviour.has("disk-full"):
        fill_disk()
    weights = folder / _weights_name(settings)
    data = safetensors(int(settings.get("adapter", {}).get("rank", 8)))
    weights.write_bytes(data[: len(data) // 2] if behaviour.has("half-model") else data)
    if behaviour.has("crash-in-save"):
        kill_self()
    if "adapter" in settings:
        (folder / "adapter_config.json").write_text(json.dumps({"r": settings["adapter"].get("rank")}), "utf-8")
    shutil.copy(config, folder)
    shutil.rmtree(tmp)


def _weights_name(settings: Mapping[str, Any]) -> str:
    if "adapter" not in settings:
        return "model.safetensors"
    return "lora.safetensors" if settings["model"]["type"] == "sdxl" else "adapter_model.safetensors"


def safetensors(rank: int) -> bytes:
    """A valid file with one layer of a LoRA, all zeros."""
    size = rank * 8 * 2
    header = {
        "__metadata__": {"format": "pt", "rehearsal": "true"},
        "diffusion_model.rehearsal.lora_A.weight": {"dtype": "BF16", "shape": [rank, 8], "data_offsets": [0, size]},
        "diffusion_model.rehearsal.lora_B.weight": {
            "dtype": "BF16",
            "shape": [8, rank],
            "data_offsets": [size, 2 * size],
        },
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(2 * size)


def save_checkpoint(run: Path, step: int, state: Mapping[str, Any], behaviour: Behaviour) -> None:
    """Writes the files of DeepSpeed's pipeline engine, archives like PyTorch's; `latest` when all are there."""
    folder = run / f"global_step{step}"
    folder.mkdir(exist_ok=True)
    if behaviour.has("disk-full"):
        fill_disk()
    for name in ("layer_00-model_states.pt", "mp_rank_00_model_states.pt"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("state.json", json.dumps(state))
    (run / "latest").write_text(folder.name, encoding="utf-8")


def load_checkpoint(run: Path) -> dict[str, Any] | None:
    """The state in the newest checkpoint, or nothing where DeepSpeed would only warn (runtime/engine.py:4438)."""
    latest = run / "latest"
    if not latest.is_file():
        return None
    path = run / latest.read_text("utf-8").strip() / "mp_rank_00_model_states.pt"
    with zipfile.ZipFile(path) as archive:
        state: dict[str, Any] = json.loads(archive.read("state.json"))
    return state


def fill_disk() -> None:
    """Fails as a write to a full disk does."""
    with _FULL.open("wb", buffering=0) as full:
        os.write(full.fileno(), b"weights")
