"""Files, numbers and sizes in words, for findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dpcompile.wording import listing

_SHOWN = 3
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def some(names: Iterable[str]) -> str:
    """`a.png, b.png, c.png and 12 more`."""
    every = list(names)
    if len(every) <= _SHOWN:
        return listing(every, "and")
    return f"{', '.join(every[:_SHOWN])} and {len(every) - _SHOWN} more"


def many(count: int, word: str, plural: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{count} {word if count == 1 else plural or word + 's'}"


def verb(files: Sequence[object], one: str, several: str) -> str:
    """The form of a verb for so many."""
    return one if len(files) == 1 else several


def byte_size(count: float) -> str:
    """`1.5 GiB`."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("the last unit takes all")


def rounded(value: float) -> int:
    """To the nearest whole number; halves go up, as on paper."""
    return int(value + 0.5)
