"""The folder of a job: its files written, and its state read, by the one worker that holds its lock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan
from worker.atomicfile import write_whole
from worker.errors import StepFailed
from worker.planchange import differences
from worker.state import StateFile, begun_anew, read_state

PLAN = "plan.json"


def open_state(folder: Path, plan: Plan, *, rehearsal: bool) -> StateFile:
    """The state that a run of this plan goes on from. The job's lock must be held.

    Raises StepFailed: DPC702 when what is there is of another plan, DPC708 when it cannot be read.
    """
    state = read_state(folder)
    if state is None:
        return StateFile(folder, begun_anew(plan, rehearsal=rehearsal))
    if state.rehearsal != rehearsal:
        was, wanted = ("a rehearsal", "a real run") if state.rehearsal else ("a real run", "a rehearsal")
        raise _another(plan, f"{was} under this id is in {folder}, and this is {wanted}")
    if state.plan_id != plan.id:
        changes = differences(_old_plan(folder), plan.to_json())
        if changes:
            raise _another(plan, f"an earlier run under this id made something else: {'; '.join(changes)}")
    return StateFile(folder, replace(state, plan_id=plan.id, outcome=None))


def _another(plan: Plan, why: str) -> StepFailed:
    hint = (
        "Give this job another id (the request's id, or --job-id). To begin this one anew, delete"
        f" {plan.folders['job']} and {plan.folders['output']}."
    )
    return StepFailed("DPC702", f"job {plan.job_id} cannot be mixed with another: {why}", hint, resumable=False)


def _old_plan(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / PLAN).read_text("utf-8"))
    except (FileNotFoundError, ValueError) as error:
        hint = f"Delete {folder} to begin the job anew, or give this job another id."
        raise StepFailed("DPC708", f"the plan of the earlier run cannot be read: {error}", hint) from error
    return dict(value)


def write_files(folder: Path, plan: Plan, state: StateFile) -> None:
    """Writes what the trainer and people read: the TOML files, the plan, and the state. Raises OSError."""
    for file in plan.files:
        write_whole(Path(file.path), file.text)
    write_whole(folder / PLAN, json.dumps(plan.to_json(), indent=1, ensure_ascii=True) + "\n")
    state.save(state.state)
