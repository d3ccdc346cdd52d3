"""Sending a file over HTTP without holding it in memory, and reading back what was stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worker.publishing.faults import HttpFault, TargetFailed, asked_wait, status_in_words
from worker.publishing.retry import Result, tried
from worker.settings import Settings
from worker.stopping import Stop

if TYPE_CHECKING:
    import requests

CHUNK = 1024 * 1024
_CONNECT_SECONDS = 30.0
_LONGEST_ANSWER = 64 * 1024  # bytes; all that these hosts answer is one address


class FileBody:
    """A file as the body of a request, read piece by piece; what is to stand before and after it as well."""

    def __init__(
        self,
        path: Path,
        stop: Stop,
        told: Callable[[int], None],
        *,
        before: bytes = b"",
        after: bytes = b"",
    ) -> None:
        self._path, self._stop, self._told = path, stop, told
        self._before, self._after = before, after
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return len(self._before) + self._size + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        if self._before:
            yield self._before
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._stop.check()
                yield chunk
                done += len(chunk)
                self._told(done)
        if self._after:
            yield self._after


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to an upload."""

    status: int
    headers: Mapping[str, str]
    text: str


def form(name: str, field: str, values: Mapping[str, str]) -> tuple[bytes, bytes, str]:
    """What stands before and after a file in a multipart form, and the form's content type.

    The boundary is a digest of the names: it stands in no file by accident.
    """
    boundary = hashlib.sha256(f"{name}\n{field}\n{sorted(values.items())}".encode()).hexdigest()
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in values.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    before = "".join((*parts, head, "Content-Type: application/zip\r\n\r\n"))
    return before.encode(), f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def send(method: str, url: str, body: FileBody, headers: Mapping[str, str], settings: Settings) -> Answer:
    """Sends a file; redirects are not followed. Raises HttpFault, and what requests raises."""
    with _request(method, url, settings, data=body, headers=headers) as response:
        text = next(response.iter_content(_LONGEST_ANSWER), b"").decode("utf-8", "replace")
        if not 200 <= response.status_code < 300:
            raise HttpFault(response.status_code, asked_wait(response.headers))
        return Answer(status=response.status_code, headers=response.headers, text=text)


def read_back(url: str, size: int, sha256: str, settings: Settings, stop: Stop) -> None:
    """Reads what was stored and compares it with what was sent. Raises TargetFailed when it is something else."""

    def once() -> None:
        digest, read = hashlib.sha256(), 0
        with _request("GET", url, settings, follow=True) as response:
            if response.status_code != 200:
                raise HttpFault(response.status_code, asked_wait(response.headers))
            for chunk in response.iter_content(CHUNK):
                stop.check()
                digest.update(chunk)
                read += len(chunk)
        if read != size or digest.hexdigest() != sha256:
            raise TargetFailed(f"what it gives back is not what was sent: {read} bytes instead of {size}")

    try:
        insisting(once, stop, settings)
    except HttpFault as fault:
        raise TargetFailed(f"it took the archive, but {status_in_words(fault.status)} when asked for it") from None


def _request(
    method: str,
    url: str,
    settings: Settings,
    *,
    data: FileBody | None = None,
    headers: Mapping[str, str] | None = None,
    follow: bool = False,
) -> requests.Response:
    import requests

    return requests.request(
        method,
        url,
        data=data,
        headers={"Accept-Encoding": "identity", "User-Agent": "dpcompile-worker", **(headers or {})},
        timeout=(_CONNECT_SECONDS, settings.upload_timeout_seconds),
        allow_redirects=follow,
        stream=True,
        auth=_no_credentials,
    )


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from adding what a .netrc of the machine says about a host that a job names."""
    return request


def passing(error: Exception) -> float | None:
    """How long to wait before what failed is tried again; None when that would be of no use."""
    import requests

    if isinstance(error, HttpFault):
        return error.passing
    if isinstance(error, requests.exceptions.SSLError):
        return None
    known = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return 0.0 if isinstance(error, known) else None


def insisting(work: Callable[[], Result], stop: Stop, settings: Settings) -> Result:
    """The result of a request, tried again while its failures pass."""
    first, patience = settings.retry_seconds, settings.publish_patience_seconds
    return tried(work, stop=stop, passing=passing, first_wait=first, patience=patience)


def in_words(error: Exception) -> TargetFailed:
    """What a failure means. The texts of requests show whole addresses, so none of them is used."""
    import requests

    if isinstance(error, HttpFault):
        return TargetFailed(f"it {status_in_words(error.status)}")
    if isinstance(error, requests.exceptions.SSLError):
        return TargetFailed("its certificate is not trusted")
    if isinstance(error, requests.Timeout):
        return TargetFailed("it did not answer in time")
    if isinstance(error, requests.ConnectionError):
        return TargetFailed("it cannot be reached, or broke off")
    return TargetFailed(f"the request could not be made ({type(error).__name__})")
