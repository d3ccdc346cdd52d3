"""The whole answer for one training: its datasets, its course, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.advice import accumulation_that_keeps_all, repeats_that_keep_all
from dpcompile.inspection.counting import Bucket
from dpcompile.inspection.dataset import DatasetReport
from dpcompile.inspection.disk import DiskUse, disk_json
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.rules import Rules
from dpcompile.inspection.schedule import Schedule
from dpcompile.inspection.wordlists import many

_MUCH_LOST = 0.1
"""A share of items lost to rounding that is worth a word of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one training will make of its data. `training` is empty where the job has one only."""

    training: str
    facts: ModelFacts
    train: DatasetReport
    evals: tuple[DatasetReport, ...]
    schedule: Schedule | None
    """None where there is nothing to train on."""
    disk: DiskUse | None
    """None where there is nothing to train on."""
    diagnostics: tuple[Diagnostic, ...]

    @property
    def reports(self) -> tuple[DatasetReport, ...]:
        return (self.train, *self.evals)


def dataset_findings(report: DatasetReport) -> Iterator[Diagnostic]:
    """What is wrong with a dataset as a whole."""
    yield from _twice(report)
    if any(directory.folder.missing for directory in report.directories):
        return
    is_eval, shown = report.name != "train", report.shown
    if not report.steps:
        yield finding("DPC612" if is_eval else "DPC603", "", *_nothing_left(report), file=shown)
        return
    dropped = [bucket for bucket in report.buckets if not bucket.steps]
    if dropped:
        files = sum(bucket.files for bucket in dropped)
        text = f"{many(len(dropped), 'bucket')} with {many(files, 'file')} will not be trained, being smaller than "
        text += f"a batch: {_shown(dropped)}"
        yield finding("DPC621", "", text, _remedy(report), file=shown)
    lost = sum(bucket.lost for bucket in report.buckets if bucket.steps)
    items = sum(bucket.items for bucket in report.buckets)
    if lost > _MUCH_LOST * items:
        text = f"{lost} of {items} items an epoch are left over when buckets are divided into whole batches"
        hint = "They are always the same ones. A smaller batch or accumulation, or fewer buckets, loses less."
        yield finding("DPC622", "", text, hint, file=shown)
    sizes = max((len(directory.rules.resolutions) for directory in report.directories), default=1)
    if sizes > 1 and not is_eval:
        text = f"each file is trained at {sizes} resolutions, which makes an epoch {sizes} times as long"
        yield finding("DPC638", "", text, "Count with that when choosing epochs and num_repeats.", file=shown)


def _twice(report: DatasetReport) -> Iterator[Diagnostic]:
    paths = [directory.rules.path for directory in report.directories]
    for path in dict.fromkeys(path for path in paths if paths.count(path) > 1):
        text = f"the folder {path} stands in two [[directory]] tables, whose caches would overwrite each other"
        hint = "Give it one table; for other settings on the same files, link them into a second folder."
        yield finding("DPC613", "", text, hint, file=report.file)


def shared_folders(reports: Sequence[DatasetReport]) -> Iterator[Diagnostic]:
    """Folders that two sets read with other buckets or captions: the second overwrites what the first has in memory."""
    first: dict[str, tuple[DatasetReport, Rules]] = {}
    for report in reports:
        for directory in report.directories:
            rules = directory.rules
            before, others = first.setdefault(rules.path, (report, rules))
            if before is not report and _encoded(others) != _encoded(rules):
                text = f"the folder {rules.path} stands in {before.name} and in {report.name} with other buckets or "
                text += "captions: the trainer fails while it caches"
                hint = "Give both the same settings (resolutions and num_repeats aside), or link the files elsewhere."
                yield finding("DPC613", "", text, hint, file=report.file)


def _encoded(rules: Rules) -> Rules:
    """The rules without those that do not change what the trainer keeps of a folder's files."""
    return replace(rules, resolutions=(), num_repeats=1)


