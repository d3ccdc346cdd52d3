"""Any difference between the files and what was meant is seen, down to the type of a number."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.keypath import KeyPath
from dpcompile.render import RenderedFile
from dpcompile.verify import verify
from tests.unit.jobs import config

MEANT: dict[KeyPath, Any] = {
    ("train", "epochs"): 3,
    ("train", "model", "type"): "flux",
    ("train", "model", "encoders"): [{"path": "/x", "type": "lumina2"}],
    ("dataset", "resolutions"): [512, 768],
    ("dataset", "directory", 0, "path"): "/a",
    ("dataset", "directory", 1, "path"): "/b",
}
TRAIN = 'epochs = 3\n[model]\ntype = "flux"\nencoders = [{path = "/x", type = "lumina2"}]\n'
DATASET = 'resolutions = [512, 768]\n[[directory]]\npath = "/a"\n[[directory]]\npath = "/b"\n'


def mistakes(train: str = TRAIN, dataset: str = DATASET) -> list[str]:
    files = [RenderedFile(name="train.toml", text=train), RenderedFile(name="dataset.toml", text=dataset)]
    found = list(verify(files, config(MEANT)))
    assert all((d.code, d.severity) == ("DPC504", "error") for d in found)
    return sorted(d.message for d in found)


def test_what_was_meant_is_found_right() -> None:
    assert mistakes() == []


def test_comments_blanks_and_another_order_do_not_matter() -> None:
    train = "# head\n[model]\nencoders = [ {type='lumina2', path='/x'} ] # here\n\ntype = 'flux'\n"

    assert mistakes("epochs = 0x3\n" + train) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("epochs = 3\n", "", ["train.toml: epochs is missing"]),
        ("epochs = 3", "epochs = 4", ["train.toml: epochs reads as 4, but 3 was meant"]),
        ("epochs = 3", "epochs = 3.0", ["train.toml: epochs reads as 3.0, but 3 was meant"]),
        ("epochs = 3", 'epochs = "3"', ['train.toml: epochs reads as "3", but 3 was meant']),
        ("epochs = 3", "epochs = true", ["train.toml: epochs reads as true, but 3 was meant"]),
        ("epochs = 3", "epochs = 3\nmore = 1", ["train.toml: more was invented"]),
        ("epochs = 3", "epochs.x = 3", ['train.toml: epochs reads as {"x": 3}, but 3 was meant']),
        ("[model]", "[modell]", None),
        ("[model]\n", "", None),
        ('type = "flux"\nencoders', "encoders", ["train.toml: model.type is missing"]),
        ('path = "/x", ', "", None),
        ('"lumina2"}', '"lumina2", z = 1}', None),
        ("encoders = [{", "encoders = [{}, {", None),
    ],
)
def test_every_difference_in_the_training_file_is_told(old: str, new: str, told: list[str] | None) -> None:
    assert old in TRAIN

    found = mistakes(TRAIN.replace(old, new, 1))

    assert found == told if told is not None else found


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[512, 768]", "[768, 512]", ["dataset.toml: resolutions reads as [768, 512], but [512, 768] was meant"]),
        ("[512, 768]", "[512.0, 768.0]", None),
        ('"/b"', '"/a"', ['dataset.toml: directory.1.path reads as "/a", but "/b" was meant']),
        ('[[directory]]\npath = "/b"\n', "", ["dataset.toml: directory.1.path is missing"]),
        ('"/b"\n', '"/b"\n[[directory]]\npath = "/c"\n', ["dataset.toml: directory.2 was invented"]),
        ('"/b"\n', '"/b"\n[[directory]]\n', None),
        ("[[directory]]", "[[Directory]]", None),
    ],
)
def test_every_difference_in_the_dataset_file_is_told(old: str, new: str, told: list[str] | None) -> None:
    assert old in DATASET

    found = mistakes(dataset=DATASET.replace(old, new, 1))

    assert found == told if told is not None else found


def test_empty_table_that_nobody_meant_is_told() -> None:
    assert mistakes(TRAIN + "[more]\n") == ["train.toml: more was invented"]


def test_broken_toml_is_told_and_the_other_files_are_still_looked_at() -> None:
    found = mistakes("epochs = ", DATASET.replace("/b", "/c"))

    assert len(found) == 2
    assert found[1].startswith("train.toml is not TOML: ")


def test_file_that_was_not_rendered_is_told() -> None:
    found = list(verify([RenderedFile(name="train.toml", text=TRAIN)], config(MEANT)))

    assert [d.message for d in found] == ["dataset.toml was not rendered"]


def test_file_that_nobody_meant_is_told() -> None:
    files = [RenderedFile(name="eval.toml", text="x = 1\n")]

    assert [d.message for d in verify(files, config({}))] == ["eval.toml was invented"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "-0.0"), (1e22, "1e+23"), (True, "1"), ("a", '"a\\u0000"'), ([], "[[]]")]
)
def test_values_that_are_easily_confused_are_told_apart(value: Any, text: str) -> None:
    found = list(verify([RenderedFile(name="train.toml", text=f"x = {text}\n")], config({("train", "x"): value})))

    assert len(found) == 1


def test_remedy_asks_for_a_report() -> None:
    [found] = verify([], config({("train", "x"): 1}))

    assert found.hint == "This is a mistake in dpcompile, not in your job: please report it with the job."
    assert (found.path, found.file) == ("", "train.toml")
