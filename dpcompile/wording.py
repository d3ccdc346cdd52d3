"""Values and value shapes in plain words, for messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dpcompile.keypath import KeyPath, dotted

_ARTICLES = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_PLURALS = {
    "string": "texts in quotes",
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true or false values",
    "array": "lists",
    "object": "objects",
}


def quote(value: object, limit: int = 60) -> str:
    """A value as JSON on one ASCII line, shortened to `limit` characters."""
    text = json.dumps(value, ensure_ascii=True, default=lambda other: f"<{type(other).__name__}>")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def kind(value: object) -> str:
    """What a value is: `text`, `a whole number`, `true or false` …"""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return "a whole number"
        case float():
            return "a number with a decimal point"
        case str():
            return "text"
        case None:
            return "null"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return type(value).__name__


_OPENERS = frozenset(
    (
        *("A", "All", "An", "Both", "By", "Each", "Every", "For", "If", "In", "It", "Its", "Models", "No", "Nothing"),
        *("Only", "Quantised", "Some", "The", "There", "These", "They", "This", "When", "Where", "With", "Without"),
    )
)
"""Words that sentences of our files begin with and that are no names."""


def clause(sentence: str) -> str:
    """A sentence as it goes on after a colon: without its capital, unless a name has it, and without its full stop."""
    first, space, rest = sentence.strip().partition(" ")
    return f"{first.lower() if first in _OPENERS else first}{space}{rest}".removesuffix(".")


def listing(words: Iterable[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(index: int) -> str:
    """Which one of a list an index means: `first` for 0, `11th` for 10."""
    if index < len(_ORDINALS):
        return _ORDINALS[index]
    number = index + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def spoken(path: KeyPath) -> str:
    """A place in a value for people, who count from one: `type in the first of text_encoders`."""
    last = next((n for n in reversed(range(len(path))) if isinstance(path[n], int)), None)
    if not last:  # no number, or one that numbers nothing with a name
        return dotted(path)
    outer, index, inner = path[:last], path[last], path[last + 1 :]
    what = f"the {ordinal(int(index))} {'of' if isinstance(outer[-1], str) else 'value in'} {spoken(outer)}"
    return f"{dotted(inner)} in {what}" if inner else what


def describe(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema asks for, in words: `a whole number, at least 1`."""
    if "const" in schema:
        return quote(schema["const"])
    if "enum" in schema:
        return listing(quote(choice) for choice in schema["enum"])
    words = list(dict.fromkeys(describe(branch) + _matching(branch) for branch in _branches(schema)))
    if words not in ([], ["any value"]):
        return (", or " if any(", " in word for word in words) else " or ").join(words)
    types = _types(schema)
    return (listing(_ARTICLES[t] for t in types) or "any value") + _bounds(schema, types) + _members(schema)


def _matching(schema: Mapping[str, Any]) -> str:
    return f" that matches {schema['pattern']}" if "pattern" in schema else ""


def _branches(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or ()
    return found


def _types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [t for t in ([types] if isinstance(types, str) else types) if t != "null"]


def _bounds(schema: Mapping[str, Any], types: list[str]) -> str:
    if not {"integer", "number"} & set(types):
        return ""
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
    }
    found = [text.format(quote(schema[key])) for key, text in words.items() if key in schema]
    return f", {' and '.join(found)}" if found else ""


def _members(schema: Mapping[str, Any]) -> str:
    """What a list holds: ` of whole numbers, each at least 1`."""
    if "prefixItems" in schema:
        return f" of exactly {len(schema['prefixItems'])} values"
    if "items" not in schema:
        return ""
    item: Mapping[str, Any] = schema["items"]
    if describe(item) == "any value":
        return ""
    lowest, highest = schema.get("minItems"), schema.get("maxItems")
    if lowest == highest == 1:
        return f" of one value: {describe(item)}"
    count = f"exactly {lowest} " if lowest is not None and lowest == highest else ""
    types = _types(item)
    if len(types) != 1 or "enum" in item or "const" in item:
        return f" of {count}values, each {describe(item)}"
    return f" of {count}{_PLURALS[types[0]]}{_bounds(item, types).replace(', ', ', each ', 1)}{_members(item)}"
