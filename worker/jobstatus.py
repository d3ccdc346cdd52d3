"""`status`: what became of a job, read from its folder while it runs or afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from worker.eventlog import NAME as EVENTS
from worker.jobfolder import PLAN
from worker.joblock import is_locked
from worker.progresswords import progress_words, training_words
from worker.state import RunState, read_state

_LAST_BYTES = 4 * 2**20
"""Of the events: enough for the last of every step, and never more than a moment to read."""


def job_status(folder: Path) -> dict[str, Any] | None:
    """Each step of a job and how far it is, as JSON; None where there is no such job. Raises StepFailed, OSError."""
    state = read_state(folder)
    if state is None:
        return None
    running = is_locked(folder)
    told = _last_events(folder)
    status = _last_status(state, running, told)
    return {
        "job_id": state.job_id,
        "rehearsal": state.rehearsal,
        "running": running,
        "status": status.get("status"),
        "message": status.get("message"),
        "steps": [_step(step, state, running, told) for step in _step_ids(folder, state)],
        "outcome": state.outcome,
    }


def _last_status(
    state: RunState, running: bool, told: Mapping[tuple[str, str | None], Mapping[str, Any]]
) -> Mapping[str, Any]:
    if not running and state.outcome is None:
        return {"status": None, "message": "The worker ended before the job did; run it again to go on."}
    return dict(told.get(("status", None), {}).get("data", {}))


def _step_ids(folder: Path, state: RunState) -> list[str]:
    try:
        plan = json.loads((folder / PLAN).read_text("utf-8"))
        return [str(step["id"]) for step in plan["steps"]]
    except (OSError, ValueError, KeyError, TypeError):
        return list(state.steps)


def _step(
    step: str, state: RunState, running: bool, told: Mapping[tuple[str, str | None], Mapping[str, Any]]
) -> dict[str, Any]:
    record = state.steps.get(step)
    if record is None:
        return {"id": step, "status": "waiting"}
    begun = "working" if running else "interrupted"
    found: dict[str, Any] = {"id": step, "status": begun if record.status == "begun" else record.status}
    if record.error is not None:
        found["error"] = record.error
    for kind in ("progress", "training"):
        event = told.get((kind, step))
        if event is not None:
            found[kind] = event["data"]
    return found


def _last_events(folder: Path) -> dict[tuple[str, str | None], Mapping[str, Any]]:
    """The last event of each kind and step."""
    return {(event["kind"], event["step"]): event for event in read_events(folder / EVENTS)}


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The last events in a file; lines that a kill or a full disk cut short are passed over."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LAST_BYTES))
            data = file.read(_LAST_BYTES)
    except FileNotFoundError:
        return
    for line in data.split(b"\n"):
        try:
            event = json.loads(line)
            yield {"kind": str(event["kind"]), "time": event["time"], "step": event["step"], "data": event["data"]}
        except (ValueError, KeyError, TypeError):
            continue


def as_text(status: Mapping[str, Any]) -> str:
    """The same for people, a line for each step."""
    state = "running" if status["running"] else "not running"
    head = f"job {status['job_id']}{' (a rehearsal)' if status['rehearsal'] else ''}: {state}"
    told = ": ".join(str(part) for part in (status["status"], status["message"]) if part)
    width = max((len(step["id"]) for step in status["steps"]), default=0)
    lines = [head, *([told] if told else [])]
    lines += [f"  {step['id']:<{width}}  {_words(step)}".rstrip() for step in status["steps"]]
    outcome = status["outcome"] or {}
    url = (outcome.get("output") or {}).get("download_url") or (outcome.get("output") or {}).get("repo_url")
    return "\n".join([*lines, *([f"result: {url}"] if url else [])])


def _words(step: Mapping[str, Any]) -> str:
    words = [str(step["status"])]
    if "error" in step:
        words.append(str(step["error"]))
    elif "training" in step:
        words.append(training_words(step["training"]))
    elif "progress" in step and step["status"] != "done":
        words.append(progress_words(step["progress"]))
    return "  ".join(word for word in words if word)
