"""The files of a publication: what the trainer saved as the model, and nothing else it left behind."""

from __future__ import annotations

import json
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import StepFailed

WEIGHTS = (".safetensors", ".bin", ".pt", ".ckpt", ".gguf")
_MODEL_FOLDER = re.compile(r"(?:epoch|step)\d+")
_LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format itself
_AGAIN = "Run the job again with --resume: the trainer saves the model anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """The result of one training, as its step told it."""

    part: str
    """Name of one of several trainings of a job, such as `high`; empty where there is one."""
    folder: Path
    run_folder: Path
    epochs_completed: int
    steps: int | None
    final_loss: float | None
    loss_curve: Path | None

    @property
    def name(self) -> str:
        """`epoch20`, or `step500`."""
        return self.folder.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that may be published: its name there, with `/` between folders, and where it lies."""

    name: str
    path: Path

    @property
    def is_weights(self) -> bool:
        return self.name.endswith(WEIGHTS)


def saved_models(results: Mapping[str, Mapping[str, Any]], trainings: list[str], output: Path) -> list[SavedModel]:
    """What the steps of training saved, in the plan's order. Raises StepFailed if one saved no whole model."""
    return [_saved_model(step, results.get(step, {}), output) for step in trainings]


def _saved_model(step: str, result: Mapping[str, Any], output: Path) -> SavedModel:
    if not result.get("model_folder"):
        raise StepFailed("DPC761", f"{step} has left no model to publish", _AGAIN)
    folder = Path(result["model_folder"])
    if not _MODEL_FOLDER.fullmatch(folder.name):
        # global_stepN holds the state of DeepSpeed: of no use to anybody but the trainer, and many times as large.
        raise StepFailed("DPC761", f"{folder.name} is not a model that the trainer saved", _AGAIN)
    if not folder.resolve().is_relative_to(output.resolve()):
        raise StepFailed("DPC761", f"{folder} does not lie in the job's own folder", _AGAIN)
    curve = result.get("loss_curve")
    return SavedModel(
        part=step.removeprefix("train").removeprefix("-"),
        folder=folder,
        run_folder=Path(result.get("run_folder") or folder.parent),
        epochs_completed=int(result.get("epochs_completed") or 0),
        steps=result.get("steps"),
        final_loss=result.get("final_loss"),
        loss_curve=Path(curve) if curve else None,
    )


def sources_of(model: SavedModel) -> list[Source]:
    """The files of a saved model, in the order of their names. Raises StepFailed unless the model is whole."""
    if not model.folder.is_dir():
        raise StepFailed("DPC761", f"the folder {model.name} of the trained model is gone", _AGAIN)
    if (model.folder / "tmp").exists():
        # The trainer removes it as the last thing it does while saving (utils/saver.py:85).
        raise StepFailed("DPC761", f"the trainer was stopped while it saved {model.name}", _AGAIN)
    prefix = f"{model.part}/" if model.part else ""
    found = [Source(name=prefix + name, path=path) for name, path in _regular_files(model.folder)]
    weights = [source for source in found if source.is_weights]
    if not weights:
        raise StepFailed("DPC761", f"{model.name} holds no weights", _AGAIN)
    for source in weights:
        _check_weights(source, model.name)
    return found


def _regular_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        states = any(part.startswith("global_step") for part in name.split("/"))
        if stat.S_ISREG(path.lstat().st_mode) and not states and not path.name.startswith("."):
            yield name, path


def _check_weights(source: Source, model: str) -> None:
    """Sees that a file of weights is as long as it says: half a file would be loaded by nobody."""
    size = source.path.stat().st_size
    if size == 0 or (source.name.endswith(".safetensors") and _safetensors_size(source.path) != size):
        raise StepFailed("DPC761", f"{source.name} of {model} is not a whole file of weights", _AGAIN)


def _safetensors_size(path: Path) -> int | None:
    """How many bytes a safetensors file has by its own header; None when it has no such header."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return None
        (length,) = struct.unpack("<Q", start)
        if length > _LONGEST_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return None
    return 8 + int(length) + max(ends, default=0)
