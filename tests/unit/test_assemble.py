"""One job and one model become one config, whatever the order in which things were written."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.assemble import own_settings, training_names
from dpcompile.documents import Document
from dpcompile.job import JobInput, read_job
from tests.unit.jobs import CATALOGUE, compiled, config_of, job, places, spec_of


def read(value: dict[str, Any]) -> JobInput:
    made, found = read_job(Document(value=value, file="job.json", text=None), (), None, CATALOGUE.dirs)
    assert made is not None
    assert found == ()
    return made


def test_own_fields_of_the_job_are_laid_over_the_defaults_of_the_spec() -> None:
    settings = own_settings(
        read(job(captioning={"images": {"batch_size": 9}}, launch={"num_gpus": 2})), spec_of("flux")
    )

    assert settings["captioning"]["images"]["batch_size"] == 9
    assert settings["captioning"]["images"]["captioner"] == "joycaption"
    assert settings["launch"] == {"num_gpus": 2, "regenerate_cache": False, "trust_cache": False}
    assert settings["output"]["method"] == "auto"
    assert "training" not in settings


def test_order_of_the_job_does_not_show() -> None:
    training = {"epochs": 3, "lora_rank": 8, "optimizer": {"weight_decay": 0.1, "lr": 1e-4}, "min_ar": 0.4}
    turned = {"optimizer": {"lr": 1e-4, "weight_decay": 0.1}, "min_ar": 0.4, "lora_rank": 8, "epochs": 3}

    assert list(config_of(training=training).settings) == list(config_of(training=turned).settings)
    assert compiled(training=training).files == compiled(training=turned).files


def test_null_takes_a_default_of_any_layer_away() -> None:
    training = {"warmup_steps": None, "flux_shift": None, "transformer_dtype": None}
    made = config_of(training=training)

    assert made.get("train", "warmup_steps") is None
    assert made.get("train", "model", "flux_shift") is None
    assert made.get("train", "model", "transformer_dtype") is None


def test_full_finetune_leaves_no_adapter_and_none_of_its_defaults() -> None:
    made = config_of(training={"adapter": None})

    assert not made.has_table("train", "adapter")
    assert made.get("train", "model", "transformer_dtype") is None


def test_set_is_stronger_than_the_job_and_the_job_than_the_preset() -> None:
    result = compiled("qwen", {"blocks_to_swap": 4, "epochs": 5}, preset="vram_24gb", sets=("epochs=6",))

    assert result.ok
    assert result.config is not None
    swap, epochs = (result.config.settings["train", name] for name in ("blocks_to_swap", "epochs"))
    assert (swap.value, swap.origin.layer, swap.shadowed[0].origin.layer) == (4, "job", "preset")
    assert (epochs.value, epochs.origin.layer, epochs.shadowed[0].value) == (6, "set", 5)


def test_set_reaches_the_own_fields_of_the_job_too() -> None:
    result = compiled(sets=("dataset.image_repeats=4", "launch.num_gpus=2"))

    assert result.config is not None
    repeats = result.config.settings["dataset", "directory", 0, "num_repeats"]
    assert (repeats.value, repeats.origin.layer, repeats.origin.file) == (4, "set", "--set")
    assert result.plan is not None
    assert result.plan.steps[-2].args["num_gpus"] == 2


@pytest.mark.parametrize(("enabled", "key"), [(True, ""), (False, None)])
def test_wandb_key_stands_in_the_file_as_an_empty_text_only(enabled: bool, key: str | None) -> None:
    """The trainer demands one (train.py:563); the worker hands the real one over in the environment."""
    names = {"wandb_tracker_name": "t", "wandb_run_name": "r"}
    result = compiled(training={"monitoring": {"enable_wandb": enabled, "wandb_api_key": "0123456789abcdef", **names}})

    assert result.config is not None
    assert result.config.get("train", "monitoring", "wandb_api_key") == key
    assert not any("0123456789abcdef" in file.text for file in result.files)


@pytest.mark.parametrize(
    ("training", "found"),
    [
        ({"lora_alpha": 32}, [("DPC215", "/training/lora_alpha")]),
        ({"lora_alpha": 8, "lora_rank": 8}, [("DPC215", "/training/lora_alpha")]),
        ({"lora_alpha": 16}, [("DPC224", "/training/lora_alpha")]),
        ({"lora_alpha": 32.0}, [("DPC224", "/training/lora_alpha")]),
        ({"adapter": {"alpha": 1}}, [("DPC224", "/training/adapter/alpha")]),
        ({"lora_alpha": None}, []),
    ],
)
def test_alpha_is_compared_with_the_rank_that_counts(training: dict[str, Any], found: list[tuple[str, str]]) -> None:
    result = compiled(training=training)

    assert places(result.diagnostics) == found
    assert result.config is not None
    assert result.config.get("train", "adapter", "alpha") is None


@pytest.mark.parametrize(
    ("training", "data", "policy"),
    [
        ({}, {}, "error"),
        ({"skip_empty_caption": True}, {}, "skip"),
        ({"skip_empty_caption": False}, {}, "empty"),
        ({}, {"missing_caption": "skip"}, "skip"),
    ],
)
def test_missing_captions_may_be_settled_in_the_trainers_own_words(
    training: dict[str, Any], data: dict[str, Any], policy: str
) -> None:
    result = compiled(training=training, data={"type": "images", "images_url": "/i", **data})

    assert result.plan is not None, result.diagnostics
    [inspect] = [step for step in result.plan.steps if step.kind == "inspect"]
    assert inspect.args["missing_caption"] == policy


@pytest.mark.parametrize(
    ("training", "gone"),
    [
        ({"optimizer_type": "sgd"}, {"train.optimizer.betas", "train.optimizer.eps"}),
        ({"shift": 3.0}, {"train.model.flux_shift"}),
        ({"force_constant_lr": 1e-4}, {"train.warmup_steps"}),
        ({"num_repeats": 3}, {"dataset.directory.0.num_repeats"}),
        ({}, set()),
    ],
)
def test_default_that_does_not_fit_a_choice_goes_with_it_and_is_kept_on_record(
    training: dict[str, Any], gone: set[str]
) -> None:
    made = config_of(training=training)

    assert {".".join(map(str, d.assignment.key)) for d in made.dropped} == gone
    assert not {d.assignment.key for d in made.dropped} & made.settings.keys()


def test_names_that_belong_into_training_are_known() -> None:
    without = training_names(None, CATALOGUE.trainer)
    assert {"epochs", "rank", "lr"} <= without
    assert "learning_rate" not in without

    assert {"learning_rate", "network_dim", "flux_shift"} <= training_names(spec_of("flux"), CATALOGUE.trainer)
