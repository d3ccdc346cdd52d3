"""Probes of earlier runs, so that an unchanged file is not opened again."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from dpcompile.inspection.media import Probe

_VERSION = 1
_FIELDS = [field.name for field in fields(Probe)]
_values = attrgetter(*_FIELDS)


class Remembered:
    """The probes of one folder of media, in a file of their own. A probe holds while size and mtime stay.

    Losing the file costs time only, so whatever is wrong with it counts as an empty one.
    """

    def __init__(self, store: Path | None, folder: str) -> None:
        name = hashlib.sha256(os.path.realpath(folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._file = None if store is None else store / f"{name}.json"
        self._old: dict[str, list[Any]] = self._read()
        self._new: dict[str, list[Any]] = {}

    def get(self, name: str, stat: os.stat_result) -> Probe | None:
        """The probe of a file, if it is still the same file."""
        entry = self._old.get(name)
        if entry is None or entry[:2] != [stat.st_size, stat.st_mtime_ns]:
            return None
        self._new[name] = entry
        return Probe(**dict(zip(_FIELDS, entry[2], strict=True)))

    def put(self, name: str, stat: os.stat_result, probe: Probe) -> None:
        self._new[name] = [stat.st_size, stat.st_mtime_ns, list(_values(probe))]

    def save(self) -> None:
        """Writes what this run met, in place of what earlier ones did. A store that cannot be written is left."""
        if self._file is None or self._new == self._old:
            return
        aside = self._file.with_suffix(f".{os.getpid()}.tmp")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"version": _VERSION, "fields": _FIELDS, "files": self._new}, separators=(",", ":"))
            aside.write_text(text, encoding="ascii")
            aside.replace(self._file)

    def _read(self) -> dict[str, list[Any]]:
        if self._file is None:
            return {}
        try:
            value = json.loads(self._file.read_bytes())
            same = value["version"] == _VERSION and value["fields"] == _FIELDS
            files: dict[str, list[Any]] = value["files"] if same else {}
            return files if all(len(entry) == 3 and len(entry[2]) == len(_FIELDS) for entry in files.values()) else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}
