"""What two trainings have in common, whatever files they come from and however those are written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.importing.choosing import candidates
from dpcompile.importing.importer import import_files
from dpcompile.importing.written import EVALS, Files
from dpcompile.keypath import KeyPath, dotted
from dpcompile.plan import Plan, Step
from dpcompile.secrecy import WANDB_KEY
from dpcompile.trainer import TRAIN_TABLES, Field
from dpcompile.values import identical, in_decimals, settled

_OWN = frozenset(
    {("output_dir",), ("dataset",), (EVALS,), ("caching_batch_size",), ("map_num_proc",), ("steps_per_print",)}
    | {("logging_steps",), ("checkpoint_every_n_epochs",), ("checkpoint_every_n_minutes",)}
    | {("monitoring", name) for name in ("enable_wandb", WANDB_KEY, "wandb_tracker_name", "wandb_run_name")}
)
"""Keys of a training file that do not change what is trained: places, speed, and what is told on the way."""
_AS_THE_MODEL = (("adapter", "dtype"), ("model", "transformer_dtype"))
"""Number formats that are the model's where nothing sets them (train.py:122; for example models/flux.py:172)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All that decides what is trained: its value by its key, and the trainer's defaults for keys that are not set."""

    values: Mapping[KeyPath, Any]
    defaults: Mapping[KeyPath, Any]
    steps: Mapping[KeyPath, Any] | None
    """What a plan does beside its files; None for files alone."""
    unknown: frozenset[str] = frozenset()
    """Files whose content is not known: nothing in them is compared."""

    def get(self, key: KeyPath) -> Any:
        return self.values.get(key, self.defaults.get(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key that differs; None on the side that does not have it."""

    key: str
    first: Any
    second: Any
    first_is_default: bool
    second_is_default: bool

    def to_json(self) -> dict[str, Any]:
        """The JSON form (contract): `{"key", "first", "second"}`."""
        return {"key": self.key, "first": self.first, "second": self.second}


def differences(first: Side, second: Side) -> Iterator[Difference]:
    """Every key whose value differs, in the order of the first side."""
    both = first.steps is not None and second.steps is not None
    for key in dict.fromkeys((*(first.steps or ()), *(second.steps or ()))) if both else ():
        one, other = (first.steps or {}).get(key), (second.steps or {}).get(key)
        if one != other:
            yield Difference(key=dotted(key), first=one, second=other, first_is_default=False, second_is_default=False)
    for key in dict.fromkeys((*first.values, *second.values)):
        if key[0] in first.unknown | second.unknown:
            continue
        one, other = first.get(key), second.get(key)
        if not identical(in_decimals(one), in_decimals(other)):
            yield Difference(
                key=dotted(key),
                first=one,
                second=other,
                first_is_default=key not in first.values,
                second_is_default=key not in second.values,
            )


def of_files(files: Files, catalogue: Catalogue) -> Side:
    """The trainer's own files, without what it does not read in them."""
    trees: dict[str, Mapping[str, Any]] = {"train": files.train.value}
    if files.dataset is not None:
        trees["dataset"] = files.dataset.value
    trees |= {f"eval.{each.name}": each.file.value for each in files.evals}
    names = {f"eval.{n + 1}": f"eval.{each.name}" for n, each in enumerate(files.evals)}
    entries = import_files(files, catalogue).entries
    unread = {(names.get(str(e.key[0]), e.key[0]), *e.key[1:]) for e in entries if e.kind == "unread"}
    unknown = frozenset(str(key[1]) for key, _name in files.missing if key == ("train", "dataset"))
    return replace(_side(trees, None, catalogue, unread), unknown=unknown)


def of_plan(plan: Plan, catalogue: Catalogue) -> Side:
    """A plan: its files, and what its steps do with the data."""
    texts = {file.path: tomllib.loads(file.text) for file in plan.files}
    trees: dict[str, Mapping[str, Any]] = {}
    names: dict[str, str] = {}
    for file in plan.files:
        stem = file.name.removesuffix(".toml")
        if stem.partition(".")[0] == "train":
            trees[stem] = texts[file.path]
            names |= {each["config"]: f"eval.{each['name']}" for each in texts[file.path].get(EVALS, ())}
    for file in plan.files:
        stem = file.name.removesuffix(".toml")
        if stem not in trees:
            trees[names.get(file.path, stem)] = texts[file.path]
    return _side({name: _moved(tree, plan) for name, tree in trees.items()}, dict(_of_steps(plan)), catalogue, set())


