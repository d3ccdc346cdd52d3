"""How a step ends when it does not succeed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NOWHERE = {
    "code": "",
    "severity": "error",
    "path": "",
    "message": "",
    "hint": "",
    "file": None,
    "line": None,
    "column": None,
}


class StepFailed(Exception):
    """A step that cannot be done: what is wrong in one line, and what the user can do about it.

    `code` is one of dpcompile's 7xx codes. `resumable` says whether running the same job again can go on
    from what this run left behind. `diagnostics` are findings in their JSON form, where there are several;
    of its keys only `code` and `message` have to be given.
    None of the texts may hold a secret; sinks redact them all the same.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        *,
        resumable: bool = True,
        diagnostics: Sequence[dict[str, Any]] = (),
        output_tail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.resumable = resumable
        self.diagnostics = tuple({**_NOWHERE, **found} for found in diagnostics)
        self.output_tail = output_tail


def several(failures: Sequence[StepFailed], what: str) -> StepFailed:
    """One failure for all: the only one itself, or `3 models cannot be downloaded: …` with each as a finding."""
    if len(failures) == 1:
        return failures[0]
    diagnostics = [{"code": one.code, "message": one.message, "hint": one.hint} for one in failures]
    message = f"{len(failures)} {what}: {'; '.join(one.message for one in failures)}"
    hints = dict.fromkeys(one.hint for one in failures)
    return StepFailed(failures[0].code, message, " ".join(hints), diagnostics=diagnostics)


class Stopped(Exception):
    """The run was asked to stop and the step has left everything in order."""
