"""Moves a share of a training folder into the folder of an evaluation set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from dpcompile.inspection.extensions import CAPTIONS_JSON
from dpcompile.inspection.split import chosen_stems
from worker.errors import StepFailed

_CHOICE = ".split.json"
"""The trainer passes over .json files."""


def split_off(source: Path, target: Path, fraction: float) -> int:
    """Moves the chosen files with their captions and returns how many media files are held back.

    The choice is written down before anything moves, and stays beside what was moved: a run that was killed in
    between goes on with it, and a later one, even on data that was fetched again, does not choose anew.
    """
    aside = target if target.is_dir() else target.with_name(f"{target.name}.part")
    aside.mkdir(parents=True, exist_ok=True)
    stems = _choice(source, aside, fraction)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.stem in stems and path.name != CAPTIONS_JSON:
            path.replace(aside / path.name)
    if (source / CAPTIONS_JSON).is_file():
        shutil.copyfile(source / CAPTIONS_JSON, aside / CAPTIONS_JSON)
    if aside != target:
        aside.replace(target)
    return len(stems)


def _choice(source: Path, aside: Path, fraction: float) -> frozenset[str]:
    written = aside / _CHOICE
    if written.is_file():
        return frozenset(json.loads(written.read_text("utf-8")))
    stems = chosen_stems((path.name for path in source.iterdir() if path.is_file()), fraction)
    if not stems:
        text = f"{source} has too few files to keep some of them for evaluation"
        raise StepFailed("DPC612", text, "Add data, or take dataset.eval out of the job.")
    half = aside / f"{_CHOICE}.tmp"
    half.write_text(json.dumps(sorted(stems)), "utf-8")
    half.replace(written)
    return stems
