"""Data that lies on the volume already: an archive, a single file, or a folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from worker.errors import StepFailed
from worker.fetching.faults import over_limit
from worker.fetching.media import kind_of
from worker.fetching.names import from_bytes
from worker.fetching.progress import Watch
from worker.fetching.source import Fetched, Raw
from worker.settings import Settings


class LocalSource:
    """A path that a job names. It is read and never changed."""

    def __init__(self, address: str, volume: Path, own: Path, watch: Watch, settings: Settings) -> None:
        """A path below `volume`; `own` is the folder of the store, which is not looked into."""
        self._shown = address
        self._watch = watch
        self._limits = settings.fetch
        self._own = own.resolve()
        self._path = _inside(address, volume, any_path=settings.allow_any_path)

    def unchanged(self, version: Mapping[str, Any]) -> bool:
        return version.get("files") == self._version()

    def fetch(self, into: Path) -> Fetched:  # noqa: ARG002 - nothing needs to be brought
        version = self._version()
        files = [Raw(name=name, path=path, borrowed=True) for name, path in self._files() if _counts(name)]
        names = [name for name, _path in self._files() if kind_of(name) == "other"]
        if self._path.is_file():
            files = [Raw(name=self._path.name, path=self._path, borrowed=True)]
        return Fetched(
            files=tuple(files), version={"files": version}, left_out=tuple(names), links=tuple(self._links())
        )

    def _version(self) -> str:
        """A text that changes with names, sizes and times of change: nothing is read for it."""
        listed = []
        for name, path in self._files():
            about = path.stat()
            if _counts(name) or path == self._path:
                listed.append((name, about.st_size, about.st_mtime_ns))
        return hashlib.sha256(json.dumps(sorted(listed)).encode("utf-8", "surrogatepass")).hexdigest()

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in self._walk():
            if stat.S_ISREG(path.lstat().st_mode):
                yield self._name(path), path

    def _links(self) -> Iterator[str]:
        for path in self._walk():
            if not stat.S_ISREG(path.lstat().st_mode) and kind_of(self._name(path)) != "junk":
                yield self._name(path)

    def _name(self, path: Path) -> str:
        return from_bytes(os.fsencode(path.relative_to(self._path) if path != self._path else path.name))

    def _walk(self) -> Iterator[Path]:
        """Every file below the path, links as they are; the path itself when it is a file."""
        if not self._path.is_dir():
            yield self._path
            return
        count = 0
        for folder, folders, files in os.walk(self._path, onerror=self._unreadable):
            self._watch.check()
            here = Path(folder)
            # A link to a folder is told like any other link, and not followed.
            links = [name for name in folders if (here / name).is_symlink()]
            folders[:] = sorted(n for n in folders if n not in links and (here / n) != self._own)
            for name in sorted([*files, *links]):
                count += 1
                if count > self._limits.max_files:
                    text = f"{self._shown} has more than {self._limits.max_files} files"
                    raise over_limit(text, "DPCOMPILE_FETCH_MAX_FILES")
                yield here / name

    def _unreadable(self, error: OSError) -> None:
        raise _unusable(self._shown, f"a folder in it cannot be read ({error.strerror})") from error


def _counts(name: str) -> bool:
    return kind_of(name) not in ("junk", "other")


def _unusable(address: str, why: str, hint: str = "") -> StepFailed:
    hint = hint or "Give the path of an archive or a folder on the volume, as the worker sees it."
    return StepFailed("DPC719", f"{address}: {why}", hint, resumable=False)


def _inside(address: str, volume: Path, *, any_path: bool) -> Path:
    """The path that is meant, links resolved. Raises StepFailed when it leads out of the volume."""
    try:
        path = (volume / address).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise _unusable(address, "there is no such file or folder on the volume") from error
    root = volume.resolve()
    if not any_path and path != root and root not in path.parents:
        hint = (
            "Copy the data to the volume. The operator of the worker can allow other paths: DPCOMPILE_ALLOW_ANY_PATH."
        )
        raise _unusable(address, f"it is outside the volume {volume}", hint)
    if not (path.is_file() or path.is_dir()):
        raise _unusable(address, "it is neither a file nor a folder")
    return path
