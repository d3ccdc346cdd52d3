"""What to write instead: always something that fits."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.remedies import hint_for_type

PAIRS = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
TWO = {"type": "array", "items": {"type": "integer"}, "minItems": 2}


@pytest.mark.parametrize(
    ("value", "schema", "hint"),
    [
        ("20", {"type": "integer"}, "Write 20 without quotes."),
        ("03", {"type": "integer"}, "Write 3 without quotes."),
        ("1e2", {"type": "integer"}, "Write 100 without quotes."),
        ("2.5", {"type": "integer"}, ""),
        ("12345678901234567891", {"type": "integer"}, "Write 12345678901234567891 without quotes."),
        ("1e-4", {"type": "number"}, "Write 1e-4 without quotes."),
        (".5", {"type": "number"}, "Write 0.5 without quotes."),
        ("1_000", {"type": "number"}, "Write 1000 without quotes."),
        ("nan", {"type": "number"}, ""),
        ("inf", {"type": "number"}, ""),
        ("1e999", {"type": "number"}, ""),
        (True, {"type": "string"}, ""),
        (3, {"type": ["string", "array"]}, 'Write it in quotes: "3".'),
        (3, {"type": "array"}, "Write a list: [3]."),
        (3, PAIRS, ""),
        (3, TWO, ""),
        ("3, 4", PAIRS, ""),
        ("node1", {"type": "array", "items": {"type": "string"}}, 'Write a list: ["node1"].'),
    ],
)
def test_what_is_proposed_fits(value: object, schema: dict[str, Any], hint: str) -> None:
    assert hint_for_type(value, schema) == hint
