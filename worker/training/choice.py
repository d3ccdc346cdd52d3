"""Where a training begins: afresh, from a checkpoint, or not at all because it had completed before."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import StepFailed
from worker.training.modelfiles import ModelFolder
from worker.training.runs import Run, newest, runs

_KEPT_BY_THE_CHECKPOINT = ("optimizer", "lr_scheduler", "warmup_steps")
"""A resumed run takes these from its checkpoint (train.py:868), whatever the file says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a training starts: `run` is gone on with, if there is one; `done` means that nothing is left to do."""

    run: Run | None = None
    done: ModelFolder | None = None
    note: str = ""


def choose_start(
    output: Path, *, wanted: str | bool | None, resume: bool, rehearse: bool, epochs: int, max_steps: int | None
) -> Start:
    """Looks at the runs on disk. `wanted` is launch.resume of the job; `resume` is --resume of this run.

    Raises StepFailed when the job names a run that is not there or cannot be gone on with.
    """
    if not wanted and not resume:
        return Start()
    there = [run for run in runs(output) if run.is_rehearsal == rehearse]
    if isinstance(wanted, str):
        run = next((run for run in there if run.name == wanted), None)
        _check_named(wanted, run, there)
    else:
        run = newest(there)
    for candidate in [run] if isinstance(wanted, str) else reversed(there):
        done = candidate.finished(epochs, max_steps) if candidate else None
        if candidate and done:
            return Start(run=candidate, done=done, note=f"the training had completed before: {done.path.name} is whole")
    if run is None:
        note = "there is no checkpoint to go on from: the training begins anew; what is encoded is kept"
        return Start(note=note)
    return Start(run=run, note=f"goes on with {run.name} after step {run.step}")


def _check_named(name: str, run: Run | None, there: list[Run]) -> None:
    if run is not None and (run.checkpoints or run.models):
        return
    can = [r.name for r in there if r.checkpoints]
    what = "has no whole checkpoint" if run else "is not there"
    raise StepFailed(
        "DPC750",
        f"launch.resume names the run {name}, which {what}",
        f"Runs that can be gone on with: {', '.join(can)}." if can else "There is none yet: take launch.resume out.",
        resumable=bool(can),
    )


def changed_settings(run: Path, config: Path) -> Iterator[str]:
    """What the resumed run was started with and now is otherwise, in words, where that has no or another effect.

    The trainer copies its files into new run folders only (train.py:552), so they are those of the first start.
    """
    old, new = _flat(run / config.name), _flat(config)
    if not old or not new:
        return
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and key.partition(".")[0] in _KEPT_BY_THE_CHECKPOINT:
            yield f"{key} is {new.get(key)!r} now, but the checkpoint keeps {old.get(key)!r}"
    data = {key: (old.get(key), new.get(key)) for key in ("micro_batch_size_per_gpu", "gradient_accumulation_steps")}
    for key, (before, now) in data.items():
        if before != now:
            yield f"{key} is {now!r} now and was {before!r}: the place within the epoch shifts"


def _flat(path: Path) -> dict[str, Any]:
    """The settings of a TOML file by their full names; none when it cannot be read."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(_leaves(table))


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
