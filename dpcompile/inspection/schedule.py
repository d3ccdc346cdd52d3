"""When a run ends, what it saves, and when it writes checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The course of a run, known beforehand. Steps count from 1."""

    total_steps: int
    epochs: int
    """Epochs that are finished, or begun when `max_steps` ends the run."""
    saves: tuple[tuple[int, str], ...]
    """(step, folder) of each model that is saved."""
    checkpoints: tuple[int, ...]
    """Steps after which a checkpoint is certain to be written."""
    checkpoint_minutes: float | None
    """Minutes between further checkpoints; how many depends on how fast it trains."""
    evaluations: tuple[int, ...]
    """Steps after which the evaluation sets are gone through; 0 is before the first one."""


def schedule(train: Mapping[str, Any], steps_per_epoch: int, global_batch: int, *, has_eval: bool) -> Schedule:
    """The course of a run with so many steps in an epoch, at least 1."""
    epochs = max(1, train.get("epochs", 1))
    by_epochs = epochs * steps_per_epoch
    # max_steps is looked at after each step but the very last one (train.py:955-963).
    total = min(by_epochs, max(1, train.get("max_steps", by_epochs)))
    saves, checkpoints = _written(train, steps_per_epoch, global_batch, total, by_epochs)
    return Schedule(
        total_steps=total,
        epochs=-(-total // steps_per_epoch),
        saves=saves,
        checkpoints=checkpoints,
        checkpoint_minutes=train.get("checkpoint_every_n_minutes"),
        evaluations=_evaluations(train, steps_per_epoch, global_batch, total) if has_eval else (),
    )


def save_steps(train: Mapping[str, Any], global_batch: int) -> int | None:
    """Steps between models; an interval in examples takes the place of one in steps (train.py:643-645)."""
    if examples := train.get("save_every_n_examples"):
        return int(examples // global_batch)
    return train.get("save_every_n_steps")


def _written(
    train: Mapping[str, Any], per_epoch: int, global_batch: int, total: int, by_epochs: int
) -> tuple[tuple[tuple[int, str], ...], tuple[int, ...]]:
    """Models and checkpoints (utils/saver.py:130-177, train.py:955-971)."""
    every_step, every_epoch = save_steps(train, global_batch), train.get("save_every_n_epochs")
    checkpoint_epochs = train.get("checkpoint_every_n_epochs")
    saves: list[tuple[int, str]] = []
    checkpoints: list[int] = []
    at = {n * per_epoch for n in range(1, total // per_epoch + 1)}
    at |= set(range(every_step, total + 1, every_step)) if every_step else set()
    for step in sorted({*at, total}):
        epoch, rest = divmod(step, per_epoch)
        saved = checkpointed = False
        if rest == 0 and checkpoint_epochs and epoch % checkpoint_epochs == 0:
            checkpoints.append(step)
            checkpointed = True
        if rest == 0 and every_epoch and epoch % every_epoch == 0:
            saves.append((step, f"epoch{epoch}"))
            saved = True
        if step < by_epochs:
            # What the step's own turn saves counts alone: max_steps at the end of an epoch saves once more.
            saved = checkpointed = False
            if every_step and step % every_step == 0:
                saves.append((step, f"step{step}"))
                saved = True
        if step == total:
            checkpoints += [] if checkpointed else [step]
            name = f"epoch{epoch}" if step == by_epochs else f"step{step}"
            saves += [] if saved else [(step, name)]
    return tuple(saves), tuple(dict.fromkeys(checkpoints))


def _evaluations(train: Mapping[str, Any], per_epoch: int, global_batch: int, total: int) -> tuple[int, ...]:
    """train.py:646-648, 908, 945."""
    every_step = train.get("eval_every_n_steps")
    if examples := train.get("eval_every_n_examples"):
        every_step = examples // global_batch
    every_epoch = train.get("eval_every_n_epochs")
    steps = set(range(every_step, total + 1, every_step)) if every_step else set()
    if every_epoch:
        steps |= set(range(every_epoch * per_epoch, total + 1, every_epoch * per_epoch))
    first = (0,) if train.get("eval_before_first_step", True) else ()
    return (*first, *sorted(steps))
