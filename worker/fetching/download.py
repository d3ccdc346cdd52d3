"""One file over HTTP: resumed after a drop or a killed worker, whole and unmixed, or not at all."""

from __future__ import annotations

import email.utils
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.fetching.faults import disk_full, not_downloaded, not_given, over_limit, size, telling_a_full_disk
from worker.fetching.http import Client, Dropped

if TYPE_CHECKING:
    import requests

_SLOWEST = 100  # bytes a second: what comes slower counts as silence
_LONGEST_PAUSE = 600  # seconds a server may ask for


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server says to tell one version of a file from another."""

    etag: str | None = None
    last_modified: str | None = None
    length: int | None = None

    @classmethod
    def of(cls, response: requests.Response) -> Validators:
        return cls(
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
            length=_total(response),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Validators:
        length = value.get("length")
        return cls(
            etag=value.get("etag"),
            last_modified=value.get("last_modified"),
            length=length if isinstance(length, int) else None,
        )

    def to_json(self) -> dict[str, Any]:
        return {"etag": self.etag, "last_modified": self.last_modified, "length": self.length}

    def same_as(self, other: Validators) -> bool:
        """Whether both are sure to mean the same bytes."""
        if self.etag or other.etag:
            return self.etag == other.etag
        return self.last_modified is not None and self == other

    def if_changed(self) -> dict[str, str]:
        """Headers that ask for the file only if it is another version by now."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.last_modified} if self.last_modified else {}

    @property
    def condition(self) -> str | None:
        """The value of If-Range, or None where a resumed file could be a mixture of two versions."""
        if self.etag:
            return None if self.etag.startswith("W/") else self.etag
        return self.last_modified


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A file to download. `url` and `headers` may hold secrets; `shown` does not."""

    url: str
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict)


def download(client: Client, request: Request, to: Path) -> Validators:
    """Downloads a file to `to`, going on from what an earlier call left there.

    Raises StepFailed when the server refuses, when it fails too often in a row, or at a limit.
    """
    part = _Part(to)
    pauses = client.limits.pauses
    best, failures = part.size, 0
    client.watch.add(part.size)
    while True:
        try:
            return _attempt(client, request, part)
        except Dropped as dropped:
            client.watch.check()
            failures = 0 if part.size > best else failures + 1
            best = max(best, part.size)
            if failures > len(pauses):
                raise not_downloaded(request.shown, dropped.why) from dropped
            usual = pauses[max(failures - 1, 0)] if pauses else 0
            client.watch.pause(min(dropped.retry_after or usual, _LONGEST_PAUSE))


class _Part:
    """A file that is being downloaded, and beside it what the server said about the version it belongs to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._about = path.with_name(f"{path.name}.about.json")
        self.validators = self._read()
        if self.validators is None:
            path.unlink(missing_ok=True)

    def _read(self) -> Validators | None:
        try:
            return Validators.from_json(json.loads(self._about.read_text("utf-8")))
        except (OSError, ValueError, AttributeError):
            return None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def complete(self) -> bool:
        known = self.validators
        return bool(known and known.condition and known.length == self.size and self.path.exists())

    def restart(self, validators: Validators) -> None:
        """Begins again with another version. The old bytes go first, so that they never pass for the new ones."""
        self.path.unlink(missing_ok=True)
        aside = self._about.with_suffix(".new")
        aside.write_text(json.dumps(validators.to_json()), encoding="utf-8")
        aside.replace(self._about)
        self.validators = validators


