"""Hosts that take a file from anybody: litterbox, transfer.sh and file.io. Whoever has the address has the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.errors import Stopped
from worker.publishing.archive import Archive
from worker.publishing.faults import TargetFailed
from worker.publishing.target import GIB, Held, Upload, digest_note, megabytes
from worker.publishing.web import Answer, FileBody, form, in_words, insisting, read_back, send

_LONGEST_ADDRESS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """How one host takes a file, and what it promises. `limit` is in bytes."""

    limit: int
    days: float
    send: Callable[[Upload, Archive], Answer]
    address: Callable[[Answer], str]
    promise: str
    reads_back: bool
    """Whether reading the file back leaves it there."""


def publish_to(host: Host, upload: Upload) -> Held:
    """Uploads the archive and, where that does no harm, reads it back."""
    archive = upload.archive(host.limit)
    try:
        answer = insisting(lambda: host.send(upload, archive), upload.stop, upload.settings)
        url = _checked(host.address(answer))
        if host.reads_back:
            read_back(url, archive.size, archive.sha256, upload.settings, upload.stop)
    except (TargetFailed, Stopped):
        raise
    except Exception as error:  # noqa: BLE001 - what a client raises may show an address or a key
        raise in_words(error) from None
    compared = "It was read back and is whole" if host.reads_back else "It was not read back: that would use it up"
    mark = "Rehearsal. " if upload.publication.rehearsal else ""
    note = f"{mark}{host.promise} Whoever has the address can fetch the archive, {digest_note(archive)}. {compared}."
    return Held(
        download_url=url,
        expires_in_days=host.days,
        archive_size_mb=megabytes(archive.size),
        note=note,
        sha256=archive.sha256,
    )


def _checked(text: str) -> str:
    """The address in an answer. Raises TargetFailed when there is none: such hosts tell of failures as text."""
    url = text.strip()
    parts = urlsplit(url) if len(url) <= _LONGEST_ADDRESS and url.isascii() and len(url.split()) == 1 else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetFailed(f"it answered no address but {' '.join(url.split())[:80]!r}")
    return url


def _form_to(upload: Upload, archive: Archive, url: str, field: str, values: dict[str, str]) -> Answer:
    before, after, kind = form(archive.path.name, field, values)
    body = FileBody(archive.path, upload.stop, upload.told(archive.size), before=before, after=after)
    return send("POST", url, body, {"Content-Type": kind}, upload.settings)


def _to_litterbox(upload: Upload, archive: Archive) -> Answer:
    values = {"reqtype": "fileupload", "time": "72h"}
    return _form_to(upload, archive, upload.settings.litterbox_url, "fileToUpload", values)


def _to_transfer_sh(upload: Upload, archive: Archive) -> Answer:
    url = f"{upload.settings.transfer_sh_url.rstrip('/')}/{archive.path.name}"
    body = FileBody(archive.path, upload.stop, upload.told(archive.size))
    return send("PUT", url, body, {"Max-Days": "14", "Content-Type": "application/zip"}, upload.settings)


def _to_file_io(upload: Upload, archive: Archive) -> Answer:
    values = {"expires": "14d", "maxDownloads": "1", "autoDelete": "true"}
    return _form_to(upload, archive, upload.settings.file_io_url, "file", values)


def _file_io_address(answer: Answer) -> str:
    try:
        told = json.loads(answer.text)
        return str(told["link"]) if told.get("success") is True else answer.text
    except (ValueError, KeyError, AttributeError, TypeError):
        return answer.text  # which is then quoted


LITTERBOX = Host(
    limit=1 * GIB,
    days=3,
    send=_to_litterbox,
    address=lambda answer: answer.text,
    promise="litterbox keeps it for 72 hours.",
    reads_back=True,
)
TRANSFER_SH = Host(
    limit=10 * GIB,
    days=14,
    send=_to_transfer_sh,
    address=lambda answer: answer.text,
    promise="transfer.sh keeps it for 14 days.",
    reads_back=True,
)
FILE_IO = Host(
    limit=2 * GIB,
    days=14,
    send=_to_file_io,
    address=_file_io_address,
    promise="file.io keeps it for one download, 14 days at most.",
    reads_back=False,
)
