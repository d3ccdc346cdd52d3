"""JSON text -> the tree that was written, or every place where the tree would say something else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from dpcompile.locate import Place, line_column, scan_brackets, scan_json
from dpcompile.reading.faults import (
    MAX_DIGITS,
    Fault,
    depth_fault,
    duplicate_fault,
    is_unicode,
    number_fault,
    number_problem,
    shown_pointer,
    unicode_fault,
)
from dpcompile.reading.jsonsyntax import explain


class _SuspectError(Exception):
    """The text may be JSON, but its tree would not say what was written."""


def read_json(text: str, *, max_depth: int) -> tuple[Any, Iterator[Fault]]:
    """The tree of a JSON text, and its faults: DPC104 to DPC108 and DPC110.

    The tree counts only when there is no fault; beside faults it is there, if at all, to look for secrets in.
    Nothing nested deeper than `max_depth` reaches the
    decoder, which is recursive and would fail at a depth that differs between Python versions.
    """
    deep = _too_deep(text, max_depth)
    if deep is not None:
        return None, iter([_syntax_fault(text[:deep], cut=True) or depth_fault(deep, max_depth)])
    try:
        tree = _STRICT.decode(text)
    except JSONDecodeError as error:
        return None, iter([explain(text, error)])
    except (_SuspectError, ValueError):
        broken = _syntax_fault(text)
        return (None, iter([broken])) if broken else (_LOOSE.decode(text), _suspects(text))
    if "\\u" in text or not is_unicode(text):
        return tree, _suspects(text)
    return tree, iter(())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _SuspectError
    return table


def _integer(token: str) -> int:
    if len(token) > MAX_DIGITS and number_problem(token):
        raise _SuspectError
    return int(token)


def _float(token: str) -> float:
    number = float(token)
    if (number == 0 or math.isinf(number)) and number_problem(token):
        raise _SuspectError
    return number


def _constant(_token: str) -> None:
    raise _SuspectError


def _nothing(_token: str) -> None:
    return None


def _all_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Every value of a key that stands twice, as a list."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        table[key] = [table[key], value] if key in table else value
    return table


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant)
# For what is known to be suspect: is it JSON at all?
_LOOSE = json.JSONDecoder(object_pairs_hook=_all_of, parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing)


def _syntax_fault(text: str, *, cut: bool = False) -> Fault | None:
    """What is broken in `text`; where it was `cut` off, its end is not to blame."""
    try:
        _LOOSE.decode(text)
    except JSONDecodeError as error:
        if not cut or error.pos < len(text.rstrip(" \t\r\n")):
            return explain(text, error)
    return None


def _too_deep(text: str, max_depth: int) -> int | None:
    """The offset of the first bracket below `max_depth`."""
    if text.count("[") + text.count("{") <= max_depth:
        return None
    depth = 0
    for bracket, at in scan_brackets(text):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            return at
    return None


def _suspects(text: str) -> Iterator[Fault]:
    """Duplicate keys, unusable numbers and broken Unicode, in order, of a text that is JSON."""
    path: list[str | int] = []
    keys: list[dict[str, int]] = []  # of each container around the place: its keys and where they stand
    for place in scan_json(text):
        if place.depth:
            path[place.depth - 1 :] = ["" if place.segment is None else place.segment]
        if isinstance(place.segment, str) and place.depth:
            yield from _key_faults(text, place, path, keys[place.depth - 1])
        first = text[place.value]
        if first in "{[":
            keys[place.depth :] = [{}]
        elif first == '"':
            yield from _text_faults(text, place, path)
        elif first not in "tfn":
            problem = number_problem(text[place.value : place.end])
            if problem:
                yield number_fault(problem, shown_pointer(path), place.value)


def _key_faults(text: str, place: Place, path: list[str | int], keys: dict[str, int]) -> Iterator[Fault]:
    key = str(place.segment)
    if not is_unicode(key):
        yield unicode_fault(key, shown_pointer(path), place.start)
    first = keys.setdefault(key, place.start)
    if first != place.start:
        line, _ = line_column(text, first)
        yield duplicate_fault("DPC106", key, line, shown_pointer(path), place.start)


def _text_faults(text: str, place: Place, path: list[str | int]) -> Iterator[Fault]:
    token = text[place.value : place.end]
    if "\\u" in token or not token.isascii():
        value = str(json.loads(token))
        if not is_unicode(value):
            yield unicode_fault(value, shown_pointer(path), place.value)