def _attempt(client: Client, request: Request, part: _Part) -> Validators:
    """One request. Returns when the file is whole."""
    known, have = part.validators, part.size
    headers = dict(request.headers)
    resuming = bool(have and known and known.condition)
    if known and part.complete:
        headers |= known.if_changed()
        resuming = False
    elif known and resuming:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(known.condition)}
    with client.get(request.url, headers, shown=request.shown) as response:
        if known and part.complete and is_unchanged(response, known):
            return known
        if response.status_code == 416:
            part.restart(Validators())
        check_status(response, request.shown)
        found = Validators.of(response)
        if not (resuming and known and response.status_code == 206 and _fits(response, have, known)):
            client.watch.add(-have)
            have = 0
            part.restart(found)
            if response.status_code == 206:
                raise Dropped("the server sent another part than it was asked for")
        _check_room(client, found.length, have, part.path, request.shown)
        client.watch.expect(found.length)
        _write(client, response, part.path, request.shown)
    if found.length is not None and part.size != found.length:
        if part.size > found.length:
            part.restart(Validators())
        raise Dropped(f"it ended after {size(part.size)} of {size(found.length)}")
    return found


def is_unchanged(response: requests.Response, known: Validators) -> bool:
    """Whether a server that was asked with `if_changed` has still the same version. Some ignore the question."""
    if response.status_code == 304:
        return True
    return response.status_code == 200 and Validators.of(response).same_as(known)


def _fits(response: requests.Response, have: int, known: Validators) -> bool:
    """Whether a partial answer goes on where the file ends, in the same version of it."""
    place = _range(response)
    if place is None or place[0] != have or (known.length is not None and place[1] != known.length):
        return False
    found = response.headers.get("ETag")
    return found is None or known.etag is None or found == known.etag


def _range(response: requests.Response) -> tuple[int, int] | None:
    """(first byte, total) of a partial answer."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
    return (int(found[1]), int(found[3])) if found else None


def _total(response: requests.Response) -> int | None:
    """Length of the whole file in bytes, where the server says it."""
    if response.status_code == 206:
        place = _range(response)
        return place[1] if place else None
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and "Transfer-Encoding" not in response.headers else None


def _check_room(client: Client, total: int | None, have: int, path: Path, shown: str) -> None:
    if total is None:
        return
    if total > client.limits.download_bytes:
        limit = size(client.limits.download_bytes)
        raise over_limit(f"{shown} has {size(total)}, more than {limit}", "DPCOMPILE_FETCH_MAX_GIB")
    free = shutil.disk_usage(path.parent).free
    if total - have > free:
        raise disk_full(f"{shown} needs {size(total - have)} and {size(free)} are free")


def _write(client: Client, response: requests.Response, path: Path, shown: str) -> None:
    watch, limits = client.watch, client.limits
    done = path.stat().st_size if path.exists() else 0
    since, lately = time.monotonic(), 0
    with telling_a_full_disk(shown), path.open("ab", buffering=0) as file:
        for chunk in client.chunks(response):
            done += len(chunk)
            if done > limits.download_bytes:
                text = f"{shown} has more than {size(limits.download_bytes)}"
                raise over_limit(text, "DPCOMPILE_FETCH_MAX_GIB")
            _write_all(file.fileno(), chunk)
            watch.add(len(chunk))
            lately += len(chunk)
            passed = time.monotonic() - since
            if passed > limits.stall_seconds:
                if lately < _SLOWEST * passed:
                    raise Dropped(f"hardly anything came for {passed:.0f} seconds")
                since, lately = time.monotonic(), 0


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def check_status(response: requests.Response, shown: str) -> None:
    """Raises Dropped for a status that may pass, StepFailed for one that will not."""
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416:
        raise Dropped("the server does not know the place to go on from")
    if status in (408, 425, 429) or status >= 500:
        why = "the server is asked too often (429)" if status == 429 else f"the server has a problem ({status})"
        raise Dropped(why, retry_after=_retry_after(response))
    if status in (401, 403):
        hint = "A signed address may have expired: make a new one. Otherwise let everybody with the link read the file."
        raise not_given(f"{shown} is not given out ({status}): access is denied", hint)
    if status in (404, 410):
        raise not_given(f"there is nothing at {shown} ({status})", "Look at the spelling; the file may be gone.")
    raise not_given(f"{shown} is not given out: the server answers {status}", "Try the address in a browser.")


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, from a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
