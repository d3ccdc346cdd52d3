"""The trainer's files -> a job, and a report of what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job, naming_of
from dpcompile.folders import DEFAULT_VOLUME, Folders
from dpcompile.importing.choosing import candidates, fork_spec, fork_yaml, likeness, nearly
from dpcompile.importing.faults import absent, control_characters, evaluation_sets, misshapen, wandb
from dpcompile.importing.fitting import JOB_FILE, Fitted, Wanted, fit
from dpcompile.importing.passing import in_json, passed_through
from dpcompile.importing.report import KINDS, Entry, entry, of_job
from dpcompile.importing.unread import explain, is_read
from dpcompile.importing.written import EVALS, Files, Written, in_whole, settings_of
from dpcompile.keypath import KeyPath
from dpcompile.misnamed import Naming
from dpcompile.secrecy import WANDB_KEY
from dpcompile.spec import ModelSpec
from dpcompile.wording import listing, quote

_ALPHA: KeyPath = ("train", "adapter", "alpha")
_OWN: dict[KeyPath, str] = {
    ("train", "output_dir"): "each job has its own output folder on the volume",
    ("train", "dataset"): "the dataset file is a part of the job now",
    ("train", EVALS): "the evaluation sets are a part of the job now",
    ("train", "resume_from_checkpoint"): "which run to go on with is said by launch.resume of a job",
}
"""What the job has no setting for, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The job, what became of each key, and the model spec that has to go with it where the trainer's is a fork."""

    job: dict[str, Any]
    entries: tuple[Entry, ...]
    spec: dict[str, Any] | None = None


def import_files(
    files: Files,
    catalogue: Catalogue,
    *,
    model: ModelSpec | None = None,
    volume: str = DEFAULT_VOLUME,
    keep_unread: bool = False,
) -> Imported:
    """A job that trains what the files train. `model` is its model spec; without one the closest is chosen.

    With `keep_unread`, settings that nobody reads are passed through, for forks of the trainer.
    """
    given = tuple(settings_of(files))
    said = [each for each in given if isinstance(each, Written)]
    table = {each.name: each.value for each in said if each.scope == "model"}
    kind = table.get("type")
    known = (model,) if model is not None else candidates(kind, catalogue)
    specs = known or nearly(kind, catalogue)
    fork: dict[str, Any] | None = None
    if not specs:
        base = next(spec for _name, spec, _ in catalogue.all() if spec is not None).chain[0]
        name = kind if isinstance(kind, str) and kind else "unknown"
        fork = fork_yaml(name, table, base, catalogue)
        specs = (fork_spec(fork, base, catalogue.trainer),)
    folders = Folders(volume=volume, job_id="imported")
    best, alike = _best([_Attempt(files, said, naming_of(spec, catalogue), folders) for spec in specs], table)
    checked: list[Entry] = []
    if fork is None:
        checked = list(best.of_checks(catalogue, volume))
        best.leave_out({each.key for each in checked if each.kind == "inert" and each.is_error})
    job = best.fitted.job
    entries = [*best.entries(), *misshapen(files, given)]
    if keep_unread:
        entries = passed_through(job, entries, files, said)
    entries += checked if fork is None else [_of_fork(files, kind, fork["name"])]
    entries += best.of_choice(kind, alike, misspelt=not known and fork is None)
    entries += best.lost({each.key for each in entries})
    ordered = sorted(dict.fromkeys(entries), key=lambda each: (KINDS.index(each.kind), each.file, each.line or 0))
    return Imported(job=job, entries=tuple(ordered), spec=fork)


def _best(tries: list[_Attempt], table: Mapping[str, Any]) -> tuple[_Attempt, list[str]]:
    """The attempt that fits best, and the names of the specs that the files speak for no less."""
    specs = [each.spec for each in tries]
    score = {each.spec.name: likeness(each.spec, specs, table) for each in tries}
    best = min(tries, key=lambda each: (-score[each.spec.name], each.fitted.size, each.spec.name))
    alike = [name for name in score if score[name] == score[best.spec.name] and name != best.spec.name]
    return best, alike


