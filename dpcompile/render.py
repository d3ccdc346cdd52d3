"""Resolved config -> TOML text, by Jinja templates that can reach values only through `value` and `has`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import jinja2

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath, dotted, pointer
from dpcompile.resolve import ResolvedConfig, Setting
from dpcompile.resources import DataDirs
from dpcompile.tomlvalue import Unencodable, encode, encode_key
from dpcompile.wording import quote

TEMPLATES = {"train": "train.toml.j2", "dataset": "dataset.toml.j2", "eval": "dataset.toml.j2"}
"""First part of a key, up to its first point -> the template of its file, `<part>.toml`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFile:
    """One file for the trainer."""

    name: str
    text: str


class TemplateError(Exception):
    """A template asked for something that is not there: a mistake of ours."""


class _Line(NamedTuple):
    """One setting as TOML text."""

    name: str
    value: str
    setting: Setting


class _View:
    """What a template sees of one file. A key is a dotted name, or what `keys`, `tables` and `rows` give."""

    FUNCTIONS = ("has", "value", "name", "settings", "keys", "rest", "tables", "rows")

    def __init__(self, lines: Mapping[KeyPath, _Line], comments: bool) -> None:
        self._lines = lines
        self._comments = comments
        self._tables = {key[:n] for key in lines for n in range(len(key))}
        self._written: set[KeyPath] = set()

    @staticmethod
    def _path(key: str | KeyPath) -> KeyPath:
        if isinstance(key, tuple):
            return key
        return tuple(key.split(".")) if key else ()

    def has(self, key: str | KeyPath) -> bool:
        """Whether a key, or anything in a table, is set."""
        path = self._path(key)
        return path in self._lines or path in self._tables

    def value(self, key: str | KeyPath) -> str:
        """The TOML text of a value."""
        path = self._path(key)
        if path not in self._lines:
            raise TemplateError(f"the template asks for {dotted(path)}, which is not set")
        self._written.add(path)
        return self._lines[path].value

    def name(self, table: str | KeyPath) -> str:
        """The TOML text of a table's name."""
        return encode_key(str(self._path(table)[-1]))

    def settings(self, keys: Iterable[str | KeyPath]) -> list[str]:
        """`name = value` for those keys that are set, with a comment if comments are asked for."""
        paths = [path for path in map(self._path, keys) if path in self._lines]
        self._written.update(paths)
        lines = [self._lines[path] for path in paths]
        return [f"{line.name} = {line.value}{self._comment(line.setting)}" for line in lines]

    def _comment(self, setting: Setting) -> str:
        return f"  # {_origin_words(setting)}" if self._comments else ""

    def keys(self, table: str | KeyPath) -> list[KeyPath]:
        """The keys directly in a table."""
        path = self._path(table)
        depth = len(path)
        return [k for k in self._lines if len(k) == depth + 1 and k[:depth] == path]

    def rest(self) -> list[KeyPath]:
        """The top-level keys that the template has not written yet."""
        return [key for key in self.keys("") if key not in self._written]

    def tables(self) -> list[KeyPath]:
        """The tables of the file."""
        return list(dict.fromkeys(k[:1] for k in self._lines if len(k) == 2))

    def rows(self, name: str) -> list[KeyPath]:
        """The tables of an array of tables."""
        return sorted({k[:2] for k in self._lines if k[0] == name and len(k) > 2})


def _origin_words(setting: Setting) -> str:
    """Where a value came from, on one ASCII line whatever the file is called."""
    origin = setting.origin
    words = origin.layer if origin.file is None else f"{origin.layer}: {origin.file}#{origin.pointer}"
    return json.dumps(words)[1:-1]


@cache
def _environment(dirs: DataDirs) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(dirs.templates),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


@cache
def _template(dirs: DataDirs, name: str) -> jinja2.Template:
    return _environment(dirs).get_template(name)


def render(
    config: ResolvedConfig, dirs: DataDirs, *, comments: bool = False
) -> tuple[tuple[RenderedFile, ...], tuple[Diagnostic, ...]]:
    """Every file that the config has settings for, or the values that TOML cannot carry."""
    lines, found = _encoded(config)
    if found:
        return (), found
    files = []
    for part in dict.fromkeys(str(key[0]) for key in lines):
        view = _View({key[1:]: line for key, line in lines.items() if key[0] == part}, comments)
        functions = {name: getattr(view, name) for name in view.FUNCTIONS}
        text = _template(dirs, TEMPLATES[part.partition(".")[0]]).render(functions)
        files.append(RenderedFile(name=f"{part}.toml", text=text))
    return tuple(files), ()


@lru_cache(maxsize=1024)
def _name(key: str) -> str:
    # Keys are nearly always the same few.
    return encode_key(key)


def _holds_table(value: object) -> bool:
    """Inline tables of the trainer's parser cannot be pickled, and dataset settings are (utils/dataset.py:1176)."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_table, value))
    return isinstance(value, dict)


def _encoded(config: ResolvedConfig) -> tuple[dict[KeyPath, _Line], tuple[Diagnostic, ...]]:
    """Every setting as TOML text, and those that have none."""
    lines: dict[KeyPath, _Line] = {}
    found = []
    for key, setting in config.settings.items():
        try:
            names = [_name(part) for part in key[1:] if isinstance(part, str)]
        except Unencodable as error:
            text = f"the key {quote(key[-1])} cannot be written so that the trainer reads it: {error.reason}"
            found.append(finding("DPC502", setting.origin.pointer, text, file=setting.origin.file))
            continue
        if not str(key[0]).startswith("train") and _holds_table(setting.value):
            text = f"{dotted(key)} holds a table inside a value, and the trainer cannot pass such a dataset file on"
            found.append(finding("DPC501", setting.origin.pointer, text, file=setting.origin.file))
            continue
        try:
            lines[key] = _Line(names[-1], encode(setting.value), setting)
        except Unencodable as error:
            text = f"{dotted(key)} cannot be written so that the trainer reads it: {error.reason}"
            where = setting.origin.pointer + pointer(error.path)
            found.append(finding("DPC501", where, text, file=setting.origin.file))
    return lines, tuple(found)
