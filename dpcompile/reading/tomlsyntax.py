"""The statements of a TOML text, one after the other: where each key stands, and what is broken in plain words.

A text that the parsers refuse is scanned for what its author most likely did. What is found here counts only
then: the scanner is more lenient than TOML in some things and knows nothing of what the values mean.
"""

from __future__ import annotations

from dpcompile.keypath import KeyPath
from dpcompile.reading.faults import MAX_FAULTS, Fault
from dpcompile.reading.tomlvalues import BLANK, INDENT, LINE, SETTING, Broken, Scan, ValueScanner
from dpcompile.wording import quote


def scan(text: str) -> Scan:
    """The places and the faults of a whole text. After a broken statement it goes on at the next line."""
    return _Scanner(text).run()


class _Scanner(ValueScanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.table: KeyPath = ()
        self.arrays: dict[KeyPath, int] = {}

    def run(self) -> Scan:
        while True:
            self._skip(BLANK)
            if self.at >= len(self.text) or len(self.found.faults) > MAX_FAULTS:
                return self.found
            start, self.depth = self.at, 0
            try:
                (self._header if self.text[start] == "[" else self._setting)()
            except Broken as error:
                self.found.faults.append(error.args[0])
                if self.at <= start or self.text[self.at - 1] != "\n":
                    self.at = max(self.at, start)
                    self._skip(LINE)

    # Headers

    def _header(self) -> None:
        start = self.at
        double = self.text.startswith("[[", start)
        self.at += 2 if double else 1
        name = self._dotted()
        close = "]]" if double else "]"
        if name is None or not self.text.startswith(close, self.at):
            self.at = start
            line = self._skip(LINE).strip()
            hint = "Write it like [model], or [[directory]] for each folder of the dataset."
            raise self._fault("DPC114", start, f"{quote(line)} is not the header of a table", hint)
        self.at += len(close)
        path = self._below(name)
        if double:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            self.found.places.setdefault(path, start)
            self.table = (*path, self.arrays[path])
        else:
            self.table = path
            if path in self.found.places:
                self._twice(f"[{'.'.join(name)}]", self.found.places[path], start)
        self.found.places.setdefault(self.table, start)
        self._end_of_line(f"the header {close}")

    def _below(self, name: KeyPath) -> KeyPath:
        """The path of a header: a name of an array means its last table."""
        path: KeyPath = ()
        for n, part in enumerate(name):
            path = (*path, part)
            if path in self.arrays and n + 1 < len(name):
                path = (*path, self.arrays[path])
        return path

    # Settings

    def _setting(self) -> None:
        start = self.at
        key = self._dotted()
        if key is None or self._next() != "=" or "\n" in self.text[start : self.at]:
            self._no_setting(start)
        assert key is not None
        self.at += 1
        self._skip(INDENT)
        path = (*self.table, *key)
        name = ".".join(key)
        if path in self.found.places:
            self._twice(quote(name), self.found.places[path], start)
        self.found.places.setdefault(path, start)
        self._value(name, path)
        self._end_of_line(name)

    def _no_setting(self, start: int) -> None:
        self.at = start
        line = self._skip(LINE).strip()
        if ":" in line and "=" not in line:
            hint = f"TOML has = and not a colon: {line.partition(':')[0].strip()} = …"
        elif line[:2] == "//" or line[:1] in (";", "%"):
            hint = "A comment begins with #."
        elif line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            hint = "This is the mark of a merge conflict: keep one of the two sides, and take the marks out."
        else:
            hint = "Write NAME = VALUE, or put # before a comment."
        raise self._fault("DPC114", start, f"{quote(line)} is neither a setting nor a table", hint)

    def _twice(self, what: str, first: int, second: int) -> None:
        message = f"{what} stands twice in the same table, first in line {self._line_of(first)}"
        if what.startswith("["):
            message = f"{what} stands twice, first in line {self._line_of(first)}"
        hint = "The trainer stops at it: keep the one that is meant."
        self.found.faults.append(Fault(code="DPC119", offset=second, message=message, hint=hint))

    def _end_of_line(self, name: str) -> None:
        self._skip(INDENT)
        if self._next() in ("", "\n", "#"):
            return
        start = self.at
        rest = self._skip(LINE).strip()
        if SETTING.match(rest):
            other = rest.partition("=")[0].strip()
            message = f"two settings on one line: {other} follows {name}"
            raise self._fault("DPC117", start, message, "Give each a line of its own.")
        hint = f"Take {quote(rest)} away, or put # before it."
        if rest.startswith(","):
            hint = "Take the comma away: settings end with their line."
        raise self._fault("DPC114", start, f"something stands behind the value of {name}: {quote(rest)}", hint)
