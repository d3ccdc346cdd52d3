"""passthrough sends what it is given, says so, and refuses what could not arrive."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.passthrough import HINT, check_shape, collisions, notice, refusal
from tests.unit.jobs import compiled, config, naming_of, places, said

SCOPES = naming_of("flux").scopes
HERE = "/training/passthrough"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({}, []),
        ({"root": {"x": 1}, "mine": {"y": 2}}, []),
        ({"x": 1}, [f"{HERE}/x"]),
        ({"root": {}, "a/b": None}, [f"{HERE}/root", f"{HERE}/a~1b"]),
        ([], [HERE]),
        ("x", [HERE]),
        (None, [HERE]),
    ],
)
def test_only_an_object_of_filled_tables_is_accepted(value: object, wrong: list[str]) -> None:
    assert places(check_shape(value, HERE, "job.json")) == [("DPC217", place) for place in wrong]


def test_hint_shows_the_form() -> None:
    [found] = check_shape({"x": 1}, HERE, "job.json")

    assert found.hint == HINT
    assert found.message == "passthrough.x must be a table of keys, but is a whole number"


@pytest.mark.parametrize(
    ("table", "name", "value", "code"),
    [
        ("root", "output_dir", "/x", "DPC213"),
        ("root", "dataset", "/x", "DPC213"),
        ("root", "eval_datasets", [], "DPC213"),
        ("model", "type", "flux", "DPC213"),
        ("dataset", "directory", [], "DPC213"),
        ("directory", "path", "/x", "DPC213"),
        ("monitoring", "wandb_api_key", "x", "DPC213"),
        ("mine", "x", None, "DPC217"),
        ("root", "epochs", None, "DPC217"),
    ],
)
def test_refused_is_what_dpcompile_makes_what_is_secret_and_null(table: str, name: str, value: Any, code: str) -> None:
    found = refusal(SCOPES, table, name, value, HERE, "job.json")

    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    ("table", "name"), [("root", "epochs"), ("root", "seed"), ("mine", "output_dir"), ("model", "new")]
)
def test_everything_else_goes_through(table: str, name: str) -> None:
    assert refusal(SCOPES, table, name, 1, HERE, "job.json") is None


@pytest.mark.parametrize(
    ("table", "name", "where", "hint"),
    [
        ("root", "epochs", "at the top of train.toml", "outside passthrough it is checked"),
        ("root", "seed", "at the top of train.toml", "it never reads this key"),
        ("root", "resume_from_checkpoint", "at the top of train.toml", "Set `launch.resume` of the job."),
        ("model", "new", "in [model]", ""),
        ("directory", "new", "in [[directory]]", ""),
        ("mine", "new", "in [mine]", ""),
    ],
)
def test_what_is_sent_unchecked_is_said(table: str, name: str, where: str, hint: str) -> None:
    found = notice(SCOPES, table, name, HERE, "job.json")

    assert (found.code, found.severity) == ("DPC216", "warning")
    assert found.message == f"{name} is sent to the trainer as it is, {where}, unchecked"
    assert hint in found.hint
    assert bool(hint) == bool(found.hint)


@pytest.mark.parametrize(
    ("keys", "collide"),
    [
        ([("train", "mine"), ("train", "mine", "x")], True),
        ([("train", "mine", "x"), ("train", "other")], False),
        ([("train", "mine"), ("dataset", "mine")], False),
        ([("dataset", "directory"), ("dataset", "directory", 0, "path")], True),
    ],
)
def test_name_cannot_be_key_and_table_at_once(keys: list[tuple[str | int, ...]], collide: bool) -> None:
    statements = [said(key, 1, pointer=f"{HERE}/root/x") for key in keys]

    found = list(collisions(config(dict.fromkeys(keys, 1)), statements))

    assert {d.code for d in found} == ({"DPC217"} if collide else set())


def test_passed_through_keys_arrive_as_they_are() -> None:
    sent = {"root": {"new": "x"}, "optimizer": {"lr": "fast"}, "mine": {"x": {"y": [1]}}, "dataset": {"z": 0.5}}

    result = compiled(training={"passthrough": sent})

    assert result.ok
    assert {d.code for d in result.diagnostics} == {"DPC216"}
    assert result.config is not None
    assert result.config.get("train", "new") == "x"
    assert result.config.get("train", "optimizer", "lr") == "fast"
    assert result.config.get("train", "mine", "x") == {"y": [1]}
    assert result.config.get("dataset", "z") == 0.5


def test_passed_through_value_wins_over_a_default() -> None:
    result = compiled(training={"passthrough": {"root": {"epochs": 7}}})

    assert result.config is not None
    assert result.config.get("train", "epochs") == 7
