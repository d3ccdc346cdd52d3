"""Small datasets of real files, and their inspection."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from dpcompile.examine import DatasetFile, Examiner, Place, TrainingFiles
from dpcompile.inspection.inspected import Inspection
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.saying import Wishes
from dpcompile.probing.folders import Prober

IMAGES = ModelFacts(title="FLUX.1 [dev]", images=True, videos=False, frame_rate=None, pixel_multiple=16, edit=True)
VIDEOS = ModelFacts(
    title="Wan", images=True, videos=True, frame_rate=16, pixel_multiple=16, frame_multiple=4, frame_offset=1
)
VIDEOS_ONLY = ModelFacts(title="Wan I2V", images=False, videos=True, frame_rate=16, pixel_multiple=16)
SOUND = ModelFacts(title="MiniMax H3", images=True, videos=True, frame_rate=24, pixel_multiple=16, sound=True)
TOP: dict[str, Any] = {"resolutions": [64], "enable_ar_bucket": True, "min_ar": 0.5, "max_ar": 2.0, "num_ar_buckets": 7}


def image(path: Path, size: tuple[int, int] = (64, 64), caption: str | None = "ohwx, a cat", **options: Any) -> Path:
    """An image with a caption beside it. No two have the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = tuple(sum(map(ord, path.name)) * n % 256 for n in (3, 7, 11))
    Image.new("RGB", size, colour).save(path, **options)
    return captioned(path, caption)


def captioned(path: Path, caption: str | None = "ohwx, a cat") -> Path:
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, "utf-8")
    return path


def video(
    path: Path,
    frames: int,
    fps: int = 16,
    size: tuple[int, int] = (64, 64),
    codec: str = "mpeg4",
    *,
    sound: bool = False,
) -> Path:
    """A video with a caption beside it; its sound is silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        track: Any = container.add_stream("aac", rate=32000) if sound else None
        for _ in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))  # it would hold whatever lay in memory
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            silence.sample_rate = 32000
            for channel in silence.planes:
                channel.update(bytes(channel.buffer_size))
            container.mux([*track.encode(silence), *track.encode()])
    return captioned(path)


def inspected(
    *folders: Path | Mapping[str, Any],
    facts: ModelFacts = IMAGES,
    wishes: Wishes | None = None,
    train: Mapping[str, Any] | None = None,
    prober: Prober | None = None,
    ranks: int = 1,
    **dataset: Any,
) -> Inspection:
    """The inspection of folders, by path or as whole `[[directory]]` tables."""
    tables = [{"path": str(f)} if isinstance(f, Path) else dict(f) for f in folders]
    value = {**TOP, **dataset, "directory": tables}
    examiner = Examiner(facts, wishes or Wishes(), prober or Prober(threads=2), Place())
    file = DatasetFile(name="train", file="dataset.toml", value=value)
    return examiner.examine(
        TrainingFiles(name="", train={"epochs": 1, **(train or {})}, dataset=file, evals=(), ranks=ranks)
    )


def codes(inspection: Inspection) -> set[str]:
    return {d.code for d in inspection.diagnostics}
