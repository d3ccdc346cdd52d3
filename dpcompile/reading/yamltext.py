"""YAML text -> the tree that YAML 1.2's core schema means, or every place where it cannot be had.

PyYAML's own loaders read YAML 1.1: `no` as false, `010` as eight, `1:30` as ninety, `1e-8` as text, a day as
a date, and of two equal keys they keep the last. So only its parser is used here, which does not recurse.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from dpcompile.locate import YAML_ERRORS, YAML_LOADER, line_column
from dpcompile.reading.faults import (
    MAX_FAULTS,
    Fault,
    depth_fault,
    duplicate_fault,
    is_unicode,
    number_fault,
    number_problem,
    shown_pointer,
    unicode_fault,
)
from dpcompile.reading.yamlsyntax import explain, unprintable
from dpcompile.wording import quote

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CORE = "tag:yaml.org,2002:"
_TAGGED: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
_NO_KEY: Any = object()


def read_yaml(text: str, *, max_depth: int) -> tuple[list[Any], list[Fault]]:
    """The documents of a YAML text (none or one), and what is wrong: DPC107, DPC108, DPC110, DPC301, DPC307.

    The tree counts only when there is no fault. At most one fault above MAX_FAULTS is told.
    """
    hidden = unprintable(text)
    if hidden is not None:
        return [], [hidden]
    builder = _Builder(text, max_depth)
    try:
        for event in yaml.parse(text, Loader=YAML_LOADER):
            builder.take(event)
            if builder.stopped or len(builder.faults) > MAX_FAULTS:
                break
    except YAML_ERRORS as error:
        builder.faults.append(explain(text, error))
    return builder.documents, builder.faults


class _Frame:
    """A collection that is being built. `key` waits for its value; it is `_NO_KEY` while a key is due."""

    __slots__ = ("key", "keys", "target")

    def __init__(self, target: list[Any] | dict[str, Any]) -> None:
        self.target = target
        self.key: str = _NO_KEY
        self.keys: dict[str, int] = {}

    @property
    def wants_key(self) -> bool:
        return self.key is _NO_KEY and isinstance(self.target, dict)

    def put(self, value: object) -> None:
        if isinstance(self.target, list):
            self.target.append(value)
        else:
            self.target[self.key] = value
            self.key = _NO_KEY


class _Builder:
    """Builds the tree from the parser's events, without recursion."""

    def __init__(self, text: str, max_depth: int) -> None:
        self.documents: list[Any] = []
        self.faults: list[Fault] = []
        self.stopped = False
        self._text, self._max_depth = text, max_depth
        self._frames = [_Frame(self.documents)]

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            frame = self._frames[-1]
            if frame.wants_key:
                self._key(frame, event)
            else:
                frame.put(self._scalar(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(self._frames.pop().target)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(event, "an alias (*name)", "Aliases are not taken: write the value out again.")
            self._end(None)
        elif isinstance(event, yaml.DocumentStartEvent) and self.documents:
            self._refuse(event, "a second document", "One file holds one spec: take away what follows ---.")
            self.stopped = True

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if len(self._frames) > self._max_depth:
            self.faults.append(depth_fault(_offset(event), self._max_depth))
            self.stopped = True
            return
        if self._frames[-1].wants_key:
            self._refuse(event, "a list or a mapping as a key", "A key must be text.")
        if event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            self._refuse_tag(event)
        self._frames.append(_Frame({} if mapping else []))

    def _end(self, value: object) -> None:
        """Puts away a value that is complete; one that stands where a key is due has been refused before."""
        frame = self._frames[-1]
        if frame.wants_key:
            frame.key = ""
        else:
            frame.put(value)

    def _key(self, frame: _Frame, event: yaml.ScalarEvent) -> None:
        key, at = self._scalar(event), _offset(event)
        frame.key = event.value
        if key == "<<" and not event.style:
            self._refuse(event, "a merge key (<<)", "Merging is not taken: write the keys out.")
        elif not isinstance(key, str):
            self._refuse(event, f"a key that is not text ({quote(event.value[:100])[1:-1]})", "Put it in quotes.")
        first = frame.keys.setdefault(event.value, at)
        if first != at:
            line, _ = line_column(self._text, first)
            self.faults.append(duplicate_fault("DPC307", event.value, line, self._path(), at))

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        text, tag = event.value, event.tag
        if tag in (None, "!"):
            if not event.style:
                return self._plain(event)
        elif tag != _CORE + "str":
            return self._tagged(event)
        if not is_unicode(text):
            self.faults.append(unicode_fault(text, self._path(), _offset(event)))
        return text

    def _plain(self, event: yaml.ScalarEvent) -> object:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "+-.0123456789":
            return text
        whole = _INTEGER.fullmatch(text)
        if not whole and not _FLOAT.fullmatch(text):
            return text
        problem = number_problem(text)
        if problem:
            self.faults.append(number_fault(problem, self._path(), _offset(event)))
            return 0
        return int(text, 0 if text[1:2] in ("x", "o") else 10) if whole else float(text)

    def _tagged(self, event: yaml.ScalarEvent) -> object:
        kind = str(event.tag).removeprefix(_CORE)
        if kind not in _TAGGED or kind == event.tag:
            self._refuse_tag(event)
            return None
        value = self._plain(event)
        if type(value) is not _TAGGED[kind]:
            self._refuse(event, f"a value that is not what its tag !!{kind} says", "Take the tag away.")
        return value

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        self._refuse(event, "an unknown tag", "Take away the word with !, or put the text in quotes.")

    def _refuse(self, event: yaml.Event, what: str, hint: str) -> None:
        fault = Fault(
            code="DPC301",
            offset=_offset(event),
            path=self._path(),
            message=f"{what} cannot be used",
            hint=hint,
        )
        self.faults.append(fault)

    def _path(self) -> str:
        path: list[str | int] = []
        for frame in self._frames[1:]:
            if frame.wants_key:
                break
            path.append(len(frame.target) if isinstance(frame.target, list) else frame.key)
        return shown_pointer(path)


def _offset(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0
