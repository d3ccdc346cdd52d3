"""The part of the Hub's double that takes and gives large files: Git LFS, in one piece or in parts."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tests.worker.doubles.hubstore import Store
from tests.worker.doubles.web import Refused, Reply, Request, json_reply

_OBJECT = re.compile(r"/_lfs/([0-9a-f]{64})(?:/(complete|part/(\d+)))?")


def batch(request: Request, store: Store, *, base: str, cdn: str, part_size: int | None) -> Reply:
    """Says where each object is to be put; one that is already there needs nothing."""
    asked = request.json()
    multipart = part_size if "multipart" in asked.get("transfers", ()) else None
    objects = [_object(wanted, store, base=base, cdn=cdn, part_size=multipart) for wanted in asked["objects"]]
    return json_reply({"transfer": "basic", "objects": objects})


def _object(wanted: dict[str, Any], store: Store, *, base: str, cdn: str, part_size: int | None) -> dict[str, Any]:
    oid, size = wanted["oid"], wanted["size"]
    answer: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if oid in store.large:
        return answer
    upload: dict[str, Any] = {"href": f"{cdn}/_lfs/{oid}"}
    if part_size and size > part_size:
        parts = {str(n + 1): f"{cdn}/_lfs/{oid}/part/{n + 1}" for n in range(-(-size // part_size))}
        upload = {"href": f"{base}/_lfs/{oid}/complete", "header": {"chunk_size": str(part_size), **parts}}
    return answer | {"actions": {"upload": upload, "verify": {"href": f"{base}/_lfs/verify", "header": {}}}}


def serve(request: Request, store: Store) -> Reply | None:
    """Answers what is asked of `/_lfs/…`; None for other paths."""
    if request.path == "/_lfs/verify":
        asked = request.json()
        there = store.large.get(asked["oid"])
        return json_reply({}, 200 if there is not None and len(there) == asked["size"] else 404)
    found = _OBJECT.fullmatch(request.path)
    if found is None:
        return None
    sha256, action, part = found.groups()
    if part:
        store.parts.setdefault(sha256, {})[int(part)] = request.body
        return Reply(headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
    if action == "complete":
        return _keep(store, sha256, b"".join(data for _, data in sorted(store.parts.pop(sha256, {}).items())))
    if request.method == "PUT":
        return _keep(store, sha256, request.body)
    if sha256 not in store.large:
        raise Refused(Reply(status=404))
    return ranged(request, store.large[sha256], {"ETag": f'"{sha256}"'})


def _keep(store: Store, sha256: str, data: bytes) -> Reply:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Refused(json_reply({"error": "the content is not what its name says"}, 400))
    store.large[sha256] = data
    return Reply(headers={"ETag": f'"{sha256}"'})


def ranged(request: Request, data: bytes, headers: dict[str, str]) -> Reply:
    """Content, or the piece of it that a Range header asks for."""
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Reply(body=data, headers=headers)
    first = int(wanted[1])
    if first >= len(data):
        return Reply(status=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
    piece = data[first : int(wanted[2]) + 1 if wanted[2] else len(data)]
    span = f"bytes {first}-{first + len(piece) - 1}/{len(data)}"
    return Reply(status=206, body=piece, headers={**headers, "Content-Range": span})
