"""Numbers that would serve a dataset better: repeats, accumulation, lengths, resolutions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from dpcompile.inspection.buckets import BucketKey
from dpcompile.inspection.counting import Share
from dpcompile.inspection.dataset import DatasetReport
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.media import ModelFacts

_MOST_REPEATS = 10_000


def repeats_that_keep_all(report: DatasetReport) -> int | None:
    """The smallest `num_repeats`, for all directories alike, with which no bucket is dropped."""
    shares = _by_bucket(report.shares)
    for repeats in _candidates(shares, report):
        if all(sum(s.captions * repeats for s in parts) >= report.batches.step(key) for key, parts in shares.items()):
            return repeats
    return None


def _candidates(shares: dict[BucketKey, list[Share]], report: DatasetReport) -> Iterable[int]:
    """The numbers at which a bucket comes to a batch: the smallest that serves all is one of them."""
    wanted = {1}
    for key, parts in shares.items():
        captions = sum(share.captions for share in parts)
        if captions:
            wanted.add(math.ceil(report.batches.step(key) / captions))
    return sorted(number for number in wanted if number <= _MOST_REPEATS)


def accumulation_that_keeps_all(report: DatasetReport) -> int | None:
    """The largest `gradient_accumulation_steps` with which no bucket is dropped; None where 1 is too large."""
    batches = report.batches
    most = [b.items // (batches.micro(b.key) * batches.ranks) for b in report.buckets]
    return min(most) if most and min(most) >= 1 else None


def _by_bucket(shares: Iterable[Share]) -> dict[BucketKey, list[Share]]:
    joined: dict[BucketKey, list[Share]] = defaultdict(list)
    for share in shares:
        joined[share.key].append(share)
    return joined


def fitting_lengths(frames: Sequence[int], facts: ModelFacts) -> tuple[int, ...]:
    """Frame buckets for videos of these lengths at the model's rate: one that takes all, one that takes half."""
    usable = sorted(length for length in frames if facts.length(length) > 1)
    if not usable:
        return ()
    return tuple(sorted({facts.length(usable[0]), facts.length(usable[len(usable) // 2])}))


def enlargement(verdict: Verdict, key: BucketKey, facts: ModelFacts) -> float:
    """How much a file is enlarged to fill its bucket; below 1 it is made smaller."""
    width, height = facts.sides(key.width, key.height)
    own_width, own_height = verdict.item.probe.decoded_sides
    return max(width / own_width, height / own_height)


def native_resolution(verdict: Verdict, key: BucketKey) -> int:
    """The highest resolution at which a file need not be enlarged, within rounding."""
    ratio = key.ratio or key.width / key.height
    width, height = verdict.item.probe.decoded_sides
    return int(min(width / math.sqrt(ratio), height * math.sqrt(ratio)))


def cut_away(verdict: Verdict, key: BucketKey, facts: ModelFacts) -> float:
    """The share of a picture that is cropped away, 0 to 1 (models/base.py:53: filled, then cut in the middle)."""
    width, height = facts.sides(key.width, key.height)
    own_width, own_height = verdict.item.probe.decoded_sides
    own, wanted = own_width / own_height, width / height
    return 1 - min(own, wanted) / max(own, wanted)


def crop_box(verdict: Verdict, key: BucketKey, facts: ModelFacts) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is kept, as shares of the width and height."""
    width, height = facts.sides(key.width, key.height)
    own_width, own_height = verdict.item.probe.decoded_sides
    own, wanted = own_width / own_height, width / height
    if own > wanted:
        margin = (1 - wanted / own) / 2
        return margin, 0.0, 1 - margin, 1.0
    margin = (1 - own / wanted) / 2
    return 0.0, margin, 1.0, 1 - margin


def caching_memory(verdict: Verdict, facts: ModelFacts) -> int:
    """Bytes that a caching process holds at least for one video (models/base.py:149-197).

    All its frames are decoded, brought to the model's rate and resized, as 32-bit numbers, before it is cut.
    """
    if not verdict.buckets or not verdict.item.probe.fps:
        return 0
    probe, (width, height) = verdict.item.probe, facts.sides(verdict.buckets[-1].width, verdict.buckets[-1].height)
    decoded = (probe.frames + verdict.frames) * probe.width * probe.height
    return 12 * (decoded + verdict.frames * width * height)
