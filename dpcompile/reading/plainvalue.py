"""Any tree of Python objects -> the same tree of plain JSON values, or every place where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dpcompile.reading.faults import (
    MAX_DIGITS,
    MAX_FAULTS,
    Fault,
    depth_fault,
    is_unicode,
    number_fault,
    number_problem,
    shown_pointer,
    size_fault,
    unicode_fault,
)
from dpcompile.wording import quote

_TOO_LONG = 10**MAX_DIGITS


def plain_value(value: object, *, max_depth: int, max_bytes: int) -> tuple[Any, list[Fault]]:
    """A copy of `value` made of dict, list, str, int, float, bool and None alone, and what cannot be copied.

    The copy counts only when there is no fault (DPC106 to DPC110, DPC112). `max_bytes` bounds the JSON
    text that the tree would give, and so the work: objects that are shared many times are counted each time.
    """
    copier = _Copier(max_depth, max_bytes)
    copy = copier.copy(value)
    if copier.room < 0:
        copier.faults.append(size_fault(max_bytes - copier.room, max_bytes))
    return copy, copier.faults


class _Copier:
    """Walks the tree with a stack of its own. Objects may be of any make: only their real type is asked."""

    def __init__(self, max_depth: int, max_bytes: int) -> None:
        self.faults: list[Fault] = []
        self.room = max_bytes  # what may still come; below zero the tree is too large
        self._max_depth = max_depth
        self._path: list[str | int] = []
        self._around: list[int] = []  # ids of the containers that the walk is in
        self._walks: list[tuple[Iterator[tuple[str | int, object]], list[Any] | dict[str, Any]]] = []

    def copy(self, value: object) -> Any:
        top = self._plain(value)
        while self._walks and not self._full():
            depth = len(self._walks)
            members, target = self._walks[-1]
            for segment, member in members:
                self._path[depth - 1 :] = [segment]
                plain = self._plain(member)
                if isinstance(target, list):
                    target.append(plain)
                else:
                    target[str(segment)] = plain
                if len(self._walks) > depth or self._full():
                    break
            else:
                self._walks.pop()
                self._around.pop()
                del self._path[depth - 1 :]
        return top

    def _full(self) -> bool:
        return self.room < 0 or len(self.faults) > MAX_FAULTS

    def _plain(self, value: Any) -> Any:
        # type(), not isinstance(): the latter believes what an object's __class__ says, or fails with it.
        kind = type(value)
        self.room -= 2  # a digit or a bracket, and a comma
        if value is None or kind is bool:
            return value
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, int):
            return self._whole(int.__int__(value))
        if issubclass(kind, float):
            return self._float(float.__float__(value))
        if issubclass(kind, (dict, list, tuple)):
            return self._open(value, kind)
        hint = "Give text, a number, true, false, null, a list or an object."
        self._fault("DPC112", f"JSON has no word for a value of the type {_name(kind)}", hint)
        return None

    def _text(self, text: str) -> str:
        self.room -= len(text) + 1
        if not is_unicode(text):
            self.faults.append(unicode_fault(text, shown_pointer(self._path), None))
        return text

    def _whole(self, number: int) -> int:
        self.room -= number.bit_length() // 4
        if not -_TOO_LONG < number < _TOO_LONG:
            problem = f"a whole number of more than {MAX_DIGITS} digits is too long"
            self.faults.append(number_fault(problem, shown_pointer(self._path), None))
        return number

    def _float(self, number: float) -> float:
        if not math.isfinite(number):
            problem = number_problem(float.__repr__(number))
            self.faults.append(number_fault(problem, shown_pointer(self._path), None))
        return number

    def _open(self, value: Any, kind: type) -> list[Any] | dict[str, Any] | None:
        if id(value) in self._around:
            self._fault("DPC112", "a list or an object that contains itself", "JSON cannot hold it: give a copy.")
            return None
        if len(self._walks) >= self._max_depth:
            self.faults.append(depth_fault(None, self._max_depth, shown_pointer(self._path)))
            return None
        target: list[Any] | dict[str, Any]
        members: Iterator[tuple[str | int, object]]
        if issubclass(kind, dict):
            target = {}
            members = self._members(value, target, len(self._path))
        else:
            target = []
            members = enumerate(list.__iter__(value) if issubclass(kind, list) else tuple.__iter__(value))
        self._around.append(id(value))
        self._walks.append((members, target))
        return target

    def _members(self, source: dict[Any, Any], seen: dict[str, Any], depth: int) -> Iterator[tuple[str, object]]:
        for key, member in dict.items(source):
            del self._path[depth:]
            if not issubclass(type(key), str):
                self._fault("DPC112", f"{_key(key)} is a key that is not text", "In JSON every key is text.")
                continue
            name = str.__str__(key)
            self._path.append(name)
            self._text(name)
            if name in seen:
                self._fault("DPC106", f"{quote(name[:100])} stands twice in the same object", "Keep one of them.")
            yield name, member

    def _fault(self, code: str, message: str, hint: str) -> None:
        path = shown_pointer(self._path)
        self.faults.append(Fault(code=code, offset=None, message=message, hint=hint, path=path))


def _name(kind: type) -> str:
    return quote(kind.__name__[:100])


def _key(key: Any) -> str:
    simple = type(key) in (bool, float, type(None)) or (type(key) is int and abs(key) < _TOO_LONG)
    return quote(key) if simple else f"a value of the type {_name(type(key))}"
