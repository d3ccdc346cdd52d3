"""Items, batches and steps: what is left of each bucket when it is divided into whole batches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.inspection.buckets import BucketKey

Sizes = tuple[tuple[float | None, int], ...]
"""Micro batch by side length of the bucket, in the order of the file; one of side None holds for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How items become steps. `ranks` is the number of groups of GPUs that each hold the whole model."""

    videos: Sizes
    images: Sizes
    accumulation: int
    ranks: int

    @property
    def printed(self) -> int:
        """What the trainer prints as `Global batch size`: by the first micro batch alone (train.py:420, 632)."""
        return self.videos[0][1] * self.accumulation * self.ranks

    def micro(self, key: BucketKey) -> int:
        """The micro batch of a bucket; the nearest side counts, the first of equals (utils/dataset.py:362-375)."""
        sizes = self.images if key.frames == 1 else self.videos
        side = math.sqrt(key.width * key.height)
        return min(sizes, key=lambda one: 0.0 if one[0] is None else abs(one[0] - side))[1]

    def step(self, key: BucketKey) -> int:
        """Items of a bucket that one optimizer step takes."""
        return self.micro(key) * self.accumulation * self.ranks


def train_batches(train: Mapping[str, Any], ranks: int) -> Batches:
    """The batches of the training set (train.py:396-412)."""
    videos = train.get("micro_batch_size_per_gpu", 1)
    images = train.get("image_micro_batch_size_per_gpu", videos)
    accumulation = train.get("gradient_accumulation_steps", 1)
    return Batches(videos=_sizes(videos), images=_sizes(images), accumulation=accumulation, ranks=ranks)


def eval_batches(train: Mapping[str, Any], ranks: int) -> Batches:
    """The batches of evaluation sets; their images fall back to their videos' (train.py:402-418)."""
    videos = train.get("eval_micro_batch_size_per_gpu", train.get("micro_batch_size_per_gpu", 1))
    images = train.get("eval_image_micro_batch_size_per_gpu", videos)
    accumulation = train.get("eval_gradient_accumulation_steps", 1)
    return Batches(videos=_sizes(videos), images=_sizes(images), accumulation=accumulation, ranks=ranks)


def _sizes(value: Any) -> Sizes:
    """One number, or pairs of side and number; a side that stands twice keeps its first place and last number."""
    return tuple({pair[0]: pair[1] for pair in value}.items()) if isinstance(value, list) else ((None, value),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one directory gives to a bucket at one resolution: files, and their captions in the end."""

    key: BucketKey
    files: int
    captions: int
    repeats: float

    @property
    def items(self) -> int:
        """Items in an epoch (utils/dataset.py:336-337)."""
        return int(self.captions * self.repeats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One bucket in an epoch: `items` = `steps` * `batch` + `lost`."""

    key: BucketKey
    files: int
    items: int
    batch: int
    steps: int
    lost: int

    @property
    def name(self) -> str:
        """`512x768`, or `512x768x33` for videos."""
        key = self.key
        return f"{key.width}x{key.height}" + (f"x{key.frames}" if key.frames > 1 else "")


def count(shares: Iterable[Share], batches: Batches) -> tuple[Bucket, ...]:
    """The buckets, images first, then tall before wide. Equal ones of all directories are one."""
    joined: dict[BucketKey, list[Share]] = defaultdict(list)
    for share in shares:
        joined[share.key].append(share)
    order = sorted(joined, key=lambda key: (key.frames, key.ratio or key.width / key.height, key.width * key.height))
    return tuple(_bucket(key, joined[key], batches.step(key)) for key in order)


def _bucket(key: BucketKey, shares: list[Share], batch: int) -> Bucket:
    items = sum(share.items for share in shares)
    files = sum(share.files for share in shares)
    return Bucket(key=key, files=files, items=items, batch=batch, steps=items // batch, lost=items % batch)


def steps_per_epoch(buckets: Iterable[Bucket], subsample: float | None) -> int:
    """Whole batches of an epoch; `subsample_ratio` keeps a share of them (utils/dataset.py:985-987)."""
    steps = sum(bucket.steps for bucket in buckets)
    return int(steps * subsample) if subsample else steps
