"""The schema of jobs, narrowed to what one model takes."""

from __future__ import annotations

from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.fileschemas import value_schema
from dpcompile.routing import ALPHA_NAMES
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES, Field, Scope

_TABLES: tuple[Scope, ...] = ("model", "adapter", "monitoring", "dataset", "directory")


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A setting of a job may be null, which takes a default away."""
    described: dict[str, Any] = {k: schema[k] for k in ("description", "default") if k in schema}
    return {**described, "anyOf": [schema, {"type": "null"}]}


def _settable(fields: dict[str, Field]) -> dict[str, Any]:
    return {n: _or_null(value_schema(f)) for n, f in fields.items() if not f.owned and not f.dead}


def narrowed_job(schema: dict[str, Any], spec: ModelSpec, catalogue: Catalogue) -> dict[str, Any]:
    """The job schema with `training` closed: every name that this model and the trainer take, and no other."""
    scopes: dict[Scope, dict[str, Field]] = {s: dict(catalogue.trainer.scopes[s]) for s in SCOPES}
    scopes["model"] = dict(spec.fields)
    named = {name: target.partition(".") for name, target in {**spec.names, **_aliases(spec)}.items()}
    flat = {name: _target(scopes, target[0], target[2]) for name, target in named.items()}  # type: ignore[arg-type]
    training = dict(schema["$defs"]["training"])
    properties = {**training["properties"], **_arguments(catalogue)}
    for scope in reversed(SCOPES):
        properties |= _settable(scopes[scope])
    properties |= {name: _or_null(value) for name, value in flat.items() if value}
    properties["resolution"] = _or_null({"anyOf": [flat["resolution"], {"type": "number", "exclusiveMinimum": 0}]})
    for scope in _TABLES:
        properties[scope] = {
            "type": ["object", "null"] if scope in ("adapter", "monitoring") else "object",
            "additionalProperties": False,
            "properties": _settable(scopes[scope]),
        }
    properties["optimizer"] = {"type": "object", "properties": _settable(scopes["optimizer"])}
    if parts := spec.merged.get("trainings"):
        own = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
        properties["parts"] = {
            "type": "object",
            "additionalProperties": False,
            "description": "Settings for one of the trainings of this model.",
            "properties": dict.fromkeys(parts, own),
        }
    return _with(schema, spec, {**training, "additionalProperties": False, "properties": properties}, scopes)


def _arguments(catalogue: Catalogue) -> dict[str, Any]:
    """Every argument of any optimizer: they may stand directly in `training` too."""
    known = catalogue.trainer.definitions["optimizer_arguments"]
    return {n: _or_null(s) for n, s in known.items() if n not in ALPHA_NAMES and "x-dead" not in s}


def _aliases(spec: ModelSpec) -> dict[str, str]:
    return {alias: spec.names.get(name, name) for alias, name in spec.aliases_of_names.items()}


def _target(scopes: dict[Scope, dict[str, Field]], scope: Scope, key: str) -> dict[str, Any]:
    field = scopes[scope].get(key)
    return value_schema(field) if field else {}


def _with(
    schema: dict[str, Any], spec: ModelSpec, training: dict[str, Any], scopes: dict[Scope, dict[str, Field]]
) -> dict[str, Any]:
    properties = {
        **schema["properties"],
        "model_type": {"enum": [spec.name, *spec.aliases], "description": spec.title},
    }
    properties["preset"] = {"enum": [*spec.presets, None], "description": "A named bundle of values."}
    return {
        **schema,
        "title": f"dpcompile job for {spec.title}",
        "properties": properties,
        "$defs": {**_in_place(schema["$defs"], scopes), "training": training},
    }


def _in_place(defs: dict[str, Any], scopes: dict[Scope, dict[str, Field]]) -> dict[str, Any]:
    """The folders that are trained where they lie, and the evaluation sets of them: closed, with their settings."""
    folders, dataset = defs["directories"], defs["dataset"]
    evaluation = dataset["properties"]["eval"]
    sets = evaluation["properties"]["sets"]
    sets = {**sets, "items": _closed(sets["items"], scopes["dataset"])}
    evaluation = {**evaluation, "properties": {**evaluation["properties"], "sets": sets}}
    return {
        **defs,
        "directories": {**folders, "items": _closed(folders["items"], scopes["directory"])},
        "dataset": {**dataset, "properties": {**dataset["properties"], "eval": evaluation}},
    }


def _closed(table: dict[str, Any], fields: dict[str, Field]) -> dict[str, Any]:
    return {**table, "additionalProperties": False, "properties": {**_settable(fields), **table["properties"]}}
