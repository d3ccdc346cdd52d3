"""Files behind plain addresses. Runs in the child process only."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from worker.filelock import take_patiently
from worker.modelstore.sources import WantedFile

Failure = dict[str, Any]

_TIMEOUT = (15, 60)  # seconds to connect, and between two pieces of a body
_PIECE = 1 << 20
_PLAIN = {"Accept-Encoding": "identity"}  # a body that was packed on the way has another length


def look_up(source: dict[str, Any]) -> dict[str, Any]:
    """Size and existence of the file behind an address, or `{"failure": …}`."""
    import requests

    try:
        answer = requests.head(source["url"], allow_redirects=True, timeout=_TIMEOUT, headers=_PLAIN)
        if answer.status_code in (403, 405, 501):  # servers that know no HEAD, and addresses signed for GET
            answer = requests.get(source["url"], stream=True, timeout=_TIMEOUT, headers=_PLAIN)
            answer.close()
    except requests.RequestException as error:
        return {"failure": _network(error)}
    if failure := _refused(answer.status_code):
        return {"failure": failure}
    size = int(answer.headers.get("Content-Length", -1))
    name = source["url"].split("?")[0].rsplit("/", 1)[-1]
    return {"commit": None, "files": [WantedFile(path=name, size=size, sha256=source["sha256"]).to_json()]}


def download(source: dict[str, Any], _file: WantedFile, path: Path) -> Failure | None:
    """Brings the file to `path`, going on with what an earlier try left there."""
    import requests

    part, tag = path.with_name("part"), path.with_name("etag")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _own(part) as stream:
            failure = _receive(source["url"], stream, tag)
            if failure is None:
                stream.flush()
                part.replace(path)
    except requests.RequestException as error:
        return _network(error)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return {"kind": "disk_full" if full else "not_writable", "detail": str(error.filename or error)}
    if failure is None:
        tag.unlink(missing_ok=True)
    return failure


@contextlib.contextmanager
def _own(part: Path) -> Iterator[IO[bytes]]:
    """The part of a download, at its end and locked: the child of a worker that was killed may still be at it.

    If that one has put it in place meanwhile, what is open here is the whole file and no part any more.
    """
    while True:
        with part.open("ab") as stream:
            take_patiently(stream, tell=lambda: None, pause=lambda: time.sleep(0.2))
            if _is_at(part, stream):
                stream.seek(0, os.SEEK_END)
                yield stream
                return


def _is_at(path: Path, stream: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _receive(url: str, stream: Any, tag: Path) -> Failure | None:
    import requests

    have, known = stream.tell(), ""
    with contextlib.suppress(OSError):
        known = tag.read_text("utf-8")
    headers = {**_PLAIN, "Range": f"bytes={have}-", "If-Range": known} if have and known else _PLAIN
    with requests.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as answer:
        if answer.status_code == 416:
            stream.truncate(0)
            return {"kind": "network", "detail": "the part that was there does not fit the file any more"}
        if failure := _refused(answer.status_code):
            return failure
        if answer.status_code != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            stream.truncate(0)
        etag = answer.headers.get("ETag", "")
        # A weak tag does not promise the same bytes.
        tag.write_text("" if etag.startswith("W/") else etag, encoding="utf-8")
        for piece in answer.iter_content(_PIECE):
            stream.write(piece)
        stream.flush()
    return None


def _refused(status: int) -> Failure | None:
    if status in (200, 206):
        return None
    if status in (404, 410):
        return {"kind": "no_file", "detail": f"HTTP {status}"}
    kind = "network" if status >= 500 or status in (408, 429) else "refused"
    return {"kind": kind, "detail": f"HTTP {status}"}


def _network(error: Exception) -> Failure:
    return {"kind": "network", "detail": type(error).__name__}
