"""Rendered TOML read back and compared with what was meant, leaf by leaf and type by type."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath, dotted
from dpcompile.render import RenderedFile
from dpcompile.resolve import ResolvedConfig
from dpcompile.values import identical
from dpcompile.wording import quote


def verify(files: Sequence[RenderedFile], config: ResolvedConfig) -> Iterator[Diagnostic]:
    """Every difference between the files and the config. Any at all is a mistake of ours."""
    meant: dict[str, dict[KeyPath, Any]] = {}
    for key, setting in config.settings.items():
        meant.setdefault(f"{key[0]}.toml", {})[key[1:]] = setting.value
    for name in sorted(set(meant) - {f.name for f in files}):
        yield _mistake(name, (), "was not rendered")
    for file in files:
        try:
            tree = tomllib.loads(file.text)
        except tomllib.TOMLDecodeError as error:
            yield _mistake(file.name, (), f"is not TOML: {error}")
            continue
        yield from _compare(file.name, meant.get(file.name, {}), tree)


def _compare(name: str, meant: Mapping[KeyPath, Any], tree: Mapping[str, Any]) -> Iterator[Diagnostic]:
    read = dict(_leaves(tree, (), {key[:n] for key in meant for n in range(len(key))}))
    for key in meant.keys() - read.keys():
        yield _mistake(name, key, "is missing")
    for key in read.keys() - meant.keys():
        yield _mistake(name, key, "was invented")
    for key in meant.keys() & read.keys():
        if not identical(meant[key], read[key]):
            yield _mistake(name, key, f"reads as {quote(read[key])}, but {quote(meant[key])} was meant")


def _leaves(node: Any, path: KeyPath, tables: set[KeyPath]) -> Iterator[tuple[KeyPath, Any]]:
    """The settings in a parsed file. A table is what the config calls one: `text_encoders` is a value."""
    if isinstance(node, dict) and path in tables:
        for key, value in node.items():
            yield from _leaves(value, (*path, key), tables)
    elif isinstance(node, list) and path in tables:
        for n, value in enumerate(node):
            yield from _leaves(value, (*path, n), tables)
    else:
        yield path, node


def _mistake(file: str, key: KeyPath, text: str) -> Diagnostic:
    subject = f"{file}: {dotted(key)}" if key else file
    hint = "This is a mistake in dpcompile, not in your job: please report it with the job."
    return finding("DPC504", "", f"{subject} {text}", hint, file=file)
