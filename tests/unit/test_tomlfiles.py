"""The trainer's own files are read as the trainer reads them, at a cost that any text can bear."""

from __future__ import annotations

import time

import pytest
import toml
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.tomlfiles import parse_toml

BROKEN = [
    ("a = 1 b = 2", "DPC117", (1, 7)),
    ("x = 1\nb = [0.9, 0.99\nc = 2\n", "DPC116", (2, 5)),
    ("b = [1, 2", "DPC116", (1, 5)),
    ("x = 'abc\ny = 1", "DPC115", (1, 5)),
    ('x = "C:\\data\\"\n', "DPC115", (1, 5)),
    ("[model\ntype = 'x'", "DPC114", (1, 1)),
    ("x =\n", "DPC114", (1, 4)),
    ("lr = 2e-5,\n", "DPC114", (1, 10)),
    ("x = None", "DPC114", (1, 5)),
    ("x = .5", "DPC114", (1, 5)),
    ("x = [(1, 2)]", "DPC114", (1, 6)),
    ("x = [1 2]", "DPC114", (1, 8)),
    ("[m]\na = 1\n[m]\nb = 1", "DPC119", (3, 1)),
    ("a = 1\na = 2", "DPC119", (2, 1)),
    ("d = 10:00:00", "DPC118", (1, 1)),
    ("// c\nx = 1", "DPC114", (1, 1)),
]


@pytest.mark.parametrize(("text", "code", "place"), BROKEN)
def test_broken_text_is_told_at_its_place(text: str, code: str, place: tuple[int, int]) -> None:
    _file, found = parse_toml(text, file="t.toml")

    assert found[0].severity == "error"
    assert (found[0].code, (found[0].line, found[0].column)) == (code, place)
    assert found[0].message
    assert found[0].hint


def test_broken_text_that_the_trainer_reads_all_the_same_has_the_value_it_reads() -> None:
    file, found = parse_toml("b = [1, 2", file="t.toml")

    assert file is not None
    assert file.value == {"b": [1]}
    assert [d.code for d in found] == ["DPC116"]


def test_what_the_parser_misreads_is_told_and_its_value_taken() -> None:
    file, found = parse_toml('k = [{path = "/it\'s/x", type = "y"}]\nl = 1\n', file="t.toml")

    assert file is not None
    assert file.value == {"k": [], "l": 1}
    assert [(d.code, d.severity, d.path, d.line) for d in found] == [("DPC118", "error", "/k", 1)]


def test_a_byte_order_mark_becomes_a_part_of_the_first_name() -> None:
    file, found = parse_toml(b"\xef\xbb\xbfepochs = 1\nx = 2\n", file="t.toml")

    assert file is not None
    assert file.value == {"\ufeffepochs": 1, "x": 2}
    assert [d.code for d in found] == ["DPC118"]


def test_places_are_those_of_keys_headers_and_items() -> None:
    text = "a = 1\n[[directory]]\n  path = 'x'\n[[directory]]\nsizes = [\n  1, # one\n  2,\n]\n[m]\nt = {p = 1}\n"
    file, _found = parse_toml(text, file="t.toml")

    assert file is not None
    assert file.place(("directory", 0, "path")) == (3, 3)
    assert file.place(("directory", 1)) == (4, 1)
    assert file.place(("directory", 1, "sizes", 1)) == (7, 3)
    assert file.place(("m", "t", "p")) == (10, 6)
    assert file.place(("m", "gone")) == (9, 1)
    assert file.place(("gone",)) == (None, None)


@given(st.text(alphabet="ab=[]{}\"'#,.\\ \n\t1-:é", max_size=60))
def test_any_text_is_read_or_told(text: str) -> None:
    file, found = parse_toml(text, file="t.toml")

    assert file is not None or any(d.severity == "error" for d in found)
    try:
        read = toml.loads(text)
    except Exception:  # noqa: BLE001 - whatever the trainer's parser raises, it stops there
        assert any(d.severity == "error" for d in found)
    else:
        assert file is None or repr(dict(file.value)) == repr(read)


@pytest.mark.parametrize(
    "text",
    ["[" * 20_000, "a = " + "[" * 20_000, 'a = "' + "x" * 100_000, "a = [1,\n" * 5_000, "#" * 500_000, "a." * 9_000],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.monotonic()
    parse_toml(text, file="t.toml")
    assert time.monotonic() - start < 20  # a bound against squares and cubes, not a measure
