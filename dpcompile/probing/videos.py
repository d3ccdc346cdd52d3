"""What a video says about itself, and how many frames are really in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from dpcompile.inspection.extensions import MKV
from dpcompile.inspection.media import Probe

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SECOND = 1_000_000  # ticks of a container's duration


def probe_video(file: str | IO[bytes], name: str, size: int) -> Probe:
    """The probe of a video. Whatever is wrong with the file is said in the probe.

    Headers as ComfyUI's reader takes them for the trainer (comfy_api/latest/_input_impl/video_types.py). The
    packets are counted, not decoded, apart from the first frame, which knows how the video is turned.
    """
    import av

    try:
        with av.open(file, mode="r") as container:
            if not container.streams.video:
                return Probe(error="there is no video in it", size=size)
            return _probe(container, container.streams.video[0], name, size)
    except Exception as error:  # noqa: BLE001 - the trainer skips a file whatever PyAV raises for it
        return Probe(error=_words(error), size=size)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _probe(container: InputContainer, stream: VideoStream, name: str, size: int) -> Probe:
    fps, header_frames = frame_rate(container, stream), stream.frames
    width, height = stream.width, stream.height
    found, turned = _walk(container, stream)
    broken = "" if found else "no frame in it can be decoded"
    counted = header_frames > 0
    if not counted and not found and PurePosixPath(name).suffix.lower() != MKV:
        # Without a number in the header ComfyUI's reader looks at the packets, and raises where there are none.
        return Probe(error="there are no frames in it", size=size)
    if PurePosixPath(name).suffix.lower() == MKV:
        # Its header has no number of frames, so the trainer decodes it, and sees it turned (dataset.py:786-789).
        header_frames, counted = found, True
        width, height = (height, width) if turned % 2 else (width, height)
        turned = 0
    return Probe(
        width=width,
        height=height,
        frames=header_frames if counted else 1,
        fps=fps,
        found_frames=found,
        turned=turned,
        counted=counted,
        broken=broken,
        sound=bool(container.streams.audio),
        size=size,
    )


def frame_rate(container: InputContainer, stream: VideoStream) -> float:
    """Frames per second by the header, 1 where it does not say."""
    if stream.average_rate:
        return float(Fraction(stream.average_rate))
    if stream.frames and container.duration:
        return float(Fraction(stream.frames * _SECOND, container.duration))
    return 1.0


def _walk(container: InputContainer, stream: VideoStream) -> tuple[int, int]:
    """Frames that are there, and the quarter turns of the first one."""
    import av

    count, turned, decoded = 0, 0, False
    for packet in container.demux(stream):
        count += bool(packet.size) and not packet.is_discard
        if not decoded:
            try:
                frames: list[Any] = list(packet.decode())
            except av.error.InvalidDataError:
                continue  # ComfyUI's reader leaves out what cannot be decoded, and goes on
            if frames:
                decoded, turned = True, round(frames[0].rotation // 90) % 4
    return (count if decoded else 0), turned
