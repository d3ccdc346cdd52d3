"""Which bucket takes a file: the trainer's choice of aspect ratio, length and size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dpcompile.inspection.media import nearest_multiple
from dpcompile.inspection.rules import NoSize, Rules


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BucketKey:
    """What makes two buckets one. `ratio` is None for those of `size_buckets`."""

    frames: int
    width: int
    height: int
    ratio: float | None


def retimed(frames: int, fps: float, model_fps: float) -> int:
    """Frames of a video at the model's frame rate (utils/dataset.py:796)."""
    return int(frames * model_fps / fps)


def place(rules: Rules, width: int, height: int, frames: int, multiple: int) -> tuple[BucketKey, ...]:
    """The buckets that a file goes to, one for each resolution; none when it is too short for all. Raises Refused.

    `frames` counts at the model's frame rate; a video that comes down to one frame counts as an image
    (utils/dataset.py:808).
    """
    log_ratio = math.log(width / height)
    if rules.size_buckets is not None:
        size = _size_bucket(rules.size_buckets, rules.ratios, log_ratio, frames)
        return () if size is None else (BucketKey(frames=size[2], width=size[0], height=size[1], ratio=None),)
    length = frame_bucket(rules.frame_buckets, frames)
    if length is None:
        return ()
    ratio = min(rules.ratios, key=lambda one: abs(log_ratio - math.log(one)))
    return tuple(_sized(ratio, side, length, multiple) for side in rules.resolutions)


def frame_bucket(buckets: Sequence[int], frames: int) -> int | None:
    """The longest bucket that the frames fill; videos never go into the bucket for images."""
    fitting = [bucket for bucket in buckets if bucket <= frames]
    if not fitting or (frames > 1 and max(fitting) == 1):
        return None
    return max(fitting)


def shortest(rules: Rules) -> int | None:
    """The least frames a video must have; None where no bucket takes videos."""
    lengths = [size[2] for size in rules.size_buckets] if rules.size_buckets else rules.frame_buckets
    return min((length for length in lengths if length > 1), default=None)


def _sized(ratio: float, side: float, frames: int, multiple: int) -> BucketKey:
    """Width and height by area and ratio, to the nearest multiples (utils/dataset.py:420-427)."""
    area = side**2
    width = math.sqrt(area * ratio)
    sides = nearest_multiple(width, multiple), nearest_multiple(area / width, multiple)
    if not all(sides):
        text = f"at resolution {side:g} and aspect ratio {ratio:g} a side comes to 0 pixels: the trainer hangs"
        raise NoSize(text, "Take a larger resolution, or ratios nearer to 1.")
    return BucketKey(frames=frames, width=sides[0], height=sides[1], ratio=ratio)


def _size_bucket(
    buckets: Sequence[tuple[int, int, int]], ratios: Sequence[float], log_ratio: float, frames: int
) -> tuple[int, int, int] | None:
    """As the trainer chooses, with its mistake (utils/dataset.py:856-871).

    Places in the sorted ratios are taken for places in the buckets, which are sorted by length; and there may be
    fewer ratios than buckets.
    """
    nearest = sorted(range(len(ratios)), key=lambda n: abs(log_ratio - math.log(ratios[n])))
    for n in nearest:
        length = buckets[n][2]
        if not (frames > 1 and length == 1) and frames >= length:
            return buckets[n]
    return None


def possible_sizes(rules: Rules, multiple: int) -> tuple[tuple[int, int], ...]:
    """Width and height of every bucket that these rules can make, whatever the media. Raises Refused."""
    if rules.size_buckets is not None:
        return tuple((width, height) for width, height, _frames in rules.size_buckets)
    made = [_sized(ratio, side, 1, multiple) for side in rules.resolutions for ratio in rules.ratios]
    return tuple(dict.fromkeys((key.width, key.height) for key in made))
