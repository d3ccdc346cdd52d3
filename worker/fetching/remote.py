"""Sources of many files: each a name, a size, an address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from worker.fetching.download import Request, download
from worker.fetching.faults import disk_full, not_downloaded, over_limit, size
from worker.fetching.files import sha256_of
from worker.fetching.http import Client
from worker.fetching.media import kind_of
from worker.fetching.source import Fetched, Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a source. `mark` changes whenever its content does."""

    name: str
    size: int
    mark: str
    request: Request
    sha256: str | None = None
    blob: str | None = None
    """Git's own digest, which the Hub has for small files."""


def version_of(files: Sequence[RemoteFile]) -> str:
    """One text for the names and contents of all files that count."""
    listed = sorted((file.name, file.size, file.mark) for file in files if _counts(file))
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _counts(file: RemoteFile) -> bool:
    return kind_of(file.name) not in ("junk", "other")


def fetch_all(client: Client, files: Sequence[RemoteFile], into: Path, shown: str) -> Fetched:
    """Downloads the files that count, several at once. Those that are here already are not asked for again."""
    wanted = [file for file in files if _counts(file)]
    _check_limits(client, wanted, into, shown)
    client.watch.phase("downloading", total=sum(file.size for file in wanted))
    # Named by content, so that what an earlier call brought is found whatever else has changed at the source.
    targets = {file.name: into / hashlib.sha256(f"{file.name}\0{file.mark}".encode()).hexdigest() for file in wanted}
    with ThreadPoolExecutor(client.limits.connections) as pool:
        jobs = [pool.submit(_one, client, file, targets[file.name]) for file in wanted]
        done, waiting = wait(jobs, return_when=FIRST_EXCEPTION)
        for job in waiting:
            job.cancel()
        for job in done:
            job.result()
    client.watch.finish()
    return Fetched(
        files=tuple(Raw(name=file.name, path=targets[file.name]) for file in wanted),
        version={"files": version_of(files)},
        left_out=tuple(file.name for file in files if kind_of(file.name) == "other"),
    )


def _check_limits(client: Client, wanted: Sequence[RemoteFile], into: Path, shown: str) -> None:
    import shutil

    limits = client.limits
    total = sum(file.size for file in wanted)
    if len(wanted) > limits.max_files:
        raise over_limit(f"{shown} has {len(wanted)} files, more than {limits.max_files}", "DPCOMPILE_FETCH_MAX_FILES")
    if total > limits.download_bytes:
        text = f"{shown} has {size(total)}, more than {size(limits.download_bytes)}"
        raise over_limit(text, "DPCOMPILE_FETCH_MAX_GIB")
    here = sum(path.stat().st_size for path in into.iterdir())
    free = shutil.disk_usage(into).free
    if total - here > free:
        raise disk_full(f"{shown} needs {size(total - here)} and {size(free)} are free")


def _one(client: Client, file: RemoteFile, to: Path) -> None:
    """One file, checked against what the listing says of it."""
    finished = to.with_name(f"{to.name}.done")
    if finished.exists() and to.exists() and to.stat().st_size == file.size:
        client.watch.add(file.size)
        return
    download(client, file.request, to)
    if not _as_promised(file, to, client):
        to.unlink()
        to.with_name(f"{to.name}.about.json").unlink(missing_ok=True)
        raise not_downloaded(file.request.shown, "what came is not what the listing promises")
    finished.touch()


def _as_promised(file: RemoteFile, path: Path, client: Client) -> bool:
    if path.stat().st_size != file.size:
        return False
    if file.sha256:
        return sha256_of(path, client.watch) == file.sha256
    if file.blob:
        content = path.read_bytes()  # small, or it would have the other digest
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        return digest.hexdigest() == file.blob
    return True
