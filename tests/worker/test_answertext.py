"""The answer for people."""

from __future__ import annotations

from typing import Any

from worker.answertext import as_text

OUTPUT: dict[str, Any] = {
    "download_url": None,
    "safetensors_url": None,
    "repo_url": "https://host.example.com/a/b",
    "download_method": "huggingface",
    "expires_in_days": None,
    "archive_size_mb": None,
    "network_volume_path": "/data/out",
    "note": None,
    "warnings": ["two images have no caption"],
    "fallback_instructions": None,
}


def finding(**fields: Any) -> dict[str, Any]:
    empty = {"severity": "error", "path": "", "hint": "", "file": None, "line": None, "column": None}
    return {**empty, **fields}


def failed(error: str, *found: dict[str, Any], tail: str = "", resumable: bool = False) -> dict[str, Any]:
    return {"status": "failed", "error": error, "diagnostics": list(found), "output_tail": tail, "resumable": resumable}


def test_success() -> None:
    answer = {
        "status": "success",
        "job_id": "j",
        "model_type": "qwen",
        "model_name": "Qwen Image",
        "epochs_completed": 2,
        "latest_epoch": "epoch2",
        "output": OUTPUT,
    }
    assert as_text(answer).splitlines() == [
        "job j is done: Qwen Image, 2 epochs, epoch2",
        "  repository: https://host.example.com/a/b",
        "  on the volume: /data/out",
        "  warning: two images have no caption",
    ]


def test_failure_with_the_last_lines_and_the_remedy() -> None:
    answer = failed(
        "no memory", finding(code="DPC740", message="no memory", hint="Use less."), tail="a\nb", resumable=True
    )
    assert as_text(answer).splitlines() == [
        "The last lines of the program:",
        "  a",
        "  b",
        "error DPC740: no memory",
        "    Use less.",
        "The same command goes on from here.",
    ]


def test_mistakes_of_a_job_stand_as_the_compiler_tells_them() -> None:
    found = finding(code="DPC203", message="bad", path="/training", file="job.json", line=3, column=5, hint="Mend it.")
    assert as_text(failed("the job has mistakes: bad", found)).splitlines() == [
        "failed: the job has mistakes: bad",
        "job.json:3:5: error DPC203: bad",
        "    Mend it.",
    ]
