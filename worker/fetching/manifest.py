"""What a kept dataset is made of: where it came from, and each file as it was put in place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worker.fetching.tidy import Warned

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as it was put in place: size in bytes, time of change in nanoseconds, sha256."""

    size: int
    changed: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of a dataset's folder, apart from what captioner and trainer put there."""

    source: str
    media: str
    version: Mapping[str, Any]
    """What tells the source's version apart, as the source itself says it."""
    fetched: float
    """Seconds since 1970-01-01 UTC."""
    files: Mapping[str, Entry]
    warnings: tuple[Warned, ...] = ()
    edits: str = ""
    """Digest of the changes by hand that the trainer's cache has been freed of."""

    @property
    def content(self) -> str:
        """sha256 over the names and contents of all files: equal for equal data, whatever it came from."""
        listed = sorted((name, entry.sha256) for name, entry in self.files.items())
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {
            "version": MANIFEST_VERSION,
            "source": self.source,
            "media": self.media,
            "source_version": self.version,
            "fetched": self.fetched,
            "content": self.content,
            "files": {n: {"size": e.size, "changed": e.changed, "sha256": e.sha256} for n, e in self.files.items()},
            "warnings": [{"message": w.message, "hint": w.hint} for w in self.warnings],
            "edits": self.edits,
        }

    def with_edits(self, edits: str, files: Mapping[str, Entry]) -> Manifest:
        return replace(self, edits=edits, files=files)


def read(path: Path) -> Manifest | None:
    """The manifest in a file; None when there is none, or none that this version can read."""
    try:
        value = json.loads(path.read_text("utf-8"))
        if value["version"] != MANIFEST_VERSION:
            return None
        return Manifest(
            source=value["source"],
            media=value["media"],
            version=value["source_version"],
            fetched=value["fetched"],
            files={name: Entry(**entry) for name, entry in value["files"].items()},
            warnings=tuple(Warned(message=w["message"], hint=w["hint"]) for w in value["warnings"]),
            edits=value["edits"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(manifest: Manifest, path: Path) -> None:
    """Writes it aside and puts it in place, on the disk and not only on its way there."""
    aside = path.with_name(f"{path.name}.aside")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(manifest.to_json(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
