"""What is said of a value that does not fit its schema: each error of jsonschema in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dpcompile.keypath import KeyPath
from dpcompile.remedies import hint_for_text, hint_for_type
from dpcompile.similar import did_you_mean
from dpcompile.wording import describe, kind, listing, quote, spoken

SchemaError: TypeAlias = Any
"""A jsonschema ValidationError, whose stubs call every attribute possibly unset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A place in a value that does not fit: its code, and the words for it."""

    path: KeyPath
    code: str
    message: str
    hint: str = ""
    keyword: str = ""


_SHAPES = frozenset({"type", "anyOf", "oneOf", "const", "minItems", "maxItems"})
"""Keywords about the shape of a value; the others are about what it says."""

_FULL_NAMES = {
    **dict.fromkeys(("bf16", "torch.bfloat16"), "bfloat16"),
    **dict.fromkeys(("fp16", "half", "torch.float16"), "float16"),
    **dict.fromkeys(("fp32", "float", "torch.float32"), "float32"),
    **dict.fromkeys(("fp8_e4m3fn", "torch.float8_e4m3fn"), "float8_e4m3fn"),
    "fp8": "float8",
    "fp8_e5m2": "float8_e5m2",
    "hf": "huggingface",
}
"""Short and other names that people bring for one of the choices."""


def in_words(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    """The problems that one error stands for; without `show` no message repeats the value."""
    of_name = len(error.schema_path) > 1 and error.schema_path[-2] == "propertyNames"
    writer = _names if of_name else _WRITERS.get(str(error.validator), _other)
    yield from writer(error, path, show)


def sentence(problem: Problem, name: str) -> str:
    """What is wrong in the value of the key `name`."""
    if problem.code == "DPC202":  # said of the object that lacks it
        return problem.message if _container(problem.path) else f"{problem.message} in {spoken((name, *problem.path))}"
    if problem.code == "DPC201" and not _container(problem.path[:-1]):
        owner = spoken((name, *problem.path[:-1]))
        return f"{quote(problem.path[-1])} is not a field of {owner}"
    if problem.code == "DPC201":
        return problem.message
    return f"{spoken((name, *problem.path))} {problem.message}"


def what_to_do(problem: Problem, schema: Mapping[str, Any]) -> str:
    """What to do about a value: the problem's own words, else how the schema says that such a value is written."""
    if problem.keyword == "pattern":
        return ""  # the words are the schema's, about all values
    return problem.hint or (str(schema.get("x-form", "")) if problem.keyword in _SHAPES else "")


