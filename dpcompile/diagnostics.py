"""What is wrong, where, and what to do about it: findings as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding.

    `path` is a JSON Pointer into `file` (the job, a model spec, or `--set`); `line` and `column`
    count from 1 and are filled in when the finding is reported.
    """

    code: str
    severity: Severity
    path: str
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether anything found forbids going on."""
    return any(d.severity == "error" for d in diagnostics)
