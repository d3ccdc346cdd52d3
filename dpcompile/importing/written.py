"""Every setting of the trainer's files, by the file and table that it stands in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.keypath import KeyPath
from dpcompile.spec import scope_name
from dpcompile.tomlfiles import TomlFile
from dpcompile.trainer import TRAIN_TABLES, Scope

EVALS = "eval_datasets"


def eval_name(number: int, listed: Any) -> str:
    """The name of an entry of `eval_datasets` (train.py:438-441)."""
    given = listed.get("name") if isinstance(listed, Mapping) else None
    return str(given) if given is not None else f"eval{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalFile:
    """An evaluation set: its name and its dataset file."""

    name: str
    file: TomlFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The trainer's files of one training. Without `dataset` its file was not found.

    `missing` are files that were not found: the key that names each, and how it is named there.
    """

    train: TomlFile
    dataset: TomlFile | None
    evals: tuple[EvalFile, ...] = ()
    missing: tuple[tuple[KeyPath, str], ...] = ()

    def parts(self) -> dict[str, TomlFile]:
        """The files by the first segment of the keys that they become: `train`, `dataset`, `eval.1` …"""
        found = {"train": self.train}
        if self.dataset is not None:
            found["dataset"] = self.dataset
        return found | {f"eval.{n + 1}": each.file for n, each in enumerate(self.evals)}

    def shown(self, key: KeyPath) -> str:
        """A key as reports name it: `model.min_t`, `dataset.resolutions`, `eval.NAME.resolutions`."""
        part, *rest = map(str, key)
        if part.startswith("eval."):
            rest = ["eval", self.evals[int(part.partition(".")[2]) - 1].name, *rest]
        elif part != "train":
            rest = [part, *rest]
        return ".".join(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One setting. `scope` is the table where the trainer would look for it; None in a table that it does not know."""

    part: str
    path: KeyPath
    scope: Scope | None
    value: Any

    @property
    def name(self) -> str:
        return str(self.path[-1])

    @property
    def key(self) -> KeyPath:
        return (self.part, *self.path)

    @property
    def where(self) -> str:
        """The table as people write it."""
        if self.scope is not None:
            return scope_name(self.scope)
        return f"[{'.'.join(str(step) for step in self.path[:-1] if isinstance(step, str))}]"


_COUNTED = frozenset(
    {"epochs", "max_steps", "warmup_steps", "save_every_n_epochs", "save_every_n_steps", "save_every_n_examples"}
    | {"checkpoint_every_n_epochs", "eval_every_n_epochs", "eval_every_n_steps", "eval_every_n_examples"}
)
"""Whole numbers that the trainer only compares and divides by: 1e2 serves as well (utils/saver.py:116-165)."""


def in_whole(said: Written) -> Any:
    """The value of a setting, whole where the trainer only counts with it."""
    whole = isinstance(said.value, float) and said.value.is_integer()
    return int(said.value) if whole and said.scope == "root" and said.name in _COUNTED else said.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Misshapen:
    """A table that is no table, or the reverse: the trainer stops at it. `what` says how it should be."""

    part: str
    path: KeyPath
    what: str


def settings_of(files: Files) -> Iterator[Written | Misshapen]:
    """Everything that the files say."""
    for part, file in files.parts().items():
        yield from _train(file.value) if part == "train" else _dataset(part, file.value)


def _train(tree: Mapping[str, Any]) -> Iterator[Written | Misshapen]:
    for name, value in tree.items():
        table = next((scope for scope in TRAIN_TABLES if scope == name), None)
        if table is not None and not isinstance(value, Mapping):
            yield Misshapen(part="train", path=(name,), what=f"a table with a header of its own, [{name}]")
        elif table is not None:
            for key, setting in value.items():
                yield Written(part="train", path=(name, key), scope=table, value=setting)
        else:
            yield from _other("train", "root", name, value)


def _dataset(part: str, tree: Mapping[str, Any]) -> Iterator[Written | Misshapen]:
    for name, value in tree.items():
        if name == "directory":
            yield from _directories(part, value)
        else:
            yield from _other(part, "dataset", name, value)


def _directories(part: str, value: Any) -> Iterator[Written | Misshapen]:
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        yield Misshapen(part=part, path=("directory",), what="a table for each folder, [[directory]]")
        return
    for n, row in enumerate(value):
        if not isinstance(row.get("path"), str) or not row["path"]:
            yield Misshapen(part=part, path=("directory", n, "path"), what="the path of a folder, in quotes")
        for key, setting in row.items():
            yield Written(part=part, path=("directory", n, key), scope="directory", value=setting)


def _other(part: str, scope: Scope, name: str, value: Any) -> Iterator[Written]:
    """A setting at the top of a file, or a table that the trainer does not know."""
    if isinstance(value, Mapping) and value and name != "lr_scheduler":
        yield from _unknown_table(part, (name,), value)
    elif isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value) and name != EVALS:
        for n, row in enumerate(value):
            yield from _unknown_table(part, (name, n), row)
    else:
        yield Written(part=part, path=(name,), scope=scope, value=value)


def _unknown_table(part: str, path: KeyPath, table: Mapping[str, Any]) -> Iterator[Written]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _unknown_table(part, (*path, key), value)
        else:
            yield Written(part=part, path=(*path, key), scope=None, value=value)
