"""The schemas of the trainer's files take every file that is rendered, and refuse what a model type does not read."""

from __future__ import annotations

import copy
import json
import tomllib
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dpcompile.fileschemas import dataset_schema, train_schema
from tests.unit.jobs import CATALOGUE, MODELS, WORKING_MODELS, compiled, dataset, spec_of

WANDB = {"enable_wandb": True, "wandb_tracker_name": "t", "wandb_run_name": "r", "wandb_api_key": "0123456789"}
EVERY = tuple(spec for _, spec, _ in CATALOGUE.all() if spec is not None)


@cache
def shipped(name: str) -> dict[str, Any]:
    path = CATALOGUE.dirs.schemas / f"diffusion_pipe.{name}.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


@cache
def train_validator(model: str | None = None) -> Draft202012Validator:
    specs = EVERY if model is None else (spec_of(model),)
    return Draft202012Validator(train_schema(shipped("train"), CATALOGUE.trainer, specs))


@cache
def dataset_validator(model: str | None = None) -> Draft202012Validator:
    specs = EVERY if model is None else (spec_of(model),)
    return Draft202012Validator(dataset_schema(shipped("dataset"), CATALOGUE.trainer, specs))


@cache
def _rendered(model: str, training: str) -> dict[str, dict[str, Any]]:
    result = compiled(model, json.loads(training))
    assert result.ok, result.diagnostics
    return {file.name: tomllib.loads(file.text) for file in result.files}


def rendered(model: str, training: object = None) -> dict[str, dict[str, Any]]:
    """The files of a job, parsed."""
    return copy.deepcopy(_rendered(model, json.dumps(training)))


def train_of(model: str, training: object = None, /, **tables: dict[str, Any]) -> dict[str, Any]:
    """A training file, with keys laid over some of its tables, or over the top as `root`."""
    train = next(tree for name, tree in rendered(model, training).items() if name.startswith("train"))
    for table, keys in tables.items():
        target = train if table == "root" else train.setdefault(table, {})
        target.update(keys)
    return train


def fits(model: str, train: dict[str, Any]) -> bool:
    """Whether a file fits; the schema for all models and that for its own must agree."""
    verdicts = {train_validator().is_valid(train), train_validator(model).is_valid(train)}
    assert len(verdicts) == 1
    return verdicts.pop()


def test_they_are_schemas_and_leave_the_shipped_ones_as_they_are() -> None:
    before = copy.deepcopy((shipped("train"), shipped("dataset")))

    for validator in (train_validator(), dataset_validator(), train_validator("flux"), dataset_validator("flux")):
        schema: Any = validator.schema
        Draft202012Validator.check_schema(schema)
        for name in ("models", "optimizers", "optimizer_arguments", "settings"):
            for inner in schema["$defs"].get(name, {}).values():
                Draft202012Validator.check_schema(inner)

    assert before == (shipped("train"), shipped("dataset"))


@pytest.mark.parametrize(
    ("model", "training"),
    [
        *((model, {}) for model in WORKING_MODELS),
        *((model, training) for model in MODELS for training in ({"adapter": None}, {"monitoring": WANDB})),
    ],
)
def test_every_rendered_file_fits(model: str, training: dict[str, Any]) -> None:
    for name, tree in rendered(model, training).items():
        checked = train_validator if name.startswith("train") else dataset_validator
        for validator in (checked(), checked(model)):
            assert [error.message for error in validator.iter_errors(tree)] == []


@pytest.mark.parametrize("model", WORKING_MODELS)
def test_what_a_type_needs_and_does_not_read_is_told(model: str) -> None:
    assert not fits(model, train_of(model, model={"nonsense": 1}))
    assert not fits(model, train_of(model, model={"type": "nonsense"}))
    for name, field in spec_of(model).fields.items():
        if field.required:
            train = train_of(model)
            del train["model"][name]
            assert not train_validator(model).is_valid(train)


