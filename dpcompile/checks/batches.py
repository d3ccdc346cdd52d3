"""How many examples go into a batch and into a step, and what is counted in examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath

_BATCH = ("train", "micro_batch_size_per_gpu")
_IMAGE_BATCH = ("train", "image_micro_batch_size_per_gpu")
_COUNTED: tuple[KeyPath, ...] = (
    ("train", "save_every_n_examples"),
    ("train", "eval_every_n_examples"),
    ("train", "x_axis_examples"),
    ("train", "optimizer", "beta2_half_life"),
)


def step_examples(facts: Facts) -> int:
    """The examples of one step, as the trainer counts them: by the first batch size (train.py:420, 632)."""
    batch = facts.get(*_BATCH) or 1
    first = batch[0][1] if isinstance(batch, list) else batch
    ranks = max(1, facts.gpus // facts.stages)
    return int(first) * int(facts.get("train", "gradient_accumulation_steps") or 1) * ranks


def uneven_batches(facts: Facts) -> Iterator[Diagnostic]:
    """Whatever is counted in examples goes by the first batch size alone (train.py:420, 632-648, 661, 865)."""
    sizes = dict.fromkeys(n for key in (_BATCH, _IMAGE_BATCH) for n in _sizes(facts.get(*key)))
    if len(sizes) < 2:
        return
    for key in (key for key in _COUNTED if facts.get(*key)):
        text = f"{key[-1]} counts {next(iter(sizes))} examples for each micro batch, whatever its real size is"
        yield facts.at("DPC454", key, text, "Count in steps or epochs, or use one batch size for all.")


def _sizes(batch: object) -> list[int]:
    if isinstance(batch, list):
        return [size for _resolution, size in batch]
    return [batch] if isinstance(batch, int) else []


def doubled_resolution(facts: Facts) -> Iterator[Diagnostic]:
    """The pairs become a table, so of two with one resolution the last one counts (train.py:399-418)."""
    for name in ("", "image_", "eval_", "eval_image_"):
        key = ("train", f"{name}micro_batch_size_per_gpu")
        batch = facts.get(*key) if facts.sound(key) else None
        seen = Counter(resolution for resolution, _size in batch) if isinstance(batch, list) else Counter()
        for resolution in (resolution for resolution, count in seen.items() if count > 1):
            text = f"{key[1]} has two batch sizes for resolution {resolution}; only the last would count"
            yield facts.at("DPC418", key, text, "Keep one of them.")


def image_batch_without_images(facts: Facts) -> Iterator[Diagnostic]:
    """It is for buckets of one frame (utils/dataset.py:363)."""
    if facts.asked(*_IMAGE_BATCH) and facts.kinds and "images" not in facts.kinds:
        text = "image_micro_batch_size_per_gpu has no effect: the job trains on videos only"
        yield facts.at("DPC439", _IMAGE_BATCH, text, "Use batch_size.")


def one_example(facts: Facts) -> Iterator[Diagnostic]:
    """A step's captions are stacked before it is divided into micro batches (utils/dataset.py:1373-1385)."""
    if not facts.spec.capabilities.get("one_example_a_step"):
        return
    for prefix in ("", "eval_") if facts.evaluates else ("",):
        step = _largest_step(facts, prefix)
        if step.examples > 1:
            text = f"{facts.spec.title} takes one example a step, and this makes {step.examples}: captions of "
            text += "different lengths cannot be put together, and the run would end at its first step"
            key = step.batch_key if step.batch > 1 else step.accumulation_key
            yield facts.at("DPC461", key, text, f"Set {step.settings} to 1.")


def pairs_and_plain(facts: Facts) -> Iterator[Diagnostic]:
    """The first example of a step decides which parts all of it have (utils/dataset.py:1002-1013)."""
    if not facts.spec.media.edit:
        return
    keys: dict[str, list[KeyPath]] = {}
    plain = set()
    for view in facts.in_each_directory():
        key, value = view.in_dataset("control_path")
        if value is None:
            plain.add(view.part)
        else:
            keys.setdefault(view.part, []).append(key)
    for part in (part for part in keys if part in plain):
        step = _largest_step(facts, "" if part == "dataset" else "eval_")
        if step.examples > 1:
            text = "a step may have edit pairs from this folder beside plain files of another, of the same size: the "
            text += "trainer fails on it then, or trains the pairs without control images"
            hint = f"Set {step.settings} to 1, or train pairs and plain files in runs of their own."
            yield facts.at("DPC464", keys[part][0], text, hint)


class _Step(NamedTuple):
    """The largest step of one group of GPUs, and the settings that make it."""

    batch: int
    batch_key: KeyPath
    accumulation: int
    accumulation_key: KeyPath

    @property
    def examples(self) -> int:
        return self.batch * self.accumulation

    @property
    def settings(self) -> str:
        return f"{self.batch_key[1]} and {self.accumulation_key[1]}"


def _largest_step(facts: Facts, prefix: str) -> _Step:
    """`prefix` is `eval_` for evaluation."""
    keys = [("train", f"{prefix}{kind}micro_batch_size_per_gpu") for kind in ("", "image_")]
    keys = [key for key in keys if facts.get(*key) is not None] or [_BATCH]
    sizes = [(max(_sizes(facts.get(*key)), default=1), key) for key in keys]
    batch, key = max(sizes, key=lambda one: one[0])
    accumulation = ("train", f"{prefix}gradient_accumulation_steps")
    return _Step(batch, key, facts.get(*accumulation) or 1, accumulation)


CHECKS = (
    uneven_batches,
    doubled_resolution,
    image_batch_without_images,
    one_example,
    pairs_and_plain,
)
