"""What a spec and its preset say, and what dpcompile makes itself, as assignments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from dpcompile.dataplan import DataFolder
from dpcompile.folders import Folders
from dpcompile.inplace import FETCHED_EVAL, Directory, eval_sets, trained_in_place
from dpcompile.job import JobInput
from dpcompile.keypath import KeyPath, pointer
from dpcompile.resolve import Assignment, Layer, Origin, Setting
from dpcompile.routing import key_paths
from dpcompile.spec import ROOT_SPEC, ModelSpec, SpecFile, value_blocks
from dpcompile.trainer import Field, Scope, TrainerKeys
from dpcompile.values import identical


def spec_assignments(spec: ModelSpec, preset: str | None, folders: Folders, directories: int) -> Iterator[Assignment]:
    """What the spec and its preset set, weakest first."""
    for link in spec.chain:
        yield from _paths(spec, link, _layer(link), folders)
    yield from _defaults(spec, preset, directories)


def _layer(link: SpecFile) -> Layer:
    return "defaults" if link.name == ROOT_SPEC else "spec"


@lru_cache(maxsize=512)
def _defaults(spec: ModelSpec, preset: str | None, directories: int) -> tuple[Assignment, ...]:
    """The defaults of every file of the spec, then the preset. The same for every job: made once."""
    return tuple(_blocks(spec, preset, directories))


def _blocks(spec: ModelSpec, preset: str | None, directories: int) -> Iterator[Assignment]:
    for link in spec.chain:
        layer = _layer(link)
        for place, scope, values in value_blocks(link.value):
            if place[0] != "presets":
                yield from _block(link, layer, place, scope, values, directories)
    for link in spec.chain:
        for place, scope, values in value_blocks(link.value):
            if place[0] == "presets" and place[1] == preset:
                yield from _block(link, "preset", place, scope, values, directories)


def _block(
    link: SpecFile,
    layer: Layer,
    place: tuple[str, ...],
    scope: Any,
    values: Mapping[str, Any],
    directories: int,
) -> Iterator[Assignment]:
    for name, value in values.items():
        origin = Origin(layer=layer, file=link.file, pointer=pointer((*place, name)))
        for key in key_paths(scope, name, directories):
            yield Assignment(key=key, value=value, origin=origin, removed=value is None)


def _paths(spec: ModelSpec, link: SpecFile, layer: Layer, folders: Folders) -> Iterator[Assignment]:
    for name, value in link.value.get("paths", {}).items():
        field = spec.fields.get(name)
        schema = field.schema if field else {}
        origin = Origin(layer=layer, file=link.file, pointer=pointer(("paths", name)))
        absolute = _absolute(value, schema, folders)
        yield Assignment(key=("train", "model", name), value=absolute, origin=origin, removed=value is None)


def _absolute(value: Any, schema: Mapping[str, Any], folders: Folders) -> Any:
    """Every path in a value that its field declares as one, below the models folder."""
    if isinstance(value, str):
        return folders.model(value) if _allows_path(schema) else value
    if isinstance(value, list):
        return [_absolute(v, _branch(schema, "items"), folders) for v in value]
    if isinstance(value, Mapping):
        members = _branch(schema, "properties")
        return {k: _absolute(v, members.get(k, {}), folders) for k, v in value.items()}
    return value


def _alternatives(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))


def _allows_path(schema: Mapping[str, Any]) -> bool:
    return any(branch.get("format") == "path" for branch in _alternatives(schema))


def _branch(schema: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    return next((branch[keyword] for branch in _alternatives(schema) if keyword in branch), {})


def without_conditional(assignments: Sequence[Assignment], *, adapter: bool, evaluation: bool) -> Iterator[Assignment]:
    """Assignments without the blocks of defaults whose condition does not hold."""
    for said in assignments:
        weak = said.origin.layer in ("defaults", "spec")
        if weak and not adapter and said.origin.pointer.startswith("/defaults_with_adapter/"):
            continue
        if weak and not evaluation and said.origin.pointer.startswith("/defaults_with_eval/"):
            continue
        yield said


def job_default_origin(spec: ModelSpec, path: Sequence[str]) -> Origin:
    """The spec file that sets a default of one of the job's own fields."""
    for link in reversed(spec.chain):
        node: Any = link.value.get("defaults", {}).get("job", {})
        for part in path:
            node = node.get(part) if isinstance(node, Mapping) else None
        if node is not None:
            return Origin(layer=_layer(link), file=link.file, pointer=pointer(("defaults", "job", *path)))
    return Origin(layer="derived", file=None, pointer="")


def job_field_assignments(
    job: JobInput, spec: ModelSpec, settings: Mapping[str, Any], data: Sequence[DataFolder]
) -> Iterator[Assignment]:
    """The job's own fields that become settings: repeats, and what a missing caption means."""
    for n, folder in enumerate(f for f in data if f.role == "train"):
        path = ("dataset", f"{folder.kind.removesuffix('s')}_repeats")
        yield _from_job(job, spec, path, ("dataset", "directory", n, "num_repeats"), settings["dataset"][path[1]])
    path = ("dataset", "missing_caption")
    skip = settings["dataset"]["missing_caption"] != "empty"
    yield _from_job(job, spec, path, ("dataset", "skip_empty_caption"), skip)


