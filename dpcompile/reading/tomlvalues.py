"""Keys and values of a TOML text, scanned one after the other, with what is broken in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from dpcompile.keypath import KeyPath
from dpcompile.locate import line_column
from dpcompile.reading.faults import Fault, depth_fault
from dpcompile.wording import quote

# Possessive quantifiers, so that no text takes more time than its length.
BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
INDENT = re.compile(r"[ \t\r]*+")
LINE = re.compile(r"[^\n]*+")
_KEY = re.compile(r"""\s*+(?:"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+'|[^\s="'#\[\]{},.]++)\s*+""")
_TRIPLE = re.compile(r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}' + r"|'''(?:[^']++|'(?!''))*+'{3,5}", re.DOTALL)
_SINGLE = re.compile(r'"(?:[^"\\\n]++|\\[^\n])*+"' + r"|'[^'\n]*+'")
_NO_ESCAPE = re.compile(r'(?<!\\)(?:\\\\)*+(\\(?!["\\btnfr]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}).?)')
"""A backslash in a text in double quotes that begins no escape of TOML."""
_WORD = re.compile(r"[^\s,#\[\]{}]++")
SETTING = re.compile(r"[A-Za-z0-9_-]++[ \t]*+=(?!=)")
_STATEMENT = re.compile(
    r"[ \t]*+(?:[A-Za-z0-9_-]++[ \t]*+=(?!=)|\[\[?[A-Za-z0-9_.-]++\]\]?[ \t\r]*+(?:#[^\n]*+)?(?:\n|$))"
)
_VALUE = re.compile(
    r"true|false|[+-]?(?:inf|nan)|[+-]?(?:0x[0-9a-fA-F_]++|0o[0-7_]++|0b[01_]++|[0-9_]++(?:\.[0-9_]++)?(?:[eE][+-]?[0-9_]++)?)"
    r"|\d{4}-\d\d-\d\d(?:[Tt ]\d\d:.*+)?|\d\d:\d\d.*+"
)
_NOT_TOML = {"True": "true", "False": "false", "TRUE": "true", "FALSE": "false"}
MAX_DEPTH = 64
"""Of lists and inline tables in each other."""

_NOTHING = ("None", "null", "nil", "none", "NULL")


class Broken(Exception):
    """The statement cannot be scanned to its end; its argument is the fault."""


@dataclass(slots=True)
class Scan:
    """What was found: the offset of each key, list item table and header, and the faults in their order."""

    places: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class ValueScanner:
    """A place in a text that moves on over keys and values."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.found = Scan()

    # What every part needs

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return match[0]

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _line_of(self, offset: int) -> int:
        return line_column(self.text, offset)[0]

    def _fault(self, code: str, offset: int, message: str, hint: str) -> Broken:
        return Broken(Fault(code=code, offset=offset, message=message, hint=hint))

    def _dotted(self) -> tuple[str, ...] | None:
        """A key, `a` or `a.b`; None where there is none."""
        parts: list[str] = []
        while (part := self._take(_KEY)) is not None:
            word = part.strip()
            parts.append(word[1:-1] if word[0] in "\"'" else word)
            if self._next() != ".":
                return tuple(parts)
            self.at += 1
        return None

    # Values

    def _value(self, name: str, path: KeyPath) -> None:
        match self._next():
            case "" | "\n" | "#":
                raise self._fault("DPC114", self.at, f"{name} has no value", "Write one, or take the line out.")
            case '"' | "'":
                self._string(name)
            case "[":
                self._list(name, path)
            case "{":
                self._inline_table(name, path)
            case _:
                self._word(name)

    def _string(self, name: str) -> None:
        start, mark = self.at, self._next()
        if self._take(_TRIPLE):
            return
        if not self.text.startswith(mark * 3, start) and (text := self._take(_SINGLE)):
            wrong = _NO_ESCAPE.search(text) if mark == '"' else None
            if wrong is not None:
                message = f"{wrong[1]} in the value of {name} means nothing: a backslash in double quotes is an escape"
                hint = "Write a path with /, or in single quotes."
                self.found.faults.append(Fault(code="DPC114", offset=start, message=message, hint=hint))
            return
        line = self._skip(LINE).rstrip()
        message = f"the quote that begins the value of {name} is not closed"
        hint = f"Close it with {mark} at the end of the text."
        if "\\" in line and mark == '"':
            hint = "A \\ hides what follows it, the closing quote too: write the path with /, or in single quotes."
        elif self.text.startswith(mark * 3, start):
            hint = f"Close it with {mark * 3}."
        raise self._fault("DPC115", start, message, hint)

    def _word(self, name: str) -> None:
        start = self.at
        word = self._take(_WORD) or self._skip(LINE).strip()
        if _VALUE.fullmatch(word):
            return
        message, hint = f"{quote(word)} is no value that TOML has", "Put text in quotes."
        if word in _NOT_TOML:
            hint = f"Write {_NOT_TOML[word]}, in small letters."
        elif word in _NOTHING:
            hint = f"TOML has no such thing: take {name} out."
        elif re.fullmatch(r"[+-]?(\d+\.|\.\d+)([eE][+-]?\d+)?", word):
            hint = "A number has digits on both sides of its point: write 1.0 or 0.5."
        elif word[0] == "(":
            hint = "Write a list in square brackets, [ and ]."
        elif not re.match(r"[\d+-]", word):
            line = (word + self._skip(LINE)).partition("#")[0].strip()
            message = f"the text {quote(line)} stands without quotes"
            hint = f"Write {name} = {quote(line)}." if not SETTING.search(line) else "Put text in quotes."
        raise self._fault("DPC114", start, message, hint)

    def _items(self, name: str, start: int, close: str, what: str, item: Callable[[], None]) -> None:
        """The items between two brackets, from the open one on."""
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Broken(depth_fault(start, MAX_DEPTH))
        self._gap(name, start, close, what)
        while self._next() != close:
            item()
            self._gap(name, start, close, what)
            if self._next() == ",":
                self.at += 1
                self._gap(name, start, close, what)
            elif self._next() != close:
                self._no_comma(name, start, close, what)
        self.at += 1
        self.depth -= 1

    def _gap(self, name: str, start: int, close: str, what: str) -> None:
        """Blanks and comments inside of brackets; the end of the text, or the next setting, shows that none closes."""
        begin = self.at
        while True:
            self._skip(INDENT)
            if self._next() == "#":
                self._skip(LINE)
            elif self._next() == "\n":
                if close == "}":
                    message = f"the table {quote(name)} is not closed on its line"
                    raise self._fault("DPC114", start, message, "Write all of it on one line, up to the }.")
                self.at += 1
                if _STATEMENT.match(self.text, self.at) or self.at >= len(self.text):
                    self._not_closed(name, start, close, what, self.text[begin : self.at])
            else:
                break
        if self.at >= len(self.text):
            self._not_closed(name, start, close, what, self.text[begin : self.at])

    def _not_closed(self, name: str, start: int, close: str, what: str, skipped: str) -> None:
        message = f"the {what} {quote(name)} is not closed"
        hint = f"Close it with {close} before line {self._line_of(self.at)}."
        if any(close in line.partition("#")[2] for line in skipped.splitlines()):
            message += f": its {close} stands behind a #"
            hint = f"What follows # is a comment: put the {close} before it."
        elif self.at >= len(self.text):
            hint = f"Close it with {close}."
        raise self._fault("DPC116", start, message, hint)

    def _no_comma(self, name: str, start: int, close: str, what: str) -> None:
        rest = self.text[self.at :].partition("\n")[0].strip()
        if close == "]" and rest[:1] in ("}", ")"):
            message = f"the {what} {quote(name)} is not closed: {rest[0]} stands where ] is due"
            raise self._fault("DPC116", start, message, "Close it with ].")
        message = f"a comma is missing in the {what} {quote(name)}, before {quote(rest)}"
        raise self._fault("DPC114", self.at, message, "Put a comma between its items.")

    def _list(self, name: str, path: KeyPath) -> None:
        count = 0

        def item() -> None:
            nonlocal count
            self.found.places.setdefault((*path, count), self.at)
            self._value(name, (*path, count))
            count += 1

        self._items(name, self.at, "]", "list", item)

    def _inline_table(self, name: str, path: KeyPath) -> None:
        start = self.at

        def item() -> None:
            at = self.at
            key = self._dotted()
            if key is None or self._next() != "=":
                hint = 'Write {name = "x", config = "y"}.'
                raise self._fault("DPC114", at, f"a key is missing in the table {quote(name)}", hint)
            self.at += 1
            self._skip(INDENT)
            self.found.places.setdefault((*path, *key), at)
            self._value(key[-1], (*path, *key))

        self._items(name, start, "}", "table", item)
