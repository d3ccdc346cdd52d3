"""JSON Schema with strict types, and all that does not fit it, in the order in which it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from dpcompile.keypath import KeyPath
from dpcompile.misfits import Problem, SchemaError, in_words


def _is_integer(_checker: object, value: object) -> bool:
    # JSON Schema calls 4.0 an integer; the trainer's isinstance checks do not (train.py:396).
    return isinstance(value, int) and not isinstance(value, bool)


StrictValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def strict_validator(schema: Mapping[str, Any]) -> Any:
    """A validator for which true is not 1 and 4.0 is not a whole number. Build it once, use it often."""
    return StrictValidator(schema)


def inlined(node: Any, defs: Mapping[str, Any]) -> Any:
    """`node` with every local `$ref` replaced by what it names, so that it stands alone, and is quicker to use."""
    if isinstance(node, list):
        return [inlined(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {k: inlined(v, defs) for k, v in node.items() if k != "$ref"}
    if "$ref" not in node:
        return rest
    target: Any = {"$defs": defs}
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**inlined(target, defs), **rest}


def problems(validator: Any, value: object, *, show_values: bool = True) -> Iterator[Problem]:
    """Everything in `value` that the validator's schema does not allow, in the order in which it was written.

    With `show_values=False` no message repeats a value, only names of fields.
    """
    errors = sorted(validator.iter_errors(value), key=lambda e: _position(value, e.absolute_path))
    found = [problem for error in errors for problem in _problems_of(error, (), show_values)]
    # What is not of the right type is not also out of range: one mistake, one message.
    mistyped = {problem.path for problem in found if problem.keyword == "type"}
    yield from (p for p in found if p.keyword == "type" or p.path not in mistyped)


def _position(value: Any, path: Iterable[str | int]) -> list[int]:
    """Where a place stands among its neighbours, level by level."""
    position = []
    for part in path:
        position.append(list(value).index(part) if isinstance(value, dict) else int(part))
        value = value[part]
    return position


def _problems_of(error: SchemaError, base: KeyPath, show: bool) -> Iterator[Problem]:
    path = base + tuple(error.absolute_path if not base else error.path)
    show = show and not _is_secret(error)
    if error.validator in ("anyOf", "oneOf"):
        branch = _meant_branch(error)
        if branch is not None:
            for inner in branch:
                yield from _problems_of(inner, path, show)
            return
    yield from in_words(error, path, show)


def _is_secret(error: SchemaError) -> bool:
    return isinstance(error.schema, Mapping) and bool(error.schema.get("x-secret"))


def _meant_branch(error: SchemaError) -> list[SchemaError] | None:
    """The errors of the one alternative whose type fits: what the author was writing."""
    branches: dict[int, list[SchemaError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)
    fitting = [errors for errors in branches.values() if not any(e.validator == "type" and not e.path for e in errors)]
    return fitting[0] if len(fitting) == 1 and not _all_lists(error) else None


def _all_lists(error: SchemaError) -> bool:
    return all(isinstance(b, Mapping) and b.get("type") == "array" for b in error.validator_value)
