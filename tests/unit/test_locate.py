"""locate: from a JSON Pointer to the place in the text that a person looks for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dpcompile import locate as module
from dpcompile.keypath import KeyPath, pointer
from dpcompile.locate import line_column, locate

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)
LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


def offset(text: str, where: tuple[int, int] | None) -> int:
    """The inverse of `line_column`, written another way."""
    assert where is not None
    line, column = where
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
    return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1


def members(tree: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every place of a tree, and what a reader of the text finds at it: the key, else the element."""
    if path == ():
        yield path, tree
    pairs: list[tuple[str | int, Any]] = []
    if isinstance(tree, dict):
        pairs = list(tree.items())
    elif isinstance(tree, list):
        pairs = list(enumerate(tree))
    for segment, member in pairs:
        yield (*path, segment), segment if isinstance(segment, str) else member
        yield from ((p, v) for p, v in members(member, (*path, segment)) if p != (*path, segment))


@given(trees, st.sampled_from([None, 0, 3, "\t"]), st.booleans(), st.sampled_from(["", "\n", " \r\n\t "]))
def test_every_pointer_of_a_json_text(tree: Any, indent: int | str | None, ascii_only: bool, before: str) -> None:
    text = before + json.dumps(tree, indent=indent, ensure_ascii=ascii_only)
    for path, expected in members(tree):
        at = offset(text, locate(text, pointer(path)))
        found, _ = json.JSONDecoder().raw_decode(text, at)
        assert (type(found), found) == (type(expected), expected)


def nodes(node: yaml.Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, yaml.Node]]:
    """Every place of a YAML tree, by PyYAML's own account: keys for members, else elements."""
    if path == ():
        yield path, node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key
            yield from nodes_below(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value
            yield from nodes_below(value, (*path, index))


def nodes_below(node: yaml.Node, path: KeyPath) -> Iterator[tuple[KeyPath, yaml.Node]]:
    return ((place, inner) for place, inner in nodes(node, path) if place != path)


@given(trees, st.sampled_from([None, True, False]), st.booleans(), st.sampled_from(LOADERS))
def test_every_pointer_of_a_yaml_text(tree: Any, flow: bool | None, wide: bool, loader: Any) -> None:
    text = "# ä 😀\n" + yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=wide)
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    assert top is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "YAML_LOADER", loader)
        for path, node in nodes(top):
            assert node.start_mark is not None
            assert offset(text, locate(text, pointer(path), yaml=True)) == node.start_mark.index


JOB = """{
  "model_type": "flux",
  "trainïng": {"ranks": [16, {"a/b": {}}, [1, 2]],
    "~": null
  }
}
"""


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("", (1, 1)),
        ("/model_type", (2, 3)),
        ("/trainïng", (3, 3)),
        ("/trainïng/ranks", (3, 16)),
        ("/trainïng/ranks/0", (3, 26)),
        ("/trainïng/ranks/1", (3, 30)),
        ("/trainïng/ranks/1/a~1b", (3, 31)),
        ("/trainïng/ranks/2/1", (3, 47)),
        ("/trainïng/~0", (4, 5)),
        # What does not exist: the nearest parent that does.
        ("/trainïng/ranks/1/a~1b/c/d", (3, 31)),
        ("/trainïng/ranks/3", (3, 16)),
        ("/trainïng/ranks/00", (3, 16)),
        ("/trainïng/ranks/-", (3, 16)),
        ("/trainïng/rank", (3, 3)),
        ("/model_type/x", (2, 3)),
        ("/ranks", (1, 1)),
        ("/", (1, 1)),
        # What is no pointer: the top.
        ("model_type", (1, 1)),
    ],
)
def test_places_in_a_job(path: str, where: tuple[int, int]) -> None:
    assert locate(JOB, path) == where
    # The same text is YAML; there the brackets mean the same.
    assert locate(JOB, path, yaml=True) == where


def test_places_in_a_spec() -> None:
    text = """\
# ä
name: x
list:
- a
-   b: 1
    'c d': {e: 2}
? [odd, key]
: - 1
? {k: v}
: 2
last: &a 1
more: *a
"""
    places = {
        "": (2, 1),
        "/name": (2, 1),
        "/list": (3, 1),
        "/list/0": (4, 3),
        "/list/1": (5, 5),
        "/list/1/b": (5, 5),
        "/list/1/c d": (6, 5),
        "/list/1/c d/e": (6, 13),
        "/list/2": (3, 1),
        "/last": (11, 1),
        "/more": (12, 1),
        "/odd": (2, 1),
        "/k": (2, 1),
        "/name/0": (2, 1),
    }
    assert {path: locate(text, path, yaml=True) for path in places} == places


def test_elements_of_a_complex_key_are_no_elements_of_its_neighbour() -> None:
    assert locate("a:\n  b: 1\n  ? [x, y]\n  : 2\n", "/a/0", yaml=True) == (1, 1)
    assert locate("b: 1\n? [x, y]\n: 2\n", "/b/0", yaml=True) == (1, 1)


def test_escaped_keys() -> None:
    assert locate(r'{"x": 1, "\u0061\"\\": 2}', '/a"\\') == (1, 10)
    assert locate(r'{"\ud83d\ude00": [1]}', "/\U0001f600/0") == (1, 19)


def test_line_column() -> None:
    text = "a\r\n\nbc"
    assert [line_column(text, at) for at in range(7)] == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize("text", ["", " \n ", "# only a comment\n"])
def test_nothing_to_find(text: str) -> None:
    assert locate(text, "/a", yaml=True) is None
    assert locate("", "/a") is None


@given(
    st.text() | st.text(alphabet='{}[]",:\\u1 \na-?&*!|>%\t\ud800'),
    st.text() | st.lists(st.text(max_size=2) | st.integers(0, 3), max_size=4).map(pointer),
    st.booleans(),
)
def test_any_text_and_pointer(text: str, path: str, fast: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not fast:
            patch.setattr(module, "YAML_LOADER", yaml.SafeLoader)
        for where in (locate(text, path), locate(text, path, yaml=True)):
            if where is not None:
                offset(text, where)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[" * 100_000, "/0" * 50_000),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "/a" * 100_000),
        ("]" * 1_000_000, "/0"),
        ('"' + "\\n" * 4_000_000, "/0"),
        ('"' * 4_000_001, "/0"),
        ("[" + "0," * 1_000_000 + "0]", "/1000000"),
    ],
    ids=["brackets", "objects", "closing", "escapes", "quotes", "wide"],
)
def test_large_texts_take_bounded_time(text: str, path: str) -> None:
    start = time.perf_counter()
    locate(text, path)
    locate(text[:20_000], path, yaml=True)
    assert time.perf_counter() - start < 20
