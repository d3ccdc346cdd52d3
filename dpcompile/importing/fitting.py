"""A job for one model spec that renders what the files say, and says no more than it must."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcompile.assemble import Assembled, assemble
from dpcompile.folders import Folders
from dpcompile.job import JobInput
from dpcompile.keypath import KeyPath
from dpcompile.misnamed import Naming
from dpcompile.resolve import Setting
from dpcompile.trainer import SCOPES, Field
from dpcompile.values import identical, settled

JOB_FILE = "job.json"
_ROUNDS = 8
_MISSING = object()
_FIRST: tuple[KeyPath, ...] = (("train", "adapter", "type"), ("train", "optimizer", "type"))
"""What decides which defaults of other keys hold."""

_SKIPS: KeyPath = ("dataset", "skip_empty_caption")
"""Said by `dataset.missing_caption`."""

_SAVING = ("save_every_n_epochs", "save_every_n_steps", "save_every_n_examples")
"""The trainer needs one of them, so a job keeps its model's where the files have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job is to render: the settings that the trainer reads, its data, and its evaluation sets."""

    settings: Mapping[KeyPath, Any]
    dataset: bool
    """Whether the dataset file is known; without it the job keeps the model's defaults."""
    directories: Sequence[str]
    evals: Mapping[str, Sequence[str]]
    """Name of an evaluation set -> the paths of its directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The job, and the settings that it does not render as they were."""

    job: dict[str, Any]
    assembled: Assembled
    lost: tuple[KeyPath, ...]

    @property
    def size(self) -> int:
        """How much the job says beside what the model spec does."""
        return sum(1 for _leaf in _leaves(self.job))

    def whole(self, wanted: Wanted) -> dict[str, Any]:
        """The job with every wanted setting in so many words, for checks that ask what was written."""
        job = copy.deepcopy(self.job)
        job.setdefault("training", {})
        _apply(job, wanted.settings.items())
        return job


def fit(wanted: Wanted, naming: Naming, folders: Folders) -> Fitted:
    """The shortest job found that renders `wanted`. Each round corrects what the one before rendered otherwise."""
    job = _skeleton(wanted, naming.spec.name)
    assembled = resolved(job, naming, folders)
    _apply(job, [c for c in _changes(assembled, wanted, naming) if c[0] in _FIRST or c[0] == ("train", "adapter")])
    assembled = resolved(job, naming, folders)
    for _round in range(_ROUNDS):
        if not _apply(job, _changes(assembled, wanted, naming)):
            break
        assembled = resolved(job, naming, folders)
    job = _without_needless_nulls(job, assembled, naming, folders)  # which comes to the same config
    lost = tuple(key for key, _value in _otherwise(assembled, wanted))
    return Fitted(job=_tidy(job), assembled=assembled, lost=lost)


def resolved(job: Mapping[str, Any], naming: Naming, folders: Folders) -> Assembled:
    """The config that a job comes to."""
    value = JobInput(value=job, file=JOB_FILE, prefix=(), overrides={}, preset_option=False, envelope_id=None)
    return assemble(value, naming, folders, ())


def _skeleton(wanted: Wanted, model: str) -> dict[str, Any]:
    dataset: dict[str, Any] = {"type": "precaptioned"}
    if wanted.directories:
        dataset["directories"] = [{"path": path} for path in wanted.directories]
    if wanted.evals:
        sets = [{"name": n, "directories": [{"path": path} for path in paths]} for n, paths in wanted.evals.items()]
        dataset["eval"] = {"sets": sets}
    dataset["missing_caption"] = "skip" if wanted.settings.get(_SKIPS, True) else "empty"  # utils/dataset.py:484
    tables: dict[str, Any] = {scope: {} for scope in SCOPES if scope not in ("root", "directory")}
    return {"model_type": model, "dataset": dataset, "training": tables}


