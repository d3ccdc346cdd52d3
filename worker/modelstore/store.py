"""The folder of models on the volume: what is whole, who is at work on it, what was left behind.

All bookkeeping lies in `<models>/.dpcompile`, in the same file system as the models and out of the way of the
trainer, which takes every .safetensors file that it finds in a model's folder (utils/common.py:86).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.filelock import take_patiently
from worker.modelstore.sources import Found, Source, destination
from worker.stopping import Stop

_MARKER_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The models folder of one volume, shared by all workers that mount it."""

    models: Path

    @property
    def _books(self) -> Path:
        return self.models / ".dpcompile"

    def hub_home(self) -> Path:
        """Where the Hub's client may keep what it likes to keep."""
        return self._books / "hub"

    def partial(self, source: Source) -> Path:
        """The folder for unfinished downloads of this source."""
        return self._books / "partial" / self._key(source)

    def new_partial(self, source: Source) -> Path:
        """A fresh folder in it: a child whose worker was killed may still write to an older one."""
        self.partial(source).mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="try-", dir=self.partial(source)))

    def clear(self, source: Source) -> int:
        """Removes what broken-off downloads left behind; how many bytes that gave back.

        What can be gone on with, the one file behind an address, stays.
        """
        freed = 0
        for leftover in self.partial(source).glob("try-*"):
            freed += folder_size(leftover)
            shutil.rmtree(leftover, ignore_errors=True)
        return freed

    def marker(self, source: Source) -> dict[str, Any] | None:
        """What was noted when the source was last completed; None if never, or for other files."""
        try:
            noted = json.loads((self._books / "complete" / f"{self._key(source)}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(noted, dict) and noted.get("version") == _MARKER_VERSION
        return noted if fits and noted.get("source") == source.identity else None

    def complete(self, source: Source) -> dict[str, Any] | None:
        """The marker, if nobody has touched any of its files since."""
        noted = self.marker(source)
        if noted is None:
            return None
        unchanged = all(
            _stamp(source.to if source.single else source.to / e["path"]) == e["stamp"] for e in noted["files"]
        )
        return noted if unchanged else None

    def mark_complete(self, source: Source, found: Found) -> dict[str, Any]:
        """Notes that all files are in place."""
        files = [{**file.to_json(), "stamp": _stamp(destination(source, file))} for file in found.files]
        noted = {
            "version": _MARKER_VERSION,
            "source": source.identity,
            "commit": found.commit,
            "files": files,
        }
        write_whole(self._books / "complete" / f"{self._key(source)}.json", json.dumps(noted, indent=1))
        return noted

    def _key(self, source: Source) -> str:
        """One name for the same files in the same place, wherever the volume is mounted."""
        place = os.path.relpath(source.to, self.models)
        what = {key: value for key, value in source.identity.items() if key != "revision"}
        digest = hashlib.sha256(json.dumps([place, what], sort_keys=True).encode()).hexdigest()
        return f"{source.to.name[:40]}-{digest[:16]}"

    @contextlib.contextmanager
    def lock(self, source: Source, stop: Stop, waiting: Callable[[], None]) -> Iterator[bool]:
        """Only one worker at a time brings a source. The system takes the lock from one that was killed.

        Yields False where the file system has no locks: then work may be done twice, and is still right.
        """
        place = self._books / "locks" / f"{self._key(source)}.lock"
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a") as handle:
            stop.check()
            yield take_patiently(handle, tell=waiting, pause=lambda: stop.pause(0.5))


def _stamp(path: Path) -> list[int] | None:
    """Size in bytes and time of the last change in nanoseconds; None where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns] if path.is_file() else None


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder, which may change meanwhile."""
    total = 0
    for root, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is either there in full or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def put_in_place(path: Path, to: Path) -> None:
    """Moves a verified file to where the trainer reads it, replacing one that is there."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    path.replace(to)
