"""A dataset file's tables -> what holds for one directory. What the trainer would stop at is told as Refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_RESOLUTIONS = 3


class Refused(ValueError):
    """A dataset file that the trainer stops at before it looks at any file: what is wrong, and the remedy."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NoSize(Refused):
    """Resolutions and aspect ratios that make no sides at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for one `[[directory]]`, from its own table and the top of the file."""

    path: str
    mask_path: str | None
    control_path: str | None
    default_mask_file: str | None
    ratios: tuple[float, ...]
    """Width to height, rising; with `size_buckets` those of the buckets, rounded, sorted and without doubles."""
    frame_buckets: tuple[int, ...]
    resolutions: tuple[float, ...]
    size_buckets: tuple[tuple[int, int, int], ...] | None
    """Longest first, as the trainer sorts them; None where resolutions and ratios decide."""
    num_repeats: float
    shuffles: int
    """How many shuffled copies each caption becomes; 0 leaves it as it is."""
    caption_prefix: str
    skip_uncaptioned: bool
    online_captions: bool = False
    """A key that asks for captions.json, and then looks files up by another name (dataset.py:319-326, 515-520)."""

    def captions(self, count: int) -> int:
        """How many captions a file with `count` of them has in the end (utils/dataset.py:48-57, 761-763)."""
        return count * self.shuffles if self.shuffles else count


def dataset_rules(dataset: Mapping[str, Any]) -> tuple[Rules, ...]:
    """The rules of every directory of a dataset file. Raises Refused."""
    directories = dataset.get("directory")
    if not isinstance(directories, list) or not directories:
        raise Refused("there is no [[directory]] in the dataset file", "Name the folder of the media in one.")
    return tuple(_directory(table, dataset) for table in directories)


def _directory(own: Mapping[str, Any], dataset: Mapping[str, Any]) -> Rules:
    def value(name: str, default: Any = None) -> Any:
        return own.get(name, dataset.get(name, default))

    if "path" not in own:
        raise Refused("a [[directory]] has no path", "Name the folder of the media.")
    sizes = _size_buckets(value("size_buckets"))
    if len(value("resolutions", ())) > MOST_RESOLUTIONS:  # looked at even where size_buckets win
        text = f"{len(value('resolutions'))} resolutions: with more than {MOST_RESOLUTIONS} the trainer exits"
        raise Refused(f"{text} without training", "Every item is used at every resolution; one to three are enough.")
    shuffles = value("cache_shuffle_num", 0)
    frames = value("frame_buckets", (1,))
    repeats = value("num_repeats", 1)
    if repeats <= 0:
        raise Refused(f"num_repeats is {repeats}: the trainer hangs", "Write 1 or more.")
    return Rules(
        path=str(own["path"]),
        mask_path=own.get("mask_path"),
        control_path=own.get("control_path"),
        default_mask_file=own.get("default_mask_file"),
        ratios=_ratios(own, dataset, sizes),
        frame_buckets=tuple(sorted({*frames, 1})),
        resolutions=() if sizes else _resolutions(own, dataset),
        size_buckets=sizes,
        num_repeats=repeats,
        # An old name for one shuffle (utils/dataset.py:761-762).
        shuffles=shuffles or int(bool(value("shuffle_tags", False))),
        caption_prefix=value("caption_prefix", ""),
        skip_uncaptioned=bool(value("skip_empty_caption", True)),
        online_captions=bool(value("online_captions", False)),
    )


def _size_buckets(buckets: Sequence[Sequence[int]] | None) -> tuple[tuple[int, int, int], ...] | None:
    if buckets is None:
        return None
    if not buckets or any(len(bucket) != 3 for bucket in buckets):
        raise Refused("size_buckets must be a list of [width, height, frames]", "Give each bucket three numbers.")
    longest_first = sorted(buckets, key=lambda bucket: bucket[-1], reverse=True)
    return tuple((width, height, frames) for width, height, frames in longest_first)


def _resolutions(own: Mapping[str, Any], dataset: Mapping[str, Any]) -> tuple[float, ...]:
    given = own.get("resolutions", _top(dataset, "resolutions"))
    sides = [math.sqrt(one[0] * one[1]) if isinstance(one, (list, tuple)) else one for one in given]
    rounded = tuple(sorted({round(side, 3) for side in sides}))
    if any(side <= 0 for side in rounded):
        raise NoSize("a resolution comes to 0 or less", "Write the side of a square in pixels, as 512.")
    return rounded


def _ratios(
    own: Mapping[str, Any], dataset: Mapping[str, Any], sizes: Sequence[tuple[int, int, int]] | None
) -> tuple[float, ...]:
    found = _rounded_ratios(own, dataset, sizes)
    if min(found) <= 0:
        raise NoSize("an aspect ratio comes to 0 when it is rounded to three decimals", "Take it out, or widen it.")
    return found


def _rounded_ratios(
    own: Mapping[str, Any], dataset: Mapping[str, Any], sizes: Sequence[tuple[int, int, int]] | None
) -> tuple[float, ...]:
    if sizes is not None:
        return tuple(sorted({numpy_round(width / height) for width, height, _frames in sizes}))
    if not own.get("enable_ar_bucket", dataset.get("enable_ar_bucket", False)):
        return (1.0,)
    if given := own.get("ar_buckets", dataset.get("ar_buckets")):
        pairs = [one[0] / one[1] if isinstance(one, (list, tuple)) else one for one in given]
        return tuple(sorted({float(round(ratio, 3)) for ratio in pairs}))
    low, high = (own.get(name, _top(dataset, name)) for name in ("min_ar", "max_ar"))
    count = own.get("num_ar_buckets", _top(dataset, "num_ar_buckets"))
    if low <= 0 or not 0 < high / low < math.inf:
        raise NoSize(f"min_ar {low} and max_ar {high} make no range of ratios", "Take ratios nearer to 1.")
    return tuple(sorted({numpy_round(ratio) for ratio in geometric(low, high, count)}))


def _top(dataset: Mapping[str, Any], name: str) -> Any:
    """A key of the top of the file, which must be there even where each directory has its own."""
    if name not in dataset:
        text = f"{name} is missing at the top of the dataset file, where the trainer looks for it in any case"
        raise Refused(text, f"Set {name} there, above the first [[directory]].")
    return dataset[name]


def geometric(low: float, high: float, count: int) -> list[float]:
    """`count` ratios from `low` to `high` in equal steps of their logarithms (utils/dataset.py:505)."""
    if count == 1:
        return [low]
    step = math.log10(high / low) / (count - 1)
    return [low, *(low * 10 ** (n * step) for n in range(1, count - 1)), high]


def numpy_round(value: float) -> float:
    """Three decimals as numpy's numbers are rounded, which differs from Python's own rounding at ties."""
    return round(value * 1000) / 1000
