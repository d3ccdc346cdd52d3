"""Models that are written to disk, and what is counted in examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.wording import listing

_SAVES = ("save_every_n_epochs", "save_every_n_steps", "save_every_n_examples")
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


def saves_something(facts: Facts) -> Iterator[Diagnostic]:
    """The trainer insists on one of three keys (train.py:95)."""
    keys = [("train", name) for name in _SAVES]
    if all(facts.get(*key) is None for key in keys):
        text = "nothing says how often the model is saved, and the trainer refuses to start without it"
        yield facts.at_null("DPC421", keys[0], text, "Set save_every_n_epochs; the last epoch is saved in any case.")


def shorter_than_a_step(facts: Facts) -> Iterator[Diagnostic]:
    """Examples are divided by those of a step; zero steps is a division by zero (train.py:643-645, saver.py:165)."""
    examples, step = facts.get("train", "save_every_n_examples"), step_examples(facts)
    if examples is not None and examples < step:
        text = f"save_every_n_examples {examples} is less than the {step} examples of one step: "
        text += "the run would fail after its first step"
        yield facts.at("DPC438", ("train", "save_every_n_examples"), text, f"Use {step} or more.")


def uneven_batches(facts: Facts) -> Iterator[Diagnostic]:
    """Whatever is counted in examples goes by the first batch size alone (train.py:420, 632-648, 661, 865)."""
    sizes = dict.fromkeys(n for key in (_BATCH, _IMAGE_BATCH) for n in _sizes(facts.get(*key)))
    if len(sizes) < 2:
        return
    for key in (key for key in _COUNTED if facts.get(*key)):
        text = f"{key[-1]} counts {next(iter(sizes))} examples for each micro batch, whatever its real size is"
        yield facts.at("DPC454", key, text, "Count in steps or epochs, or use one batch size for all.")


def incomplete_fine_tune(facts: Facts) -> Iterator[Diagnostic]:
    """What no layer of the pipeline holds is neither trained nor saved (utils/saver.py:98)."""
    lacks = facts.spec.merged.get("saved_format", {}).get("full_lacks")
    if lacks and not facts.has_adapter:
        text = f"a full fine-tune of {facts.spec.title} is saved without {listing(lacks, 'and')}, which are not trained"
        text += ": programs that load it do without them, or make them up"
        hint = "Before you use it, copy them from the file of diffusion_model into model.safetensors."
        yield facts.at_null("DPC460", ("train", "adapter"), text, hint)


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


CHECKS = (
    saves_something,
    shorter_than_a_step,
    uneven_batches,
    incomplete_fine_tune,
    doubled_resolution,
    image_batch_without_images,
)
