"""What the schema of model specs cannot say: that a spec is complete and sets only what its model takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import dotted, pointer
from dpcompile.misfits import Problem, sentence, what_to_do
from dpcompile.schema import problems
from dpcompile.similar import did_you_mean
from dpcompile.spec import ModelSpec, SpecFile, make_spec, merge, merge_chain, value_blocks, within
from dpcompile.trainer import SCOPES, Scope, TrainerKeys
from dpcompile.wording import quote, spoken

JOB_SECTIONS = ("dataset", "captioning", "launch", "output")
_INNER = ("items", "properties", "anyOf", "oneOf")


def job_defaults_schema(job_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of `defaults.job` of a spec: the fields of a job that can have a default, none of them needed."""
    defs = {**job_schema["$defs"], "secret": {"not": {}}, "location": {"not": {}}}
    sections = {name: {k: v for k, v in defs[name].items() if k != "required"} for name in JOB_SECTIONS}
    data = {**defs["dataset"]["properties"], **{key: {"not": {}} for key in ("type", "trigger_word", "eval")}}
    sections["dataset"]["properties"] = data
    return {"$defs": defs, "type": "object", "additionalProperties": False, "properties": sections}


def check_spec(
    chain: tuple[SpecFile, ...], trainer: TrainerKeys, complete: Any, job_defaults: Any
) -> tuple[Diagnostic, ...]:
    """Everything wrong with a spec and what it extends.

    `complete` validates a spec with everything merged in (`$defs/complete` of the spec schema), `job_defaults`
    the defaults of the job's own fields (`job_defaults_schema`).
    """
    merged, leaf = merge_chain(chain), chain[-1]
    missing = [
        finding("DPC306", "", f"model spec {quote(leaf.name)}: {_words(p)}", p.hint, file=leaf.file)
        for p in problems(complete, merged)
    ]
    missing += [d for link in chain for d in _broken_fields(link)]
    if missing:
        return tuple(missing)
    spec = make_spec(chain, trainer)
    return (
        *_type(spec, trainer),
        *_values(spec, trainer),
        *_job_values(spec, job_defaults),
        *_required(spec),
        *_names(spec, trainer),
    )


def _words(problem: Problem) -> str:
    above = ".".join(map(str, problem.path[:-1]))
    return f"{above}: {problem.message}" if above else problem.message


def _broken_fields(link: SpecFile) -> Iterator[Diagnostic]:
    """Field schemas that are not JSON Schema, and patterns that are not regular expressions."""
    for name, schema in link.value.get("fields", {}).items():
        for node in _nodes(schema or {}):
            try:
                re.compile(node.get("pattern", ""))
                Draft202012Validator.check_schema(node)
            except (re.error, SchemaError) as error:
                text = f"the field {quote(name)} does not describe a value: {getattr(error, 'message', error)}"
                yield finding("DPC305", pointer(("fields", name)), text, file=link.file)
                break


