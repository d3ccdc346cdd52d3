"""Data at an http(s) address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.fetching.download import Request, Validators, check_status, download, is_unchanged
from worker.fetching.faults import not_downloaded
from worker.fetching.http import Client, Dropped, file_name
from worker.fetching.source import Fetched, Raw


class WebSource:
    """One file at an address."""

    def __init__(self, client: Client, request: Request, name: str | None = None) -> None:
        self._client = client
        self._request = request
        self._name = name or file_name(request.url)

    def unchanged(self, version: Mapping[str, Any]) -> bool:
        known = Validators.from_json(version)
        question = known.if_changed()
        if not question:
            return False
        return self._ask(known, {**self._request.headers, **question})

    def _ask(self, known: Validators, headers: Mapping[str, str]) -> bool:
        pauses = iter(self._client.limits.pauses)
        while True:
            try:
                with self._client.get(self._request.url, headers, shown=self._request.shown) as response:
                    if is_unchanged(response, known):
                        return True
                    check_status(response, self._request.shown)
                    return False
            except Dropped as dropped:
                self._client.watch.check()
                pause = next(pauses, None)
                if pause is None:
                    raise not_downloaded(self._request.shown, dropped.why) from dropped
                self._client.watch.pause(dropped.retry_after or pause)

    def fetch(self, into: Path) -> Fetched:
        path = into / "download"
        self._client.watch.phase("downloading")
        version = download(self._client, self._request, path)
        self._client.watch.finish()
        return Fetched(files=(Raw(name=self._name, path=path),), version=version.to_json())
