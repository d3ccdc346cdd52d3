"""What is known on disk about a training that runs, so that a worker that was killed finds it again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Written before the trainer starts, and again when its run folder is known."""

    mark: str
    """The value of DPCOMPILE_TRAINING in the environment of all its processes."""
    log_start: int
    """Where in the log its output begins, in bytes."""
    run_folder: str | None = None
    can_save: bool = False
    """Whether it takes steps, so that it answers to a signal file."""


def read_record(path: Path) -> TrainingRecord | None:
    """The record of the training before; None when there is none, or it is of another form."""
    try:
        return TrainingRecord(**json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_record(path: Path, record: TrainingRecord) -> None:
    """Puts the record in place at once, and on the disk, not only in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
