"""Diagnostics as text for people, JSON for programs, and annotations for GitHub."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal

from dpcompile.diagnostics import Diagnostic, Severity

Format = Literal["text", "json", "github"]
_ESCAPES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-f]{4})+)")
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The JSON form of one finding (contract)."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "path": diagnostic.path,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
    }


def as_json(value: object) -> str:
    """JSON for stdout: ASCII, so that no terminal or locale can spoil it."""
    return json.dumps(value, indent=2, ensure_ascii=True)


def printable(text: str) -> str:
    """Text without control characters, which a file name or a value could send to the terminal."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def legible(text: str, encoding: str) -> str:
    r"""Messages with letters in place of their `\uXXXX`, if `encoding` has them and they are no control characters.

    Messages are ASCII, so that nothing can spoil them on their way; people who write in other letters read these.
    """

    def shown(match: re.Match[str]) -> str:
        letters = str(json.loads(f'"{match[2]}"'))
        with suppress(UnicodeEncodeError):
            letters.encode(encoding)
            return match[1] + letters if letters.isprintable() else match[0]
        return match[0]

    return _ESCAPES.sub(shown, text)


def place(diagnostic: Diagnostic) -> str:
    """`job.json:14:5`, or as much of it as is known."""
    parts = [printable(diagnostic.file or "dpcompile")]
    if diagnostic.line is not None:
        parts += [str(diagnostic.line), str(diagnostic.column)]
    elif diagnostic.path:
        parts.append(printable(diagnostic.path))
    return ":".join(parts)


def as_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Each finding on a line of its own, with the remedy below it."""
    lines = []
    for found in diagnostics:
        lines.append(f"{place(found)}: {found.severity} {found.code}: {printable(found.message)}")
        if found.hint:
            lines.append(f"    {printable(found.hint)}")
    return "\n".join(lines)


def as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands that GitHub turns into annotations."""
    return "\n".join(_github_line(d) for d in diagnostics)


def _github_line(found: Diagnostic) -> str:
    places = {"file": found.file, "line": found.line, "col": found.column, "title": found.code}
    shown = ",".join(f"{k}={printable(_escaped(str(v), ',:'))}" for k, v in places.items() if v is not None)
    text = printable(_escaped(f"{found.message}. {found.hint}".removesuffix(". "), ""))
    return f"::{_GITHUB_LEVELS[found.severity]} {shown}::{text}"


def _escaped(text: str, more: str) -> str:
    """GitHub's own escapes for data and, with `more`, for properties."""
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    counts = Counter(d.severity for d in diagnostics)
    words: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
    parts = [f"{counts[k]} {word}{'s' if counts[k] != 1 else ''}" for k, word in words.items() if counts[k]]
    return ", ".join(parts) or "no findings"
