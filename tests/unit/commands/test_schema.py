"""`dpcompile schema`: the schemas as they are shipped, and narrowed to one model."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dpcompile.commands.schema import FILES, KINDS, NARROWED
from dpcompile.resources import DataDirs
from tests.unit.commands.support import ROOT, dpcompile
from tests.unit.jobs import CATALOGUE, MODELS, job

EXAMPLES = sorted((ROOT / "tests" / "examples" / "valid").glob("*.json"))


@cache
def validator(kind: str, model: str | None = None) -> Draft202012Validator:
    arguments = ("--model", model) if model else ()
    done = dpcompile("schema", kind, *arguments)
    assert (done.code, done.err) == (0, "")
    return Draft202012Validator(done.json)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FILES)))
def test_schema_is_printed_as_it_is_shipped(kind: str) -> None:
    shipped = json.loads((DataDirs.default().schemas / KINDS[kind]).read_text("utf-8"))

    assert validator(kind).schema == shipped


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(NARROWED)))
def test_model_where_it_makes_no_difference_is_wrong_usage(kind: str) -> None:
    done = dpcompile("schema", kind, "--model", "flux")

    assert (done.code, done.out) == (2, "")
    assert "--model narrows job, train, dataset" in done.err


@pytest.mark.parametrize("kind", NARROWED)
def test_unknown_model_is_told(kind: str) -> None:
    done = dpcompile("schema", kind, "--model", "nope")

    assert (done.code, done.out) == (1, "")
    assert 'there is no model "nope"' in done.err


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_valid_example_fits_the_schema_of_its_model(path: Path) -> None:
    value: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
    value = value.get("input", value)
    spec = CATALOGUE.find(value["model_type"])
    assert spec is not None

    assert [error.message for error in validator("job", spec.name).iter_errors(value)] == []
    assert [error.message for error in validator("job").iter_errors(value)] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_files_of_a_valid_example_fit_the_schemas_of_the_trainers_files(path: Path) -> None:
    value = json.loads(path.read_text("utf-8-sig"))
    value = value.get("input", value)
    if "passthrough" in value.get("training", {}):
        return  # sends what no schema knows
    spec = CATALOGUE.find(value["model_type"])
    assert spec is not None

    for name, text in dpcompile("render", path, "--format", "json").json["files"].items():
        kind = "train" if name.startswith("train") else "dataset"
        for checked in (validator(kind), validator(kind, spec.name)):
            assert [error.message for error in checked.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize("model", MODELS)
def test_narrowed_schema_refuses_names_that_nobody_reads(model: str) -> None:
    assert validator("job", model).is_valid(job(model, {"epochs": 3}))
    assert not validator("job", model).is_valid(job(model, {"nonsense": 3}))
    assert not validator("job", model).is_valid(job(model, {"model": {"nonsense": 3}}))
    assert validator("job").is_valid(job(model, {"nonsense": 3}))


@pytest.mark.parametrize("path", sorted(DataDirs.default().specs.rglob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spec_fits_the_schema_of_specs(path: Path) -> None:
    assert [error.message for error in validator("spec").iter_errors(yaml.safe_load(path.read_text("utf-8")))] == []


def test_plan_fits_the_schema_of_plans() -> None:
    plan = dpcompile("plan", EXAMPLES[0]).json

    validator("plan").validate(plan)
    assert not validator("plan").is_valid({**plan, "more": 1})


def test_model_of_ones_own_has_a_schema_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ntitle: My own\nextends: flux\n", "utf-8")

    schema = dpcompile("schema", "job", "--model", "mine", "--specs", tmp_path).json

    assert Draft202012Validator(schema).is_valid(job("mine", {"flux_shift": False}))
    assert not Draft202012Validator(schema).is_valid(job("flux"))


def test_a_model_type_of_ones_own_has_a_table_in_the_schema_of_all(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: My own\nextends: flux\ntoml_type: newtype\nfields:\n  new_key: {type: integer, description: A new key.}\n",
        "utf-8",
    )

    schema = dpcompile("schema", "train", "--specs", tmp_path).json

    assert "newtype" in schema["properties"]["model"]["properties"]["type"]["enum"]
    assert "new_key" in schema["$defs"]["models"]["newtype"]["properties"]
    assert "new_key" not in schema["$defs"]["models"]["flux"]["properties"]


def test_a_broken_spec_is_told_beside_the_schema_of_all_others(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n", "utf-8")

    done = dpcompile("schema", "train", "--specs", tmp_path)

    assert done.code == 1
    assert "mine.yaml" in done.err
    assert "flux" in done.json["$defs"]["models"]
