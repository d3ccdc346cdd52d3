"""Each name in `training` reaches exactly the place that the schemas give it, or is told as an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath, pointer
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES, Scope
from tests.properties.fitting import JOB_SCHEMA, fits, texts, unknown_keywords, values
from tests.properties.strategies import (
    CATALOGUE,
    SPECS,
    TRAINER,
    fields_of,
    flat_names,
    keys_of,
    models,
    settable,
    ways,
)
from tests.properties.trees import place, same

TABLES: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope != "root")


def compiled(spec: ModelSpec, training: Mapping[str, Any], sets: tuple[str, ...] = ()) -> CompileResult:
    kind = "images" if spec.media.images else "videos"
    job = {"model_type": spec.name, "dataset": {"type": kind, f"{kind}_url": "https://h/a.zip"}, "training": training}
    return compile_job(job, catalogue=CATALOGUE, sets=sets)


def from_job(result: CompileResult) -> dict[KeyPath, Any]:
    """The settings that a job gave."""
    assert result.config is not None, result.diagnostics
    return {k: s for k, s in result.config.settings.items() if s.origin.layer in ("job", "set")}


def as_written(value: Any) -> Any:
    """A value as it enters the file: one decimal number in a list makes all of them decimal."""
    if isinstance(value, list):
        numbers = [v for v in value if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) == len(value) and any(isinstance(v, float) for v in value):
            return [float(v) for v in value]
        return [as_written(v) for v in value]
    return {k: as_written(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_all_keywords_of_the_schemas_are_understood() -> None:
    schemas = [JOB_SCHEMA, *(f.schema for spec in SPECS.values() for f in fields_of(spec).values())]
    schemas += [schema for entry in TRAINER.optimizer_entries.values() for schema in entry["properties"].values()]
    assert set().union(*({k for k in unknown_keywords(schema) if k != "$ref"} for schema in schemas)) == set()


@given(st.data())
def test_drawn_values_fit(data: st.DataObject) -> None:
    fields = fields_of(SPECS[data.draw(models)])
    field = fields[data.draw(st.sampled_from(sorted(fields)))]
    value = data.draw(values(field.schema))
    assert fits(field.schema, value), (field.scope, field.name, value)


@given(st.data())
def test_every_legal_name_lands_in_its_one_place(data: st.DataObject) -> None:
    spec = SPECS[data.draw(models)]
    fields = settable(spec)
    training: dict[str, Any] = {}
    meant: dict[KeyPath, tuple[str, Any]] = {}
    for target in data.draw(st.lists(st.sampled_from(sorted(fields)), unique=True, min_size=1, max_size=12)):
        way = data.draw(st.sampled_from(ways(spec, target)))
        value = data.draw(values(fields[target].schema))
        place(training, way, value)
        meant |= dict.fromkeys(keys_of(spec, target), (pointer(("training", *way)), value))
    settings = from_job(compiled(spec, training))
    assert settings.keys() == meant.keys()
    for key, (where, value) in meant.items():
        assert settings[key].origin.pointer == where
        assert same(settings[key].value, as_written(value)), key


@given(st.data())
def test_set_routes_like_the_job(data: st.DataObject) -> None:
    spec = SPECS[data.draw(models)]
    fields = settable(spec)
    target = data.draw(st.sampled_from(sorted(fields)))
    way = data.draw(st.sampled_from(ways(spec, target)))
    prefix = data.draw(st.sampled_from(("", "training.", "train.")))
    value = data.draw(values(fields[target].schema))
    # `dataset.…` is the job's own field; the trainer's table of that name needs its whole path.
    assume(prefix or way[0] not in JOB_SCHEMA["properties"])
    result = compiled(spec, {}, sets=(f"{prefix}{'.'.join(way)}={json.dumps(value)}",))
    settings = from_job(result)
    assert settings.keys() == keys_of(spec, target)
    for setting in settings.values():
        assert setting.origin.layer == "set"
        assert same(setting.value, as_written(value))


def some(names: set[str], most: int = 8) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(names)), unique=True, min_size=1, max_size=most)


def errors_at(result: CompileResult, *path: str) -> list[Diagnostic]:
    where = pointer(("training", *path))
    return [d for d in result.diagnostics if d.path == where and d.severity == "error"]


def any_key(spec: ModelSpec, table: Scope, name: str) -> bool:
    """Whether a table takes a name: its own keys, and for optimizers what any of their classes takes."""
    return (table, name) in fields_of(spec) or (table == "optimizer" and TRAINER.takes_argument(name))


@given(st.data())
def test_a_right_key_in_a_wrong_table_is_an_error(data: st.DataObject) -> None:
    """Each of them is told, and none reaches a file."""
    spec, table = SPECS[data.draw(models)], data.draw(st.sampled_from(TABLES))
    strangers = {name for _, name in fields_of(spec) if not any_key(spec, table, name)}
    names = data.draw(some(strangers))
    result = compiled(spec, {table: dict.fromkeys(names, "wrong-place")})
    for name in names:
        codes = {d.code for d in errors_at(result, table, name)}
        assert any(code.startswith("DPC2") for code in codes), (table, name, codes)
    assert from_job(result) == {}
    assert result.files == ()


@given(st.data())
def test_a_friendly_name_inside_a_table_is_an_error(data: st.DataObject) -> None:
    spec, table = SPECS[data.draw(models)], data.draw(st.sampled_from(TABLES))
    friendly = {n for n in (*spec.names, *spec.aliases_of_names) if not any_key(spec, table, n)}
    names = data.draw(some(friendly))
    result = compiled(spec, {table: dict.fromkeys(names, 1)})
    for name in names:
        errors = errors_at(result, table, name)
        assert errors, (table, name)
        assert all(d.hint for d in errors), (table, name)
    assert result.files == ()


@pytest.mark.parametrize("model", sorted(SPECS))
def test_a_flat_name_with_several_homes_is_an_error(model: str) -> None:
    spec = SPECS[model]
    homes: dict[str, set[str]] = {}
    for scope, name in fields_of(spec):
        if scope != "directory":
            homes.setdefault(name, set()).add(scope)
    torn = {n for n, scopes in homes.items() if len(scopes) > 1} - set(flat_names(spec)) - set(SCOPES) - {"alpha"}
    result = compiled(spec, dict.fromkeys(sorted(torn), "x"))
    for name in torn:
        assert {d.code for d in errors_at(result, name)} == {"DPC209"}, name
    assert from_job(result) == {}


@given(st.data())
def test_every_flat_name_has_one_place_or_an_error(data: st.DataObject) -> None:
    """Also keys that jobs may not set, keys that nothing acts on, and keys of other models."""
    spec = SPECS[data.draw(models)]
    others = {name for other in SPECS.values() for _, name in fields_of(other)}
    names = data.draw(some((others | set(TRAINER.definitions["optimizer_arguments"])) - set(SCOPES)))
    # Each value is another one: what stands where a secret belongs must not stand anywhere else.
    result = compiled(spec, {name: {"not": f"a value of {name}"} for name in names})
    flat, may, reached = flat_names(spec), settable(spec), {key[-1] for key in from_job(result)}
    for name in names:
        assert errors_at(result, name) or name in reached, name
        assert name not in reached or flat.get(name) in may or TRAINER.takes_argument(name), name


@given(st.data())
def test_an_unknown_name_is_always_an_error(data: st.DataObject) -> None:
    spec = SPECS[data.draw(models)]
    known = {name for other in SPECS.values() for _, name in fields_of(other)} | set(
        TRAINER.definitions["optimizer_arguments"]
    )
    known |= {
        *spec.names,
        *spec.aliases_of_names,
        *SCOPES,
        "passthrough",
        "alpha",
        "lora_alpha",
        "network_alpha",
        "linear_alpha",
    }
    near = st.sampled_from(sorted(known)).flatmap(
        lambda n: st.sampled_from((n.upper(), f"{n}s", f" {n}", n[:-1], n.replace("_", "-")))
    )
    name = data.draw(st.one_of(texts, near).filter(lambda n: n not in known))
    way = data.draw(st.sampled_from([(), *((table,) for table in TABLES)]))
    value = data.draw(st.sampled_from((None, 1, "x", [1], {"a": 1}, True)))
    training: dict[str, Any] = {}
    place(training, (*way, name), value)
    result = compiled(spec, training)
    where = pointer(("training", *way, name))
    assert [d for d in result.diagnostics if d.severity == "error" and d.path.startswith(where)], result.diagnostics
    assert result.files == ()
