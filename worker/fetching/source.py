"""What a source of data has to do, whatever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A file as the source gives it: an archive, or a file of the dataset itself."""

    name: str
    """Its path within the source, with forward slashes."""
    path: Path
    borrowed: bool = False
    """Whether it belongs to somebody else, so that it is read and never moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a source gave, and what tells this version of it from the next (a JSON object)."""

    files: tuple[Raw, ...]
    version: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    """Names of files that were not even downloaded: neither media, captions nor archives."""
    links: tuple[str, ...] = ()


class Source(Protocol):
    """A place that data is fetched from."""

    def unchanged(self, version: Mapping[str, Any]) -> bool:
        """Whether the source still has the version that was fetched. Raises StepFailed when it cannot be asked."""

    def fetch(self, into: Path) -> Fetched:
        """Brings the data into a folder, going on from what an earlier call left there."""
