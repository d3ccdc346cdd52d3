"""The answer for a terminal: bars, what is dropped, and the arithmetic written out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dpcompile.inspection.counting import Bucket, Sizes
from dpcompile.inspection.dataset import DatasetReport, Directory
from dpcompile.inspection.disk import DiskUse
from dpcompile.inspection.inspected import Inspection
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.schedule import Schedule
from dpcompile.inspection.wordlists import byte_size, many, rounded

_SHOWN = 5
"""Files that are named for one reason."""
_FOLDERS = 4
"""Saves that are named at either end of a long list."""
_NARROWEST = 60


def as_text(inspection: Inspection, width: int = 80) -> str:
    """The whole answer on lines no wider than `width` columns, apart from long names of files."""
    width = max(width, _NARROWEST)
    title = f"{inspection.facts.title}{f', {inspection.training}' if inspection.training else ''}"
    lines = [title, "=" * len(title)]
    for report in inspection.reports:
        lines += ["", *_dataset(report, width)]
    lines += ["", "How it comes about", "", *arithmetic(inspection)]
    return "\n".join(lines)


def _dataset(report: DatasetReport, width: int) -> Iterator[str]:
    verdicts = [verdict for _directory, verdict in report.verdicts]
    trained = [verdict for verdict in verdicts if verdict.buckets]
    name = "Training set" if report.name == "train" else f"Evaluation set {report.name}"
    total = sum(verdict.item.probe.size for verdict in trained)
    yield f"{name}: {len(trained)} of {many(len(verdicts), 'file')}, {byte_size(total)}"
    yield ""
    yield from _bars(report.buckets, width)
    dropped = [verdict for verdict in verdicts if not verdict.buckets]
    if dropped:
        yield ""
        yield from _dropped(dropped, width)


def _bars(buckets: Sequence[Bucket], width: int) -> Iterator[str]:
    """`512x512  ####..  12 items = 3 steps of 4, 0 lost`: a dot for what is lost."""
    if not buckets:
        yield "  no bucket has any file"
        return
    names = [bucket.name for bucket in buckets]
    told = [_told(bucket) for bucket in buckets]
    # Without trailing blanks the longest line is exactly as wide as the terminal.
    room = max(8, width - 2 - max(map(len, names)) - 2 - 2 - max(map(len, told)))
    most = max(bucket.items for bucket in buckets) or 1
    for bucket, name, words in zip(buckets, names, told, strict=True):
        length = max(1, rounded(room * bucket.items / most)) if bucket.items else 0
        lost = rounded(length * bucket.lost / bucket.items) if bucket.items else 0
        lost = max(lost, 1) if bucket.lost and length > 1 else lost
        bar = "#" * (length - lost) + "." * lost if bucket.steps else "." * length
        yield f"  {name:>{max(map(len, names))}}  {bar:<{room}}  {words}".rstrip()


def _told(bucket: Bucket) -> str:
    if not bucket.steps:
        return f"{many(bucket.items, 'item')} of {bucket.batch}: not trained"
    lost = f", {bucket.lost} lost" if bucket.lost else ""
    return f"{many(bucket.items, 'item')} = {bucket.steps} x {bucket.batch}{lost}"


def _dropped(dropped: Sequence[Verdict], width: int) -> Iterator[str]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in dropped:
        groups.setdefault(verdict.why or "", []).append(verdict)
    for why, members in groups.items():
        yield f"  {why}: {many(len(members), 'file')}"
        for verdict in members[:_SHOWN]:
            yield from _folded(f"{verdict.item.path}: {verdict.reason}", width)
        if len(members) > _SHOWN:
            yield f"    and {len(members) - _SHOWN} more; --format json names all"


def _folded(text: str, width: int) -> Iterator[str]:
    """Text on lines of their own, broken at blanks; a name without blanks may be longer."""
    line = "   "
    for word in text.split(" "):
        if len(line) + 1 + len(word) > width and line.strip():
            yield line
            line = "     "
        line = f"{line} {word}"
    yield line


def arithmetic(inspection: Inspection) -> Iterator[str]:
    """How the steps come about, line by line."""
    report, course = inspection.train, inspection.schedule
    batches = report.batches
    micro, gpus = _micro(batches.videos), f"{batches.ranks} (GPUs / stages)"
    yield f"  a step = {micro} (micro batch) x {batches.accumulation} (accumulation) x {gpus} = {batches.printed}"
    if batches.images != batches.videos:
        yield f"  for images the micro batch is {_micro(batches.images)}"
    for directory in report.directories:
        yield f"  {_counts(directory)}"
    steps = [bucket.steps for bucket in report.buckets if bucket.steps]
    whole = sum(steps)
    if len(steps) > 1:
        shown = " + ".join(map(str, steps)) if len(steps) <= 12 else f"the steps of {len(steps)} buckets"
        yield f"  an epoch = {shown} = {whole} steps"
    else:
        yield f"  an epoch = {whole} steps"
    if report.subsample:
        yield f"  subsample_ratio {report.subsample} leaves {report.steps} of them"
    if course is not None:
        yield from _course(inspection, course)


def _micro(sizes: Sizes) -> str:
    if sizes[0][0] is None:
        return str(sizes[0][1])
    return " or ".join(f"{number} at {side:g}" for side, number in sizes)


def _counts(directory: Directory) -> str:
    """`clips: 40 files x 5 (num_repeats) x 2 (resolutions)`."""
    rules, trained = directory.rules, directory.trained
    captions, sizes = sum(v.captions for v in trained), max(1, len(rules.resolutions))
    word = f"{len(trained)} files" if captions == len(trained) else f"{captions} captions of {len(trained)} files"
    times = f" x {rules.num_repeats:g} (num_repeats)" + (f" x {sizes} (resolutions)" if sizes > 1 else "")
    return f"{directory.name.rstrip('/').rpartition('/')[2]}: {word}{times}"


def _course(inspection: Inspection, course: Schedule) -> Iterator[str]:
    whole = course.epochs * inspection.train.steps
    if course.total_steps == whole:
        yield f"  the run = {many(course.epochs, 'epoch')} x {inspection.train.steps} = {course.total_steps} steps"
    else:
        yield f"  the run = {course.total_steps} steps (max_steps), in epoch {course.epochs}"
    disk = inspection.disk
    assert disk is not None  # known wherever the course is
    each = f", {byte_size(disk.model)} each" if disk.model else ""
    head = f"  {many(len(course.saves), 'model')} saved{each}:"
    yield from _folded_list(head, [folder for _step, folder in course.saves])
    least = "at least " if disk.checkpoint_is_least else ""
    each = f" of {least}{byte_size(disk.checkpoint)}" if disk.checkpoint else ""
    minutes = f", and one every {course.checkpoint_minutes:g} minutes" if course.checkpoint_minutes else ""
    yield f"  {many(len(course.checkpoints), 'checkpoint')}{each}{minutes}; none is ever deleted"
    yield f"  the disk: {_disk(disk)}"
    for report in inspection.evals:
        times = len(course.evaluations)
        yield f"  evaluation {report.name}: {many(report.steps, 'batch', 'batches')} x 9 noise levels, {times} times"


def _disk(disk: DiskUse) -> str:
    if disk.written is None and disk.cache is None:
        return "not known, as the model spec does not say how large the model is"
    written = "an unknown size" if disk.written is None else byte_size(disk.written)
    cache = "an unknown size" if disk.cache is None else f"about {byte_size(disk.cache)}"
    return f"{written} for these, and {cache} for the trainer's cache"


def _folded_list(head: str, names: Sequence[str]) -> Iterator[str]:
    shown = list(names)
    if len(shown) > 2 * _FOLDERS:
        shown = [*shown[:_FOLDERS], "...", *shown[-_FOLDERS:]]
    yield f"{head} {' '.join(shown)}"
