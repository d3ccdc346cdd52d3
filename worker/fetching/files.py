"""Files that were brought here, before they have a place in the dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from worker.fetching.faults import telling_a_full_disk
from worker.fetching.progress import Watch

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file under the name that its archive or folder gives it. `path` is where its bytes lie: never that name."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All that a source holds: the files that count, and the names of those that were left where they are."""

    members: tuple[Member, ...]
    others: tuple[str, ...] = ()
    """Neither media nor captions."""
    links: tuple[str, ...] = ()
    """Links and devices."""


def write(chunks: Iterator[bytes], to: Path, watch: Watch, name: str) -> tuple[int, str]:
    """Writes a file from pieces, and returns its size in bytes and its sha256."""
    digest, count = hashlib.sha256(), 0
    with telling_a_full_disk(name), to.open("wb", buffering=0) as file:
        for chunk in chunks:
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
            count += len(chunk)
            watch.check()
    return count, digest.hexdigest()


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def sha256_of(path: Path, watch: Watch) -> str:
    """Digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in pieces(file):
            digest.update(chunk)
            watch.check()
    return digest.hexdigest()
