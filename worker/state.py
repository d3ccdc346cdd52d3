"""What a job has done so far, on disk: a worker that starts again goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from dpcompile.plan import Plan, Step, canonical
from worker.atomicfile import write_whole
from worker.errors import StepFailed

STATE_VERSION = 1
NAME = "state.json"
StepStatus = Literal["begun", "done", "failed", "stopped"]
LAUNCH_ARGS = frozenset({"argv", "env", "num_gpus", "hosts", "resume", "time_limit_minutes"})
"""Arguments of a train step that say how it is started, and not what comes of it."""
SECRET_ARGS = frozenset({"secret", "secrets"})
"""Where a secret is found may change from one run to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """How far one step has come. `work` says what was to be done; `time` is in seconds since 1970, UTC."""

    status: StepStatus
    work: str
    time: float
    result: Mapping[str, Any] | None = None
    resumable: bool = True
    error: str | None = None

    def goes_on(self) -> bool:
        """Whether a run that does this step again can go on from what was left behind."""
        return self.status in ("begun", "stopped") or (self.status == "failed" and self.resumable)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The state of one job. `outcome` is None while a run is going on, or after it was killed."""

    plan_id: str
    job_id: str
    rehearsal: bool
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    outcome: Mapping[str, Any] | None = None

    def with_step(self, step: str, record: StepRecord) -> RunState:
        return replace(self, steps={**self.steps, step: record})

    def to_json(self) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "plan_id": self.plan_id,
            "job_id": self.job_id,
            "rehearsal": self.rehearsal,
            "steps": {
                name: {
                    "status": record.status,
                    "work": record.work,
                    "time": record.time,
                    "result": record.result,
                    "resumable": record.resumable,
                    "error": record.error,
                }
                for name, record in self.steps.items()
            },
            "outcome": self.outcome,
        }


def work_of(step: Step) -> str:
    """What a step makes, as a digest: not how it is started, nor where its secrets come from."""
    hidden = LAUNCH_ARGS | SECRET_ARGS if step.kind == "train" else SECRET_ARGS
    content = {"kind": step.kind, "args": without(step.args, hidden)}
    return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


def without(value: Any, names: frozenset[str]) -> Any:
    """A JSON value without the keys of these names, at any depth."""
    if isinstance(value, Mapping):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, (list, tuple)):
        return [without(v, names) for v in value]
    return value


class StateFile:
    """The state of a job in its folder. One worker at a time has it: see joblock."""

    def __init__(self, folder: Path, state: RunState) -> None:
        self._path = folder / NAME
        self.state = state

    def save(self, state: RunState) -> None:
        """Takes a new state and writes it. Raises OSError, and keeps the new state all the same."""
        self.state = state
        write_whole(self._path, json.dumps(state.to_json(), indent=1, allow_nan=False) + "\n")

    def record(self, step: str, record: StepRecord) -> None:
        """Notes how far a step has come."""
        self.save(self.state.with_step(step, record))


def read_state(folder: Path) -> RunState | None:
    """The state in a job's folder; None when the job was never begun. Raises StepFailed (DPC708), OSError."""
    try:
        text = (folder / NAME).read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _unreadable(folder, "it is not text") from error
    try:
        return _state(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _unreadable(folder, str(error)) from error


def _unreadable(folder: Path, why: str) -> StepFailed:
    hint = "Delete it and run the job again: files that are already there are found again."
    return StepFailed("DPC708", f"the state of the job cannot be read: {folder / NAME}: {why}", hint)


def _state(value: Any) -> RunState:
    if value["version"] != STATE_VERSION:
        raise ValueError(f"its version is {value['version']!r}, and this worker writes {STATE_VERSION}")
    outcome = value["outcome"]
    if not isinstance(outcome, (dict, type(None))):
        raise ValueError("its outcome is not an object")
    return RunState(
        plan_id=str(value["plan_id"]),
        job_id=str(value["job_id"]),
        rehearsal=bool(value["rehearsal"]),
        steps={str(name): _record(record) for name, record in value["steps"].items()},
        outcome=outcome,
    )


def _record(value: Any) -> StepRecord:
    status, result = value["status"], value["result"]
    if status not in get_args(StepStatus):
        raise ValueError(f"a step is {status!r}")
    if not isinstance(result, (dict, type(None))) or (status == "done" and result is None):
        raise ValueError("the result of a step is not an object")
    return StepRecord(
        status=status,
        work=str(value["work"]),
        time=float(value["time"]),
        result=result,
        resumable=bool(value["resumable"]),
        error=value["error"],
    )


def begun_anew(plan: Plan, *, rehearsal: bool) -> RunState:
    """The state of a job of which nothing is done."""
    return RunState(plan_id=plan.id, job_id=plan.job_id, rehearsal=rehearsal)
