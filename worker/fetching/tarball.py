"""Tar archives, plain or compressed, read once from front to end."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from worker.fetching.archive import BROKEN, Budget, numbered
from worker.fetching.faults import bad_archive, telling_a_full_disk
from worker.fetching.files import CHUNK, Gathered, Member, pieces, write
from worker.fetching.media import kind_of
from worker.fetching.names import clean_path, from_bytes
from worker.fetching.progress import Watch
from worker.settings import FetchLimits

_LONGEST_READ = 16 << 20  # bytes; only a header that lies asks for more at once


def _open_gzip(path: Path) -> IO[bytes]:
    import gzip

    opened: Any = gzip.open(path, "rb")  # noqa: SIM115 - an IO[bytes] in all but its type; the caller closes it
    return cast("IO[bytes]", opened)


def _open_bzip2(path: Path) -> IO[bytes]:
    import bz2

    return bz2.open(path, "rb")


def _open_xz(path: Path) -> IO[bytes]:
    import lzma

    return lzma.open(path, "rb")


OPEN: dict[str, Callable[[Path], IO[bytes]]] = {
    "tar": lambda path: path.open("rb"),
    "gzip": _open_gzip,
    "bzip2": _open_bzip2,
    "xz": _open_xz,
}


class _Forward:
    """A stream as tarfile wants it: forward only, and without believing what a header says of its length."""

    def __init__(self, source: IO[bytes], budget: Budget, watch: Watch) -> None:
        self._source = source
        self._budget = budget
        self._watch = watch
        self._at = 0
        self.last = b""
        """What the last call of `read` returned."""

    def tell(self) -> int:
        return self._at

    def seek(self, place: int, _whence: int = 0) -> int:
        if place < self._at:
            raise tarfile.ReadError("an entry begins before the end of another")
        while self._at < place and self.read(min(CHUNK, place - self._at)):
            pass
        return self._at

    def read(self, count: int) -> bytes:
        if not 0 <= count <= _LONGEST_READ:
            raise tarfile.ReadError("a header of an impossible length")
        data = self._source.read(count)
        self._budget.take(len(data))
        self._watch.check()
        self._at += len(data)
        self.last = data
        return data


def unpack_tar(path: Path, packing: str, name: str, into: Path, watch: Watch, limits: FetchLimits) -> Gathered:
    """Unpacks the files of a tar that count into numbered files. Raises StepFailed for a bad one."""
    budget = Budget(limits, path.stat().st_size, name)
    try:
        with OPEN[packing](path) as source:
            stream = _Forward(source, budget, watch)
            opened: Any = stream
            # Names come as the bytes they are: surrogateescape keeps those that are not UTF-8.
            with tarfile.TarFile(fileobj=opened, mode="r", encoding="utf-8", errors="surrogateescape") as archive:
                found = _unpack(archive, budget, name, into, watch)
            if stream.last.strip(b"\0"):
                # tarfile takes a header that it cannot read for the end of the archive.
                raise tarfile.ReadError("a damaged header in the middle")
            return found
    except (tarfile.TarError, *BROKEN) as error:
        raise bad_archive(name, _why(error, packing)) from error
    except OSError as error:
        with telling_a_full_disk(name):
            raise bad_archive(name, "it is damaged") from error


def _unpack(archive: tarfile.TarFile, budget: Budget, name: str, into: Path, watch: Watch) -> Gathered:
    members: list[Member] = []
    others: list[str] = []
    links: list[str] = []
    targets = numbered(into)
    watch.phase("unpacking", unit="files")
    everything: list[tarfile.TarInfo] = getattr(archive, "members")  # noqa: B009 - no public name, and no type
    while (info := archive.next()) is not None:
        budget.entry()
        everything.clear()  # it would keep every header in memory
        shown = clean_path(from_bytes(info.name.encode("utf-8", "surrogateescape")))
        if info.isdir() or not shown or (kind := kind_of(shown)) == "junk":
            continue
        if not info.isreg() or info.issparse():
            links.append(shown)
            continue
        if kind in ("archive", "other"):
            others.append(shown)
            continue
        source = archive.extractfile(info)
        if source is None:
            continue
        target = next(targets)
        count, digest = write(pieces(source), target, watch, name)
        if count != info.size:
            raise EOFError(shown)
        members.append(Member(name=shown, path=target, size=count, sha256=digest))
        watch.add(1)
    watch.finish()
    return Gathered(members=tuple(members), others=tuple(others), links=tuple(links))


def _why(error: BaseException, packing: str) -> str:
    text = str(error).lower()
    if isinstance(error, EOFError) or "unexpected end" in text or "truncated" in text:
        return "it is cut off: the end is missing"
    if "invalid header" in text or "empty header" in text or "bad checksum" in text or "empty file" in text:
        return f"there is no tar archive in it, only {packing} data" if packing != "tar" else "it is damaged"
    return "it is damaged"
