"""The schemas of the trainer's own files, with a table for each model type and each optimizer: for editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dpcompile.spec import ModelSpec
from dpcompile.trainer import CONSUMED_ARGUMENTS, MEDIA_KEYS, Field, TrainerKeys

_Schema = dict[str, Any]


def train_schema(schema: Mapping[str, Any], trainer: TrainerKeys, specs: Iterable[ModelSpec]) -> _Schema:
    """The training file's schema for these models: what a model type or an optimizer does not take is refused.

    `schema` is schemas/diffusion_pipe.train.schema.json. Specs of one type share a table, in which stands
    whatever one of them takes.
    """
    types: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        types.setdefault(spec.toml_type, []).append(spec)
    defs = {k: v for k, v in schema["$defs"].items() if k != "model"}
    defs["adapter"] = _table(schema["$defs"]["adapter"], trainer.scopes["adapter"])
    defs["optimizer"] = _optimizer(schema["$defs"]["optimizer"], trainer)
    defs["optimizers"] = {name: _arguments(schema["$defs"]["optimizer"], trainer, name) for name in _usable(trainer)}
    defs["models"] = {name: _model(name, group) for name, group in types.items()}
    root = _table(schema, trainer.scopes["root"])
    root["properties"]["model"] = {"type": "object", "required": ["type"], "properties": {"type": {"enum": [*types]}}}
    rules = [_when_type(name, _of_type(name, group, trainer)) for name, group in types.items()]
    if len(types) == 1:  # plainer for editors, which then complete the keys before the type is written
        rules = [rule["then"] for rule in rules]
    return {**root, "allOf": rules, "$defs": defs}


def dataset_schema(schema: Mapping[str, Any], trainer: TrainerKeys, specs: Sequence[ModelSpec]) -> _Schema:
    """The dataset file's schema for these models: without masks and control images where none of them takes any."""
    directory = _table(schema["$defs"]["directory"], trainer.scopes["directory"])
    lost = [key for key, ability in MEDIA_KEYS.items() if not any(getattr(spec.media, ability) for spec in specs)]
    directory["properties"] = {k: v for k, v in directory["properties"].items() if k not in lost}
    top = _table(schema, trainer.scopes["dataset"])
    return {**top, "$defs": {**schema["$defs"], "directory": directory}}


def _table(table: Mapping[str, Any], fields: Mapping[str, Field]) -> _Schema:
    """A table without the keys that the trainer never acts on, and closed."""
    properties = {k: v for k, v in table["properties"].items() if k not in fields or not fields[k].dead}
    return {**table, "additionalProperties": False, "properties": properties}


def _when_type(model_type: str, then: _Schema) -> _Schema:
    named = {"required": ["type"], "properties": {"type": {"const": model_type}}}
    return {"if": {"required": ["model"], "properties": {"model": named}}, "then": then}


def _of_type(model_type: str, specs: Sequence[ModelSpec], trainer: TrainerKeys) -> _Schema:
    """What a model type asks of the tables of the file, and of its top."""
    lost = dict.fromkeys((n for n, f in trainer.scopes["root"].items() if not _is_for(f, model_type)), False)
    kinds = [kind for kind in trainer.scopes["adapter"]["type"].schema["enum"] if _can(specs, kind)]
    tables = {
        "model": {"$ref": f"#/$defs/models/{model_type}"},
        "adapter": _adapter(model_type, kinds, trainer) if kinds else False,
        "optimizer": _optimizer_of_type(specs),
    }
    must = [] if _can(specs, "full_finetune") else ["adapter"]
    return {"required": must, "properties": {**tables, **lost}}


def _is_for(field: Field, model_type: str) -> bool:
    only = field.schema.get("x-models")
    return model_type not in field.schema.get("x-not-models", ()) and (only is None or model_type in only)


def _can(specs: Iterable[ModelSpec], capability: str) -> bool:
    return any(spec.capabilities.get(capability, False) for spec in specs)


# --- [model] ----------------------------------------------------------------------------------------------------------


def value_schema(field: Field) -> _Schema:
    """The schema of a field's value, without what a spec says of the field itself."""
    return {k: v for k, v in field.schema.items() if k != "required"}


