"""Trees of JSON values: walked, read, written and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dpcompile.keypath import pointer

Container = dict[str, Any] | list[Any]


def containers(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Container]]:
    """Every object and list of a tree, and where it stands."""
    if isinstance(node, (dict, list)):
        yield path, node
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from containers(inner, (*path, key))


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a tree that holds no other: scalars, and empty objects and lists."""
    if isinstance(node, (dict, list)) and node:
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(inner, (*path, key))
    else:
        yield path, node


def at(tree: Any, path: Sequence[str | int]) -> Any:
    """The value at a place. Raises LookupError where there is none."""
    for part in path:
        if isinstance(tree, dict):
            tree = tree[part]
        elif isinstance(tree, list) and str(part).isdecimal():
            tree = tree[int(part)]
        else:
            raise LookupError(pointer(path))
    return tree


def place(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Writes a value, unless something else stands in its way."""
    node: Any = tree
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            return
    node.setdefault(path[-1], value)


def same(left: Any, right: Any) -> bool:
    """The same value with the same types: true is not 1, 1 is not 1.0, 0.0 is not -0.0; nan is nan."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(repr(left) == repr(right) if isinstance(left, float) else left == right)
