"""The arithmetic of the inspection against a slow, literal model of what the trainer does with each item.

The model goes through the files one by one, as utils/dataset.py does, builds the trainer's lists as lists, and
counts them. It shares no code with what it checks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dpcompile.inspection.counting import train_batches
from dpcompile.inspection.dataset import make_report
from dpcompile.inspection.media import Captions, Folder, Item, ModelFacts, Probe
from dpcompile.inspection.rules import dataset_rules

MODEL = ModelFacts(title="Wan", images=True, videos=True, frame_rate=16, pixel_multiple=16)
SIDES = st.integers(16, 2000)


def literal_bucket(table: Mapping[str, Any], width: int, height: int, frames: int) -> list[tuple[int, int, int, float]]:
    """(width, height, frames, ratio) for each resolution: the nearest ratio by its logarithm, the longest length."""
    ratios = [1.0]
    if table["enable_ar_bucket"]:
        ratios = sorted({round(ratio, 3) for ratio in table["ar_buckets"]})
    nearest, least = ratios[0], math.inf
    for ratio in ratios:
        far = abs(math.log(width / height) - math.log(ratio))
        if far < least:
            nearest, least = ratio, far
    lengths = sorted([*table["frame_buckets"], *([] if 1 in table["frame_buckets"] else [1])])
    chosen = None
    for length in lengths:
        if frames - length >= 0:
            chosen = length
    if chosen is None or (frames > 1 and chosen == 1):
        return []
    found = []
    for side in sorted({round(float(side), 3) for side in table["resolutions"]}):
        area = side**2
        w = math.sqrt(area * nearest)
        h = area / w
        found.append((int(round(w / 16) * 16), int(round(h / 16) * 16), chosen, nearest))
    return found


def literal_steps(
    tables: Sequence[Mapping[str, Any]], media: Sequence[Sequence[Item]], train: Mapping[str, Any], ranks: int
) -> tuple[int, dict[tuple[int, int, int, float], tuple[int, int]]]:
    """Steps of an epoch, and of each bucket the items and what is lost, counted in lists of items."""
    orders: dict[tuple[int, int, int, float], list[str]] = defaultdict(list)
    for table, items in zip(tables, media, strict=True):
        of_directory: dict[tuple[int, tuple[int, int, int, float]], list[str]] = defaultdict(list)
        for item in items:
            captions = item.captions.count
            if captions is None:
                if table["skip_empty_caption"]:
                    continue
                captions = 1
            texts = [f"{item.name} {n}" for n in range(captions)]
            if table["cache_shuffle_num"]:
                texts = [f"{text} {n}" for text in texts for n in range(table["cache_shuffle_num"])]
            frames = 1
            if item.name.endswith(".mp4"):
                frames = int(item.probe.frames * 16 / item.probe.fps)
            for place, key in enumerate(literal_bucket(table, item.probe.width, item.probe.height, frames)):
                of_directory[place, key] += texts
        for (_place, key), texts in of_directory.items():
            length = int(len(texts) * table["num_repeats"])
            orders[key] += [texts[n % len(texts)] for n in range(length)] if texts else []
    steps, counted = 0, {}
    for key, order in orders.items():
        batch = train["micro_batch_size_per_gpu"]
        if key[2] == 1:
            batch = train["image_micro_batch_size_per_gpu"]
        size = batch * train["gradient_accumulation_steps"] * ranks
        batches = [order[n : n + size] for n in range(0, len(order) - size + 1, size)]
        steps += len(batches)
        counted[key] = (len(order), len(order) - sum(len(one) for one in batches))
    return steps, counted


@st.composite
def items(draw: st.DrawFn) -> Item:
    video = draw(st.booleans())
    name = f"{draw(st.integers(0, 9))}{'.mp4' if video else '.png'}"
    fps = draw(st.sampled_from([8.0, 16.0, 23.976, 24.0, 30.0, 60.0]))
    frames = draw(st.integers(1, 200)) if video else 1
    count = draw(st.sampled_from([None, 0, 1, 1, 1, 3]))
    probe = Probe(
        width=draw(SIDES),
        height=draw(SIDES),
        frames=frames,
        fps=fps if video else 0.0,
        found_frames=10_000 if video else None,
    )
    return Item(path=name, name=name, captions=Captions(count=count), probe=probe)


TABLES = st.fixed_dictionaries(
    {
        "num_repeats": st.sampled_from([1, 2, 5, 0.5, 1.7]),
        "enable_ar_bucket": st.booleans(),
        "ar_buckets": st.lists(st.floats(0.3, 3.0), min_size=1, max_size=5),
        "frame_buckets": st.lists(st.sampled_from([1, 5, 17, 33, 49]), max_size=3, unique=True),
        "resolutions": st.lists(st.sampled_from([64, 128, 200, 512, 480.5]), min_size=1, max_size=3),
        "cache_shuffle_num": st.sampled_from([0, 0, 1, 3]),
        "skip_empty_caption": st.booleans(),
    }
)


@given(
    st.lists(st.tuples(TABLES, st.lists(items(), max_size=12)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_every_number_is_that_of_the_literal_model(
    drawn: list[tuple[dict[str, Any], list[Item]]], micro: int, images: int, accumulation: int, ranks: int
) -> None:
    train = {
        "micro_batch_size_per_gpu": micro,
        "image_micro_batch_size_per_gpu": images,
        "gradient_accumulation_steps": accumulation,
    }
    tables = [table for table, _items in drawn]
    dataset = {"resolutions": [512], "directory": [{"path": f"/{n}", **table} for n, table in enumerate(tables)]}
    folders = [Folder(path=f"/{n}", items=tuple(found)) for n, (_table, found) in enumerate(drawn)]

    batches = train_batches(train, ranks)
    rules = dataset_rules(dataset)
    report = make_report("train", "dataset.toml", dataset, list(zip(folders, rules, strict=True)), MODEL, batches)

    steps, counted = literal_steps(tables, [found for _table, found in drawn], train, ranks)
    assert report.steps == steps
    told = {(b.key.width, b.key.height, b.key.frames, b.key.ratio): (b.items, b.lost) for b in report.buckets}
    assert told == counted
    assert all(b.items == b.steps * b.batch + b.lost and 0 <= b.lost < b.batch for b in report.buckets)
