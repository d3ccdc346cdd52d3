"""The trainer's files -> a job, and a report of what became of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job, naming_of
from dpcompile.folders import DEFAULT_VOLUME, Folders
from dpcompile.importing.choosing import candidates, fork_spec, fork_yaml, shared_names
from dpcompile.importing.fitting import JOB_FILE, Fitted, Wanted, fit
from dpcompile.importing.report import KINDS, Entry, entry, missing, of_job
from dpcompile.importing.unread import explain, is_read
from dpcompile.importing.written import EVALS, Files, Misshapen, Written, settings_of
from dpcompile.keypath import KeyPath
from dpcompile.misnamed import Naming
from dpcompile.secrecy import WANDB_KEY
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES
from dpcompile.wording import listing, quote

_ALPHA: KeyPath = ("train", "adapter", "alpha")
_OWN: dict[KeyPath, str] = {
    ("train", "output_dir"): "each job has its own output folder on the volume",
    ("train", "dataset"): "the dataset file is a part of the job now",
    ("train", EVALS): "the evaluation sets are a part of the job now",
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
    specs = (model,) if model is not None else candidates(kind, catalogue)
    fork: dict[str, Any] | None = None
    if not specs:
        base = next(spec for _name, spec, _ in catalogue.all() if spec is not None).chain[0]
        name = kind if isinstance(kind, str) and kind else "unknown"
        fork = fork_yaml(name, table, base)
        specs = (fork_spec(fork, base, catalogue.trainer),)
    folders = Folders(volume=volume, job_id="imported")
    tries = [_Attempt(files, said, naming_of(spec, catalogue), folders) for spec in specs]
    best = min(tries, key=lambda each: (-shared_names(each.spec, table), each.fitted.size, each.spec.name))
    job = best.fitted.job
    entries = [*best.entries(), *_misshapen(files, given)]
    if keep_unread:
        entries = _passed_through(job, entries, best)
    if fork is None:
        entries += best.of_checks(job, catalogue, volume)
    else:
        entries.append(_of_fork(files, fork["name"]))
    entries += best.lost({each.key for each in entries})
    ordered = sorted(dict.fromkeys(entries), key=lambda each: (KINDS.index(each.kind), each.file, each.line or 0))
    return Imported(job=job, entries=tuple(ordered), spec=fork)


def _from_elsewhere(said: Written) -> bool:
    """Whether the job says it in fields of its own, or must not say it at all."""
    path = said.path[0] == "directory" and said.name == "path"
    return said.key in _OWN or said.key == ("train", "model", "type") or said.name == WANDB_KEY or path


def _in_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return all(map(_in_json, value)) if isinstance(value, list) else True


class _Attempt:
    """The files as a job of one model spec."""

    def __init__(self, files: Files, said: list[Written], naming: Naming, folders: Folders) -> None:
        self.files, self.said, self.naming, self.folders = files, said, naming, folders
        self.spec = naming.spec
        self.values = {each.key: each.value for each in said}
        self.wanted = self._wanted()
        self.fitted: Fitted = fit(self.wanted, naming, folders)

    def _wanted(self) -> Wanted:
        """What the trainer reads, less what the job has from elsewhere."""
        settings = {
            each.key: each.value
            for each in self.said
            if not _from_elsewhere(each) and each.key != _ALPHA and is_read(each, self.naming) and _in_json(each.value)
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
                hint = "Give it to the worker as WANDB_API_KEY, or write it into monitoring.wandb_api_key of the job."
                yield entry(self.files, "changed", each.key, text, hint)
            elif each.path[0] == "directory" and each.name == "path" and isinstance(each.value, str):
                text = f"{quote(each.value)} stays where it is; captions are read as they are"
                yield entry(self.files, "kept", each.key, text)
            elif not _from_elsewhere(each):
                yield from self._entry(each)
        yield from self._absent()
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
        elif not _in_json(said.value):
            text = f"{said.name} is {said.value}, which a job cannot say"
            yield entry(self.files, "changed", said.key, text, "Write a finite number.", code="DPC107")
        elif said.scope == "model" and self._is_elsewhere(said.value):
            text = f"{quote(said.value)} stays where it is; nothing is downloaded for it"
            yield entry(self.files, "kept", said.key, text)

    def _is_elsewhere(self, value: object) -> bool:
        """Whether a value is a path, and none below dpcompile's own folders."""
        return isinstance(value, str) and "/" in value and not value.startswith(f"{self.folders.work}/")

    def _absent(self) -> Iterator[Entry]:
        """Keys that the trainer cannot do without."""
        rendered = self.fitted.assembled.config
        for scope in SCOPES:
            prefix: KeyPath = ("train",) if scope == "root" else ("train", scope)
            there = scope == "root" or any(key[:2] == prefix for key in self.values)
            if scope in ("dataset", "directory") or (scope == "adapter" and not there):
                continue
            for name, field in self.naming.scopes[scope].items():
                key = (*prefix, name)
                if field.required and key not in self.values:
                    value = None if field.owned else rendered.get(*key)
                    yield missing(self.files, key, self.spec, field, value)

    def of_checks(self, job: Mapping[str, Any], catalogue: Catalogue, volume: str) -> Iterator[Entry]:
        """What the checks say of the job."""
        result = compile_job(job, file=JOB_FILE, catalogue=catalogue, volume=volume, job_id="imported")
        for found in result.diagnostics:
            told = of_job(found, self.files, self.naming)
            if told is not None and not self._of_missing(told):
                yield told

    def _of_missing(self, told: Entry) -> bool:
        """Whether a finding only comes from a file that was not found."""
        evals = any(key == ("train", EVALS) for key, _name in self.files.missing)
        no_set = evals and told.told is not None and told.told.code == "DPC428"
        return no_set or (told.key[0] == "dataset" and self.files.dataset is None)

    def lost(self, told: set[KeyPath]) -> Iterator[Entry]:
        """Settings that the job does not render as they are, though nothing is wrong with them."""
        for key in self.fitted.lost:
            if key not in told:
                text = f"{key[-1]} cannot be kept as it is"
                yield entry(self.files, "changed", key, text, "Compare it with `dpcompile diff`.")


