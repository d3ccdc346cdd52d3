"""Rehearsals: everything but the GPU, so that addresses, tokens and data are tried before anyone pays.

docs/rehearsal.md says what each step does in a rehearsal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

TRAINER_FOLDER: Final = Path(__file__).resolve().parent / "trainer"
"""The folder of the stand-in for the trainer: its train.py takes the trainer's arguments."""
REHEARSAL_FILE: Final = "REHEARSAL.txt"
"""In a run folder: the stand-in made it. In what is published: the weights are worthless."""
REHEARSAL_TEXT: Final = (
    "This is the result of a rehearsal. The files have the right form,\n"
    "and nothing was trained: the weights are zeros.\n"
)


def rehearsal_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What the stand-in needs in its environment to find this package from the folder it runs in."""
    home = str(Path(__file__).resolve().parents[2])
    path = env.get("PYTHONPATH")
    return {"PYTHONPATH": f"{home}:{path}" if path else home}
