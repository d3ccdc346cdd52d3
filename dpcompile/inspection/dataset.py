"""One dataset file with all its folders: what is trained, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dpcompile.inspection.buckets import BucketKey
from dpcompile.inspection.counting import Batches, Bucket, Share, count, steps_per_epoch
from dpcompile.inspection.judging import FATAL, Verdict, judge, shares
from dpcompile.inspection.media import Folder, ModelFacts
from dpcompile.inspection.rules import Rules

MissingCaption = Literal["skip", "empty", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One `[[directory]]`: what was found, what holds for it, and the fate of each file."""

    folder: Folder
    rules: Rules
    verdicts: tuple[Verdict, ...]
    name: str
    """What the user calls the folder."""

    def out(self, *whys: str) -> list[Verdict]:
        """The files that are dropped, or that the run fails on, for one of these reasons."""
        return [verdict for verdict in self.verdicts if verdict.why in whys]

    @property
    def trained(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.buckets]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """A training set or an evaluation set. `name` is `train`, or the name of the evaluation set."""

    name: str
    file: str
    """The dataset file."""
    directories: tuple[Directory, ...]
    shares: tuple[Share, ...]
    buckets: tuple[Bucket, ...]
    batches: Batches
    subsample: float | None
    steps: int
    """Optimizer steps, or evaluation batches, that it takes to go through it once."""

    @property
    def verdicts(self) -> Iterator[tuple[Directory, Verdict]]:
        for directory in self.directories:
            for verdict in directory.verdicts:
                yield directory, verdict

    @property
    def shown(self) -> str:
        """What the user calls it: its only folder, else the file."""
        return self.directories[0].name if len(self.directories) == 1 else self.file

    @property
    def usable(self) -> bool:
        """Whether the trainer gets through the caching of it. Meant for its files, not for its steps."""
        return not any(verdict.why in FATAL for _directory, verdict in self.verdicts)

    def places(self) -> Mapping[BucketKey, int]:
        """Number of each bucket."""
        return {bucket.key: n for n, bucket in enumerate(self.buckets)}


def make_report(
    name: str,
    file: str,
    dataset: Mapping[str, Any],
    folders: Sequence[tuple[Folder, Rules]],
    facts: ModelFacts,
    batches: Batches,
    shown: Callable[[str], str] = str,
) -> DatasetReport:
    """The report on one dataset file, from its table and what was found in its folders; `shown` gives their names."""
    directories = tuple(
        Directory(folder=found, rules=rules, verdicts=judge(found, rules, facts), name=shown(rules.path))
        for found, rules in folders
    )
    parts = tuple(share for each in directories for share in shares(each.verdicts, each.rules))
    buckets = count(parts, batches)
    subsample = dataset.get("subsample_ratio")
    return DatasetReport(
        name=name,
        file=file,
        directories=directories,
        shares=parts,
        buckets=buckets,
        batches=batches,
        subsample=subsample,
        steps=steps_per_epoch(buckets, subsample),
    )