def _misshapen(files: Files, given: tuple[Written | Misshapen, ...]) -> Iterator[Entry]:
    for each in given:
        if isinstance(each, Misshapen):
            text = f"{each.path[-1]} must be {each.what}: the trainer stops at it"
            yield entry(files, "crash", (each.part, *each.path), text, "Correct it in the job.", code="DPC203")


def _of_fork(files: Files, name: str) -> Entry:
    known = f"the trainer has no model type {quote(name)}" if name != "unknown" else "there is no [model] type"
    text = f"{known}; a fork of it may, so its [model] keys are kept as they are"
    hint = f"The job needs a model spec called {name}: --specs takes the folder with its YAML file."
    return entry(files, "kept", ("train", "model", "type"), text, hint, code="DPC206", severity="warning")


def _passed_through(job: dict[str, Any], entries: list[Entry], attempt: _Attempt) -> list[Entry]:
    """Writes what nobody reads into `passthrough`, and tells so instead."""
    said = {each.key: each for each in attempt.said}
    kept: list[Entry] = []
    for each in entries:
        place = _passthrough_place(said.get(each.key), attempt) if each.kind == "unread" else None
        if place is None:
            kept.append(each)
            continue
        table, name, value = place
        job.setdefault("training", {}).setdefault("passthrough", {}).setdefault(table, {})[name] = value
        text = f"{each.message.removesuffix('.')}; it is passed through"
        kept.append(entry(attempt.files, "kept", each.key, text, f"passthrough.{table}.{name} of the job has it."))
    return kept


def _passthrough_place(said: Written | None, attempt: _Attempt) -> tuple[str, str, Any] | None:
    """Table, name and value, where passthrough can send a setting to where it was."""
    if said is None or not _in_json(said.value) or said.part.startswith("eval"):
        return None
    if said.scope == "directory":  # passthrough speaks of all directories
        rows = [n for n, _path in enumerate(attempt.wanted.directories)]
        values = [attempt.values.get((said.part, "directory", n, said.name)) for n in rows]
        return ("directory", said.name, said.value) if all(v == said.value for v in values) else None
    if said.scope is not None:
        return said.scope, said.name, said.value
    if said.part == "train" and len(said.path) == 2:
        return str(said.path[0]), said.name, said.value
    return None


def summary(entries: tuple[Entry, ...]) -> str:
    """`1 crash, 2 unread`: how many there are of each kind."""
    counts = {kind: sum(1 for each in entries if each.kind == kind) for kind in KINDS}
    return listing([f"{count} {kind}" for kind, count in counts.items() if count], "and") or "nothing to say"
