"""What can be wrong at one place of a document, whatever its format, and the words for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import pointer
from dpcompile.locate import line_column
from dpcompile.wording import quote

MAX_DIGITS = 4300
"""Of a whole number. CPython's own default, fixed here so that the interpreter's settings change little."""

MAX_FAULTS = 100
"""Told for one document. What is broken in more places is broken in one way."""

_LONGEST_SEGMENT = 256
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong at one place of a document: an error on its way to becoming a diagnostic.

    `offset` counts the characters before the place; None where there is no text.
    """

    code: str
    offset: int | None
    message: str
    hint: str
    path: str = ""

    def diagnostic(self, text: str, file: str) -> Diagnostic:
        """The finding, with its line and column in `text` if the fault has an offset."""
        line, column = (None, None) if self.offset is None else line_column(text, self.offset)
        return Diagnostic(
            code=self.code,
            severity="error",
            path=self.path,
            message=self.message,
            hint=self.hint,
            file=file,
            line=line,
            column=column,
        )


def shown_pointer(path: Sequence[str | int]) -> str:
    """The pointer of a place, ending before the first key that is not Unicode or too long to show."""
    for index, segment in enumerate(path):
        if isinstance(segment, str) and (len(segment) > _LONGEST_SEGMENT or _HALF_PAIR.search(segment)):
            return pointer(path[:index])
    return pointer(path)


def is_unicode(text: str) -> bool:
    """Whether `text` is free of halves of surrogate pairs, which UTF-8 cannot carry."""
    return text.isascii() or not _HALF_PAIR.search(text)


def size_fault(size: int, limit: int) -> Fault:
    """DPC109: `size` bytes where at most `limit` are taken."""
    # Rounded up, so that one byte too many shows.
    megabytes = math.ceil(size / 2**20 * 10) / 10
    return Fault(
        code="DPC109",
        offset=None,
        message=f"too large: {megabytes:g} MB, and at most {limit / 2**20:g} MB are taken",
        hint="Give large data by URL or path, not inside the file.",
    )


def depth_fault(offset: int | None, max_depth: int, path: str = "") -> Fault:
    """DPC108 at the object or list that goes too deep."""
    return Fault(
        code="DPC108",
        offset=offset,
        path=path,
        message=f"nested deeper than {max_depth} levels",
        hint="No job or spec needs that; look for brackets that are never closed.",
    )


def duplicate_fault(code: str, key: str, first_line: int, path: str, offset: int | None) -> Fault:
    """A key that stands in its object a second time."""
    return Fault(
        code=code,
        offset=offset,
        path=path,
        message=f"{quote(key[:100])} stands twice in the same object, first in line {first_line}",
        hint="The first value would be dropped in silence: keep the one that is meant.",
    )


def number_fault(problem: str, path: str, offset: int | None) -> Fault:
    """DPC107, with what `number_problem` said."""
    hint = "Write a finite number, or put it in quotes if it is meant as text."
    return Fault(code="DPC107", offset=offset, path=path, message=problem, hint=hint)


def unicode_fault(text: str, path: str, offset: int | None) -> Fault:
    """DPC110 for a decoded text that holds half of a surrogate pair."""
    half = _HALF_PAIR.search(text)
    shown = f"\\u{ord(half[0]):04x}" if half else "half of a surrogate pair"
    return Fault(
        code="DPC110",
        offset=offset,
        path=path,
        message=f"{shown} stands alone here: half of a surrogate pair, which is not valid Unicode",
        hint="Write the character itself, or both halves of its pair.",
    )


def number_problem(token: str) -> str:
    """Why a number, as JSON or YAML write it, cannot be used; empty when it can."""
    shown = token if len(token) <= 60 else token[:57] + "..."
    digits = token.lstrip("+-")
    if digits.lstrip(".").lower() in ("nan", "inf", "infinity"):
        return f"{shown} is not a number that can be used"
    if digits.isdigit() or digits[:2] in ("0x", "0o"):
        return f"a whole number of {len(digits)} digits is too long" if _too_long(digits) else ""
    number = float(token)
    if math.isinf(number):
        return f"{shown} is larger than any number that can be used (1.8e308)"
    if number == 0 and re.search("[1-9]", re.split("[eE]", token)[0]):
        return f"{shown} is too small: it would be read as 0"
    return ""


def _too_long(digits: str) -> bool:
    if len(digits) > MAX_DIGITS:
        return True
    try:
        int(digits, 0 if digits[1:2] in ("x", "o") else 10)
    except ValueError:  # an interpreter with a lower limit
        return True
    return False