def _from_elsewhere(said: Written) -> bool:
    """Whether the job says it in fields of its own, or must not say it at all."""
    path = said.part != "train" and said.path[0] == "directory" and said.name == "path"
    return said.key in _OWN or said.key == ("train", "model", "type") or said.name == WANDB_KEY or path


class _Attempt:
    """The files as a job of one model spec."""

    def __init__(self, files: Files, said: list[Written], naming: Naming, folders: Folders) -> None:
        self.files, self.said, self.naming, self.folders = files, said, naming, folders
        self.spec = naming.spec
        self.values = {each.key: each.value for each in said}
        self.wanted = self._wanted()
        self.fitted: Fitted = fit(self.wanted, naming, folders)
        self._add_gpus()

    def leave_out(self, keys: set[KeyPath]) -> None:
        """Takes settings out of the job that the trainer ignores and a job may not have."""
        left = {key: value for key, value in self.wanted.settings.items() if key not in keys}
        if len(left) < len(self.wanted.settings):
            self.wanted = replace(self.wanted, settings=left)
            self.fitted = fit(self.wanted, self.naming, self.folders)
            self._add_gpus()

    def _add_gpus(self) -> None:
        """As many GPUs as stages: how many there are is said on the trainer's command line."""
        stages = self.values.get(("train", "pipeline_stages"))
        if isinstance(stages, int) and stages > 1:
            self.fitted.job["launch"] = {"num_gpus": int(stages)}

    def _wanted(self) -> Wanted:
        """What the trainer reads, less what the job has from elsewhere."""
        settings = {
            each.key: in_whole(each)
            for each in self.said
            if not _from_elsewhere(each) and each.key != _ALPHA and is_read(each, self.naming) and in_json(each.value)
        }
        return Wanted(
            settings=settings,
            dataset=self.files.dataset is not None,
            directories=self._paths("dataset"),
            evals={each.name: self._paths(f"eval.{n + 1}") for n, each in enumerate(self.files.evals)},
        )

    def _paths(self, part: str) -> list[str]:
        """The folders of a dataset file; an empty text where a table names none, for the job to be filled in."""
        rows = {each.path[1]: "" for each in self.said if each.part == part and each.path[0] == "directory"}
        for row in rows:
            path = self.values.get((part, "directory", row, "path"))
            rows[row] = path if isinstance(path, str) else ""
        return list(rows.values())

    # The report

    def entries(self) -> Iterator[Entry]:
        """What became of each key, apart from what checks of the job tell."""
        for key, why in _OWN.items():
            if key in self.values:
                yield entry(self.files, "changed", key, f"{key[-1]} is not taken over: {why}")
        for each in self.said:
            if each.name == WANDB_KEY:
                text = "the key of wandb is not copied: a job is shown around, and so is what is published with it"
                hint = "Give it to the worker as WANDB_API_KEY."
                yield entry(self.files, "changed", each.key, text, hint)
            elif not _from_elsewhere(each):
                yield from self._entry(each)
            elif each.scope == "directory" and isinstance(each.value, str):
                text = f"{quote(each.value)} stays where it is; captions are read as they are"
                yield entry(self.files, "kept", each.key, text)
        yield from absent(self.files, self.values, self.naming, self.fitted.assembled.config)
        yield from wandb(self.files, self.values)
        yield from evaluation_sets(self.files)
        yield from control_characters(self.files, self.said, self.naming)
        for key, name in self.files.missing:
            text = f"the file {quote(name, 200)} was not found from here, so nothing of it is in the job"
            option = "--dataset FILE" if key == ("train", "dataset") else "--eval NAME=FILE"
            yield entry(self.files, "changed", key, text, f"Name it with {option}.", code="DPC101", severity="warning")

    def _entry(self, said: Written) -> Iterator[Entry]:
        told = explain(said, self.naming, self.said)
        if said.key == _ALPHA:
            text = "the trainer refuses alpha at once: its alpha is always the rank"
            yield entry(self.files, "crash", said.key, text, "Take it out; the job has none.", code="DPC224")
        elif told is not None:
            code, message, hint = told
            yield entry(self.files, "unread", said.key, message, hint, code=code)
        elif in_whole(said) is not said.value:
            text = f"{said.name} {said.value} is written {in_whole(said)}, which is the same to the trainer"
            yield entry(self.files, "changed", said.key, text)
        elif not in_json(said.value):
            text = f"{said.name} is {said.value}, which a job cannot say"
            yield entry(self.files, "changed", said.key, text, "Write a finite number.", code="DPC107")
        elif said.scope == "model" and self._is_elsewhere(said.value):
            text = f"{quote(said.value)} stays where it is; nothing is downloaded for it"
            yield entry(self.files, "kept", said.key, text)

    def _is_elsewhere(self, value: object) -> bool:
        """Whether a value is a path, and none below dpcompile's own folders."""
        return isinstance(value, str) and "/" in value and not value.startswith(f"{self.folders.work}/")

    def of_checks(self, catalogue: Catalogue, volume: str) -> Iterator[Entry]:
        """What the checks say of a job that has every setting of the files, those too that its model has by default."""
        whole = self.fitted.whole(self.wanted)
        result = compile_job(whole, file=JOB_FILE, catalogue=catalogue, volume=volume, job_id="imported")
        for found in result.diagnostics:
            told = of_job(found, self.files, self.naming)
            if told is not None and not self._of_missing(told):
                yield told

    def _of_missing(self, told: Entry) -> bool:
        """Whether a finding only comes from a file that was not found, or a table that is not there."""
        evals = any(key == ("train", EVALS) for key, _name in self.files.missing)
        if told.key[:2] == ("train", "optimizer") and not any(key[:2] == told.key[:2] for key in self.values):
            return True  # the whole table is missing, which is told
        no_set = evals and told.told is not None and told.told.code == "DPC428"
        return no_set or (told.key[0] == "dataset" and self.files.dataset is None)

    def of_choice(self, kind: object, alike: list[str], *, misspelt: bool) -> Iterator[Entry]:
        """What was taken for granted of the model, and of the machine."""
        key: KeyPath = ("train", "model", "type")
        if misspelt:
            text = f"the trainer has no model type {quote(kind)}, and stops before it encodes anything"
            hint = f"The job trains {self.spec.name}, of the type {quote(self.spec.toml_type)}."
            yield entry(self.files, "crash", key, text, hint, code="DPC206")
        if alike:
            text = f"taken for {self.spec.title}; the paths speak no less for {listing(sorted(alike), 'and')}"
            yield entry(
                self.files, "kept", key, text, f"If it is another, import with --model, as in --model {alike[0]}."
            )
        if "launch" in self.fitted.job:
            count = self.fitted.job["launch"]["num_gpus"]
            text = f"how many GPUs there are is said on the command line; the job has {count}, one for each stage"
            yield entry(self.files, "changed", ("train", "pipeline_stages"), text, "Set launch.num_gpus for more.")

    def lost(self, told: set[KeyPath]) -> Iterator[Entry]:
        """Settings that the job does not render as they are, though nothing is wrong with them."""
        for key in self.fitted.lost:
            if key not in told:
                text = f"{key[-1]} cannot be kept as it is"
                yield entry(self.files, "changed", key, text, "Compare it with `dpcompile diff`.")


def _of_fork(files: Files, kind: object, name: str) -> Entry:
    text = f"the trainer has no model type {quote(kind)}; a fork of it may, so its [model] keys are kept as they are"
    hint = f"The job needs a model spec called {name}: --specs takes the folder with its YAML file."
    if kind is None:
        text = "[model] names no type, so the trainer stops at once, and what is trained cannot be told"
        hint = "Write the type into the file, and import it again."
        return entry(files, "crash", ("train", "model"), text, hint, code="DPC202")
    return entry(files, "kept", ("train", "model", "type"), text, hint, code="DPC206", severity="warning")


def summary(entries: tuple[Entry, ...]) -> str:
    """`1 crash, 2 unread`: how many there are of each kind."""
    counts = {kind: sum(1 for each in entries if each.kind == kind) for kind in KINDS}
    return listing([f"{count} {kind}" for kind, count in counts.items() if count], "and") or "nothing to say"
