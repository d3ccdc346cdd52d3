"""Values compared, written and searched as the trainer would take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile.keypath import KeyPath

_EXACT = 2**53  # beyond it a whole number may not be a decimal one any more


def identical(left: object, right: object) -> bool:
    """The same value and the same types all the way down: true is not 1, 1 is not 1.0, 0.0 is not -0.0.

    A tuple is a list, and the order of an object's keys does not count.
    """
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(identical(v, right[k]) for k, v in left.items())
    return type(left) is type(right) and repr(left) == repr(right)


def in_decimals(value: Any) -> Any:
    """A value in which 1 and 1.0 are the same, as they are to the trainer where both may stand."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < _EXACT else value
    return [in_decimals(item) for item in value] if isinstance(value, list) else value


def is_number(value: object) -> bool:
    """Whether a value is a number, which true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def settled(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value in the one form it is written in.

    Lists that mix whole and decimal numbers become decimals, for the trainer's TOML parser refuses the mix;
    keys of objects stand in the order of the schema, unknown ones last, for the job's own order must not show.
    """
    if isinstance(value, list):
        if all(is_number(v) and abs(v) <= _EXACT for v in value) and any(isinstance(v, float) for v in value):
            return [float(v) for v in value]
        return [settled(v, _part(schema, "items")) for v in value]
    if isinstance(value, dict):
        members = _part(schema, "properties")
        ranks = {name: n for n, name in enumerate(members)}
        names = sorted(value, key=lambda name: (ranks.get(name, len(ranks)), name))
        return {name: settled(value[name], members.get(name, {})) for name in names}
    return value


def paths_in(
    value: Any, schema: Mapping[str, Any], at: KeyPath = ()
) -> Iterator[tuple[KeyPath, str, Mapping[str, Any]]]:
    """Every text in a value that its schema calls a path: its place in the value, and what the schema says of it."""
    if isinstance(value, str):
        branches = (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))
        branch = next((branch for branch in branches if branch.get("format") == "path"), None)
        if branch is not None:
            yield at, value, branch
    elif isinstance(value, (list, tuple)):
        for n, item in enumerate(value):
            yield from paths_in(item, _part(schema, "items"), (*at, n))
    elif isinstance(value, Mapping):
        for name, member in _part(schema, "properties").items():
            yield from paths_in(value.get(name), member, (*at, name))


def _part(schema: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    branches = (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))
    return next((branch[keyword] for branch in branches if isinstance(branch.get(keyword), dict)), {})
