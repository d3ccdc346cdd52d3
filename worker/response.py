"""What a request is answered with (contract): one object for success, one for failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from dpcompile.plan import Plan
from worker.errors import StepFailed
from worker.failures import as_diagnostic
from worker.runner import Outcome
from worker.stopping import Reason


class Output(TypedDict):
    """Where the result is."""

    download_url: str | None
    safetensors_url: str | None
    repo_url: str | None
    download_method: str | None
    expires_in_days: float | None
    archive_size_mb: float | None
    network_volume_path: str | None
    note: str | None
    warnings: list[str]
    fallback_instructions: str | None


class Success(TypedDict):
    """The answer to a job that was done."""

    status: Literal["success"]
    job_id: str
    model_type: str
    model_name: str
    epochs_completed: int | None
    latest_epoch: str | None
    output: Output


class Failure(TypedDict):
    """The answer to a job that was not done."""

    status: Literal["failed"]
    error: str
    diagnostics: list[dict[str, Any]]
    output_tail: str
    resumable: bool


Response = Success | Failure

_WHY: dict[Reason, str] = {
    "cancelled": "the run was cancelled",
    "signal": "the run was stopped by a signal",
    "time limit": "the run was stopped at its time limit",
    "another step failed": "the run was stopped because a step failed",
}


def success(plan: Plan, results: Mapping[str, Mapping[str, Any]], warnings: Sequence[str]) -> Success:
    """The answer to a run that did all that was asked for, out of what its steps returned.

    A train step returns `epochs_completed` and `latest_epoch`, a publish step the `output` object.
    """
    trained = [results[step.id] for step in plan.steps if step.kind == "train" and step.id in results]
    published = [results[step.id] for step in plan.steps if step.kind == "publish" and step.id in results]
    epochs = [part["epochs_completed"] for part in trained if part.get("epochs_completed") is not None]
    names = [part["latest_epoch"] for part in (*published, *trained) if part.get("latest_epoch")]
    given = published[0].get("output", {}) if published else {"note": _unpublished(plan, results)}
    return {
        "status": "success",
        "job_id": plan.job_id,
        "model_type": str(plan.model["name"]),
        "model_name": str(plan.model["title"]),
        "epochs_completed": min(epochs) if epochs else None,
        "latest_epoch": names[0] if names else None,
        "output": _output(plan, given, warnings),
    }


def _output(plan: Plan, given: Mapping[str, Any], warnings: Sequence[str]) -> Output:
    return {
        "download_url": given.get("download_url"),
        "safetensors_url": given.get("safetensors_url"),
        "repo_url": given.get("repo_url"),
        "download_method": given.get("download_method"),
        "expires_in_days": given.get("expires_in_days"),
        "archive_size_mb": given.get("archive_size_mb"),
        "network_volume_path": given.get("network_volume_path") or plan.folders["output"],
        "note": given.get("note"),
        "warnings": list(dict.fromkeys((*given.get("warnings", ()), *warnings))),
        "fallback_instructions": given.get("fallback_instructions"),
    }


def _unpublished(plan: Plan, results: Mapping[str, Any]) -> str:
    left = [step.id for step in plan.steps if step.id not in results]
    return f"As asked, the run ended before these steps: {', '.join(left)}. Nothing was published."


def failure(error: str, diagnostics: Sequence[dict[str, Any]], *, tail: str = "", resumable: bool) -> Failure:
    """The answer to a job that was not done."""
    return {
        "status": "failed",
        "error": " ".join(error.split()),
        "diagnostics": list(diagnostics),
        "output_tail": tail,
        "resumable": resumable,
    }


def of_step_failed(failed: StepFailed, more: Sequence[dict[str, Any]] = (), *, tail: str = "") -> Failure:
    """The answer when one thing went wrong; `more` are findings beside it."""
    tail = failed.output_tail if failed.output_tail is not None else tail
    # A failure that only sums up its findings would say each of them twice.
    sums_up = failed.diagnostics and all(each["message"] in failed.message for each in failed.diagnostics)
    found = [*([] if sums_up else [as_diagnostic(failed)]), *failed.diagnostics, *more]
    return failure(failed.message, found, tail=tail, resumable=failed.resumable)


def of_outcome(outcome: Outcome, tail: str, remarks: Sequence[dict[str, Any]]) -> Failure:
    """The answer to a run that was stopped or failed."""
    others = [as_diagnostic(failed) for _step, failed in outcome.failures[1:]]
    if outcome.stopped is None:
        return of_step_failed(outcome.failures[0][1], (*others, *remarks), tail=tail)
    stuck = f"; {', '.join(outcome.stuck)} did not end in time" if outcome.stuck else ""
    hint = "Run the same job again, with the same id, to go on from where it is."
    stopped = StepFailed("DPC707", f"{_WHY[outcome.stopped]}{stuck}", hint)
    first = [as_diagnostic(failed) for _step, failed in outcome.failures[:1]]
    return of_step_failed(stopped, (*first, *others, *remarks), tail=tail)
