"""A presigned address that takes the archive by HTTP PUT."""

from __future__ import annotations

import hashlib
import re

from dpcompile.secrecy import shown_url
from worker.errors import Stopped
from worker.publishing.archive import CHUNK, Archive
from worker.publishing.destination import check_destination
from worker.publishing.faults import HttpFault, NotConfigured, TargetFailed
from worker.publishing.target import GIB, Held, Upload, digest_note, megabytes
from worker.publishing.web import Answer, FileBody, in_words, insisting, send

LIMIT = 5 * GIB
"""Bytes that S3 takes by one PUT, and what speaks its protocol with it."""
_MD5 = re.compile(r"[0-9a-f]{32}")


def publish(upload: Upload) -> Held:
    """Sends the archive. Such an address gives nothing back, so the digest in the answer is all there is to compare."""
    url = upload.context.secrets.get(upload.args["secret"])
    if url is None:
        raise NotConfigured("there is no upload_url")
    check_destination(url, upload.settings)
    archive = upload.archive(LIMIT)
    told = upload.told(archive.size)
    try:
        answer = insisting(
            lambda: send("PUT", url, FileBody(archive.path, upload.stop, told), {}, upload.settings),
            upload.stop,
            upload.settings,
        )
    except (TargetFailed, Stopped):
        raise
    except HttpFault as fault:
        hint = "It may have expired, or be meant for another method or type." if fault.status in (400, 403) else ""
        raise TargetFailed(in_words(fault).message, hint) from None
    except Exception as error:  # noqa: BLE001 - what a client raises may show an address or a key
        raise in_words(error) from None
    mark = "Rehearsal. " if upload.publication.rehearsal else ""
    return Held(
        download_url=shown_url(url),
        archive_size_mb=megabytes(archive.size),
        note=f"{mark}The archive was sent to upload_url, {digest_note(archive)}. {_compared(answer, archive)}",
        sha256=archive.sha256,
    )


def _compared(answer: Answer, archive: Archive) -> str:
    """What the answer shows of what arrived. Raises TargetFailed when something else did."""
    etag = answer.headers.get("ETag", "").strip('"').removeprefix("W/").lower()
    encrypted = any(name.lower().startswith("x-amz-server-side-encryption") for name in answer.headers)
    if not _MD5.fullmatch(etag) or encrypted:
        return "The server took all of it; such an address cannot be read back to compare."
    digest = hashlib.md5(usedforsecurity=False)
    with archive.path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != etag:
        raise TargetFailed("the digest that it answered is not that of what was sent", "Run the job again.")
    return "The server's digest of it is the right one."