def _from_job(job: JobInput, spec: ModelSpec, path: tuple[str, str], key: KeyPath, value: object) -> Assignment:
    if not job.said(path):
        return Assignment(key=key, value=value, origin=job_default_origin(spec, path))
    file, where = job.place(path)
    layer: Layer = "set" if file != job.file else "job"
    return Assignment(key=key, value=value, origin=Origin(layer=layer, file=file, pointer=where))


def directory_count(job: JobInput, data: Sequence[DataFolder]) -> int:
    """How many folders are trained: those that are fetched, or those that stay where they are."""
    return max(sum(1 for folder in data if folder.role == "train"), len(trained_in_place(job)))


DERIVED = Origin(layer="derived", file=None, pointer="")


def derived_assignments(
    spec: ModelSpec, folders: Folders, data: Sequence[DataFolder], job: JobInput
) -> Iterator[Assignment]:
    """The settings that dpcompile makes itself: paths of its own, and the model type."""
    yield Assignment(key=("train", "output_dir"), value=folders.output, origin=DERIVED)
    yield Assignment(key=("train", "dataset"), value=folders.file("dataset.toml"), origin=DERIVED)
    type_origin = next((link.file for link in reversed(spec.chain) if "toml_type" in link.value), spec.chain[-1].file)
    model_type = Origin(layer="derived", file=type_origin, pointer="/toml_type")
    yield Assignment(key=("train", "model", "type"), value=spec.toml_type, origin=model_type)
    counts = {"train": 0, "eval": 0}
    for folder in data:
        file, where = job.place(folder.field)
        key = ("dataset" if folder.role == "train" else "eval", "directory", counts[folder.role], "path")
        counts[folder.role] += 1
        origin = Origin(layer="derived", file=file, pointer=where)
        yield Assignment(key=key, value=folders.dataset(folder.digest), origin=origin)
    sets = eval_sets(job)
    yield from _in_place(job, "dataset", trained_in_place(job))
    for each in sets:
        yield from _in_place(job, each.part, each.directories)
    named = [(FETCHED_EVAL, "eval")] if counts["eval"] else []
    named += [(each.name, each.part) for each in sets]
    if named:
        file, where = job.place(("dataset", "eval"))
        origin = Origin(layer="derived", file=file, pointer=where)
        value = [{"name": name, "config": folders.file(f"{part}.toml")} for name, part in named]
        yield Assignment(key=("train", "eval_datasets"), value=value, origin=origin)


def _in_place(job: JobInput, part: str, directories: Sequence[Directory]) -> Iterator[Assignment]:
    for n, folder in enumerate(directories):
        file, where = job.place((*folder.field, "path"))
        origin = Origin(layer="derived", file=file, pointer=where)
        yield Assignment(key=(part, "directory", n, "path"), value=folder.path, origin=origin)


# What belongs to the training files themselves; the evaluation set has files of its own.
_NOT_FOR_EVAL = ("path", "num_repeats", "mask_path", "control_path", "default_mask_file")


def eval_settings(settings: Mapping[KeyPath, Setting], removed: Sequence[KeyPath]) -> Iterator[Assignment]:
    """An evaluation set is cut into the same buckets as the training set: it gets the same settings.

    But for those that a set of its own has, or takes away (`removed`). What only some of the training
    directories say is no setting of all; and what the training data says in both places, of all directories and of
    each, is needed in both (models/cosmos.py:176-183).
    """
    gone = set(removed)
    parts = dict.fromkeys(str(key[0]) for key in settings if str(key[0]).partition(".")[0] == "eval")
    common = {key: setting for key, setting in settings.items() if key[0] == "dataset" and _is_common(key, settings)}
    for part in parts:
        rows = sorted({key[2] for key in settings if key[:2] == (part, "directory")})
        for key, setting in common.items():
            own: KeyPath = (part, key[-1])
            if len(key) == 2 and own not in gone:
                yield Assignment(key=own, value=setting.value, origin=setting.origin)
            for row in rows if len(key) == 4 else ():
                narrow: KeyPath = (part, "directory", row, key[-1])
                if own in gone or narrow in gone:
                    continue
                if own not in settings:
                    yield Assignment(key=narrow, value=setting.value, origin=setting.origin)
                elif ("dataset", key[-1]) in common:
                    yield Assignment(key=narrow, value=settings[own].value, origin=settings[own].origin)


def _is_common(key: KeyPath, settings: Mapping[KeyPath, Setting]) -> bool:
    """Whether a key of the training data says something that holds for the evaluation data too."""
    if key[-1] in _NOT_FOR_EVAL:
        return False
    if len(key) == 2:
        return True
    rows = {other[2] for other in settings if other[:2] == ("dataset", "directory")}
    same = (settings.get(("dataset", "directory", row, key[-1])) for row in rows)
    return key[2] == 0 and all(other is not None and identical(other.value, settings[key].value) for other in same)


@lru_cache(maxsize=512)
def excluded_keys(spec: ModelSpec, trainer: TrainerKeys) -> Mapping[KeyPath, tuple[KeyPath, ...]]:
    """Key -> the keys that lose their meaning when it is set, as the schemas and the spec declare them."""
    scopes: dict[Scope, Mapping[str, Field]] = {**trainer.scopes, "model": spec.fields}
    result: dict[KeyPath, tuple[KeyPath, ...]] = {}
    for scope, fields in scopes.items():
        for name, field in fields.items():
            if field.excludes and scope != "directory":
                [key] = key_paths(scope, name, 1)
                result[key] = tuple(key_paths(scope, other, 1)[0] for other in field.excludes)
    return result
