"""Archives: known by their content, unpacked by hand, whatever they hold.

No entry is written under its own name: each gets a number, and `tidy` decides later what it is called in
the dataset. So no name can lead anywhere, links are never made, and a name that this system cannot hold
is no trouble.
"""

from __future__ import annotations

import itertools
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from worker.fetching.faults import bad_archive, disk_full, over_limit, size, telling_a_full_disk
from worker.fetching.files import CHUNK, Gathered, Member, write
from worker.fetching.media import kind_of
from worker.fetching.names import clean_path, from_zip
from worker.fetching.progress import Watch
from worker.settings import FetchLimits

Format = Literal["zip", "tar", "gzip", "bzip2", "xz", "zstd", "7z", "rar", "html", "empty"]

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
)
_WEB_PAGE = (b"<!doctype html", b"<html", b"<head", b"<?xml")
# All that `zipfile` and the decompressors were seen to raise for bad data.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    OverflowError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
    MemoryError,
)


def sniff(path: Path) -> Format | None:
    """What a file is by its first bytes; None when it is nothing that can be unpacked."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        return "empty"
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head[257:262] == b"ustar":
        return "tar"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE):
        return "html"
    return "zip" if zipfile.is_zipfile(path) else None


class Budget:
    """What one archive may still become. Counted as it is written, not as the archive promises."""

    def __init__(self, limits: FetchLimits, packed: int, name: str) -> None:
        self._limits = limits
        self._packed = max(packed, 1)
        self._name = name
        self._entries = 0
        self._written = 0

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.max_files:
            text = f"{self._name} has more than {self._limits.max_files} entries"
            raise over_limit(text, "DPCOMPILE_FETCH_MAX_FILES")

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.take(len(chunk))
            yield chunk

    def take(self, count: int) -> None:
        """Counts unpacked bytes. Raises StepFailed beyond a limit."""
        limits = self._limits
        self._written += count
        if self._written > limits.unpacked_bytes:
            text = f"{self._name} becomes more than {size(limits.unpacked_bytes)} when unpacked"
            raise over_limit(text, "DPCOMPILE_FETCH_MAX_UNPACKED_GIB")
        if self._written > limits.ratio_from_bytes and self._written > limits.max_ratio * self._packed:
            text = f"{self._name} becomes more than {limits.max_ratio:g} times its size when unpacked"
            raise over_limit(text, "DPCOMPILE_FETCH_MAX_RATIO")


def unpack_zip(path: Path, name: str, into: Path, watch: Watch, limits: FetchLimits) -> Gathered:
    """Unpacks the files of a zip that count into numbered files. Raises StepFailed for a bad one."""
    try:
        # A member's text is never decoded by the locale: what is not UTF-8 comes as code page 437.
        with zipfile.ZipFile(path) as archive:
            return _unpack_zip(archive, name, into, watch, limits)
    except BROKEN as error:
        raise bad_archive(name, _why(error)) from error
    except OSError as error:
        with telling_a_full_disk(name):
            raise bad_archive(name, "it cannot be read to its end") from error


def _unpack_zip(archive: zipfile.ZipFile, name: str, into: Path, watch: Watch, limits: FetchLimits) -> Gathered:
    budget = Budget(limits, Path(str(archive.filename)).stat().st_size, name)
    wanted: list[tuple[str, zipfile.ZipInfo]] = []
    others: list[str] = []
    links: list[str] = []
    for info in archive.infolist():
        budget.entry()
        shown = clean_path(from_zip(info.orig_filename, utf8=bool(info.flag_bits & 0x800)))
        if info.is_dir() or not shown or (kind := kind_of(shown)) == "junk":
            continue
        if _is_special(info):
            links.append(shown)
        elif kind in ("archive", "other"):
            others.append(shown)
        else:
            wanted.append((shown, info))
    if locked := [shown for shown, info in wanted if info.flag_bits & 0x1]:
        raise bad_archive(name, f"it is locked with a password ({locked[0]})", "Pack it again without a password.")
    _check_room(sum(info.file_size for _shown, info in wanted), into, name)
    watch.phase("unpacking", total=len(wanted), unit="files")
    members = []
    for number, (shown, info) in enumerate(wanted):
        target = into / f"{number:07}"
        count, digest = _extract(archive, info, target, budget, watch, name)
        members.append(Member(name=shown, path=target, size=count, sha256=digest))
        watch.add(1)
    watch.finish()
    return Gathered(members=tuple(members), others=tuple(others), links=tuple(links))


def _extract(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, budget: Budget, watch: Watch, name: str
) -> tuple[int, str]:
    try:
        with archive.open(info) as source:
            chunks = iter(lambda: source.read(CHUNK), b"")
            return write(budget.counted(chunks), target, watch, name)
    except BROKEN as error:
        raise bad_archive(name, f"{clean_path(info.filename)}: {_why(error)}") from error


def _is_special(info: zipfile.ZipInfo) -> bool:
    """Whether an entry made on Unix is a link, a device or a pipe."""
    kind = info.external_attr >> 28
    return kind not in (0, 0o10) if info.create_system == 3 else False


def _check_room(needed: int, into: Path, name: str) -> None:
    free = shutil.disk_usage(into).free
    if needed > free:
        raise disk_full(f"{name} becomes {size(needed)} when unpacked, and {size(free)} are free")


def _why(error: BaseException) -> str:
    """A reason in plain words for what the libraries raise."""
    text = str(error)
    if "password" in text:
        return "it is locked with a password"
    if "compression" in text:
        return "it is compressed in a way that is not supported; use the ordinary one (deflate)"
    if "CRC" in text:
        return "its check sum is wrong, so it was damaged on the way"
    if isinstance(error, EOFError) or "not a zip file" in text or "truncated" in text.lower():
        return "it is cut off: the end is missing"
    return "it is damaged"


def numbered(into: Path) -> Iterator[Path]:
    """Names for files, one after the other."""
    return (into / f"{number:07}" for number in itertools.count())
