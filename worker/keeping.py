"""Which steps of a plan have to be done, and which are kept from an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan, Step, StepKind
from worker.state import RunState, work_of

_MAKES: dict[StepKind, str] = {"fetch": "to", "download": "to", "caption": "folder", "train": "output"}
"""The argument that names what a step leaves on the volume, where it leaves anything of its own."""


class NoSuchStep(ValueError):
    """`--until` names a step that the plan does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a run does. Steps in neither part are not asked for, or nothing needs them any more."""

    todo: tuple[Step, ...]
    kept: Mapping[str, Mapping[str, Any]]
    """Results of the finished steps, by id."""


def wanted_steps(plan: Plan, until: str | None) -> tuple[Step, ...]:
    """The steps that lead to `until`, all without it, in the plan's order. Raises NoSuchStep."""
    if until is None:
        return plan.steps
    if until not in [step.id for step in plan.steps]:
        raise NoSuchStep(f"the plan has no step {until!r}; its steps are {', '.join(s.id for s in plan.steps)}")
    wanted = {until}
    for step in reversed(plan.steps):  # what a step needs stands before it
        if step.id in wanted:
            wanted.update(step.needs)
    return tuple(step for step in plan.steps if step.id in wanted)


def select(plan: Plan, state: RunState, until: str | None) -> Selection:
    """What is to be done to get all wanted steps done. Raises NoSuchStep.

    A finished step is kept while what it left on the volume is there. One that left nothing of its own is
    kept while those it needed are. Nobody asks after what no unfinished step needs: a data set that was
    deleted when the training was over is not fetched again.
    """
    wanted = wanted_steps(plan, until)
    there: dict[str, bool] = {}
    for step in wanted:
        there[step.id] = _finished(step, state) and _still_there(step, there)
    asked_for = {step.id for step in wanted if not any(step.id in other.needs for other in wanted)}
    todo: set[str] = set()
    for step in reversed(wanted):
        if step.id in asked_for and not there[step.id]:
            todo.add(step.id)
            asked_for.update(step.needs)
    kept = {name: record.result for name, record in state.steps.items() if record.result is not None}
    return Selection(
        todo=tuple(step for step in wanted if step.id in todo),
        kept={step.id: kept[step.id] for step in plan.steps if step.id in kept and _finished(step, state)},
    )


def _finished(step: Step, state: RunState) -> bool:
    record = state.steps.get(step.id)
    return record is not None and record.status == "done" and record.work == work_of(step)


def _still_there(step: Step, there: Mapping[str, bool]) -> bool:
    if step.kind == "publish":
        return True  # what was published is elsewhere
    place = step.args.get(_MAKES[step.kind]) if step.kind in _MAKES else None
    if isinstance(place, str):
        return Path(place).exists()
    if any(folder["media"] is None for folder in step.args.get("folders", ())):
        return False  # what lies in folders that nobody fetched may have changed since
    return all(there[need] for need in step.needs)
