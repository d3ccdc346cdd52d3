"""tomlvalue: what is written is read as meant by TOML 1.0 and by the trainer's old parser, or is refused.

The ids of the classes (S1, N2, K5 …) name the ways in which `toml` 0.10.2 misreads legal TOML.
"""

from __future__ import annotations

import enum
import json
import math
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import event, given
from hypothesis import strategies as st

from dpcompile.tomlvalue import MAX_DEPTH, Unencodable, encode, encode_key

COMMENTS = ("", " # comment with \"quotes' ] [", '# {"""\'')


def trainer_reads(document: str) -> Any:
    """The way of train.py:284 at 8f83dbf."""
    return json.loads(json.dumps(toml.loads(document)))


READERS = (tomllib.loads, trainer_reads)


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def same(read: Any, meant: Any) -> bool:
    """Equal in type, sign of zero and order of lists too; the order of keys is free."""
    if type(read) is not type(meant):
        return False
    if isinstance(meant, dict):
        return read.keys() == meant.keys() and all(same(read[key], meant[key]) for key in meant)
    if isinstance(meant, list):
        return len(read) == len(meant) and all(map(same, read, meant))
    if isinstance(meant, float):
        # The text that Python gives a float is exact, and tells -0.0 and nan apart from others.
        return repr(read) == repr(meant)
    return bool(read == meant)


def assert_read_as(document: str, meant: Any) -> None:
    assert document.isascii()
    for read in READERS:
        assert same(read(document), meant), (read, document)


def assert_value_read_as(text: str, value: Any, key: str = "key") -> None:
    """Reads `text` at the root and in a section, alone and before a comment, with a line after it."""
    assert "\n" not in text
    assert "\r" not in text
    meant = {key: plain(value), "after": 1}
    for comment in COMMENTS:
        lines = f"{encode_key(key)} = {text}{comment}\nafter = 1\n"
        assert_read_as(lines, meant)
        assert_read_as(f'before = "x"\n[section]\n{lines}', {"before": "x", "section": meant})


def assert_key_read_as(key: str) -> None:
    """Reads the key left of `=`, in headers, and in inline tables: as it is, among others, and dotted."""
    text = encode_key(key)
    if key != "after":
        assert_value_read_as("1", 1, key)
    assert_read_as(f"[{text}]\nx = 1\n", {key: {"x": 1}})
    assert_read_as(f"[[{text}]]\nx = 1\n[[{text}]]\nx = 2\n", {key: [{"x": 1}, {"x": 2}]})
    assert_read_as(f"[outer]\n[outer.{text}]\nx = 1\n", {"outer": {key: {"x": 1}}})
    assert_read_as(f"[{text}]\n[{text}.{text}]\nx = 1\n", {key: {key: {"x": 1}}})
    values: tuple[Any, ...] = (
        [{key: "v"}, {"other": ["a"], key: 2}],
        {key: {key: {key: 1}, "other": 2}},
        [[{key: [1]}], []],
    )
    for value in values:
        assert_value_read_as(encode(value), value)


# ---- Every class of misreading, by example

