from __future__ import annotations

import pytest

from dpcompile.values import identical

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
