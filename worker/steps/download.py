"""Downloading the files of one source, once for all jobs on the volume."""

from __future__ import annotations

from typing import Any

from worker.context import StepContext
from worker.modelstore.bringing import bring
from worker.modelstore.preflight import as_size, look_up_models
from worker.modelstore.sources import of_step


def run(context: StepContext) -> dict[str, Any]:
    """Brings the files. In a rehearsal it finds out whether it could, and downloads nothing."""
    source = of_step(context.step.args)
    found = look_up_models(context).found.get(source)
    if context.settings.rehearse:
        return _rehearsed(context, found)
    return bring(context, source, found)


def _rehearsed(context: StepContext, found: Any) -> dict[str, Any]:
    source = of_step(context.step.args)
    if found is None:
        text = f"{source.name} is on the volume already"
    else:
        text = f"{source.name} can be downloaded: {len(found.files)} files, {as_size(found.size)}; left out here"
    context.emit("note", message=text, hint="")
    commit = found.commit if found else None
    return {"to": str(source.to), "source": source.name, "commit": commit, "downloaded": 0, "rehearsed": True}