WRITTEN = [
    ("S1", '"', r'"""\u0022"""'),
    ("S1", '""', r'"""\u0022\u0022"""'),
    ("S1", '""\\', r'"""\u0022\u0022\\"""'),
    ("S1", '""\\u', r'"""\u0022\u0022\\\u0075"""'),
    ("S1", '"x"', r'"\"x\""'),
    ("S1", ['"', "x"], r'["""\u0022""", "x"]'),
    ("S2", "\x01\\u006e", r'"\u0001\\\u0075006e"'),
    ("S2", "\x01\\U0000006e", r'"\u0001\\\U000000550000006e"'),
    ("S2", "\U0001f600\\\\u", r'"\U0001f600\\\\\u0075"'),
    ("S2", ["C:\\users\\it's"], r'["C:\\\u0075sers\\it\u0027s"]'),
    ("S3", "a\\nb", r'"a\\nb"'),
    ("S3", "C:\\users", r'"C:\\users"'),
    ("S4", {"a": ",x"}, r'{a = "\u002cx"}'),
    ("S5", [",", "b"], r'["\u002c", "b"]'),
    ("S6", [{"path": "/it's/x", "type": "y"}], r'[{path = "/it\u0027s/x", type = "y"}]'),
    ("S6b", [{"p": ["it's"], "t": 1}, {"p": []}], r'[{p = ["it\u0027s"], t = 1}, {p = []}]'),
    ("S7", [["a[", "b"], ["c"]], r'[["a\u005b", "b"], ["c"]]'),
    ("S8", {"a": ["x], y", "z"]}, r'{a = ["x\u005d\u002c y", "z"]}'),
    ("S9", {"a": {"b": "x}, y"}}, r'{a = {b = "x}\u002c y"}}'),
    ("S10", ["C:\\", "b"], r'["C:\\", "b"]'),
    ("S10b", [{"a": "C:\\"}, {"a": "b"}], r'[{a = "C:\\"}, {a = "b"}]'),
    ("S11", ["a", "x\ny", "b"], r'["a", "x\ny", "b"]'),
    ("S12", {"a": "x\ny"}, r'{a = "x\ny"}'),
    ("S14", "\nx\r\n", r'"\nx\r\n"'),
    ("S15", 'a""\nb', r'"a\"\"\nb"'),
    ("S16", "a  \nb", r'"a  \nb"'),
    ("S17", '"x', r'"\"x"'),
    ("N2", {"a": math.inf, "b": -math.inf}, "{a = 1e999, b = -inf}"),
    ("N2", [{"a": {"b": math.inf}}, {}], "[{a = {b = 1e999}}, {}]"),
    ("N2", {"a": [math.inf]}, "{a = [inf]}"),
    ("N2", math.inf, "inf"),
    ("N3", {"a": math.nan}, "{a = -nan}"),
    ("N3", [math.nan, 1.0], "[nan, 1.0]"),
    ("N4", {"a": 1}, "{a = 1}"),
    ("N5", 0.0, "0.0"),
    ("N6", 0xFF, "255"),
    ("I2", {"a": [{"b": [1], "c": 2}]}, "{a = [{c = 2, b = [1]}]}"),
    ("I3", {"a": {"b": {"c": 1}, "d": 2}}, "{a.b = {c = 1}, a.d = 2}"),
    ("I3", {"a b": {"c.d": {"e": []}, "f": 2}}, '{"a b"."c.d" = {e = []}, "a b".f = 2}'),
    # What jobs bring.
    ("", True, "true"),
    ("", [True, False], "[true, false]"),
    ("", -(2**63), "-9223372036854775808"),
    ("", 2e-5, "2e-05"),
    ("", 1e16, "1e+16"),
    ("", 5e-324, "5e-324"),
    ("", "", '""'),
    ("", "it's, [so]", '"it\'s, [so]"'),
    ("", "\x00\x7fé図😀", r'"\u0000\u007f\u00e9\u56f3\U0001f600"'),
    ("", "{{ x }} {% y %} #", '"{{ x }} {% y %} #"'),
    ("", "1e5", '"1e5"'),
    ("", (0.9, 0.99), "[0.9, 0.99]"),
    ("", [[512, 4], [1024, 1]], "[[512, 4], [1024, 1]]"),
    ("", [[1], [2.0], ["a"], []], '[[1], [2.0], ["a"], []]'),
    ("", [], "[]"),
    ("", {}, "{}"),
    ("", [{}, {"a": {}}], "[{}, {a = {}}]"),
    ("", {"a": 1, "b": {"c": [1, 2]}}, "{a = 1, b = {c = [1, 2]}}"),
    ("", [{"path": ["a", "b"], "type": "t"}], '[{path = ["a", "b"], type = "t"}]'),
    ("", [[{"a": 1}], [{"b": 2}]], "[[{a = 1}], [{b = 2}]]"),
]


@pytest.mark.parametrize(("value", "text"), [row[1:] for row in WRITTEN], ids=[row[0] for row in WRITTEN])
def test_the_text_of_a_value(value: Any, text: str) -> None:
    assert encode(value) == text
    assert_value_read_as(text, value)


REFUSED = [
    ("N1", -0.0, (), "write 0.0"),
    ("N1", [{"a": [1.0, -0.0]}], (0, "a", 1), "write 0.0"),
    ("A1", [1, 2.0], (), "mixes whole numbers and numbers with a decimal point"),
    ("A1", [1, 2.0], (), "with a decimal point, as in 1.0"),
    ("A1", ["a", 1, "b", True], (), "mixes text, whole numbers and true or false"),
    ("A1", [True, 1], (), "make all items the same kind"),
    ("A1", [[1], 1], (), "mixes lists and whole numbers"),
    ("A1", {"a": [[1, "x"]]}, ("a", 0), "mixes whole numbers and text"),
    ("A2", [{"a": 1}, 2], (), "mixes tables and whole numbers"),
    ("I1", {"a": [[1], [2]]}, ("a",), "[section]"),
    ("I2", {"a": [{"b": [1], "c": [2]}]}, ("a",), "[section]"),
    ("I4", [[{"a": [[1], [2]]}]], (0, 0, "a"), "[section]"),
    ("K1", {"\x01": 1}, ("\x01",), "U+0001"),
    ("K5", [{"a": {"b,c": 1}}], (0, "a", "b,c"), "holds ,"),
    ("null", None, (), "no null"),
    ("null", [1, None], (1,), "leave the value out"),
    ("type", b"x", (), "type bytes"),
    ("type", {"a": {1}}, ("a",), "type set"),
    ("type", [range(2)], (0,), "type range"),
    ("key", {"a": {1: 2}}, ("a", "1"), "must be text"),
    ("surrogate", ["\ud800"], (0,), "surrogate"),
    ("surrogate", '""\udfff', (), "surrogate"),
    ("digits", [1, -(10**4300)], (1,), "too many digits"),
]


