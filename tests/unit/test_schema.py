"""Broken rules of a JSON Schema as findings: what is wrong, where, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dpcompile.codes import CODES
from dpcompile.keypath import KeyPath
from dpcompile.misfits import Problem
from dpcompile.schema import inlined, problems, strict_validator

Schema = dict[str, Any]

LISTS: Schema = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": {"type": "integer"}},
        {"type": "array", "minItems": 1, "items": {"type": "array"}},
    ]
}
SWITCH: Schema = {"enum": [True, False, "unsloth"]}
DTYPES: Schema = {"enum": ["bfloat16", "float16", "float8_e4m3fn"]}
ONE_PATH: Schema = {
    "properties": {"path": {}, "paths": {}, "type": {}},
    "oneOf": [{"required": ["path"]}, {"required": ["paths"]}],
}


def found(schema: Mapping[str, Any], value: object, *, show_values: bool = True) -> list[Problem]:
    return list(problems(strict_validator(schema), value, show_values=show_values))


def told(schema: Mapping[str, Any], value: object) -> tuple[str, str, str]:
    """Code, message and hint of the one thing that is wrong."""
    [problem] = found(schema, value)
    return problem.code, problem.message, problem.hint


# ---- types


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 4),
        ({"type": "number"}, 4),
        ({"type": "number"}, 4.5),
        ({"type": "boolean"}, False),
        ({"type": "string"}, ""),
        ({"type": ["string", "null"]}, None),
        ({"type": "array"}, []),
        ({"type": "object"}, {}),
        ({"enum": [1]}, 1),
        ({"const": True}, True),
        ({}, None),
    ],
    ids=repr,
)
def test_what_fits_is_not_told(schema: Schema, value: object) -> None:
    assert found(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 4.0),
        ({"type": "integer"}, True),
        ({"type": "integer"}, "4"),
        ({"type": "number"}, False),
        ({"type": "number"}, "4.5"),
        ({"type": "boolean"}, 0),
        ({"type": "boolean"}, "true"),
        ({"type": "string"}, 4),
        ({"type": "string"}, None),
        ({"type": "array"}, {}),
        ({"type": "object"}, []),
        ({"enum": [1]}, True),
        ({"const": True}, 1),
    ],
    ids=repr,
)
def test_types_are_told_apart_as_the_trainer_tells_them_apart(schema: Schema, value: object) -> None:
    assert len(found(schema, value)) == 1


@pytest.mark.parametrize(
    ("wanted", "value", "message", "hint"),
    [
        ("integer", 4.0, "must be a whole number, but is a number with a decimal point 4.0", "Write 4, without"),
        ("integer", 4.5, "must be a whole number, but is a number with a decimal point 4.5", ""),
        ("integer", True, "must be a whole number, but is true", "true and false are not numbers"),
        ("integer", "4", 'must be a whole number, but is text "4"', "Write 4 without quotes."),
        ("number", " 1e-4 ", 'must be a number, but is text " 1e-4 "', "Write 1e-4 without quotes."),
        ("number", "high", 'must be a number, but is text "high"', ""),
        ("boolean", 1, "must be true or false, but is a whole number 1", "Write true."),
        ("boolean", 0, "must be true or false, but is a whole number 0", "Write false."),
        ("boolean", "False", 'must be true or false, but is text "False"', "Write false without quotes"),
        ("boolean", "yes", 'must be true or false, but is text "yes"', "Write true without quotes"),
        ("boolean", "maybe", 'must be true or false, but is text "maybe"', ""),
        ("string", 4, "must be text in quotes, but is a whole number 4", 'Write it in quotes: "4".'),
        ("string", None, "must be text in quotes, but is null", "Give it a value, or take it out."),
        ("string", ["a"], "must be text in quotes, but is a list", ""),
        ("array", 512, "must be a list, but is a whole number 512", "Write a list: [512]."),
        ("array", "512, 768", 'must be a list, but is text "512, 768"', "Write a list: [512, 768]."),
        ("array", "512", 'must be a list, but is text "512"', "Write a list: [512]."),
        ("array", {}, "must be a list, but is an object", ""),
        ("object", "x", 'must be an object, but is text "x"', ""),
    ],
)
def test_a_wrong_type_is_told_with_what_to_write(wanted: str, value: object, message: str, hint: str) -> None:
    code, text, remedy = told({"type": wanted}, value)

    assert (code, text) == ("DPC203", message)
    assert remedy.startswith(hint)
    assert bool(remedy) == bool(hint)


def test_one_mistake_is_one_finding() -> None:
    schema: Schema = {"type": "string", "enum": ["a"], "minLength": 1, "pattern": "a"}
    assert [p.keyword for p in found(schema, 4)] == ["type"]


# ---- choices


@pytest.mark.parametrize(
    ("schema", "value", "message", "hint"),
    [
        (DTYPES, "bfloat61", 'must be "bfloat16", "float16" or "float8_e4m3fn", but is "bfloat61"', "Did you mean"),
        (DTYPES, "BFloat16", 'must be "bfloat16", "float16" or "float8_e4m3fn", but is "BFloat16"', "capitals count"),
        (DTYPES, "bf16", 'must be "bfloat16", "float16" or "float8_e4m3fn", but is "bf16"', 'Write "bfloat16".'),
        (DTYPES, "FP16", 'must be "bfloat16", "float16" or "float8_e4m3fn", but is "FP16"', 'Write "float16".'),
        (DTYPES, 16, 'must be "bfloat16", "float16" or "float8_e4m3fn", but is 16', ""),
        (SWITCH, "true", 'must be true, false or "unsloth", but is "true"', "Write true without quotes"),
        (SWITCH, "unslot", 'must be true, false or "unsloth", but is "unslot"', 'Did you mean "unsloth"?'),
        (SWITCH, 1, 'must be true, false or "unsloth", but is 1', ""),
        (SWITCH, {"a": 1}, 'must be true, false or "unsloth", but is {"a": 1}', ""),
    ],
)
def test_what_is_no_choice_is_told_with_the_choices(schema: Schema, value: object, message: str, hint: str) -> None:
    code, text, remedy = told(schema, value)

    assert (code, text) == ("DPC204", message)
    assert hint in remedy
    assert bool(remedy) == bool(hint)


# ---- everything else that a schema may say


@pytest.mark.parametrize(
    ("schema", "value", "code", "message", "hint"),
    [
        ({"minimum": 1}, 0, "DPC205", "must be at least 1, but is 0", ""),
        ({"exclusiveMinimum": 0}, 0, "DPC205", "must be above 0, but is 0", ""),
        ({"maximum": 0.5}, 0.75, "DPC205", "must be at most 0.5, but is 0.75", ""),
        ({"exclusiveMaximum": 1}, 1.0, "DPC205", "must be below 1, but is 1.0", ""),
        ({"multipleOf": 16}, 8, "DPC205", "must be a multiple of 16, but is 8", ""),
        ({"minItems": 1}, [], "DPC205", "must have at least 1 value, but has 0", ""),
        ({"maxItems": 3}, [1, 2, 3, 4], "DPC205", "must have at most 3 values, but has 4", ""),
        ({"uniqueItems": True}, [1, 1], "DPC205", "has the same value twice", ""),
        ({"minLength": 1}, "", "DPC205", "must not be empty", ""),
        ({"minLength": 3}, "ab", "DPC205", "must have at least 3 characters", ""),
        ({"maxLength": 2}, "abc", "DPC205", "must have at most 2 characters, but has 3", ""),
        ({"minProperties": 1}, {}, "DPC205", "must not be empty", ""),
        ({"const": False}, True, "DPC205", "must be false, but is true", ""),
        ({"not": {}}, 1, "DPC205", "cannot be used here", ""),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "DPC205", "cannot be used here", ""),
        (
            {"pattern": "^[a-z]+$", "description": "Lower-case letters."},
            "A",
            "DPC205",
            'cannot be "A"',
            "Lower-case letters. It must match ^[a-z]+$",
        ),
        (
            {"propertyNames": {"pattern": "^[A-Z]+$", "description": "Capitals."}},
            {"path": 1},
            "DPC205",
            'has a name that cannot be used: "path"',
            "Capitals. It must match ^[A-Z]+$",
        ),
        (
            {"required": ["a"], "properties": {"a": {"description": "What it is.", "enum": ["x", "y"]}}},
            {},
            "DPC202",
            '"a" is missing',
            'Choose "x" or "y". What it is.',
        ),
        (
            {"additionalProperties": False, "properties": {"epochs": {}}},
            {"epoch": 1},
            "DPC201",
            '"epoch" is not a field that is known here',
            'Did you mean "epochs"?',
        ),
        (
            {"additionalProperties": False, "properties": {"a": {}, "b": {}}},
            {"zebra": 1},
            "DPC201",
            '"zebra" is not a field that is known here',
            "Known here: a and b.",
        ),
        (ONE_PATH, {"type": "x"}, "DPC202", '"path" or "paths" is missing', ""),
        (ONE_PATH, {"path": 1, "paths": 2}, "DPC205", 'must have only one of "path" and "paths"', ""),
        (LISTS, [], "DPC203", "must be a list of whole numbers or a list of lists", "It must not be empty."),
        (LISTS, ["512"], "DPC203", "must be a list of whole numbers or a list of lists", ""),
        (
            LISTS,
            "512, 768",
            "DPC203",
            'must be a list of whole numbers or a list of lists, but is "512, 768"',
            "Write a list: [512, 768].",
        ),
        ({"minProperties": 2}, {"a": 1}, "DPC205", "must have at least 2 entries", ""),
    ],
    ids=lambda v: json.dumps(v) if isinstance(v, dict) else None,
)
def test_every_keyword_has_its_words(schema: Schema, value: object, code: str, message: str, hint: str) -> None:
    assert told(schema, value) == (code, message, hint)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "must be at least 1, but is 0"),
        ("b", 'must be "a", but is "b"'),
        (1.5, 'must be a whole number, at least 1, or "a", but is 1.5'),
    ],
)
def test_of_alternatives_the_one_of_the_right_type_was_meant(value: object, message: str) -> None:
    schema: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "enum": ["a"]}]}
    assert told(schema, value)[1] == message


def test_a_mistake_deep_inside_an_alternative_is_told_at_its_place() -> None:
    inner: Schema = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"b": {"type": "integer"}}}]}
    schema: Schema = {"properties": {"list": {"items": inner}}}

    [problem] = found(schema, {"list": ["x", {"b": "y"}]})

    assert problem.path == ("list", 1, "b")
    assert problem.message == 'must be a whole number, but is text "y"'


def test_all_unknown_fields_are_told_each_at_its_place() -> None:
    schema: Schema = {"additionalProperties": False, "properties": {"known": {}}}
    assert [p.path for p in found(schema, {"x": 1, "known": 2, "y": 3})] == [("x",), ("y",)]


def test_all_missing_fields_are_told() -> None:
    messages = [p.message for p in found({"required": ["a", "a'b", "c"]}, {"a": 1})]
    assert messages == ['"a\'b" is missing', '"c" is missing']


@pytest.mark.parametrize(
    ("value", "place", "name"),
    [
        ({"dataset": {}}, ("dataset",), ' in "dataset"'),
        ({"sources": [{"type": 1}, {}]}, ("sources", 1), ' in the second of "sources"'),
    ],
)
def test_a_missing_field_is_told_with_the_object_that_lacks_it(value: object, place: KeyPath, name: str) -> None:
    inner: Schema = {"required": ["type"]}
    [problem] = found({"properties": {"dataset": inner, "sources": {"items": inner}}}, value)

    assert problem.path == place
    assert problem.message == f'"type" is missing{name}'


def test_findings_come_in_the_order_in_which_the_value_was_written() -> None:
    schema: Schema = {"properties": {"a": {"items": {"type": "integer"}}, "b": {"type": "integer"}}}

    paths = [p.path for p in found(schema, {"b": "x", "a": ["x"] * 12})]

    assert paths == [("b",), *(("a", n) for n in range(12))]


def test_only_registered_codes_are_given() -> None:
    schema: Schema = {"minimum": 1, "enum": [1], "const": 1, "not": {}, "type": "integer"}
    assert {p.code for p in found(schema, 0)} <= set(CODES)


# ---- secrets

TOKEN = "hf_abcdefgh"
RULES: list[tuple[Schema, object]] = [
    ({"type": "integer"}, TOKEN),
    ({"type": "string"}, 1234567890),
    ({"type": "array"}, TOKEN),
    ({"type": "boolean"}, TOKEN),
    ({"enum": ["a"]}, TOKEN),
    ({"const": "a"}, TOKEN),
    ({"maximum": 1}, 1234567890),
    ({"multipleOf": 16}, 1234567890),
    ({"maxLength": 1}, TOKEN),
    ({"pattern": "^a"}, TOKEN),
    ({"not": {}}, TOKEN),
    ({"type": "string", "not": {}}, TOKEN),
    ({"anyOf": [{"type": "integer"}, {"type": "array"}]}, TOKEN),
    ({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^a"}]}, TOKEN),
]
every_rule = pytest.mark.parametrize(("schema", "value"), RULES, ids=json.dumps)


@every_rule
def test_without_values_no_message_repeats_one(schema: Schema, value: object) -> None:
    [problem] = found(schema, value, show_values=False)

    assert str(value) not in problem.message + problem.hint
    assert problem.message


@every_rule
def test_a_schema_that_calls_its_value_secret_is_enough(schema: Schema, value: object) -> None:
    [problem] = found({"properties": {"token": {**schema, "x-secret": True}}}, {"token": value})

    assert problem.path == ("token",)
    assert str(value) not in problem.message + problem.hint


def test_a_secret_schema_that_is_referred_to_is_secret_too() -> None:
    schema: Schema = {
        "properties": {"token": {"$ref": "#/$defs/secret", "description": "A token."}},
        "$defs": {"secret": {"type": ["array", "null"], "x-secret": True}},
    }
    for whole in (schema, inlined(schema, schema["$defs"])):
        [problem] = found(whole, {"token": TOKEN})
        assert TOKEN not in problem.message + problem.hint


# ---- inlined


def test_inlined_schemas_stand_alone_and_own_words_win() -> None:
    defs: Schema = {
        "size": {"type": "integer", "description": "Any size."},
        "sizes": {"items": {"$ref": "#/$defs/size"}},
        "inner": {"deep": {"const": 1}},
    }
    schema: Schema = {
        "a": {"$ref": "#/$defs/size", "description": "This size."},
        "b": [{"$ref": "#/$defs/sizes"}],
        "c": {"$ref": "#/$defs/inner/deep"},
    }

    assert inlined(schema, defs) == {
        "a": {"type": "integer", "description": "This size."},
        "b": [{"items": {"type": "integer", "description": "Any size."}}],
        "c": {"const": 1},
    }