@pytest.mark.parametrize(
    ("model", "tables"),
    [
        ("flux", {"model": {"ckpt_path": "/models/wan"}}),
        ("wan13", {"model": {"diffusers_path": "/models/flux"}}),
        ("wan13", {"model": {"blocks_to_swap": 8}}),
        ("wan13", {"model": {"learning_rate": 1e-4}}),
        ("wan13", {"root": {"min_t": 0.1}}),
        ("wan13", {"root": {"lr": 1e-4}}),
        ("wan13", {"root": {"learning_rate": 1e-4}}),
        ("wan13", {"root": {"seed": 1}}),
        ("wan13", {"adapter": {"alpha": 16}}),
        ("wan13", {"adapter": {"rank_dropout": 0.1}}),
        ("wan13", {"adapter": {"fuse_adapters": [{"path": "/x"}]}}),
        ("sdxl", {"adapter": {"type": "lokr"}}),
        ("sdxl", {"root": {"huber_delta": 0.1}}),
        ("flux", {"optimizer": {"momentum": 0.9}}),
        ("flux", {"optimizer": {"warmup_steps": 10}}),
        ("flux", {"optimizer": {"gradient_release": True}}),
        ("flux", {"optimizer": {"type": "AdamWW"}}),
        ("flux", {"optimizer": {"type": "LBFGS"}}),
        ("flux", {"monitoring": {"wandb_project": "x"}}),
        ("flux", {"scheduler": {"type": "cosine"}}),
    ],
    ids=json.dumps,
)
def test_a_key_in_the_wrong_place_is_refused(model: str, tables: dict[str, dict[str, Any]]) -> None:
    assert fits(model, train_of(model))
    assert not fits(model, train_of(model, **tables))


@pytest.mark.parametrize(
    "optimizer",
    [
        {"type": "adamw", "lr": 1e-4, "betas": [0.9, 0.99]},
        {"type": "AdamW8bitKahan", "lr": 1e-4, "stabilize": True},
        {"type": "SGD", "lr": 1e-4, "momentum": 0.9},
        {"type": "Prodigy", "lr": 1.0, "d_coef": 1.0},
        {"type": "adamw_optimi", "lr": 1e-4, "gradient_release": False},
        {"type": "adamw", "lr": 1e-4, "betas": [0.9, 0.99], "beta2_half_life": 1e6},
    ],
    ids=lambda optimizer: str(optimizer["type"]),
)
def test_each_optimizer_takes_its_own_arguments(optimizer: dict[str, Any]) -> None:
    train = train_of("flux")

    assert fits("flux", {**train, "optimizer": optimizer})
    assert not fits("flux", {**train, "optimizer": {**optimizer, "nonsense": 1}})
    assert not fits("flux", {**train, "optimizer": {**optimizer, "lr": "1e-4"}})


def test_an_argument_that_the_class_cannot_do_without_is_missed() -> None:
    assert not fits("flux", {**train_of("flux"), "optimizer": {"type": "adamw_optimi"}})


def test_a_model_that_has_to_have_an_adapter_needs_the_table() -> None:
    with_adapter = train_of("sd35_medium")
    without = {k: v for k, v in with_adapter.items() if k != "adapter"}

    assert fits("sd35_medium", with_adapter)
    assert not fits("sd35_medium", without)


def test_masks_and_control_images_are_for_models_that_take_them() -> None:
    tree = rendered("flux")["dataset.toml"]
    controlled, masked = copy.deepcopy(tree), copy.deepcopy(tree)
    controlled["directory"][0]["control_path"] = "/x"
    masked["directory"][0]["mask_path"] = "/x"

    assert dataset_validator("flux_kontext").is_valid(controlled)
    assert not dataset_validator("sdxl").is_valid(controlled)
    assert dataset_validator("flux").is_valid(masked)
    assert not dataset_validator("ltx_video").is_valid(masked)
    assert dataset_validator().is_valid(controlled)
    assert dataset_validator().is_valid(masked)


@pytest.mark.parametrize("key", ["batch_size", "caption_extension", "online_captions", "epochs", "target_frames"])
def test_keys_that_no_dataset_file_has_are_refused(key: str) -> None:
    tree = rendered("wan13", {"frame_buckets": [1, 33]})["dataset.toml"]
    inside = copy.deepcopy(tree)
    inside["directory"][0][key] = 1

    for validator in (dataset_validator(), dataset_validator("wan13")):
        assert validator.is_valid(tree)
        assert not validator.is_valid({**tree, key: 1})
        assert not validator.is_valid(inside)


def test_every_type_is_offered() -> None:
    schema: Any = train_validator().schema

    assert set(schema["properties"]["model"]["properties"]["type"]["enum"]) == {spec.toml_type for spec in EVERY}


def test_both_kinds_of_media_fit() -> None:
    result = compiled("wan13", data=dataset("both"))
    assert result.ok
    for file in result.files:
        checked = train_validator() if file.name.startswith("train") else dataset_validator()
        assert checked.is_valid(tomllib.loads(file.text))
