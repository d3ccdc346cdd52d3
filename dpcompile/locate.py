"""Places in texts: from a JSON Pointer to the line and column that a person looks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import yaml

from dpcompile.keypath import parse_pointer

# libyaml's scanner where PyYAML was built with it: ten times as fast as the one in Python.
YAML_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What PyYAML raises for broken text: its own errors, and those of chr(), int() and str.encode() under it.
YAML_ERRORS = (yaml.YAMLError, ValueError, OverflowError)

# Possessive, so that a text without end costs time in proportion to its length, and no memory.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\],:]|[^\s"{}\[\],:]++', re.DOTALL)
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\]]', re.DOTALL)

# Above what `documents` takes. PyYAML's parsers need time that grows with the square of the depth.
_DEEPEST_YAML = 100


class Place(NamedTuple):
    """Where one value stands in a text; offsets count characters from 0.

    `depth` is the number of segments of its pointer, `segment` the last of them (None where a YAML key is
    not a plain word). `start` is where people look: the key in an object, the element in a list. From
    `value` to `end` stands the value, or what opens it; in YAML the end is not told apart.
    """

    depth: int
    segment: str | int | None
    start: int
    value: int
    end: int


def locate(text: str, pointer: str, *, yaml: bool = False) -> tuple[int, int] | None:
    """Line and column, from 1 and in characters, of what a JSON Pointer names in a JSON or YAML text.

    For a member of an object that is its key. A pointer that leads nowhere gives its nearest existing
    parent. None when the text holds nothing at all. Raises nothing, for broken texts and pointers either.
    """
    try:
        wanted = parse_pointer(pointer)
    except ValueError:
        wanted = ()
    start = _find(scan_yaml(text) if yaml else scan_json(text), wanted)
    return None if start is None else line_column(text, start)


def line_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at `offset`."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _find(places: Iterable[Place], wanted: tuple[str, ...]) -> int | None:
    best, matched = None, 0
    for depth, segment, start, _, _ in places:
        if best is None:
            best = start
        elif depth <= matched:
            break  # the last match has ended, and what was wanted was not in it
        elif depth == matched + 1 and segment is not None and str(segment) == wanted[matched]:
            best, matched = start, depth
        if matched == len(wanted):
            break
    return best


class _Open:
    """A container that the scan is in: its next segment, and where that stands."""

    __slots__ = ("is_key", "keyed", "segment", "start")

    def __init__(self, *, keyed: bool, is_key: bool = False) -> None:
        self.keyed, self.is_key = keyed, is_key
        self.segment: str | int | None = None if keyed else 0
        self.start: int | None = None

    def next(self) -> None:
        self.segment = self.segment + 1 if isinstance(self.segment, int) else None
        self.start = None


def scan_json(text: str) -> Iterator[Place]:
    """Every value of a JSON text in order, parents first, duplicates too.

    Made for texts that are JSON; for others the places make less sense, but nothing is raised.
    """
    opened: list[_Open] = []
    for match in _TOKEN.finditer(text):
        at, end = match.span()
        first = text[at]
        top = opened[-1] if opened else None
        if first in "}]":
            if opened:
                opened.pop()
        elif first == ",":
            if top:
                top.next()
        elif first == '"' and top and top.keyed and top.start is None:
            top.segment, top.start = _string(text[at:end]), at
        elif first != ":":
            segment, start = (top.segment, top.start) if top else ("", at)
            yield Place(len(opened), segment, at if start is None else start, at, end)
            if first in "{[":
                opened.append(_Open(keyed=first == "{"))


def scan_brackets(text: str) -> Iterator[tuple[str, int]]:
    """The brackets of a JSON text and their offsets, without those inside strings."""
    for match in _BRACKET.finditer(text):
        if text[match.start()] != '"':
            yield match[0], match.start()


def _string(token: str) -> str:
    if "\\" in token:
        try:
            return str(json.loads(token, strict=False))
        except ValueError:
            pass  # only in a text that is not JSON: the raw key is the best there is
    return token[1:-1]


def scan_yaml(text: str) -> Iterator[Place]:
    """Every value of a YAML text in order, parents first, as far as it can be read."""
    opened: list[_Open] = []
    try:
        for event in yaml.parse(text, Loader=YAML_LOADER):
            if isinstance(event, yaml.CollectionEndEvent):
                # A collection that was a key: its value comes next.
                if not opened.pop().is_key and opened:
                    opened[-1].next()
            elif isinstance(event, yaml.NodeEvent):
                yield from _yaml_node(event, opened)
            if len(opened) > _DEEPEST_YAML:
                return
    except YAML_ERRORS:
        return  # what stands before the broken place has been told


def _yaml_node(event: yaml.NodeEvent, opened: list[_Open]) -> Iterator[Place]:
    top = opened[-1] if opened else None
    at = event.start_mark.index if event.start_mark else 0
    is_key = top is not None and top.keyed and top.start is None
    if top and is_key:
        top.segment, top.start = (event.value if isinstance(event, yaml.ScalarEvent) else None), at
    if not is_key or not isinstance(event, yaml.ScalarEvent):
        segment, start = (top.segment, top.start) if top else ("", at)
        yield Place(len(opened), segment, at if start is None else start, at, at)
    if isinstance(event, yaml.CollectionStartEvent):
        opened.append(_Open(keyed=isinstance(event, yaml.MappingStartEvent), is_key=is_key))
    elif top and not is_key:
        top.next()
