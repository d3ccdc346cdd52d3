from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.keypath import KeyPath, dotted, parse_pointer, pointer


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("training",), "/training"),
        (("dataset", "directory", 0, "path"), "/dataset/directory/0/path"),
        (("",), "/"),
        (("a/b",), "/a~1b"),
        (("a~b",), "/a~0b"),
        (("~1",), "/~01"),
        (("a.b", 'say "x"', "ü"), '/a.b/say "x"/ü'),
    ],
)
def test_pointer_is_written_and_read_as_rfc_6901_says(path: KeyPath, text: str) -> None:
    assert pointer(path) == text
    assert parse_pointer(text) == tuple(str(segment) for segment in path)


@given(st.lists(st.text()))
def test_every_path_of_texts_survives_as_a_pointer(path: list[str]) -> None:
    assert parse_pointer(pointer(path)) == tuple(path)


@pytest.mark.parametrize("text", ["training", " /training", "#/training"])
def test_what_is_no_pointer_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a JSON Pointer") as caught:
        parse_pointer(text)
    assert repr(text) in str(caught.value)


def test_dotted_is_what_people_type() -> None:
    assert dotted(("train", "optimizer", "lr")) == "train.optimizer.lr"
    assert dotted(("dataset", "directory", 0, "path")) == "dataset.directory.0.path"
    assert dotted(()) == ""
