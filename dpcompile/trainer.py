"""What the trainer reads: every key of every table, loaded from the schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from dpcompile.keypath import KeyPath
from dpcompile.resources import DataDirs
from dpcompile.schema import inlined, strict_validator

Scope = Literal["root", "model", "adapter", "optimizer", "monitoring", "dataset", "directory"]
SCOPES: tuple[Scope, ...] = ("root", "model", "adapter", "optimizer", "monitoring", "dataset", "directory")
"""What the trainer reads: the top and four tables of train.toml, the top and `[[directory]]` of dataset.toml."""

TRAIN_TABLES: tuple[Scope, ...] = ("model", "adapter", "optimizer", "monitoring")
"""The tables of train.toml."""

CONSUMED_ARGUMENTS = frozenset({"type", "gradient_release", "beta2_half_life"})
"""Keys of `[optimizer]` that the trainer takes out before it calls the class (train.py:658-666)."""

MEDIA_KEYS = {"control_path": "edit", "mask_path": "masks", "default_mask_file": "masks"}
"""Keys of `[[directory]]` -> what the model's `Media` must be able to do with them."""

_ANNOTATIONS = ("description", "default", "required", "title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key that the trainer reads, in one scope.

    `schema` is the JSON Schema of its value; the `x-…` annotations are described in CONTRIBUTING.md.
    """

    name: str
    scope: Scope
    schema: Mapping[str, Any]
    required: bool = False
    validator: Any = field(compare=False, repr=False)

    @property
    def meaning(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def owned(self) -> str:
        """Why dpcompile writes this key itself; empty for a key that jobs may set."""
        return str(self.schema.get("x-owned", ""))

    @property
    def dead(self) -> Mapping[str, str]:
        """`why` and `instead` for a key that the trainer never acts on."""
        reason: Mapping[str, str] = self.schema.get("x-dead", {})
        return reason

    @property
    def excludes(self) -> tuple[str, ...]:
        """Keys of the same table that lose their meaning when this one is set."""
        return tuple(self.schema.get("x-excludes", ()))

    @property
    def secret(self) -> bool:
        return bool(self.schema.get("x-secret", False))

    @property
    def is_path(self) -> bool:
        return self.schema.get("format") == "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerType:
    """One value of `[optimizer] type`, and the arguments its class takes (train.py:666-700)."""

    name: str
    builtin: bool
    arguments: Mapping[str, Field]
    required: tuple[str, ...]
    unusable: str
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainerKeys:
    """Every key the trainer reads at one commit, apart from the `[model]` keys of single model types."""

    commit: str
    repo: str
    scopes: Mapping[Scope, Mapping[str, Field]]
    optimizer_entries: Mapping[str, Mapping[str, Any]]
    definitions: Mapping[str, Any]
    # About a hundred optimizer types, of which a job needs one: each is built when it is asked for.
    _built: dict[str, OptimizerType] = field(default_factory=dict, compare=False, repr=False)

    def optimizer(self, name: str) -> OptimizerType | None:
        """The optimizer type the trainer would take for `name`.

        Its nine own names are compared in lower case, all others exactly (train.py:668-700).
        """
        lowered = name.lower()
        if self.optimizer_entries.get(lowered, {}).get("x-builtin"):
            name = lowered
        if name not in self.optimizer_entries:
            return None
        if name not in self._built:
            self._built[name] = _optimizer_type(name, self.optimizer_entries[name], self.definitions)
        return self._built[name]

    def takes_argument(self, name: str) -> bool:
        """Whether any optimizer type takes this argument."""
        return name in self.definitions["optimizer_arguments"]


def scope_of(key: KeyPath) -> Scope:
    """The table that a key of the rendered files stands in; the top of its file for a table that is not known."""
    top: Scope = "root" if key[0] == "train" else "dataset"
    return next((scope for scope in SCOPES if len(key) > 2 and scope == key[1]), top)


def make_field(name: str, scope: Scope, schema: Mapping[str, Any], *, required: bool) -> Field:
    """A field from the JSON Schema of its value."""
    pure = {k: v for k, v in schema.items() if k not in _ANNOTATIONS and not k.startswith("x-")}
    return Field(name=name, scope=scope, schema=schema, required=required, validator=strict_validator(pure))


def _fields(
    scope: Scope, table: Mapping[str, Any], defs: Mapping[str, Any], skip: tuple[str, ...] = ()
) -> Mapping[str, Field]:
    required = table.get("required", ())
    return MappingProxyType(
        {
            name: make_field(name, scope, inlined(schema, defs), required=name in required)
            for name, schema in table["properties"].items()
            if name not in skip
        }
    )


def _optimizer_type(name: str, entry: Mapping[str, Any], defs: Mapping[str, Any]) -> OptimizerType:
    return OptimizerType(
        name=name,
        builtin=bool(entry.get("x-builtin", False)),
        arguments=_fields("optimizer", entry, defs),
        required=tuple(entry.get("required", ())),
        unusable=str(entry.get("x-unusable", "")),
        warning=str(entry.get("x-warning", "")),
    )


@cache
def load_trainer(dirs: DataDirs) -> TrainerKeys:
    """The trainer's keys from `schemas/diffusion_pipe.{train,dataset}.schema.json`."""
    train = json.loads((dirs.schemas / "diffusion_pipe.train.schema.json").read_text("utf-8"))
    dataset = json.loads((dirs.schemas / "diffusion_pipe.dataset.schema.json").read_text("utf-8"))
    scopes: dict[Scope, Mapping[str, Field]] = {"root": _fields("root", train, train["$defs"], skip=TRAIN_TABLES)}
    for scope in TRAIN_TABLES:
        scopes[scope] = _fields(scope, train["$defs"][scope], train["$defs"])
    scopes["dataset"] = _fields("dataset", dataset, dataset["$defs"])
    scopes["directory"] = _fields("directory", dataset["$defs"]["directory"], dataset["$defs"])
    return TrainerKeys(
        commit=train["x-upstream"]["commit"],
        repo=train["x-upstream"]["repo"],
        scopes=MappingProxyType(scopes),
        optimizer_entries=train["$defs"]["optimizers"],
        definitions=train["$defs"],
    )
