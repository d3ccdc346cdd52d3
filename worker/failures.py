"""What ended a step or a run, in words: every exception becomes a StepFailed with a code."""

from __future__ import annotations

import errno
import traceback
from typing import Any

from worker.errors import StepFailed

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_HINT = (
    "Make room on the volume (old runs in training_outputs, data sets and models nobody needs), and run it again."
)
_BUG_HINT = "Please report it with what the job's events.jsonl says about it."


def in_words(error: BaseException, where: str) -> StepFailed:
    """The failure behind an exception. `where` begins the message of one that nobody expected."""
    if isinstance(error, StepFailed):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return StepFailed("DPC704", f"the disk is full{_at(error)}", _FULL_HINT)
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        text = f"{where}: {error.strerror}{_at(error)}"
        return StepFailed("DPC705", text, "Look at the permissions and the state of the volume, then run it again.")
    if isinstance(error, MemoryError):
        hint = "Take a machine with more memory, or fewer or smaller files at a time."
        return StepFailed("DPC705", f"{where}: the machine has no memory left", hint)
    return StepFailed("DPC709", f"{where}: this is a bug in the worker: {summary(error)}", _BUG_HINT)


def _at(error: OSError) -> str:
    return f": {error.filename!s}" if error.filename is not None else ""


def summary(error: BaseException) -> str:
    """One line about an exception."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def as_diagnostic(failure: StepFailed, *, path: str = "") -> dict[str, Any]:
    """The JSON form (contract) of what went wrong in a run; `path` points into the job, where that is known."""
    return {
        "code": failure.code,
        "severity": "error",
        "path": path,
        "message": failure.message,
        "hint": failure.hint,
        "file": None,
        "line": None,
        "column": None,
    }


def trace(error: BaseException) -> str:
    """The traceback of an exception, to be redacted before it is told."""
    return "".join(traceback.format_exception(error))
