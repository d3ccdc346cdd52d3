"""The schemas for hand-written files and the checks of jobs say the same about every key in every table."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dpcompile.compiler import CompileResult, compile_job
from dpcompile.keypath import pointer
from dpcompile.routing import ALPHA_NAMES
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES, Scope
from tests.properties.fitting import keys, tame_json, values
from tests.properties.strategies import CATALOGUE, SPECS, TRAINER, fields_of, models
from tests.unit.test_fileschemas import dataset_validator, rendered, train_validator

MISPLACED = frozenset(
    f"DPC{number}" for number in (201, 208, 209, 210, 211, 213, 214, 218, 404, 405, 412, 431, 445, 447)
)
"""What is said of a key that does not belong where it stands."""

_LEFT_OUT = frozenset({*ALPHA_NAMES, "type", "gradient_release", "passthrough", "parts", *SCOPES})
"""Keys of which a job says something else than a file does, or whose value decides and not their name."""

NAMES = tuple(
    sorted(
        {name for spec in SPECS.values() for _, name in fields_of(spec)}
        | set(TRAINER.definitions["optimizer_arguments"])
        | {name for spec in SPECS.values() for name in (*spec.names, *spec.aliases_of_names, *spec.unread)}
        | set(list(CATALOGUE.foreign_keys())[::10]) - _LEFT_OUT
    )
)
optimizers = st.sampled_from([n for n, e in TRAINER.optimizer_entries.items() if not e.get("x-unusable")])


def known_schema(spec: ModelSpec, scope: Scope, name: str, optimizer: str) -> Any:
    """What the value of a key must be, where there is such a key."""
    kind = TRAINER.optimizer(optimizer)
    if scope == "optimizer" and kind is not None and name in kind.arguments:
        return kind.arguments[name].schema
    field = fields_of(spec).get((scope, name))
    return field.schema if field else None


def compiled(spec: ModelSpec, training: dict[str, Any]) -> CompileResult:
    kind = "images" if spec.media.images else "videos"
    job = {"model_type": spec.name, "dataset": {"type": kind, f"{kind}_url": "https://h/a.zip"}, "training": training}
    return compile_job(job, catalogue=CATALOGUE)


def planted(spec: ModelSpec, scope: Scope, table: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The file in which a table stands, with these keys in it, and whether that is the dataset file."""
    files = copy.deepcopy(rendered(spec.name))
    train, dataset = next(t for n, t in files.items() if n.startswith("train")), files["dataset.toml"]
    match scope:
        case "root":
            train |= table
        case "dataset":
            dataset |= table
        case "directory":
            dataset["directory"][0] |= table
        case "optimizer":
            train[scope] = table
        case _:
            train[scope] = train.get(scope, {}) | table
    return (dataset, True) if scope in ("dataset", "directory") else (train, False)


def refused_by_checks(spec: ModelSpec, scope: Scope, name: str, table: dict[str, Any]) -> bool:
    """Whether the checks of a job say that the key does not belong there."""
    result = compiled(spec, table if scope == "root" else {scope: table})
    where = pointer(("training", name) if scope == "root" else ("training", scope, name))
    if any(d.path == where and d.code in MISPLACED and d.severity == "error" for d in result.diagnostics):
        return True
    # A flat name that means a key of a table is right in a job, and wrong at the top of a file.
    return scope == "root" and (result.config is None or ("train", name) not in result.config.settings)


@given(st.data(), models, st.sampled_from(SCOPES), st.one_of(st.sampled_from(NAMES), keys), optimizers)
def test_schemas_and_checks_agree_on_every_key(
    data: st.DataObject, model: str, scope: Scope, name: str, optimizer: str
) -> None:
    spec = SPECS[model]
    field = fields_of(spec).get((scope, name))
    if name in _LEFT_OUT or not name.isascii() or (field is not None and (field.owned or field.secret)):
        return
    schema = known_schema(spec, scope, name, optimizer)
    value = data.draw(values(schema)) if schema is not None and "x-dead" not in schema else data.draw(tame_json)
    table = {name: value}
    if scope == "optimizer":
        kind = TRAINER.optimizer(optimizer)
        assert kind is not None
        needed = {n: data.draw(values(kind.arguments[n].schema)) for n in {"lr", *kind.required} & {*kind.arguments}}
        table = {"type": optimizer, **needed, **table}
    tree, of_dataset = planted(spec, scope, table)
    checked = dataset_validator if of_dataset else train_validator

    refused = refused_by_checks(spec, scope, name, table)

    assert refused is not checked(model).is_valid(tree), [e.message for e in checked(model).iter_errors(tree)]
    assert refused or checked().is_valid(tree)  # another model of the type may take what this one does not
