"""Narrowed schemas take what a model takes, and no name that it does not take."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dpcompile.narrow import narrowed_job
from dpcompile.trainer import SCOPES
from tests.unit.jobs import ALL_MODELS, CATALOGUE, MODELS, compiled, job, spec_of

WANDB = {"enable_wandb": True, "wandb_tracker_name": "t", "wandb_run_name": "r", "wandb_api_key": "0123456789"}


@cache
def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CATALOGUE.dirs.schemas / f"{name}.schema.json").read_text("utf-8"))
    return loaded


@cache
def job_validator(model: str) -> Draft202012Validator:
    return Draft202012Validator(narrowed_job(schema("job"), spec_of(model), CATALOGUE))


def names_in_training(model: str) -> dict[str, Any]:
    """What an editor offers inside `training`."""
    made = narrowed_job(schema("job"), spec_of(model), CATALOGUE)
    known: dict[str, Any] = made["$defs"]["training"]["properties"]
    return known


@pytest.mark.parametrize("model", MODELS)
def test_narrowed_schemas_are_schemas(model: str) -> None:
    Draft202012Validator.check_schema(narrowed_job(schema("job"), spec_of(model), CATALOGUE))


def test_narrowing_leaves_the_given_schema_as_it_is() -> None:
    before = copy.deepcopy(schema("job"))

    narrowed_job(schema("job"), spec_of("flux"), CATALOGUE)

    assert schema("job") == before


@pytest.mark.parametrize(
    "training",
    [
        {"epochs": 3, "learning_rate": 1e-4, "lora_rank": 8, "resolution": 512, "batch_size": 2},
        {"resolution": [512, 768]},
        {"lr": 1e-4, "rank": 8, "weight_decay": 0.1},
        {"optimizer": {"type": "sgd", "lr": 1e-4, "momentum": 0.9}},
        {"optimizer_type": "sgd", "momentum": 0.9, "nesterov": True},
        {"adapter": None},
        {"monitoring": WANDB},
        {"monitoring": None, "warmup_steps": None, "learning_rate": None},
        {"model": {"dtype": "bfloat16"}, "directory": {"num_repeats": 2}, "dataset": {"min_ar": 0.4}},
        {"network_dim": 8, "max_train_steps": 100},
        {"passthrough": {"root": {"anything": {"at": "all"}}}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("model", MODELS)
def test_what_the_compiler_takes_the_editor_takes_too(model: str, training: dict[str, Any]) -> None:
    value = job(model, training)
    told = {
        d.code for d in compiled(model, training).diagnostics if d.severity == "error" and d.code.startswith("DPC2")
    }

    assert told <= {"DPC212", "DPC230"}
    assert [e.message for e in job_validator(model).iter_errors(value)] == []


@pytest.mark.parametrize(
    "training",
    [
        {"nonsense": 1},
        {"learnig_rate": 1},
        {"optimizer": []},
        {"model": {"nonsense": 1}},
        {"adapter": {"lr": 1}},
        {"monitoring": {"epochs": 1}},
        {"dataset": {"epochs": 1}},
        {"directory": {"lr": 1}},
        {"output_dir": "/x"},
        {"directory": {"path": "/x"}},
        {"seed": 1},
        {"epochs": "3"},
        {"resolution": "512"},
        {"lora_rank": 0},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("model", MODELS)
def test_unknown_names_and_values_that_do_not_fit_are_refused(model: str, training: dict[str, Any]) -> None:
    assert not compiled(model, training).ok
    assert not job_validator(model).is_valid(job(model, training))


@pytest.mark.parametrize(("model", "key"), [("flux", "ckpt_path"), ("wan13", "diffusers_path"), ("sdxl", "shift")])
def test_keys_of_other_models_are_refused(model: str, key: str) -> None:
    for training in ({key: 1}, {"model": {key: 1}}):
        assert not job_validator(model).is_valid(job(model, training))


@pytest.mark.parametrize("model", ALL_MODELS)
def test_editor_knows_every_name_that_a_job_may_set_flat(model: str) -> None:
    spec = spec_of(model)
    arguments = CATALOGUE.trainer.definitions["optimizer_arguments"]
    names = {*spec.names, *spec.aliases_of_names}
    names |= {name for name, entry in arguments.items() if "x-dead" not in entry and name != "alpha"}
    for scope in SCOPES:
        fields = spec.fields if scope == "model" else CATALOGUE.trainer.scopes[scope]
        names |= {name for name, field in fields.items() if not field.owned and not field.dead}
    assert names <= names_in_training(model).keys()


@pytest.mark.parametrize("model", MODELS)
def test_only_this_model_and_its_presets_are_offered(model: str) -> None:
    spec = spec_of(model)
    validator = job_validator(model)

    assert all(validator.is_valid(job(model) | {"model_type": name}) for name in (model, *spec.aliases))
    assert not any(validator.is_valid(job(model) | {"model_type": other}) for other in MODELS if other != model)
    assert all(validator.is_valid(job(model, preset=name)) for name in (*spec.presets, None))
    assert not validator.is_valid(job(model, preset="nope"))
    assert spec.title in narrowed_job(schema("job"), spec, CATALOGUE)["title"]


def test_editor_shows_what_a_setting_means() -> None:
    known = names_in_training("flux")

    assert known["learning_rate"]["description"] == CATALOGUE.trainer.scopes["optimizer"]["lr"].meaning
    assert known["flux_shift"]["description"] == spec_of("flux").fields["flux_shift"].meaning
