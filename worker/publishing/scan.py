"""Looking for the secrets of a run in every byte that is about to leave."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from worker.stopping import Stop

CHUNK = 4 * 1024 * 1024
"""Bytes that are read at a time."""
_SHORTEST = 6  # as the store has it: shorter texts would be found everywhere
_SHORTEST_QUERY_VALUE = 12  # `?download=true` is not a secret, a signature is
_SHORTEST_ENCODED = 12  # base64 of less keeps too few characters that do not depend on what stands beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What one pass over a file found out: `size` in bytes, digests, and whether a secret stands in it."""

    size: int
    sha256: str
    crc32: int
    secret_found: bool


class Scanner:
    """Finds secrets in files, in every form in which one may have been written."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for text in _with_parts(secret) for form in _forms(text)}
        self._forms = tuple(sorted(forms))
        self._overlap = max((len(form) for form in self._forms), default=1) - 1

    def found_in(self, data: bytes | bytearray, end: int | None = None) -> bool:
        """Whether a secret stands in the data, or in its first `end` bytes."""
        return any(data.find(form, 0, end) >= 0 for form in self._forms)

    def examine(self, path: Path, stop: Stop, chunk: int = CHUNK) -> Examined:
        """Reads a file once, piece by piece. A secret that lies across two pieces is found as well.

        Raises OSError when it cannot be read, and Stopped.
        """
        buffer = bytearray(self._overlap + chunk)
        view = memoryview(buffer)
        sha256, crc32, size, kept, found = hashlib.sha256(), 0, 0, 0, False
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(view[kept : kept + chunk]):
                stop.check()
                sha256.update(view[kept : kept + read])
                crc32 = zlib.crc32(view[kept : kept + read], crc32)
                size += read
                end = kept + read
                found = found or self.found_in(buffer, end)
                # The end of this piece stands before the next one.
                kept = min(self._overlap, end)
                view[:kept] = bytes(view[end - kept : end])
        return Examined(size=size, sha256=sha256.hexdigest(), crc32=crc32, secret_found=found)


def _with_parts(secret: str) -> Iterator[str]:
    """A secret and, of an address, the parts that make it one: user info, query, values in the query."""
    yield secret
    if "://" not in secret:
        return
    path, *tail = re.split(r"[?#]", secret.split("://", 1)[1])
    user, at, _host = path.split("/", 1)[0].rpartition("@")
    if at:
        yield from (user, *user.split(":", 1)[1:])
    for part in tail:
        yield part
        yield from (v for pair in part.split("&") if len(v := pair.partition("=")[2]) >= _SHORTEST_QUERY_VALUE)


def _forms(text: str) -> Iterator[bytes]:
    if len(text) < _SHORTEST:
        return
    escaped = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    percent = (quote(text), quote(text, ""), quote_plus(text))
    lower = tuple(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in percent)
    for form in {text, *escaped, *percent, *lower}:
        yield form.encode("utf-8", "surrogatepass")
    yield text.encode("utf-16-le", "surrogatepass")
    yield from _base64_forms(text.encode("utf-8", "surrogatepass"))


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """The characters that stand in any base64 text that holds the data, wherever in it the data begins."""
    if len(data) < _SHORTEST_ENCODED:
        return
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        first = (before * 8 + 5) // 6  # the first character made of the data's bits alone
        last = (before + len(data)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))
