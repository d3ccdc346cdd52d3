"""The archive: all files in one zip, stored and not deflated, the same bytes each time.

Weights hardly shrink: deflating them takes tens of times as long, on a machine that is paid by the second.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.stopping import Stop

CHUNK = 4 * 1024 * 1024
_MADE = (1980, 1, 1, 0, 0, 0)  # the same for all, and the earliest that zip knows
_FILE_MODE = 0o100644 << 16
_UNIX = 3
_OVERHEAD = 1024  # more than the headers of one file take, apart from its name, which stands there twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of an archive; `sha256` is what it was when it was scanned."""

    name: str
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive and the digest of its bytes."""

    path: Path
    size: int
    sha256: str


class ArchiveSpaceMissing(Exception):
    """There is not enough free space for the archive: `needed` and `free`, in bytes."""

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(f"{needed} bytes needed, {free} free")
        self.needed, self.free = needed, free


class ChangedFile(Exception):
    """A file changed after it was scanned: what it holds now is not known."""


def largest_size(members: Sequence[Member]) -> int:
    """An upper bound of an archive's size in bytes, known before it is written."""
    return sum(m.size + _OVERHEAD + 2 * len(m.name.encode()) for m in members) + _OVERHEAD


def make_archive(
    target: Path, members: Sequence[Member], stop: Stop, told: Callable[[int], None] = lambda _done: None
) -> Archive:
    """Writes the archive, or finds it finished by an earlier run; `told` gets the bytes done so far.

    Beside it stands `<name>.sha256`, in the form of sha256sum, and `<name>.content`, what it was made of.
    Raises ArchiveSpaceMissing, ChangedFile, Stopped and OSError; no half archive is left under its name.
    """
    content = hashlib.sha256(json.dumps([(m.name, m.size, m.sha256) for m in members]).encode()).hexdigest()
    if (finished := _finished(target, content)) is not None:
        return finished
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for old in (target, part):  # of an earlier run: no longer what is wanted, and its space is needed
        old.unlink(missing_ok=True)
    needed, free = largest_size(members), shutil.disk_usage(target.parent).free
    if needed > free:
        raise ArchiveSpaceMissing(needed, free)
    try:
        _write(part, members, stop, told)
        digest = sha256_of(part, stop)
        size = part.stat().st_size
        _write_text(_sidecar(target), f"{digest}  {target.name}\n")
        _write_text(_content(target), content)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Archive(path=target, size=size, sha256=digest)


def remove_archive(target: Path) -> None:
    """Takes an archive away once it is held elsewhere: the files it was made of are still there."""
    for path in (target, _sidecar(target), _content(target)):
        path.unlink(missing_ok=True)


def _sidecar(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _content(target: Path) -> Path:
    return target.with_name(f"{target.name}.content")


def _write_text(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text, "ascii")
    aside.replace(path)


def _finished(target: Path, content: str) -> Archive | None:
    """The archive that an earlier run made of the same files. It got its name last, when all was written."""
    try:
        if not target.is_file() or _content(target).read_text("ascii") != content:
            return None
        digest = _sidecar(target).read_text("ascii").split()[0]
        return Archive(path=target, size=target.stat().st_size, sha256=digest)
    except (OSError, ValueError, IndexError):
        return None


def _write(part: Path, members: Sequence[Member], stop: Stop, told: Callable[[int], None]) -> None:
    done = 0
    with part.open("xb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as zipped:
            for member in sorted(members, key=lambda m: m.name):
                info = zipfile.ZipInfo(member.name, _MADE)
                info.external_attr, info.create_system, info.file_size = _FILE_MODE, _UNIX, member.size
                # Told the size beforehand, zipfile uses the 64-bit form exactly where it is needed.
                with zipped.open(info, "w") as sink:
                    for chunk in _scanned_content(member, stop):
                        sink.write(chunk)
                        done += len(chunk)
                        told(done)
        file.flush()
        os.fsync(file.fileno())


def _scanned_content(member: Member, stop: Stop) -> Iterator[bytes]:
    """A file piece by piece. Raises ChangedFile when it is not what was scanned."""
    digest, left = hashlib.sha256(), member.size
    with member.path.open("rb") as source:
        while chunk := source.read(CHUNK):
            stop.check()
            digest.update(chunk)
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    if left or digest.hexdigest() != member.sha256:
        raise ChangedFile(member.name)


def sha256_of(path: Path, stop: Stop) -> str:
    """The digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            stop.check()
            digest.update(chunk)
    return digest.hexdigest()
