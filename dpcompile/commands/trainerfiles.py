"""The trainer's files on this machine: read, and found from one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import click

from dpcompile.commands.common import read_file, shown_name
from dpcompile.diagnostics import Diagnostic
from dpcompile.importing.written import EVALS, EvalFile, Files, eval_name
from dpcompile.keypath import KeyPath
from dpcompile.tomlfiles import TomlFile, parse_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The files of one training, or only what is wrong with them."""

    files: Files | None
    diagnostics: tuple[Diagnostic, ...]


def read_toml_file(name: str) -> tuple[TomlFile | None, tuple[Diagnostic, ...]]:
    """One file, by its name or `-`."""
    data = read_file(name)
    if isinstance(data, Diagnostic):
        return None, (data,)
    return parse_toml(data, file=shown_name(name))


def read_files(train: str, dataset: str | None, evals: tuple[str, ...]) -> Read:
    """A training file and those that it names. `evals` are texts NAME=FILE.

    Paths in a training file count from the trainer's folder, which is not known here: they are tried as they
    are, beside the training file, and by their last part beside it. What is not found is in `Files.missing`.
    """
    file, found = read_toml_file(train)
    if file is None:
        return Read(files=None, diagnostics=found)
    given = _named(evals)
    diagnostics = [*found]
    missing: list[tuple[KeyPath, str]] = []
    data, told = _dataset(dataset, train, file.value, missing)
    broken = data is None and bool(told)
    diagnostics += told
    sets: list[EvalFile] = []
    for name, path in _eval_datasets(file.value):
        place = given.pop(name, None) or _find(path, train)
        if place is None:
            missing.append((("train", EVALS), path))
            continue
        read, told = read_toml_file(place)
        diagnostics += told
        broken = broken or read is None
        sets += [EvalFile(name=name, file=read)] if read is not None else []
    if given:
        known = ", ".join(name for name, _path in _eval_datasets(file.value)) or "none"
        raise click.UsageError(f"--eval {next(iter(given))}: the file has no such evaluation set; it has {known}.")
    files = Files(train=file, dataset=data, evals=tuple(sets), missing=tuple(missing))
    return Read(files=None if broken else files, diagnostics=tuple(diagnostics))


def _dataset(
    given: str | None, train: str, tree: Mapping[str, Any], missing: list[tuple[KeyPath, str]]
) -> tuple[TomlFile | None, tuple[Diagnostic, ...]]:
    path = tree.get("dataset")
    place = given or (_find(path, train) if isinstance(path, str) else None)
    if place is not None:
        return read_toml_file(place)
    if isinstance(path, str):
        missing.append((("train", "dataset"), path))
    return None, ()


def _named(evals: tuple[str, ...]) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in evals:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise click.UsageError("--eval needs NAME=FILE, the name of an evaluation set and its dataset file.")
        named[name] = file
    return named


def _eval_datasets(tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and path of each evaluation set; of one name the last one counts (train.py:436-446)."""
    listed = tree.get(EVALS)
    sets: dict[str, str] = {}
    for n, each in enumerate(listed if isinstance(listed, list) else ()):
        path = each if isinstance(each, str) else each.get("config") if isinstance(each, dict) else None
        if isinstance(path, str):
            sets.pop(eval_name(n, each), None)
            sets[eval_name(n, each)] = path
    return list(sets.items())


def _find(path: str, train: str) -> str | None:
    beside = Path(train).parent
    for place in (Path(path), beside / path, beside / PurePosixPath(path.replace("\\", "/")).name):
        if place.is_file():
            return str(place)
    return None
