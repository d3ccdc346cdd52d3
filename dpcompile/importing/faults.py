"""What the trainer stops at, or drops, that no check of the job can see: the job does not have it, or cannot say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dpcompile.importing.report import Entry, Kind, entry, missing
from dpcompile.importing.written import EVALS, Files, Misshapen, Written, eval_name
from dpcompile.keypath import KeyPath
from dpcompile.misnamed import Naming
from dpcompile.resolve import ResolvedConfig
from dpcompile.secrecy import WANDB_KEY
from dpcompile.trainer import SCOPES
from dpcompile.wording import listing, quote

SAVING = ("save_every_n_epochs", "save_every_n_steps", "save_every_n_examples")
_EVALS: KeyPath = ("train", EVALS)
_FORM = "Write eval_datasets = [{name = 'mine', config = 'eval.toml'}]."


def misshapen(files: Files, given: Sequence[Written | Misshapen]) -> Iterator[Entry]:
    """Tables that are none, and the reverse."""
    for each in given:
        if isinstance(each, Misshapen):
            kind: Kind = "late" if each.path == ("monitoring",) else "crash"  # first asked for at train.py:561
            text = f"{each.path[-1]} must be {each.what}: the trainer stops at it"
            yield entry(files, kind, (each.part, *each.path), text, "Correct it in the job.", code="DPC203")


def absent(files: Files, values: Mapping[KeyPath, Any], naming: Naming, rendered: ResolvedConfig) -> Iterator[Entry]:
    """Keys that the trainer cannot do without."""
    if not any(("train", name) in values for name in SAVING):
        text = f"none of {listing(SAVING)} is set: the trainer stops at once (train.py:95)"
        found = next((name for name in SAVING if rendered.get("train", name) is not None), SAVING[0])
        hint = _as_in_the_job(found, rendered.get("train", found), naming)
        yield entry(files, "crash", ("train", SAVING[0]), text, hint, code="DPC421")
    for scope in SCOPES:
        prefix: KeyPath = ("train",) if scope == "root" else ("train", scope)
        there = scope == "root" or any(key[:2] == prefix for key in values)
        if scope in ("dataset", "directory") or (scope == "adapter" and not there):
            continue
        if scope == "optimizer" and not there:
            text = "the table [optimizer] is missing: the trainer stops before it reads the dataset (train.py:422)"
            hint = _as_in_the_job("type", rendered.get("train", "optimizer", "type"), naming)
            yield entry(files, "crash", prefix, text, hint, code="DPC202")
            continue
        for name, field in naming.scopes[scope].items():
            if field.required and (*prefix, name) not in values:
                value = None if field.owned else rendered.get(*prefix, name)
                yield missing(files, (*prefix, name), field, _as_in_the_job(name, value, naming))


def _as_in_the_job(name: str, value: Any, naming: Naming) -> str:
    if value is None:
        return "Add it."
    return f"The job has {name} {quote(value)} from {naming.spec.title}; correct it if that is not what is meant."


def wandb(files: Files, values: Mapping[KeyPath, Any]) -> Iterator[Entry]:
    """The trainer asks for the key once all is encoded (train.py:561-563); a job need not have it."""
    table: KeyPath = ("train", "monitoring")
    if values.get((*table, "enable_wandb")) and (*table, WANDB_KEY) not in values:
        text = f"enable_wandb needs {WANDB_KEY}: the trainer stops after it has encoded the data and loaded the model"
        hint = "The job works without: the worker takes the key from WANDB_API_KEY."
        yield entry(files, "late", (*table, "enable_wandb"), text, hint, code="DPC430")


def evaluation_sets(files: Files) -> Iterator[Entry]:
    """What is wrong with the list of evaluation sets itself (train.py:436-446, 556-557)."""
    listed = files.train.value.get(EVALS)
    if listed is None:
        return
    if not isinstance(listed, list):
        yield entry(files, "crash", _EVALS, f"{EVALS} must be a list: the trainer stops at it", _FORM, code="DPC203")
        return
    for n, each in enumerate(listed):
        if isinstance(each, str):
            text = f"{quote(each)} is a plain name: the trainer reads the file, encodes it, and stops after the model "
            text += "is loaded, when it copies its files"
            yield entry(files, "late", (*_EVALS, n), text, f"{_FORM} The job has it so.", code="DPC203")
        elif not isinstance(each, Mapping):
            yield entry(files, "crash", (*_EVALS, n), "must be a table with name and config", _FORM, code="DPC203")
        else:
            for name in ("name", "config"):
                if name not in each:
                    text = f"an evaluation set has no {name}: the trainer stops at it"
                    yield entry(files, "crash", (*_EVALS, n), text, _FORM, code="DPC202")
    names = Counter(eval_name(n, each) for n, each in enumerate(listed))
    for name, count in names.items():
        if count > 1:
            text = (
                f"{count} evaluation sets are called {quote(name)}: the trainer keeps the last one, and so does the job"
            )
            yield entry(files, "unread", _EVALS, text, "Give each a name of its own.", code="DPC448")


def control_characters(files: Files, said: Sequence[Written], naming: Naming) -> Iterator[Entry]:
    r"""Paths such as "C:\new" in double quotes: TOML makes a line break of \n."""
    for each in said:
        field = naming.scopes[each.scope].get(each.name) if each.scope is not None else None
        path = each.name == "path" or (field is not None and field.schema.get("format") == "path")
        if path and isinstance(each.value, str) and any(character < " " for character in each.value):
            text = f"{quote(each.value)} holds a tab or a line break: in double quotes \\t and \\n mean these"
            yield entry(files, "late", each.key, text, "Write the path with /, or in single quotes.", code="DPC219")
