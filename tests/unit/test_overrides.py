"""`--set KEY=VALUE`: where a key goes, what a value is, and what cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.job import job_schema
from dpcompile.overrides import SET_FILE, parse_sets
from dpcompile.resources import DataDirs
from dpcompile.values import identical

FIELDS = tuple(job_schema(DataDirs.default())["properties"])


def tree(*sets: str) -> dict[str, Any]:
    made, found = parse_sets(sets, FIELDS)
    assert found == []
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=5", {"training": {"epochs": 5}}),
        ("train.epochs=5", {"training": {"epochs": 5}}),
        ("training.epochs=5", {"training": {"epochs": 5}}),
        ("optimizer.lr=1e-4", {"training": {"optimizer": {"lr": 1e-4}}}),
        ("train.optimizer.lr=1e-4", {"training": {"optimizer": {"lr": 1e-4}}}),
        ("model.type=wan", {"training": {"model": {"type": "wan"}}}),
        ("model_type=wan13", {"model_type": "wan13"}),
        ("dataset.trigger_word=ohwx", {"dataset": {"trigger_word": "ohwx"}}),
        ("dataset.eval.fraction=0.1", {"dataset": {"eval": {"fraction": 0.1}}}),
        ("launch.env.NCCL_DEBUG=INFO", {"launch": {"env": {"NCCL_DEBUG": "INFO"}}}),
        ("output.method=volume", {"output": {"method": "volume"}}),
        ("api_keys.huggingface_token=abc", {"api_keys": {"huggingface_token": "abc"}}),
        ("preset=vram_24gb", {"preset": "vram_24gb"}),
        (" epochs = 5", {"training": {"epochs": 5}}),
    ],
)
def test_the_jobs_own_fields_stand_for_themselves_and_all_else_is_training(text: str, expected: dict[str, Any]) -> None:
    assert tree(text) == expected


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("5.0", 5.0),
        ("-0.0", -0.0),
        ("1e-4", 1e-4),
        ("true", True),
        ("null", None),
        ("[512, 768]", [512, 768]),
        ('{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ('"5"', "5"),
        ('""', ""),
        ("", ""),
        ("ohwx", "ohwx"),
        (" a b ", " a b "),
        ("a=b", "a=b"),
        ("https://example.com/a.zip?b=c", "https://example.com/a.zip?b=c"),
        ("True", "True"),
        ("None", "None"),
        ("nan", "nan"),
        ("01", "01"),
        ("1_000", "1_000"),
        ("[512, 768", "[512, 768"),
        ('1, "epochs": 2', '1, "epochs": 2'),
        ('1}, {"v": 2', '1}, {"v": 2'),
        ("'a'", "'a'"),
        ("ümläut ☃", "ümläut ☃"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=lambda v: ascii(v)[:30],
)
def test_a_value_is_json_if_it_is_json_and_text_else(raw: str, value: object) -> None:
    assert identical(tree(f"x={raw}"), {"training": {"x": value}})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("NaN", "not a number that can be used"),
        ("-Infinity", "not a number that can be used"),
        ("1e999", "larger than any number"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ('"\\ud800"', "not valid Unicode"),
        ("\udcff", "not valid Unicode"),
    ],
    ids=lambda v: ascii(v)[:30],
)
def test_values_that_a_job_could_not_have_are_refused(raw: str, words: str) -> None:
    made, [found] = parse_sets([f"x={raw}"], FIELDS)

    assert made == {}
    assert (found.code, found.severity, found.file) == ("DPC223", "error", SET_FILE)
    assert words in found.message


@pytest.mark.parametrize(
    "text", ["", "epochs", "=5", " = 5", "=", ".epochs=5", "train.=5", "optimizer..lr=5", "optimizer.=5", "."]
)
def test_what_is_no_key_and_value_is_told_with_an_example(text: str) -> None:
    made, [found] = parse_sets([text], FIELDS)

    assert made == {}
    assert (found.code, found.file) == ("DPC223", SET_FILE)
    assert "--set epochs=20" in found.hint


def test_several_are_one_tree() -> None:
    assert tree("a.b=1", "a.c=2", "dataset.type=images", 'd={"e": 1}', "d.f=2", "epochs=3") == {
        "training": {"a": {"b": 1, "c": 2}, "d": {"e": 1, "f": 2}, "epochs": 3},
        "dataset": {"type": "images"},
    }


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ("epochs=1", "epochs=2", "/training/epochs"),
        ("epochs=1", "epochs=1", "/training/epochs"),
        ("epochs=1", "train.epochs=2", "/training/epochs"),
        ("a=1", "a.b=2", "/training/a/b"),
        ("a.b=1", "a=2", "/training/a"),
        ("a=null", "a.b=2", "/training/a/b"),
        ("a=[1]", "a.0=2", "/training/a/0"),
        ("dataset={}", "dataset=1", "/dataset"),
        ("training={}", "training={}", "/training"),
    ],
)
def test_of_two_for_one_place_the_first_is_kept_and_the_second_told(first: str, second: str, place: str) -> None:
    made, [found] = parse_sets([first, second], FIELDS)

    assert made == tree(first)
    assert (found.code, found.path, found.file) == ("DPC223", place, SET_FILE)
    assert second.split("=")[0] in found.message


def test_every_mistake_is_told_and_the_rest_is_taken() -> None:
    made, found = parse_sets(["epochs", "x=NaN", "a=1", "a=2", "b=3"], FIELDS)

    assert made == {"training": {"a": 1, "b": 3}}
    assert [d.code for d in found] == ["DPC223"] * 3
