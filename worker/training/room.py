"""Whether there is room for what a training will write, before it is begun."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dpcompile.inspection.wordlists import byte_size
from worker.errors import StepFailed

_HINT = (
    "Save less often (save_every_n_epochs, checkpoint_every_n_epochs), free some space or take a larger volume. "
    "Nothing was trained."
)


def check_room(uses: Iterable[Mapping[str, Any]], output: Path) -> None:
    """Raises StepFailed where the models and checkpoints that are certain to be written need more than is free.

    `uses` are the `disk` of each training to come, as the inspection counted it. A quota does not show in the free
    space, and what is not known of a model's size counts for nothing: this finds only what cannot go well.
    """
    known = [use for use in uses if use["written"]]
    # While a model is saved, its parts lie beside the whole (utils/saver.py:77-85).
    needed = sum(use["written"] for use in known) + max((use["model"] for use in known), default=0)
    free = shutil.disk_usage(_existing(output)).free
    if needed > free:
        parts = ", ".join(_parts(use) for use in known)
        text = f"the training needs {byte_size(needed)} of the disk ({parts}, and room to put a model together), "
        text += f"and the volume has {byte_size(free)} free"
        raise StepFailed("DPC746", text, _HINT)


def _parts(use: Mapping[str, Any]) -> str:
    parts = [(use["models"], "model", use["model"]), (use["checkpoints"], "checkpoint", use["checkpoint"])]
    return " and ".join(f"{n} {word}{'s' if n > 1 else ''} of {byte_size(size)}" for n, word, size in parts if n)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