def _shown(buckets: Sequence[Bucket]) -> str:
    shown = [f"{b.name} ({b.items} of {b.batch})" for b in buckets[:3]]
    more = f" and {len(buckets) - 3} more" if len(buckets) > 3 else ""
    return ", ".join(shown) + more


def _nothing_left(report: DatasetReport) -> tuple[str, str]:
    if not report.buckets:
        where = "" if report.name == "train" else f" of the evaluation set {report.name}"
        text = f"no file{where} is left to {'train on' if report.name == 'train' else 'evaluate'}"
        return f"{text}: the trainer fails, after caching and loading the model", "See what is said of the files."
    items = sum(bucket.items for bucket in report.buckets)
    if all(not bucket.steps for bucket in report.buckets):
        text = f"no bucket has as many items as a batch takes: {_shown(report.buckets)}"
    else:
        text = f"subsample_ratio {report.subsample} leaves no batch of {items} items"
    return f"{text}; the trainer fails, after caching and loading the model", _remedy(report)


def _remedy(report: DatasetReport) -> str:
    repeats, accumulation = repeats_that_keep_all(report), accumulation_that_keeps_all(report)
    own = {directory.rules.num_repeats for directory in report.directories}
    ways = []
    if repeats is not None and any(repeats > number for number in own):
        ways.append(f"num_repeats {repeats}")
    prefix = "" if report.name == "train" else "eval_"
    if accumulation is not None and accumulation < report.batches.accumulation:
        ways.append(f"{prefix}gradient_accumulation_steps {accumulation}")
    ways = ways or ["a smaller batch", "fewer buckets"]
    return f"{' or '.join(ways)} would keep all." if len(ways) < 3 else ""


def to_json(inspection: Inspection, shown: Callable[[str], str] = str) -> dict[str, Any]:
    """The JSON form of the answer for one training (contract). `shown` tells where a folder lies on this machine."""
    course = inspection.schedule
    return {
        "training": inspection.training or None,
        "model": inspection.facts.title,
        "steps_per_epoch": inspection.train.steps,
        "total_steps": course.total_steps if course else 0,
        "global_batch_size": inspection.train.batches.printed,
        "saves": [{"step": step, "folder": folder} for step, folder in course.saves] if course else [],
        "checkpoints": list(course.checkpoints) if course else [],
        "checkpoint_every_n_minutes": course.checkpoint_minutes if course else None,
        "evaluations": list(course.evaluations) if course else [],
        "disk": disk_json(inspection.disk),
        "buckets": _buckets(inspection.train),
        "files": _files(inspection.train, shown),
        "eval": {
            report.name: {"batches": report.steps, "buckets": _buckets(report), "files": _files(report, shown)}
            for report in inspection.evals
        },
    }


def _buckets(report: DatasetReport) -> list[dict[str, Any]]:
    return [
        {
            "ar": bucket.key.ratio if bucket.key.ratio is not None else round(bucket.key.width / bucket.key.height, 3),
            "width": bucket.key.width,
            "height": bucket.key.height,
            "frames": bucket.key.frames,
            "files": bucket.files,
            "items": bucket.items,
            "batch": bucket.batch,
            "steps": bucket.steps,
            "lost": bucket.lost,
        }
        for bucket in report.buckets
    ]


def _files(report: DatasetReport, shown: Callable[[str], str]) -> list[dict[str, Any]]:
    """Every file with its bucket at the lowest resolution; `buckets` has those at all of them."""
    places = report.places()
    return [
        {
            "path": f"{shown(directory.rules.path)}/{verdict.item.path}",
            "bucket": places[verdict.buckets[0]] if verdict.buckets else None,
            "buckets": [places[key] for key in verdict.buckets],
            "reason": verdict.reason or None,
            "width": verdict.item.probe.width,
            "height": verdict.item.probe.height,
            "frames": verdict.frames,
        }
        for directory, verdict in report.verdicts
    ]
