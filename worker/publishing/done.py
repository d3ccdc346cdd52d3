"""Which target holds a publication, on disk: a worker that was killed does not upload it a second time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from dpcompile.plan import canonical
from worker.publishing.bundle import Publication
from worker.publishing.target import Held

NAME = "held.json"


def read_held(publication: Publication, args: Mapping[str, Any]) -> Held | None:
    """Where an earlier run has put this very publication; None when it has not, or what it wrote is not whole."""
    try:
        told = json.loads((publication.folder / NAME).read_text("utf-8"))
        return Held(**told["held"]) if told["content"] == _content(publication, args) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_held(publication: Publication, args: Mapping[str, Any], held: Held) -> None:
    """Notes it. A signed address shows an access key, so nobody else may read the file."""
    path = publication.folder / NAME
    aside = path.with_name(f".{NAME}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"content": _content(publication, args), "held": held.to_json()}, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _content(publication: Publication, args: Mapping[str, Any]) -> str:
    """What was published where, as a digest."""
    members = [[m.name, m.size, m.sha256] for m in publication.members]
    text = canonical({"members": members, "target": dict(args), "rehearsal": publication.rehearsal})
    return hashlib.sha256(text.encode("ascii")).hexdigest()
