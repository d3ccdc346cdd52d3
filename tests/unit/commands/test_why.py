"""`dpcompile why`: for each value where it came from and what it shadowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.keypath import dotted
from tests.unit.commands.support import dpcompile, written
from tests.unit.jobs import CATALOGUE, job

JOB = job("qwen", {"epochs": 7, "optimizer": {"lr": 1e-4}, "optimizer_type": "sgd"}, preset="vram_24gb")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, JOB)


def test_every_setting_is_told_with_its_value(path: Path) -> None:
    config = compile_job(path.read_bytes(), file=str(path), catalogue=CATALOGUE).config
    assert config is not None

    done = dpcompile("why", path)

    assert (done.code, done.err) == (0, "")
    told = [line.partition(" = ")[0] for line in done.out.splitlines() if not line.startswith(" ") and " = " in line]
    assert told == [dotted(key) for key in config.settings]


def test_key_is_told_with_the_line_it_was_written_on_and_what_it_shadowed(path: Path) -> None:
    line = path.read_text("utf-8").splitlines().index('    "epochs": 7,') + 1

    told = " ".join(dpcompile("why", path, "train.epochs").out.split())

    assert told.startswith(f"train.epochs = 7 {path}:{line} instead of 100 of model_specs/base.yaml:")
    assert told.endswith("(defaults)")


def test_table_is_told_with_all_below_it_and_nothing_else(path: Path) -> None:
    out = dpcompile("why", path, "train.optimizer").out

    keys = [line.partition(" = ")[0] for line in out.splitlines() if not line.startswith(" ")]
    assert keys
    assert all(key.startswith("train.optimizer.") for key in keys)


def test_key_is_no_prefix_of_a_longer_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        job(training={"eval_every_n_steps": 3}, data={"type": "images", "images_url": "/i", "eval": {"fraction": 0.1}}),
    )

    out = dpcompile("why", path, "eval").out

    assert out
    assert "train.eval_every_n_steps" not in out
    assert all(line.startswith(("eval.", " ")) for line in out.splitlines())


def test_several_keys_may_be_asked_for(path: Path) -> None:
    keys = [entry["key"] for entry in dpcompile("why", path, "train.epochs", "train.adapter", "--format", "json").json]

    assert keys[0] == "train.epochs"
    assert all(key.startswith("train.adapter.") for key in keys[1:])
    assert len(keys) > 2


def test_json_holds_key_value_origin_and_what_was_shadowed(path: Path) -> None:
    [entry] = dpcompile("why", path, "train.blocks_to_swap", "--set", "blocks_to_swap=5", "--format", "json").json

    assert list(entry) == ["key", "value", "origin", "shadowed"]
    assert entry["value"] == 5
    assert entry["origin"] == {"layer": "set", "file": "--set", "pointer": "/training/blocks_to_swap"}
    [shadowed] = entry["shadowed"]
    assert shadowed["origin"]["layer"] == "preset"
    assert shadowed["origin"]["pointer"] == "/presets/vram_24gb/values/root/blocks_to_swap"


@pytest.mark.parametrize(
    ("key", "options", "origin"),
    [
        ("train.epochs", ["--set", "epochs=9"], "--set training.epochs"),
        ("train.output_dir", [], "made by dpcompile"),
        ("train.blocks_to_swap", [], "(preset)"),
        ("train.model.diffusers_path", [], "(spec)"),
        ("train.warmup_steps", [], "(defaults)"),
    ],
)
def test_origin_is_told_in_words(path: Path, key: str, options: list[str], origin: str) -> None:
    assert origin in dpcompile("why", path, key, *options).out


def test_folder_of_data_is_told_with_the_address_it_was_made_from(path: Path) -> None:
    line = path.read_text("utf-8").splitlines().index('    "images_url": "https://example.com/images.zip"') + 1

    out = " ".join(dpcompile("why", path, "dataset.directory.0.path").out.split())

    assert out.endswith(f"made by dpcompile from {path}:{line}")


def test_default_that_went_is_told_with_the_reason(path: Path) -> None:
    everything = dpcompile("why", path).out
    asked = dpcompile("why", path, "train.optimizer.betas")

    assert "train.optimizer.betas is not set: sgd does not take it" in everything
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.startswith(
        "train.optimizer.betas is not set: sgd does not take it\n    instead of [0.9, 0.99] of "
    )


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("lr", "train.optimizer.lr"),
        ("training.epochs", "train.epochs"),
        ("epochs", "train.epochs"),
        ("train.epoch", "train.epochs"),
        ("optimizer_type", "train.optimizer.type"),
    ],
)
def test_key_that_is_not_set_leads_to_the_one_that_was_meant(path: Path, key: str, meant: str) -> None:
    done = dpcompile("why", path, key)

    assert (done.code, done.out) == (1, "")
    assert done.err == f"nothing is set at {key}; did you mean {meant}?\n"


def test_key_like_nothing_that_is_set_is_told_as_such(path: Path) -> None:
    assert dpcompile("why", path, "zzzzzzzz").err == "nothing is set at zzzzzzzz\n"


def test_keys_that_are_set_are_told_even_when_another_is_not(path: Path) -> None:
    done = dpcompile("why", path, "train.epochs", "nope.nope")

    assert done.code == 1
    assert done.out.startswith("train.epochs = 7")
    assert "nope.nope" in done.err


def test_job_with_errors_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    done = dpcompile("why", written(tmp_path, job(training={"nonsense": 1, "epochs": 7})), "train.epochs")

    assert done.code == 1
    assert done.out.startswith("train.epochs = 7")
    assert "error DPC208" in done.err


@pytest.mark.parametrize("value", ["{", {"model_type": "nope"}])
def test_job_that_cannot_be_read_is_told_and_nothing_else(tmp_path: Path, value: Any) -> None:
    done = dpcompile("why", written(tmp_path, value), "train.epochs")

    assert (done.code, done.out) == (1, "")
    assert " error DPC" in done.err


def test_job_from_stdin_is_told_with_its_lines(path: Path) -> None:
    done = dpcompile("why", "-", "train.epochs", stdin=json.dumps(JOB, indent=2))

    assert "<stdin>:" in done.out


def test_values_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, job(training={"caption_prefix": "\x1b[2J\n", "passthrough": {"\x1b[2J": {"x": 1}}}))

    done = dpcompile("why", path)

    assert "\x1b" not in done.out + done.err
