"""What is wrong with a bucket as a whole: sizes beyond the model's, and files that cannot share a batch."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.buckets import BucketKey
from dpcompile.inspection.counting import Bucket
from dpcompile.inspection.dataset import DatasetReport
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.saying import what
from dpcompile.inspection.wordlists import many, some, verb


def bucket_findings(report: DatasetReport, facts: ModelFacts) -> Iterator[Diagnostic]:
    """Everything about the buckets that are trained."""
    trained = [bucket for bucket in report.buckets if bucket.steps]
    yield from _too_long(trained, report, facts)
    yield from _mixed(trained, report)
    if facts.sound:
        yield from _sound(trained, report, facts)


def _too_long(trained: list[Bucket], report: DatasetReport, facts: ModelFacts) -> Iterator[Diagnostic]:
    most = facts.largest_side
    if most is None or not (long := [b for b in trained if max(facts.sides(b.key.width, b.key.height)) > most]):
        return
    text = f"{many(len(long), 'bucket')} with {many(sum(b.files for b in long), 'file')} "
    text += f"{verb(long, 'has', 'have')} a side above {most} pixels, as far as {facts.title} knows positions: "
    text += f"the run fails at such a batch, or trains it with its parts misplaced: {some(b.name for b in long)}"
    yield finding("DPC616", "", text, "Lower the resolution, or take the longest shapes out of it.", file=report.shown)


def _mixed(trained: list[Bucket], report: DatasetReport) -> Iterator[Diagnostic]:
    """The first example of a step decides which parts all have (utils/dataset.py:1002-1013)."""
    if not (pairs := _keys(report, edit=True)):
        return
    both = pairs & _keys(report, edit=False)
    mixed = [b for b in trained if b.key in both and b.batch > report.batches.ranks]
    if mixed:
        text = f"{some(b.name for b in mixed)} {verb(mixed, 'takes', 'take')} edit pairs and plain files, with several "
        text += "examples a step: where a step has both, the trainer fails, or trains the pairs without control images"
        hint = "Let a step have one example, or train pairs and plain files in runs of their own."
        yield finding("DPC617", "", text, hint, file=report.shown)


def _sound(trained: list[Bucket], report: DatasetReport, facts: ModelFacts) -> Iterator[Diagnostic]:
    """Videos of a micro batch must have the same parts, sound among them (models/minimax_h3.py:664)."""
    videos = [v for _directory, v in report.verdicts if v.buckets and v.buckets[0].frames > 1]
    silent = [v for v in videos if not v.item.probe.sound]
    heard = {key for v in videos if v.item.probe.sound for key in v.buckets}
    unheard = {key for v in silent for key in v.buckets}
    both = heard & unheard
    mixed = [b for b in trained if b.key in both and report.batches.micro(b.key) > 1]
    if mixed:
        text = (
            f"some videos of {some(b.name for b in mixed)} have sound and some have none, and a batch takes several: "
        )
        text += "the trainer fails at the first batch that has both"
        hint = "Set micro_batch_size_per_gpu to 1, or give all videos sound."
        yield finding("DPC618", "", text, hint, file=report.shown)
    elif silent and heard:
        text = f"{facts.title} trains sound too, and {what(silent)} {verb(silent, 'has', 'have')} none"
        yield finding("DPC639", "", text, "They are trained as pictures alone.", file=report.shown)


def _keys(report: DatasetReport, *, edit: bool) -> set[BucketKey]:
    """The buckets that folders with control images fill, or those without."""
    chosen = [each for each in report.directories if (each.rules.control_path is not None) is edit]
    return {key for each in chosen for verdict in each.trained for key in verdict.buckets}