def _nodes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema of a value and of all values in it, each without the others."""
    yield {k: v for k, v in schema.items() if k not in ("required", "default", *_INNER) and not k.startswith("x-")}
    inner = [schema["items"]] if "items" in schema else []
    inner += [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    for value in inner:
        yield from _nodes(value)


def _type(spec: ModelSpec, trainer: TrainerKeys) -> Iterator[Diagnostic]:
    """The trainer has models of this type."""
    for problem in problems(trainer.scopes["model"]["type"].validator, spec.toml_type):
        link = next(link for link in reversed(spec.chain) if "toml_type" in link.value)
        yield finding("DPC305", "/toml_type", f"toml_type {problem.message}", problem.hint, file=link.file)


def _values(spec: ModelSpec, trainer: TrainerKeys) -> Iterator[Diagnostic]:
    """Each value a spec sets is one that its model takes."""
    for link in spec.chain:
        for place, scope, values in value_blocks(link.value):
            for key, value in values.items():
                yield from _value(spec, trainer, link, (*place, key), scope, value)
        for key, value in link.value.get("paths", {}).items():
            yield from _value(spec, trainer, link, ("paths", key), "model", value)


def _value(
    spec: ModelSpec, trainer: TrainerKeys, link: SpecFile, place: tuple[str, ...], scope: Scope, value: object
) -> Iterator[Diagnostic]:
    if value is None:  # takes away what a more general spec sets
        return
    known = spec.fields if scope == "model" else trainer.scopes[scope]
    field = known.get(place[-1])
    where = pointer(place)
    if field is None and scope == "optimizer" and trainer.takes_argument(place[-1]):
        return
    if field is None:
        text = f"{quote(place[-1])} is not a key that the trainer reads {within(scope)} for this model"
        other = spec.names.get(place[-1], "")
        remedy = f"Its name there is {other.partition('.')[2]}." if other.startswith(f"{scope}.") else ""
        remedy = remedy or did_you_mean(place[-1], known)
        if scope == "model":
            remedy = remedy or "Declare it under `fields` if the model type reads it."
        yield finding("DPC305", where, text, remedy or "Take it out.", file=link.file)
        return
    if field.owned or field.dead or field.secret:
        why = field.owned or field.dead.get("why") or "It is a secret, and a spec is for all to read."
        text = f"{place[-1]} cannot be set by a spec"
        yield finding("DPC305", where, text, f"Take it out. {why}", file=link.file)
        return
    for problem in problems(field.validator, value):
        hint = what_to_do(problem, field.schema) or problem.hint or _yaml_hint(value)
        text = sentence(problem, place[-1])
        yield finding("DPC305", where + pointer(problem.path), text, hint, file=link.file)


def _yaml_hint(value: object) -> str:
    return "In YAML, text needs no quotes and numbers must have none." if isinstance(value, str) else ""


def _job_values(spec: ModelSpec, validator: Any) -> Iterator[Diagnostic]:
    """Defaults of the job's own fields are values that a job may have, and none of them is taken away."""
    for link in spec.chain:
        said = merge({}, link.value.get("defaults", {}).get("job", {}))
        for problem in problems(validator, said):
            text = problem.message if problem.code == "DPC201" else f"{spoken(problem.path)} {problem.message}"
            where = pointer(("defaults", "job", *problem.path))
            yield finding("DPC305", where, text, problem.hint, file=link.file)
    needed = spec.chain[0].value.get("defaults", {}).get("job", {})
    for path in _taken_away(needed, spec.job_defaults):
        text = f"{dotted(path)} of the job has no default any more"
        yield finding("DPC306", "", text, "Take the null out of `defaults: {job: …}`.", file=spec.chain[-1].file)


def _taken_away(base: Mapping[str, Any], merged: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, value in base.items():
        if key not in merged:
            yield (key,)
        elif isinstance(value, Mapping) and isinstance(merged[key], Mapping):
            yield from ((key, *path) for path in _taken_away(value, merged[key]))


def _required(spec: ModelSpec) -> Iterator[Diagnostic]:
    """A spec that renders with defaults alone has a value for all that the trainer needs."""
    defaults = spec.merged.get("defaults", {}).get("model", {})
    provided = {*spec.merged.get("paths", {}), *defaults, "type"}
    for name, field in spec.fields.items():
        if field.required and name not in provided:
            text = f"the trainer needs [model] {name} for this model, and the spec gives no value for it"
            hint = f"Add it to `paths` or `defaults: {{model: …}}`. {field.meaning}".strip()
            yield finding("DPC306", "", text, hint, file=spec.chain[-1].file)


def _names(spec: ModelSpec, trainer: TrainerKeys) -> Iterator[Diagnostic]:
    """Friendly names and aliases lead to keys that the trainer reads."""
    for link in spec.chain:
        for section in ("names", "aliases_of_names"):
            for name, target in link.value.get(section, {}).items():
                if target is not None and not _leads_somewhere(spec, trainer, target):
                    text = f"{quote(name)} stands for {quote(target)}, which is not a key of this model"
                    hint = "Write table.key, such as optimizer.lr."
                    yield finding("DPC305", pointer((section, name)), text, hint, file=link.file)


def _leads_somewhere(spec: ModelSpec, trainer: TrainerKeys, target: str) -> bool:
    scope, _, key = spec.names.get(target, target).partition(".")
    if scope == "model":
        return key in spec.fields
    if scope == "optimizer" and trainer.takes_argument(key):
        return True
    return scope in SCOPES and key in trainer.scopes[scope]
