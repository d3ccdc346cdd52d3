"""The trainer's own TOML files, as the trainer reads them."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import decoded
from dpcompile.keypath import KeyPath
from dpcompile.locate import line_column
from dpcompile.reading.faults import MAX_FAULTS
from dpcompile.reading.tomltext import read_toml

MAX_TOML_BYTES = 2**20
"""Of one file; the longest that people write have some ten thousand."""

_TOP = "A training file has settings, and tables such as [model]."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TomlFile:
    """One file. `value` is what the trainer's parser makes of it; `file` is the name that users see."""

    file: str
    value: Mapping[str, Any]
    text: str
    offsets: Mapping[KeyPath, int]

    def place(self, path: Sequence[str | int]) -> tuple[int, int] | tuple[None, None]:
        """Line and column of a key, or of the nearest thing above it that stands in the file."""
        for length in range(len(path), 0, -1):
            offset = self.offsets.get(tuple(path[:length]))
            if offset is not None:
                return line_column(self.text, offset)
        return None, None


def parse_toml(data: bytes | str, *, file: str) -> tuple[TomlFile | None, tuple[Diagnostic, ...]]:
    """A file as the trainer reads it, or every reason why it stops there: DPC102, 103, 108, 109, 114 to 119.

    Raises nothing. An empty file is none: the trainer needs more.
    """
    text, fault = decoded(data, MAX_TOML_BYTES, _TOP)
    if fault is not None:
        return None, (fault.diagnostic(text, file),)
    marked = data.startswith(codecs.BOM_UTF8) if isinstance(data, bytes) else data.startswith("\ufeff")
    value, offsets, faults = read_toml(f"\ufeff{text}" if marked else text)
    found = tuple(fault.diagnostic(text, file) for fault in faults[:MAX_FAULTS])
    if value is None:
        return None, found
    return TomlFile(file=file, value=value, text=text, offsets=offsets), found