def _otherwise(assembled: Assembled, wanted: Wanted) -> Iterator[tuple[KeyPath, Any]]:
    """The wanted settings that are not rendered as they should be."""
    for key, value in wanted.settings.items():
        if not identical(_value(assembled.config.settings.get(key)), settled(value, {})):
            yield key, value


def _changes(assembled: Assembled, wanted: Wanted, naming: Naming) -> Iterator[tuple[KeyPath, Any]]:
    """Every key that is rendered otherwise than it should be, with the value it needs; None takes it away."""
    settings = assembled.config.settings
    yield from _otherwise(assembled, wanted)
    if assembled.config.has_table("train", "adapter") and not any(key[1] == "adapter" for key in wanted.settings):
        yield ("train", "adapter"), None
        return
    saves = any(("train", name) in wanted.settings for name in _SAVING)
    for key, setting in settings.items():
        if key in wanted.settings or setting.origin.layer == "derived" or key == _SKIPS:
            continue
        if key[0] == "dataset" and not wanted.dataset:
            continue
        field = naming.field(key)
        needed = field is not None and (field.required or (key[-1] in _SAVING and not saves))
        # A directory that leaves a key out goes by the whole dataset, which need not have the default.
        if not needed and (len(key) == 4 or not _is_default(field, setting)):
            yield key, None


def _value(setting: Setting | None) -> Any:
    return _MISSING if setting is None else setting.value


def _is_default(field: Field | None, setting: Setting) -> bool:
    return field is not None and identical(field.schema.get("default", _MISSING), setting.value)


def _apply(job: dict[str, Any], changes: Iterable[tuple[KeyPath, Any]]) -> bool:
    """Sets keys in the job. Whether that changed anything."""
    changed = False
    for key, value in changes:
        table, name = place(job, key)
        changed = changed or table.get(name, _MISSING) != value
        table[name] = value
    return changed


def place(job: dict[str, Any], key: KeyPath) -> tuple[dict[str, Any], str]:
    """The object of the job, and the name in it, that sets a key of the rendered files."""
    part, name = str(key[0]), str(key[-1])
    if part == "train" or (part == "dataset" and len(key) == 2):
        training: dict[str, Any] = job["training"]
        table = str(key[1]) if part == "train" and len(key) == 3 else "" if part == "train" else "dataset"
        if not table:
            return training, name
        inner: dict[str, Any] = training[table] if isinstance(training.get(table), dict) else {}
        training[table] = inner
        return inner, name
    owner: dict[str, Any] = job["dataset"]
    if part != "dataset":
        owner = owner["eval"]["sets"][int(part.partition(".")[2]) - 1]
    if len(key) == 2:
        return owner, name
    row: dict[str, Any] = owner["directories"][key[2]]
    return row, name


def _without_needless_nulls(
    job: dict[str, Any], assembled: Assembled, naming: Naming, folders: Folders
) -> dict[str, Any]:
    """The job without the nulls that take away what would not be there anyway."""
    meant = {key: setting.value for key, setting in assembled.config.settings.items()}
    for path in [path for path, value in _leaves(job) if value is None]:
        shorter = copy.deepcopy(job)
        node: Any = shorter
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
        after = {key: s.value for key, s in resolved(shorter, naming, folders).config.settings.items()}
        if after.keys() == meant.keys() and all(identical(value, after[key]) for key, value in meant.items()):
            job = shorter
    return job


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for n, value in enumerate(node):
            yield from _leaves(value, (*path, n))
    else:
        yield path, node


def _tidy(job: dict[str, Any]) -> dict[str, Any]:
    """The job without empty tables, plain settings first."""
    training = {k: v for k, v in job["training"].items() if v != {}}
    plain = {k: v for k, v in training.items() if not isinstance(v, dict)}
    tables = {k: v for k, v in training.items() if isinstance(v, dict)}
    rest = {k: v for k, v in job.items() if k != "training"}
    return {**rest, "training": {**plain, **tables}} if training else rest
