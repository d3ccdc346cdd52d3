"""Media in a tar file, which the trainer opens without unpacking it."""

from __future__ import annotations

import tarfile
from pathlib import Path

from dpcompile.inspection.extensions import is_video
from dpcompile.inspection.media import Probe
from dpcompile.probing.images import probe_image
from dpcompile.probing.videos import probe_video


def read_tar(path: Path) -> list[tuple[str, Probe]] | None:
    """(name, probe) of every member, folders included. None where the trainer cannot open it, as when compressed."""
    try:
        with tarfile.TarFile(path) as archive:
            return [(member.name, _member(archive, member)) for member in archive.getmembers()]
    except (OSError, tarfile.TarError):
        return None


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Probe:
    file = archive.extractfile(member)
    if file is None:
        return Probe(error="it is a folder", size=1)
    with file:
        return probe_video(file, member.name, member.size) if is_video(member.name) else probe_image(file)
