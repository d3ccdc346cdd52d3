"""Loading what the trainer reads. What the schemas say is tested in test_trainer_schemas.py."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpcompile.resources import DataDirs
from dpcompile.trainer import SCOPES, Field, Scope, TrainerKeys, load_trainer, make_field

DIRS = DataDirs.default()
TRAIN: dict[str, Any] = json.loads((DIRS.schemas / "diffusion_pipe.train.schema.json").read_text("utf-8"))
OPTIMIZERS: Mapping[str, Any] = TRAIN["$defs"]["optimizers"]
BUILTIN = [name for name, entry in OPTIMIZERS.items() if entry.get("x-builtin")]


@pytest.fixture(scope="module")
def trainer() -> TrainerKeys:
    return load_trainer(DIRS)


# ---- loading


def test_every_scope_is_loaded_and_no_table_is_taken_for_a_key(trainer: TrainerKeys) -> None:
    assert tuple(trainer.scopes) == SCOPES
    assert all(trainer.scopes[scope] for scope in SCOPES)
    assert not trainer.scopes["root"].keys() & {"model", "adapter", "optimizer", "monitoring"}


def test_it_names_repository_and_commit_of_the_trainer(trainer: TrainerKeys) -> None:
    assert (trainer.repo, trainer.commit) == (TRAIN["x-upstream"]["repo"], TRAIN["x-upstream"]["commit"])


def test_fields_know_their_name_and_scope(trainer: TrainerKeys) -> None:
    for scope in SCOPES:
        for name, field in trainer.scopes[scope].items():
            assert (field.name, field.scope) == (name, scope)


def test_the_same_folders_are_read_once(trainer: TrainerKeys) -> None:
    assert load_trainer(DataDirs.default()) is trainer


def test_other_schemas_give_other_keys(tmp_path: Path) -> None:
    shutil.copytree(DIRS.schemas, tmp_path / "schemas")
    schema = json.loads(json.dumps(TRAIN))
    schema["properties"]["new_key"] = {"type": "integer"}
    (tmp_path / "schemas" / "diffusion_pipe.train.schema.json").write_text(json.dumps(schema), encoding="utf-8")

    other = load_trainer(replace(DIRS, schemas=tmp_path / "schemas"))

    assert other.scopes["root"].keys() - load_trainer(DIRS).scopes["root"].keys() == {"new_key"}


def test_what_was_loaded_cannot_be_changed(trainer: TrainerKeys) -> None:
    with pytest.raises(TypeError):
        trainer.scopes["root"]["epochs"] = trainer.scopes["root"]["max_steps"]  # type: ignore[index]


# ---- fields


@pytest.mark.parametrize(
    ("scope", "name", "required"),
    [
        ("root", "epochs", True),
        ("root", "max_steps", False),
        ("model", "dtype", True),
        ("adapter", "rank", True),
        ("adapter", "dtype", False),
        ("optimizer", "type", True),
        ("directory", "path", True),
    ],
)
def test_fields_know_whether_the_trainer_needs_them(
    trainer: TrainerKeys, scope: Scope, name: str, required: bool
) -> None:
    assert trainer.scopes[scope][name].required is required


def test_fields_tell_what_is_special_about_them(trainer: TrainerKeys) -> None:
    root, monitoring = trainer.scopes["root"], trainer.scopes["monitoring"]

    assert root["output_dir"].owned
    assert not root["epochs"].owned
    assert {"why", "instead"} <= root["seed"].dead.keys()
    assert not root["epochs"].dead
    assert set(root["force_constant_lr"].excludes) == {"lr_scheduler", "warmup_steps"}
    assert root["epochs"].excludes == ()
    assert monitoring["wandb_api_key"].secret
    assert not monitoring["wandb_run_name"].secret
    assert trainer.scopes["adapter"]["init_from_existing"].is_path
    assert not root["epochs"].is_path
    assert root["epochs"].meaning.startswith("Number of passes")


@pytest.mark.parametrize(
    ("scope", "name", "good", "bad"),
    [
        ("root", "epochs", 3, 3.0),
        ("root", "activation_checkpointing", "unsloth", "true"),
        ("root", "gradient_clipping", 1, True),
        ("model", "dtype", "bfloat16", "bf16"),
        ("adapter", "type", "lokr", "dora"),
        ("dataset", "resolutions", [512, 768], 512),
        ("directory", "num_repeats", 5, 0),
    ],
)
def test_values_are_validated_as_the_trainer_takes_them(
    trainer: TrainerKeys, scope: Scope, name: str, good: object, bad: object
) -> None:
    validator = trainer.scopes[scope][name].validator

    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_each_field_stands_alone(trainer: TrainerKeys) -> None:
    for scope in SCOPES:
        for field in trainer.scopes[scope].values():
            assert "$ref" not in json.dumps(field.schema)


def test_annotations_are_kept_but_no_rule() -> None:
    schema: dict[str, Any] = {
        "type": "integer",
        "minimum": 1,
        "description": "How many.",
        "default": 3,
        "required": True,
        "x-excludes": ["other"],
        "x-source": "train.py:1",
    }

    field = make_field("count", "model", schema, required=True)

    assert field.validator.schema == {"type": "integer", "minimum": 1}
    assert (field.meaning, field.excludes, field.required) == ("How many.", ("other",), True)


def test_a_bare_field_is_nothing_special() -> None:
    field = make_field("x", "model", {}, required=False)

    assert (field.meaning, field.owned, field.dead, field.excludes) == ("", "", {}, ())
    assert (field.secret, field.is_path, field.required) == (False, False, False)
    assert field.validator.is_valid(object())


def test_fields_are_compared_by_what_they_say() -> None:
    one, two = (make_field("x", "model", {"type": "integer"}, required=False) for _ in range(2))
    assert one == two
    assert one != make_field("x", "model", {"type": "number"}, required=False)
    assert "validator" not in repr(one)


# ---- optimizers


@pytest.mark.parametrize("name", BUILTIN)
def test_the_trainers_own_optimizers_are_known_in_any_case(trainer: TrainerKeys, name: str) -> None:
    kind = trainer.optimizer(name)

    assert kind is not None
    assert kind.builtin
    assert trainer.optimizer(name.upper()) is kind


def test_there_are_nine_of_them() -> None:
    assert len(BUILTIN) == 9


@pytest.mark.parametrize(("right", "wrong"), [("Prodigy", "prodigy"), ("Lion", "LION"), ("CAME", "came")])
def test_all_others_are_known_as_they_are_written_only(trainer: TrainerKeys, right: str, wrong: str) -> None:
    kind = trainer.optimizer(right)

    assert kind is not None
    assert not kind.builtin
    assert trainer.optimizer(wrong) is None


@pytest.mark.parametrize("name", ["", "adamw_9bit", "type", "AdamW "])
def test_what_is_no_optimizer_is_not_known(trainer: TrainerKeys, name: str) -> None:
    assert trainer.optimizer(name) is None


def test_every_optimizer_can_be_asked_for(trainer: TrainerKeys) -> None:
    for name, entry in OPTIMIZERS.items():
        kind = trainer.optimizer(name)
        assert kind is not None
        assert kind.arguments.keys() == entry["properties"].keys()
        assert set(kind.required) <= kind.arguments.keys()


def test_optimizers_know_what_they_take_and_need(trainer: TrainerKeys) -> None:
    sgd, adamw = trainer.optimizer("sgd"), trainer.optimizer("adamw_optimi")
    assert sgd is not None
    assert adamw is not None

    assert "momentum" in sgd.arguments
    assert "betas" not in sgd.arguments
    assert adamw.required == ("lr",)
    assert adamw.arguments["betas"].validator.is_valid([0.9, 0.99])
    assert not adamw.arguments["betas"].validator.is_valid([0.9])


def test_optimizers_say_why_they_cannot_be_used_or_need_care(trainer: TrainerKeys) -> None:
    lomo, automagic, adamw = (trainer.optimizer(name) for name in ("AdaLOMO", "automagic", "adamw_optimi"))
    assert lomo is not None
    assert automagic is not None
    assert adamw is not None

    assert lomo.unusable
    assert automagic.warning
    assert (adamw.unusable, adamw.warning) == ("", "")


def test_arguments_of_any_optimizer_are_recognised(trainer: TrainerKeys) -> None:
    assert trainer.takes_argument("momentum")
    assert trainer.takes_argument("betas")
    assert not trainer.takes_argument("epochs")


def test_an_argument_means_what_its_optimizer_says(trainer: TrainerKeys) -> None:
    came, adamw = trainer.optimizer("CAME"), trainer.optimizer("adamw")
    assert came is not None
    assert adamw is not None
    three = [0.9, 0.99, 0.999]

    def takes(field: Field) -> bool:
        return bool(field.validator.is_valid(three))

    assert takes(came.arguments["betas"])
    assert not takes(adamw.arguments["betas"])
