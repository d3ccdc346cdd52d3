"""Media in a tar file, which the trainer opens without unpacking it."""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from dpcompile.inspection.extensions import MKV, is_video
from dpcompile.inspection.media import Probe
from dpcompile.probing.images import probe_image
from dpcompile.probing.videos import frame_rate, probe_video

_FRAMES_PER_PACKET = 0x100
"""FFmpeg's mark for codecs with more than one frame in a packet: only these are decoded to count."""


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
        return _video(file, member) if is_video(member.name) else probe_image(file)


def _video(file: IO[bytes], member: tarfile.TarInfo) -> Probe:
    """A video as the trainer sees it: with what it is told, which need not be what is in it.

    It asks for the size, the number of frames and the rate one after the other, each time opening the same file
    where the last time left it: ComfyUI's reader rewinds only what lies in memory (utils/dataset.py:786-791). Some
    files do not bear it, others answer differently.
    """
    import av

    whole = probe_video(file, member.name, member.size)
    if whole.error:
        return whole
    file.seek(0)
    try:
        if member.name.lower().endswith(MKV):
            with av.open(file, mode="r") as container:
                deque(container.demux(container.streams.video[0]), maxlen=0)
            return replace(whole, fps=_ask(file, frame_rate))
        width, height = _ask(file, lambda _container, stream: (stream.width, stream.height))
        frames = _ask(file, _frames)
        fps = _ask(file, frame_rate)
    except Exception as error:  # noqa: BLE001 - the trainer skips a file whatever PyAV raises for it
        return Probe(error=f"in a tar file the trainer cannot read it ({type(error).__name__})", size=member.size)
    return replace(whole, width=width, height=height, frames=frames or 1, counted=frames > 0, fps=fps)


def _frames(container: Any, stream: Any) -> int:
    """The number of frames in the header. Where there is none, two are looked at, and it counts as 1: 0 here.

    Looking at them matters for where it leaves the file.
    """
    if not stream.frames:
        container.seek(0, stream=stream)
        several = stream.codec.capabilities & _FRAMES_PER_PACKET
        found = container.decode(stream) if several else container.demux(stream)
        next(found)  # raises where there are none, as ComfyUI's reader does
        next(found, None)
    return int(stream.frames)


def _ask(file: IO[bytes], question: Callable[[Any, Any], Any]) -> Any:
    import av

    with av.open(file, mode="r") as container:
        return question(container, container.streams.video[0])