@pytest.mark.parametrize(("value", "path", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_says_where_and_why(value: Any, path: tuple[str | int, ...], reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        encode(value)
    assert caught.value.path == path
    assert reason in caught.value.reason
    assert str(caught.value).endswith(caught.value.reason)
    assert all(str(step) in str(caught.value) for step in path)


def test_a_refusal_never_quotes_the_value() -> None:
    secret = "hf_secret"
    values: list[Any] = [[secret, 1], {"token": [secret, None]}, secret + "\ud800", {"a": [[secret], ["x"]]}]
    for value in values:
        with pytest.raises(Unencodable) as caught:
            encode(value)
        assert secret not in str(caught.value)


KEYS = [
    ("a", "a"),
    ("optimizer-lr_2", "optimizer-lr_2"),
    ("1", "1"),
    ("true", "true"),
    ("2024-01-01", "2024-01-01"),
    ("-", "-"),
    ("a b", '"a b"'),
    ("a.b", '"a.b"'),
    (".", '"."'),
    ("lr:0/x", '"lr:0/x"'),
    ("(% x*", '"(% x*"'),
    # K1 to K11: control characters, escapes, empty, commas, equal signs, blanks and dots, quotes, brackets.
    *((key, None) for key in ("\x01", "\x7f", "a\tb", "a\nb", "a\\b", "", "a,b", "a=b", " a.b ", " a", "a ")),
    *((key, None) for key in ("a .b", "a. b", "a'\"", "it's", '"', "a[", "]", "{", "}", "#", "é", "\ud800")),
]


@pytest.mark.parametrize(("key", "text"), KEYS)
def test_the_text_of_a_key(key: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(Unencodable, match="rename it") as caught:
            encode_key(key)
        assert caught.value.path == ()
    else:
        assert encode_key(key) == text
        assert_key_read_as(key)


def test_subclasses_are_written_as_what_they_are() -> None:
    class Level(int, enum.Enum):
        HIGH = 3

    class Name(str, enum.Enum):  # noqa: UP042 -- unlike StrEnum, it prints itself as `Name.FLUX`
        FLUX = "flux"

    class Rate(float):
        def __repr__(self) -> str:
            return "Rate"

    assert encode({Name.FLUX: Name.FLUX, "n": Level.HIGH}) == '{flux = "flux", n = 3}'
    assert encode([Rate(0.5), 1.0]) == "[0.5, 1.0]"
    assert encode_key(Name.FLUX) == "flux"
    assert type(encode_key(Name.FLUX)) is str
    assert encode([Name.FLUX, "sdxl"]) == '["flux", "sdxl"]'
    assert encode(types.MappingProxyType({"a": (1, 2)})) == "{a = [1, 2]}"


def nested(depth: int, table: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"k": value} if table else [value]
    return value


@pytest.mark.parametrize("table", [False, True])
def test_depth_has_a_limit(table: bool) -> None:
    deepest = nested(MAX_DEPTH, table)
    assert_value_read_as(encode(deepest), deepest)
    with pytest.raises(Unencodable, match="flatten"):
        encode(nested(MAX_DEPTH + 1, table))


def test_a_list_inside_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unencodable, match="deep"):
        encode(loop)


def test_the_encoding_of_the_machine_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text(f"path = {encode('/data/図/é')}\n", encoding="utf-8")
    with file.open(encoding="latin-1") as stream:
        assert toml.load(stream) == {"path": "/data/図/é"}


def test_these_tests_would_notice_a_misreading() -> None:
    assert trainer_reads('k = [{path = "/it\'s/x", type = "y"}]\n') == {"k": []}
    with pytest.raises(AssertionError):
        assert_value_read_as('[{path = "/it\'s/x"}]', [{"path": "/it's/x"}])
    assert not same(0.0, -0.0)
    assert not same([1], [1.0])
    assert not same(True, 1)


# ---- Whatever the value

NASTY = [*"\"'\\,[]{}#=.\n\r\t\x00\x01\x08\x0c\x1f\x7f uUbé\x85\u2028図\ufeff😀"]
NASTY += [
    "\\u",
    "\\U",
    "\\u0041",
    '""',
    '"""',
    "''",
    "],",
    "},",
    "{{",
    "}}",
    "{%",
    " # ",
    " = ",
    "true",
    "1.0",
]

texts = st.lists(
    st.one_of(st.sampled_from(NASTY), st.characters(codec="utf-8"), st.sampled_from("abc/_-019")), max_size=12
).map("".join)
integers = st.one_of(st.integers(), st.sampled_from([0, 2**63, -(2**64), 10**30]))
floats = st.one_of(st.floats(), st.sampled_from([2e-5, 1e16, 0.0])).filter(
    lambda number: number != 0 or math.copysign(1, number) > 0
)
scalar_kinds = (st.booleans(), integers, floats, texts)
scalars = st.one_of(scalar_kinds)
flat_lists = st.one_of([st.lists(kind, max_size=5) for kind in scalar_kinds])
leaves = st.one_of(scalars, flat_lists)

quotable = st.text("".join(sorted({chr(code) for code in range(32, 127)} - set("\"'\\,=#[]{}"))), min_size=1)
good_keys = st.one_of(
    st.from_regex(re.compile("[A-Za-z0-9_-]{1,8}"), fullmatch=True),
    quotable.filter(lambda key: key == key.strip() and not (" " in key and "." in key)),
)
any_keys = st.one_of(texts, texts, quotable, good_keys)


def of_one_kind(items: list[Any]) -> list[Any]:
    return [item for item in items if type(item) is type(items[0])]


def deeper(children: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    tables = st.dictionaries(keys, children, max_size=4)
    lists = st.lists(children, max_size=3).map(of_one_kind)
    return st.one_of(tables, lists, lists.map(tuple), st.lists(tables, max_size=3), st.lists(lists, max_size=3))


well_made = st.recursive(leaves, lambda children: deeper(children, good_keys), max_leaves=15)
any_values = st.recursive(
    st.one_of(leaves, leaves, leaves, st.floats(), st.none(), st.just([1, 2.0])),
    lambda children: deeper(children, st.one_of(good_keys, good_keys, any_keys)) | st.lists(children, max_size=3),
    max_leaves=15,
)
never_refused = st.one_of(
    scalars,
    flat_lists,
    st.lists(st.dictionaries(good_keys, texts, max_size=4), max_size=4),
    st.lists(st.dictionaries(good_keys, leaves, max_size=4), max_size=4),
    st.lists(flat_lists, max_size=4),
    st.recursive(leaves, lambda inner: st.dictionaries(good_keys, inner, max_size=4), max_leaves=12),
)


def outcome(value: Any) -> str | Unencodable:
    try:
        text = encode(value)
    except Unencodable as refusal:
        event("refused")
        return refusal
    event("written")
    return text


def part(value: Any, path: tuple[str | int, ...]) -> Any:
    return part(value[path[0]], path[1:]) if path else value


@given(any_values)
def test_any_value_is_read_as_meant_or_refused(value: Any) -> None:
    result = outcome(value)
    if isinstance(result, str):
        assert_value_read_as(result, value)
    else:
        part(value, result.path)  # The place exists.


@given(well_made)
def test_well_made_values_are_refused_for_lists_in_inline_tables_only(value: Any) -> None:
    result = outcome(value)
    if isinstance(result, str):
        assert_value_read_as(result, value)
    else:
        assert "cannot tell apart several lists" in result.reason
        assert isinstance(part(value, result.path), (list, tuple))
        assert any(isinstance(step, str) for step in result.path)


@given(never_refused)
def test_common_shapes_are_never_refused(value: Any) -> None:
    assert_value_read_as(encode(value), value)


@given(texts)
def test_text_is_read_as_meant_in_every_position(text: str) -> None:
    values: tuple[Any, ...] = (
        text,
        [text],
        ["a", text, "b", text],
        {"a": text, "b": [text, text]},
        {"a": {"b": text, "c": {"d": text}}, "e": 1},
        [{"a": text, "b": text}, {"a": [text, text], "b": {"c": text}}],
        [[text, text], ["x"], [text]],
        [[{"a": text}, {"b": [text]}], [{"a": text}]],
    )
    for value in values:
        assert_value_read_as(encode(value), value)


@given(st.one_of(any_keys, good_keys))
def test_any_key_is_read_as_meant_or_refused(key: str) -> None:
    try:
        encode_key(key)
    except Unencodable:
        event("refused")
    else:
        event("written")
        assert_key_read_as(key)


@given(good_keys)
def test_good_keys_are_never_refused(key: str) -> None:
    assert_key_read_as(key)
