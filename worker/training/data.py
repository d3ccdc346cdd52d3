"""The dataset folders that a training reads: they must be writable, and encoded by one training at a time."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from worker.errors import StepFailed
from worker.filelock import take_patiently
from worker.stopping import Stop


def data_folders(config: Path) -> list[Path]:
    """Every folder that the trainer's files name, of training and evaluation. Raises StepFailed if one is missing."""
    train = read_toml(config)
    files = [Path(train["dataset"]), *(Path(e["config"]) for e in train.get("eval_datasets", []))]
    folders = [Path(directory["path"]) for file in files for directory in read_toml(file).get("directory", [])]
    for folder in folders:
        if not folder.is_dir():
            hint = "The fetch step makes it: run the job again with --resume."
            raise StepFailed("DPC745", f"a dataset folder is missing: {folder}", hint)
        _check_writable(folder)
    return list(dict.fromkeys(folders))


def read_toml(path: Path) -> dict[str, Any]:
    """A file of the plan. Raises StepFailed where it is not there or cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise StepFailed("DPC745", f"a file of the plan is missing: {path}", "Run the job again.") from error
    except (OSError, ValueError) as error:
        raise StepFailed("DPC745", f"{path} cannot be read: {error}", "Run the job again.") from error


def _check_writable(folder: Path) -> None:
    """The trainer makes `cache` in the folder from a child process, and hangs if it cannot (utils/dataset.py:226)."""
    cache = folder / "cache"
    probe = cache / f".writable-{os.getpid()}"
    try:
        cache.mkdir(exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StepFailed(
            "DPC751",
            f"nothing can be written to the dataset folder {folder}: {error.strerror}",
            "The trainer keeps what it encodes there. Mount the volume for writing.",
        ) from error


@contextmanager
def sole_encoder(folders: list[Path], stop: Stop, on_wait: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Holds the folders' locks while the data is encoded: two trainings would delete each other's files.

    Yields what gives them back early: once a training takes steps, others may read and encode. The locks lie
    beside the folders, for whatever lies in one is data to the trainer, and end with their holder.
    """
    with ExitStack() as held:
        for folder in sorted(folders):
            file = held.enter_context(folder.with_name(f".{folder.name}.encoding").open("w"))
            take_patiently(file, tell=on_wait, pause=lambda: stop.pause(1))
        yield held.close
