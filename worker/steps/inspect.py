"""Looks at the data as the trainer will, before a GPU hour is spent on what cannot be trained."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from dpcompile.diagnostics import Diagnostic
from dpcompile.examine import Examiner, Place
from dpcompile.inspection.disk import disk_json
from dpcompile.inspection.inspected import Inspection
from dpcompile.inspectplan import facts_of, inspect_args, trainings_of, wishes_of
from dpcompile.probing.folders import Prober
from dpcompile.report import to_json
from worker.context import StepContext
from worker.errors import StepFailed
from worker.evalsplit import split_off
from worker.training.room import check_room


def run(context: StepContext) -> dict[str, Any]:
    """Splits evaluation data off, inspects every training, and returns its steps.

    The result is `{"trainings": {<step id>: {…}}}`, each with `steps_per_epoch`, `total_steps`, `global_batch_size`,
    `saves` and `disk`.
    Raises StepFailed with the first error's code where a training would fail or hang, and with DPC746 where there is
    no room for what the trainings will write.
    """
    args = inspect_args(context.plan)
    for split in args["split"]:
        context.stop.check()
        moved = split_off(Path(split["from"]), Path(split["to"]), split["fraction"])
        context.emit("note", message=f"{moved} files are kept for evaluation", hint="")
    inspections = _inspect(context)
    found = list(dict.fromkeys(d for each in inspections.values() for d in each.diagnostics))
    errors = [d for d in found if d.severity == "error"]
    if errors:
        raise _failure(errors, found)
    if not (_goes_on(context) or context.settings.rehearse):
        check_room([disk_json(each.disk) for each in inspections.values()], Path(context.plan.folders["output"]))
    for each in found:
        kind = "warning" if each.severity == "warning" else "note"
        context.emit(kind, code=each.code, message=f"{each.file}: {each.message}", hint=each.hint)
    return {"trainings": {step: _steps(each) for step, each in inspections.items()}}


def _goes_on(context: StepContext) -> bool:
    """Whether an earlier run may be gone on with, whose models and checkpoints are there already."""
    return context.resume or any(step.args["resume"] for step in context.plan.steps if step.kind == "train")


def _inspect(context: StepContext) -> dict[str, Inspection]:
    def progress(done: int, total: int) -> None:
        context.stop.check()
        context.emit("progress", done=done, total=total, unit="files")

    prober = Prober(store=Path(context.plan.folders["job"]) / "probes", progress=progress, clock=time.monotonic)
    examiner = Examiner(facts_of(context.plan), wishes_of(context.plan, _memory()), prober, Place())
    return {
        f"train-{files.name}" if files.name else "train": examiner.examine(files)
        for files in trainings_of(context.plan)
    }


def _memory() -> int | None:
    """Bytes of memory of this machine, where it tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _failure(errors: list[Diagnostic], found: list[Diagnostic]) -> StepFailed:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return StepFailed(
        first.code,
        f"{first.file}: {first.message}{more}",
        first.hint,
        diagnostics=[to_json(each) for each in found],
    )


def _steps(inspection: Inspection) -> dict[str, Any]:
    course = inspection.schedule
    return {
        "steps_per_epoch": inspection.train.steps,
        "total_steps": course.total_steps if course else 0,
        "global_batch_size": inspection.train.batches.printed,
        "saves": [{"step": step, "folder": folder} for step, folder in course.saves] if course else [],
        "disk": disk_json(inspection.disk),
    }
