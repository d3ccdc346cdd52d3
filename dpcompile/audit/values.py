"""What an expression of the trainer may stand for, as far as that matters for its configuration.

A value is a set of atoms: everything that the expression may be. An empty set is "something else".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""The place of a table or of a value: ("train", "model", "vae"). "[]" is any entry of a list."""

TRAIN: Path = ("train",)
DATASET: Path = ("dataset",)
TRAIN_FILE: Path = ("--config",)
"""What `args.config` stands for: the name of the training file."""
ENTRY = "[]"
_DEEPEST = 8
"""Tables within tables; a function that walks down a value of any depth would never come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the configuration, or any value in it."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string that stands in the code."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRef:
    """A module or package of the trainer."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRef:
    """A class of the trainer, `module:Name`."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An object of a class of the trainer; `types` are the model types it was made for, None is all."""

    cls: str
    types: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRef:
    """A function or method of the trainer; `me` is the object or class it is bound to."""

    key: str
    me: Instance | ClassRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Super:
    """What `super()` gives in a method: the object, and the class after which methods are looked for."""

    me: Instance
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A tuple, list or set: the value of each entry, in order."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """What a function gets as `**kwargs`."""

    items: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What the parser of the command line gives."""


Atom: TypeAlias = Table | Text | ModuleRef | ClassRef | Instance | FunctionRef | Super | Pack | Keywords | CommandLine
Value: TypeAlias = frozenset[Atom]
UNKNOWN: Value = frozenset()


def table(path: Path) -> Value:
    return frozenset({Table(path=path)}) if len(path) <= _DEEPEST else UNKNOWN


def tables(value: Value) -> tuple[Table, ...]:
    return tuple(atom for atom in value if isinstance(atom, Table))


def texts(value: Value) -> frozenset[str]:
    """The strings that a value may be, those in a list of strings too."""
    found = {atom.value for atom in value if isinstance(atom, Text)}
    for pack in value:
        if isinstance(pack, Pack):
            found |= {atom.value for item in pack.items for atom in item if isinstance(atom, Text)}
    return frozenset(found)


def entries(value: Value) -> Value:
    """What a loop over the value gives."""
    found: set[Atom] = set()
    for atom in value:
        if isinstance(atom, Table):
            found |= table((*atom.path, ENTRY))
        elif isinstance(atom, Pack):
            found |= union(atom.items)
    return frozenset(found)


def union(values: Iterable[Value]) -> Value:
    return frozenset().union(*values)


def pack(*items: Value) -> Value:
    return frozenset({Pack(items=items)})


def matters(value: Value) -> bool:
    """Whether what gets this value could read the configuration by it."""
    for atom in value:
        if isinstance(atom, Table | Instance | CommandLine | Super):
            return True
        if isinstance(atom, FunctionRef) and isinstance(atom.me, Instance):
            return True
        if isinstance(atom, Pack) and any(matters(item) for item in atom.items):
            return True
        if isinstance(atom, Keywords) and any(matters(item) for _, item in atom.items):
            return True
    return False


def literal(node: ast.expr) -> Value:
    """A string, or a list of strings, that stands in the code; else unknown."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return frozenset({Text(value=node.value)})
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return pack(*(literal(entry) for entry in node.elts))
    return UNKNOWN


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module or class, with those inside `if`, `try` and `with`, in their order."""
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        inner: list[ast.stmt] = []
        if isinstance(node, ast.If | ast.Try | ast.With):
            inner += node.body
        if isinstance(node, ast.Try):
            inner += [statement for handler in node.handlers for statement in handler.body]
        if isinstance(node, ast.If | ast.Try):
            inner += node.orelse
        if isinstance(node, ast.Try):
            inner += node.finalbody
        waiting += inner[::-1]