def _model(model_type: str, specs: Sequence[ModelSpec]) -> _Schema:
    """The `[model]` table of a type: every key that one of its models reads."""
    names = dict.fromkeys(name for spec in specs for name in spec.fields if name not in spec.unread)
    fields = {name: [spec.fields[name] for spec in specs if name in spec.fields] for name in names}
    properties = {name: _either([value_schema(field) for field in found]) for name, found in fields.items()}
    properties["type"] = {**properties["type"], "const": model_type}
    required = [name for name, found in fields.items() if len(found) == len(specs) and all(f.required for f in found)]
    table = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    alternatives = [
        {"anyOf": [{"required": [name]}, {"required": list(others)}]}
        for name, found in fields.items()
        if (others := found[0].schema.get("x-required-unless")) and all(f.schema == found[0].schema for f in found)
    ]
    return {**table, "allOf": alternatives} if alternatives else table


def _either(schemas: Sequence[_Schema]) -> _Schema:
    """One schema for what may fit any of several; those that differ in their descriptions alone count as one."""
    distinct = {repr(sorted(_pure(schema).items())): schema for schema in reversed(schemas)}
    if len(distinct) == 1:
        return schemas[0]
    branches = [_pure(schema) for schema in distinct.values()]
    return {"description": schemas[0].get("description", ""), "anyOf": branches}


def _pure(schema: _Schema) -> _Schema:
    return {k: v for k, v in schema.items() if k not in ("description", "default") and not k.startswith("x-")}


# --- [adapter] --------------------------------------------------------------------------------------------------------


def _adapter(model_type: str, kinds: Sequence[str], trainer: TrainerKeys) -> _Schema:
    """The kinds of adapter that a model type can save, and the options that it reads, each for its own kind."""
    fields = {name: field for name, field in trainer.scopes["adapter"].items() if not field.dead}
    lost = dict.fromkeys((name for name, field in fields.items() if not _is_for(field, model_type)), False)
    return {
        "$ref": "#/$defs/adapter",
        "properties": {"type": {"enum": list(kinds)}, **lost},
        "allOf": [_when_other_kind(name, field) for name, field in fields.items() if "x-only" in field.schema],
    }


def _when_other_kind(name: str, field: Field) -> _Schema:
    """An option of one kind of adapter may say for the other only what happens anyway."""
    own = {"required": ["type"], "properties": {"type": {"const": field.schema["x-only"]["type"]}}}
    silent = {"const": field.schema["default"]} if "default" in field.schema else False
    return {"if": own, "else": {"properties": {name: silent}}}


# --- [optimizer] ------------------------------------------------------------------------------------------------------


def _usable(trainer: TrainerKeys) -> Mapping[str, Mapping[str, Any]]:
    return {n: entry for n, entry in trainer.optimizer_entries.items() if not entry.get("x-unusable")}


def _optimizer(table: Mapping[str, Any], trainer: TrainerKeys) -> _Schema:
    """The optimizer table: a name that the trainer knows, and the arguments of its class."""
    entries = _usable(trainer)
    names = [{"enum": list(entries)}]
    names += [_spelt(name, entry) for name, entry in entries.items() if entry.get("x-builtin")]
    rules = [
        {
            "if": {"required": ["type"], "properties": {"type": _spelt(name, entry)}},
            "then": {"$ref": f"#/$defs/optimizers/{name}"},
        }
        for name, entry in entries.items()
    ]
    kind = {**table["properties"]["type"], "anyOf": names}
    return {"type": "object", "required": table["required"], "properties": {"type": kind}, "allOf": rules}


def _spelt(name: str, entry: Mapping[str, Any]) -> _Schema:
    """The trainer compares its own names in lower case, all others exactly (train.py:656, 699)."""
    if not entry.get("x-builtin"):
        return {"const": name}
    return {"pattern": "^" + "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in name) + "$"}


def _arguments(table: Mapping[str, Any], trainer: TrainerKeys, name: str) -> _Schema:
    """The whole table for one optimizer: what train.py takes out of it, and the arguments of the class."""
    entry, kind = trainer.optimizer_entries[name], trainer.optimizer(name)
    own = {key: schema for key, schema in table["properties"].items() if key in CONSUMED_ARGUMENTS}
    given = {key: schema for key, schema in entry["properties"].items() if kind and not kind.arguments[key].dead}
    return {
        "type": "object",
        "description": entry.get("description", ""),
        "required": ["type", *entry.get("required", ())],
        "additionalProperties": False,
        "properties": {**own, **given},
    }


def _optimizer_of_type(specs: Sequence[ModelSpec]) -> _Schema:
    """Not every model type can release gradients early, and some need a learning rate in so many words."""
    schema: _Schema = {"$ref": "#/$defs/optimizer"}
    if not _can(specs, "gradient_release"):
        schema["properties"] = {"gradient_release": {"const": False}}
    if all(spec.capabilities.get("needs_lr", False) for spec in specs):
        schema["required"] = ["lr"]
    return schema