def _type(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    plain = error.instance is not None and not isinstance(error.instance, (bool, dict, list))
    shown = f" {quote(error.instance)}" if show and plain else ""
    yield Problem(
        path=path,
        code="DPC203",
        keyword="type",
        message=f"must be {describe(error.schema)}, but is {kind(error.instance)}{shown}",
        hint=hint_for_type(error.instance, error.schema) if show else "",
    )


def _enum(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    shown = f", but is {quote(error.instance)}" if show else ""
    choices = [str(c) for c in error.validator_value]
    meant = did_you_mean(error.instance, choices) if isinstance(error.instance, str) else ""
    if isinstance(error.instance, str) and error.instance.lower() in choices:
        meant = f"Write {quote(error.instance.lower())}: capitals count."
    full = _FULL_NAMES.get(error.instance.lower()) if isinstance(error.instance, str) else None
    if full in choices:
        meant = f"Write {quote(full)}."
    if isinstance(error.instance, str) and {True, False} & {c for c in error.validator_value if isinstance(c, bool)}:
        meant = hint_for_text(error.instance, ["boolean"]) or meant
    yield Problem(
        path=path,
        code="DPC204",
        keyword="enum",
        message=f"must be {describe(error.schema)}{shown}",
        hint=meant,
    )


def _range(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    words = {
        "minimum": "must be at least {}",
        "exclusiveMinimum": "must be above {}",
        "maximum": "must be at most {}",
        "exclusiveMaximum": "must be below {}",
        "multipleOf": "must be a multiple of {}",
    }[str(error.validator)]
    shown = f", but is {quote(error.instance)}" if show else ""
    yield Problem(
        path=path,
        code="DPC205",
        keyword=str(error.validator),
        message=words.format(quote(error.validator_value)) + shown,
    )


def _size(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    count = len(error.instance)
    limit = error.validator_value
    text = {
        "minItems": f"must have at least {_values(limit)}, but has {count}",
        "maxItems": f"must have at most {_values(limit)}, but has {count}",
        "minLength": "must not be empty" if limit == 1 else f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters, but has {count}",
        "minProperties": "must not be empty" if limit == 1 else f"must have at least {limit} entries",
        "uniqueItems": "has the same value twice",
    }[str(error.validator)]
    yield Problem(path=path, code="DPC205", keyword=str(error.validator), message=text)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _pattern(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    message = f"cannot be {quote(error.instance)}" if show else "does not have the form that is needed"
    yield Problem(path=path, code="DPC205", keyword="pattern", message=message, hint=_form(error))


def _form(error: SchemaError) -> str:
    """What a text may be, in words where the schema has them, else as a pattern."""
    meaning = error.schema.get("description", "") if isinstance(error.schema, Mapping) else ""
    return f"{meaning} It must match {error.validator_value}".strip()


def _required(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    missing = next(name for name in error.validator_value if error.message.startswith(repr(name)))
    schema = error.schema.get("properties", {}).get(missing, {}) if isinstance(error.schema, Mapping) else {}
    choices = f"Choose {describe(schema)}." if "enum" in schema else ""
    yield Problem(
        path=path,
        code="DPC202",
        keyword="required",
        message=f"{quote(missing)} is missing{_within(path)}",
        hint=f"{choices} {schema.get('description', '')}".strip(),
    )


def _container(path: KeyPath) -> str:
    """The object at a place by its name: `"dataset"`, `the first of "sources"`; empty where it has none."""
    name = next((n for n in reversed(range(len(path))) if isinstance(path[n], str)), None)
    return "" if name is None else spoken((quote(path[name]), *path[name + 1 :]))


def _within(path: KeyPath) -> str:
    return f" in {_container(path)}" if _container(path) else ""


def _unknown(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    owner = _container(path)
    for name in error.instance:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"Known here: {listing(known, 'and')}."
            yield Problem(
                path=(*path, name),
                code="DPC201",
                keyword="additionalProperties",
                message=f"{quote(name)} is not a field {'of ' + owner if owner else 'that is known here'}",
                hint=hint,
            )


def _names(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    yield Problem(
        path=path,
        code="DPC205",
        keyword="propertyNames",
        message=f"has a name that cannot be used: {quote(error.instance)}",
        hint=_form(error),
    )


def _other(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    shown = f", but is {quote(error.instance)}" if show and not isinstance(error.instance, (dict, list)) else ""
    wanted = describe(error.schema)
    text = "cannot be used here" if wanted == "any value" else f"must be {wanted}{shown}"
    yield Problem(path=path, code="DPC205", keyword=str(error.validator), message=text)


def _union(error: SchemaError, path: KeyPath, show: bool) -> Iterator[Problem]:
    keyword, names = str(error.validator), [n for b in error.validator_value for n in b.get("required", ())]
    if all(branch.keys() == {"required"} for branch in error.validator_value):
        if error.context:
            text = f"{listing(map(quote, names))} is missing{_within(path)}"
            yield Problem(path=path, code="DPC202", keyword=keyword, message=text)
        else:
            text = f"must have only one of {listing(map(quote, names), 'and')}"
            yield Problem(path=path, code="DPC205", keyword=keyword, message=text)
        return
    plain = show and not isinstance(error.instance, (dict, list))
    text = f"must be {describe(error.schema)}" + (f", but is {quote(error.instance)}" if plain else "")
    hint = _union_hint(error) if show else ""
    yield Problem(path=path, code="DPC203", keyword=keyword, message=text, hint=hint)


def _union_hint(error: SchemaError) -> str:
    if error.instance == []:
        return "It must not be empty."
    hints = (hint_for_type(error.instance, branch) for branch in error.validator_value)
    return next((hint for hint in hints if hint), "")


_Writer = Callable[[SchemaError, KeyPath, bool], Iterator[Problem]]
_WRITERS: dict[str, _Writer] = {
    "type": _type,
    "enum": _enum,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"), _range),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "uniqueItems"), _size),
    "pattern": _pattern,
    "required": _required,
    "additionalProperties": _unknown,
    **dict.fromkeys(("anyOf", "oneOf"), _union),
}
