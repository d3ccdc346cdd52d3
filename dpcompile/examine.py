"""The inspection of one training: its rendered files and what is in its folders -> the whole answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.bucketfindings import bucket_findings
from dpcompile.inspection.counting import Batches, eval_batches, train_batches
from dpcompile.inspection.dataset import DatasetReport, make_report
from dpcompile.inspection.disk import disk_use
from dpcompile.inspection.findings import folder_findings
from dpcompile.inspection.inspected import Inspection, dataset_findings, shared_folders
from dpcompile.inspection.media import Folder, ModelFacts
from dpcompile.inspection.rules import Refused, Rules, dataset_rules
from dpcompile.inspection.saying import Wishes
from dpcompile.inspection.schedule import schedule
from dpcompile.probing.folders import Prober


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFile:
    """A dataset file of a training. `name` is `train` or that of an evaluation set; `value` is what it holds."""

    name: str
    file: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFiles:
    """What the trainer is given for one training. `ranks` is GPUs divided by pipeline stages, at least 1."""

    name: str
    train: Mapping[str, Any]
    dataset: DatasetFile
    evals: tuple[DatasetFile, ...]
    ranks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How a folder of the dataset files is found and called on this machine."""

    at: Callable[[str], str] = str
    shown: Callable[[str], str] = str
    keep: Callable[[str, Folder], Folder] = lambda _path, folder: folder
    """Changes what was found in a folder: takes the files out that are going to be split off."""


class Examiner:
    """Looks at the trainings of one job. Folders that several of them share are read once."""

    def __init__(self, facts: ModelFacts, wishes: Wishes, prober: Prober, place: Place) -> None:
        self.facts, self.wishes, self.place = facts, wishes, place
        self.prober = replace(prober, trigger=wishes.trigger)
        self._read: dict[tuple[Any, ...], Folder] = {}

    def examine(self, files: TrainingFiles) -> Inspection:
        """The answer for one training. Raises Refused where the trainer would stop at the dataset file."""
        wishes = replace(self.wishes, workers=files.train.get("map_num_proc") or self.wishes.workers)
        train = self._report(files.dataset, train_batches(files.train, files.ranks))
        batches = eval_batches(files.train, files.ranks)
        evals = tuple(self._report(each, batches) for each in files.evals)
        course = disk = None
        if train.steps:
            course = schedule(files.train, train.steps, train.batches.printed, has_eval=bool(evals))
            disk = disk_use(self.facts, files.train, course, (train, *evals))
        found = [d for report in (train, *evals) for d in self._findings(report, wishes)]
        found += shared_folders((train, *evals))
        return Inspection(
            training=files.name,
            facts=self.facts,
            train=train,
            evals=evals,
            schedule=course,
            disk=disk,
            diagnostics=tuple(dict.fromkeys(found)),
        )

    def _report(self, file: DatasetFile, batches: Batches) -> DatasetReport:
        folders = [(self._folder(rules), rules) for rules in dataset_rules(file.value)]
        return make_report(file.name, file.file, file.value, folders, self.facts, batches, self.place.shown)

    def _folder(self, rules: Rules) -> Folder:
        key = (rules.path, rules.mask_path, rules.control_path, rules.default_mask_file)
        if key not in self._read:
            self._read[key] = self.place.keep(rules.path, self.prober.folder(rules, self.place.at))
        return self._read[key]

    def _findings(self, report: DatasetReport, wishes: Wishes) -> Iterator[Diagnostic]:
        for directory in report.directories:
            yield from folder_findings(directory, self.facts, wishes, directory.name)
        yield from dataset_findings(report)
        yield from bucket_findings(report, self.facts)


def refused(error: Refused, file: str) -> Diagnostic:
    """What the trainer stops at, as a finding."""
    return finding("DPC614", "", error.message, error.hint, file=file)


def ranks(gpus: int, stages: int) -> int:
    """Groups of GPUs that each hold the whole model (train.py:632)."""
    return max(1, gpus // max(1, stages))
