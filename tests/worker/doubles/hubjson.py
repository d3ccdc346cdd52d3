"""How the Hub puts things into JSON: files, folders, commits, errors."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from tests.worker.doubles.hubstore import Commit, Entry, pointer_text
from tests.worker.doubles.web import Refused, json_reply

_TIME = "%Y-%m-%dT%H:%M:%S.000Z"


def refuse(status: int, message: str, code: str = "", **more: Any) -> Refused:
    """An error as the Hub tells it; `code` is what its client goes by."""
    headers = {"X-Error-Message": message, "X-Request-Id": "double"} | ({"X-Error-Code": code} if code else {})
    return Refused(json_reply({"error": message, **more}, status, headers))


def shown_commit(commit: Commit) -> dict[str, Any]:
    date = time.strftime(_TIME, time.gmtime(commit.time))
    return {"id": commit.oid, "title": commit.title, "message": "", "date": date, "authors": [{"user": commit.author}]}


def shown(path: str, entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "file", "path": path, "size": entry.size, "oid": entry.oid}
    if entry.sha256:
        pointer = len(pointer_text(entry.sha256, entry.size))
        item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": pointer}
    return item


def shown_folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}
