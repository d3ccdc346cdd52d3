"""The volume itself: one folder of the job with all that would have left the machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from worker.publishing.archive import Member, sha256_of
from worker.publishing.faults import TargetFailed
from worker.publishing.target import Held, Upload

FOLDER = "published"


def publish(upload: Upload) -> Held:
    """Puts the files into the folder, where it can as further names of the same files, and compares digests."""
    folder = published_folder(upload)
    aside = folder.with_name(f".{FOLDER}.new")
    shutil.rmtree(aside, ignore_errors=True)
    done, told = 0, upload.told(upload.publication.size)
    for member in upload.publication.members:
        upload.stop.check()
        _put(member, aside / member.name)
        if sha256_of(aside / member.name, upload.stop) != member.sha256:
            raise TargetFailed(f"{member.name} changed while it was published", "Run the job again.")
        done += member.size
        told(done)
    shutil.rmtree(folder, ignore_errors=True)
    aside.replace(folder)
    mark = "Rehearsal. " if upload.publication.rehearsal else ""
    return Held(download_url=None, note=f"{mark}The files are on the volume, in {folder}.")


def published_folder(upload: Upload) -> Path:
    return upload.publication.folder.parent / FOLDER


def _put(member: Member, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(member.path, place)
    except OSError:  # a file system without such names, or another one than the model's
        shutil.copyfile(member.path, place)
