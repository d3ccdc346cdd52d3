"""wandb."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.secrecy import WANDB_KEY

_TABLE = ("train", "monitoring")
_ENABLE = (*_TABLE, "enable_wandb")
_NAMES = ("wandb_tracker_name", "wandb_run_name")


def names_given(facts: Facts) -> Iterator[Diagnostic]:
    """The trainer needs both once wandb is on, and asks for them after caching (train.py:561-565)."""
    for name in _NAMES:
        if facts.get(*_ENABLE) and not facts.get(*_TABLE, name):
            text = f"enable_wandb needs {name}; the trainer would fail after encoding the data"
            yield facts.at("DPC430", _ENABLE, text, f"Set monitoring.{name}.")


def not_enabled(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing of the table is read while wandb is off (train.py:561-562)."""
    if facts.get(*_ENABLE) is not None:
        return  # switched on, or off in so many words
    hint = "Set monitoring.enable_wandb true, or take it out."
    for name in _NAMES:
        if facts.get(*_TABLE, name) and facts.asked(*_TABLE, name):
            text = f"{name} has no effect: enable_wandb is not true"
            yield facts.at("DPC439", (*_TABLE, name), text, hint)
    if WANDB_KEY in facts.secrets:
        flat = ("training", WANDB_KEY)
        place = flat if facts.there(flat) else ("training", "monitoring", WANDB_KEY)
        yield facts.in_job("DPC439", place, f"{WANDB_KEY} has no effect: enable_wandb is not true", hint)


CHECKS = (names_given, not_enabled)
