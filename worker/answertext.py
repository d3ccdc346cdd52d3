"""The answer to a request, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile.diagnostics import Diagnostic
from dpcompile.report import as_text as findings_text
from dpcompile.report import printable


def as_text(response: Mapping[str, Any]) -> str:
    """What came of a request, on as many lines as it takes."""
    lines = _success(response) if response["status"] == "success" else _failure(response)
    return "\n".join(lines)


def _success(response: Mapping[str, Any]) -> Iterator[str]:
    trained = f", {response['epochs_completed']} epochs" if response["epochs_completed"] is not None else ""
    model = f", {response['latest_epoch']}" if response["latest_epoch"] else ""
    yield printable(f"job {response['job_id']} is done: {response['model_name']}{trained}{model}")
    output = response["output"]
    labels = {
        "repo_url": "repository",
        "download_url": "download",
        "safetensors_url": "model",
        "network_volume_path": "on the volume",
        "note": "note",
        "fallback_instructions": "if that fails",
    }
    for name, label in labels.items():
        if output[name]:
            yield printable(f"  {label}: {output[name]}")
    for warning in output["warnings"]:
        yield printable(f"  warning: {warning}")


def _failure(response: Mapping[str, Any]) -> Iterator[str]:
    if response["output_tail"]:
        yield "The last lines of the program:"
        yield from (f"  {printable(line)}" for line in response["output_tail"].splitlines())
    told = [found["message"] for found in response["diagnostics"]]
    sums_up = len(told) > 1 and all(message in response["error"] for message in told)
    if response["error"] not in told and not sums_up:
        yield printable(f"failed: {response['error']}")
    for found in response["diagnostics"]:
        if found["file"] is not None:
            yield findings_text([Diagnostic(**found)])
        else:
            yield printable(f"{found['severity']} {found['code']}: {found['message']}")
            yield from [f"    {printable(found['hint'])}"] if found["hint"] else []
    if response["resumable"]:
        yield "The same command goes on from here."