def _moved(node: Any, plan: Plan) -> Any:
    """Paths without the volume, and folders of data without their names: both are only places."""
    if isinstance(node, dict):
        return {key: _moved(value, plan) for key, value in node.items()}
    if isinstance(node, list):
        return [_moved(value, plan) for value in node]
    work = plan.folders["work"]
    if isinstance(node, str) and node.startswith(f"{work}/datasets/"):
        return "(fetched)"
    return node.removeprefix(f"{work}/") if isinstance(node, str) else node


def _of_steps(plan: Plan) -> Iterator[tuple[KeyPath, Any]]:
    for step in plan.steps:
        for name in _TRAINED.get(step.kind, ()):
            value = step.args.get(name)
            if value not in (None, {}, []):
                yield (step.id, name), value
        if step.kind == "inspect":
            yield from _split(step)


_TRAINED = {
    "fetch": ("source", "media"),
    "caption": ("captioner", "settings", "overwrite", "trigger_word"),
    "download": ("repo", "revision", "file"),
    "train": ("num_gpus", "hosts", "time_limit_minutes"),
}
"""Arguments of steps that change what is trained."""


def _split(step: Step) -> Iterator[tuple[KeyPath, Any]]:
    for each in step.args["split"]:
        yield (step.id, "fraction"), each["fraction"]


def _side(
    trees: Mapping[str, Mapping[str, Any]],
    steps: Mapping[KeyPath, Any] | None,
    catalogue: Catalogue,
    unread: set[KeyPath],
) -> Side:
    values: dict[KeyPath, Any] = {}
    defaults: dict[KeyPath, Any] = {}
    for name, tree in trees.items():
        for prefix, fields, table in _tables(name, tree, catalogue):
            defaults |= {(*prefix, k): settled(f.schema["default"], {}) for k, f in fields.items() if _has_default(f)}
            for key, value in table.items():
                path = (*prefix, key)
                table_of_file = len(path) == 2 and (isinstance(value, Mapping) or key == "directory")
                if path[1:] not in _OWN and path not in unread and not table_of_file:
                    values[path] = settled(value, {})
        if name.partition(".")[0] == "train":
            _settle_train(name, tree, values, defaults, catalogue)
    return Side(values=values, defaults=defaults, steps=steps)


def _settle_train(
    name: str,
    tree: Mapping[str, Any],
    values: dict[KeyPath, Any],
    defaults: dict[KeyPath, Any],
    catalogue: Catalogue,
) -> None:
    """What follows from other keys of a training file, or counts for nothing beside them."""
    model = _model_fields(tree, catalogue)
    for table, key in _AS_THE_MODEL:
        known = key in (model if table == "model" else catalogue.trainer.scopes["adapter"])
        if known and table in tree and (name, "model", "dtype") in values:
            defaults[(name, table, key)] = values[(name, "model", "dtype")]
    kind = values.get((name, "optimizer", "type"))
    if isinstance(kind, str) and kind.lower() in _built_in(catalogue):
        values[(name, "optimizer", "type")] = kind.lower()  # compared in small letters (train.py:668)
    if not tree.get(EVALS):
        for path in [path for path in values if len(path) == 2 and str(path[1]).startswith("eval_")]:
            del values[path]


def _built_in(catalogue: Catalogue) -> set[str]:
    return {name for name, known in catalogue.trainer.optimizer_entries.items() if known.get("x-builtin")}


def _has_default(field: Field) -> bool:
    return field.schema.get("default") is not None


def _model_fields(tree: Mapping[str, Any], catalogue: Catalogue) -> Mapping[str, Field]:
    model = tree.get("model")
    specs = candidates(model.get("type") if isinstance(model, Mapping) else None, catalogue)
    return specs[0].fields if specs else catalogue.trainer.scopes["model"]


def _tables(
    name: str, tree: Mapping[str, Any], catalogue: Catalogue
) -> Iterator[tuple[KeyPath, Mapping[str, Field], Mapping[str, Any]]]:
    """The tables of a file: their keys' beginning, what the trainer knows of their keys, and what they say."""
    scopes = catalogue.trainer.scopes
    if name.partition(".")[0] == "train":
        yield (name,), scopes["root"], tree
        scopes = {**scopes, "model": _model_fields(tree, catalogue)}
        for scope in TRAIN_TABLES:
            table = tree.get(scope)
            if isinstance(table, Mapping):
                yield (name, scope), scopes[scope], table
        return
    yield (name,), scopes["dataset"], tree
    rows = tree.get("directory", ())
    for n, row in enumerate(rows if isinstance(rows, list) else ()):
        # A key that a directory does not have is that of the whole file, so it has no default here.
        yield (name, "directory", n), {}, row if isinstance(row, Mapping) else {}
