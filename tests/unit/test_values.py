from __future__ import annotations

import json
from typing import Any

import pytest

from dpcompile.values import identical, is_number, settled

NAN = float("nan")


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.5, -0.0, NAN, "", "ü", [], {}, [1, [2, {"a": None}]], {"a": [1.0, {"b": "c"}]}, 10**30],
    ids=repr,
)
def test_a_value_is_identical_to_itself(value: object) -> None:
    assert identical(value, value)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (False, 0),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        ("", None),
        (None, False),
        ([], {}),
        ([1], [True]),
        ([1, 2], [2, 1]),
        ([1, 2], [1, 2, 3]),
        ([1, 2, 3], [1, 2]),
        ([], ""),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}),
        (0.1 + 0.2, 0.3),
    ],
    ids=repr,
)
def test_values_that_the_trainer_tells_apart_are_told_apart(left: object, right: object) -> None:
    assert not identical(left, right)
    assert not identical(right, left)


def test_a_tuple_is_a_list() -> None:
    assert identical((1, (2,)), [1, [2]])
    assert not identical((1,), [1.0])


def test_the_order_of_keys_does_not_count() -> None:
    assert identical({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})


# ---- settled

EXACT = 2**53


@pytest.mark.parametrize("value", [0, -1, 1.5, NAN, 10**30], ids=repr)
def test_whole_and_decimal_numbers_are_numbers(value: object) -> None:
    assert is_number(value)


@pytest.mark.parametrize("value", [True, False, "1", None, [], [1]], ids=repr)
def test_true_and_false_and_all_else_are_none(value: object) -> None:
    assert not is_number(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (1.0, 1.0),
        ("a", "a"),
        (None, None),
        ([], []),
        ([1, 2], [1, 2]),
        ([0.5, 1], [0.5, 1.0]),
        ([1, 0.5, -3], [1.0, 0.5, -3.0]),
        ([EXACT, 0.5], [float(EXACT), 0.5]),
        # Not exact as decimals, so the list stays as it is.
        ([EXACT + 1, 0.5], [EXACT + 1, 0.5]),
        ([-EXACT - 1, 0.5], [-EXACT - 1, 0.5]),
        ([True, 0.5], [True, 0.5]),
        ([1, "a", 0.5], [1, "a", 0.5]),
        ([[1, 0.5], [1, 2]], [[1.0, 0.5], [1, 2]]),
        ({"a": [1, 0.5]}, {"a": [1.0, 0.5]}),
        ([{"a": [1, 0.5]}], [{"a": [1.0, 0.5]}]),
    ],
    ids=repr,
)
def test_lists_that_mix_numbers_become_decimals_where_that_is_exact(value: object, expected: object) -> None:
    assert identical(settled(value, {}), expected)


@pytest.mark.parametrize(
    ("schema", "value", "order"),
    [
        ({}, {"b": 1, "a": 2}, ["a", "b"]),
        ({"properties": {"type": {}, "path": {}}}, {"x": 1, "path": 2, "a": 3, "type": 4}, ["type", "path", "a", "x"]),
        ({"anyOf": [{"type": "null"}, {"properties": {"z": {}, "y": {}}}]}, {"y": 1, "z": 2}, ["z", "y"]),
        ({"oneOf": [{"properties": {"z": {}, "y": {}}}]}, {"y": 1, "z": 2}, ["z", "y"]),
    ],
    ids=lambda v: json.dumps(v) if isinstance(v, dict) else "",
)
def test_keys_stand_in_the_order_of_the_schema_whatever_the_jobs_order_was(
    schema: dict[str, Any], value: dict[str, Any], order: list[str]
) -> None:
    assert list(settled(value, schema)) == order
    assert settled(value, schema) == value


def test_objects_within_others_are_settled_by_their_own_schema() -> None:
    inner: dict[str, Any] = {"properties": {"z": {}, "y": {}}}
    schema: dict[str, Any] = {"properties": {"list": {"items": inner}, "one": inner}}

    made = settled({"one": {"y": 1, "z": 2}, "list": [{"y": 1, "z": 2}]}, schema)

    assert list(made) == ["list", "one"]
    assert list(made["list"][0]) == list(made["one"]) == ["z", "y"]
