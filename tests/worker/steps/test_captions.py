"""What becomes of captions that are there: kept, read strictly, given the trigger word, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.plan import Step
from tests.worker.modelruns import Run, a_plan, plain_settings
from worker.captioning.trigger import has_trigger, with_trigger
from worker.errors import StepFailed
from worker.steps import caption


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "datasets" / "d"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.jpg", "c.webp"):
        (folder / name).write_bytes(b"no step of this test opens it")
        (folder / name).with_suffix(".txt").write_text(f"a picture of {name}\n", "utf-8")
    return folder


def a_run(folder: Path, **args: Any) -> Run:
    given = {
        "folder": str(folder),
        "media": "images",
        "captioner": None,
        "settings": {},
        "overwrite": False,
        "trigger_word": None,
        "missing_caption": "error",
        **args,
    }
    step = Step(id="caption-images", kind="caption", needs=(), args=given)
    return Run(plan=a_plan(folder.parents[2], [step]), settings=plain_settings())


def done(folder: Path, **args: Any) -> dict[str, Any]:
    return a_run(folder, **args).do("caption-images", caption.run)


def failure(folder: Path, **args: Any) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        done(folder, **args)
    return caught.value


def captions(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


def test_captions_that_the_user_brought_stay_byte_for_byte(folder: Path) -> None:
    before = captions(folder)

    result = done(folder)

    assert captions(folder) == before
    assert (result["media"], result["captioned"], result["written"], result["missing"]) == (3, 3, 0, [])


def test_the_trigger_word_is_in_every_caption_once_however_often_it_is_put_there(folder: Path) -> None:
    (folder / "b.txt").write_text("a photo of ohwx on a horse", "utf-8")
    (folder / "c.txt").write_text("[trigger] and a friend", "utf-8")

    for _ in range(2):
        result = done(folder, trigger_word="ohwx")

        assert captions(folder) == {
            "a.txt": b"ohwx, a picture of a.png",
            "b.txt": b"a photo of ohwx on a horse",
            "c.txt": b"ohwx and a friend",
        }
        assert result["with_trigger_word"] == 3


@given(st.text(max_size=30), st.text("abx .", min_size=1, max_size=8).map(str.strip).filter(bool), st.booleans())
def test_a_trigger_word_is_never_put_twice(text: str, trigger: str, brought: bool) -> None:
    once = with_trigger(text, trigger, brought=brought)

    assert has_trigger(once, trigger) or "[trigger]" in text
    assert with_trigger(once, trigger, brought=brought) == once


def test_media_without_a_caption_are_all_named(folder: Path) -> None:
    (folder / "a.txt").unlink()
    (folder / "c.txt").write_text(" \n", "utf-8")

    failed = failure(folder)

    assert failed.code == "DPC721"
    assert failed.message == "2 of 3 media files have no caption: a.png; c.webp"
    assert [found["message"] for found in failed.diagnostics] == ["no caption for a.png", "no caption for c.webp"]


def test_missing_captions_may_be_left_out_or_empty(folder: Path) -> None:
    (folder / "a.txt").write_text("\n", "utf-8")

    run = a_run(folder, missing_caption="empty")
    assert run.do("caption-images", caption.run)["missing"] == ["a.png"]
    [told] = run.messages("warning")
    assert told == "1 of 3 media files have no caption: a.png; they are trained with an empty caption"
    assert "a.txt" in captions(folder)

    assert done(folder, missing_caption="skip")["missing"] == ["a.png"]
    assert "a.txt" not in captions(folder), "the trainer would take the empty file for a caption"


def test_leaving_out_everything_is_no_training(folder: Path) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()

    assert failure(folder, missing_caption="skip").code == "DPC721"


def test_captions_in_other_encodings_are_told_with_their_place(folder: Path) -> None:
    (folder / "a.txt").write_bytes("ein Bär".encode("utf-16"))
    (folder / "b.txt").write_bytes("one\nein Bär".encode("latin-1"))

    failed = failure(folder)

    assert failed.code == "DPC722"
    assert failed.message == (
        "2 caption files cannot be read: a.txt: it is UTF-16; b.txt: byte 0xe4 in line 2 is not UTF-8"
    )


def test_a_byte_order_mark_does_not_get_into_training(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfa bear")

    done(folder)

    assert captions(folder)["a.txt"] == b"a bear"


def test_one_file_with_all_captions(folder: Path) -> None:
    listed = {"a.png": ["a bear", "ein Bär"], "b.jpg": "a hare"}
    (folder / "captions.json").write_text(json.dumps(listed), "utf-8")

    result = done(folder, trigger_word="ohwx")

    assert json.loads((folder / "captions.json").read_text("ascii")) == {
        "a.png": ["ohwx, a bear", "ohwx, ein Bär"],
        "b.jpg": ["ohwx, a hare"],
        "c.webp": ["ohwx, a picture of c.webp"],  # the trainer reads no .txt file where there is a captions.json
    }
    assert result["with_trigger_word"] == 3


@pytest.mark.parametrize("content", ["[1]", "{", '{"a.png": [7]}'])
def test_a_captions_file_that_the_trainer_would_stumble_over(folder: Path, content: str) -> None:
    (folder / "captions.json").write_text(content, "utf-8")

    assert failure(folder).code == "DPC722"


def test_files_that_share_a_caption_are_told(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"another picture")
    run = a_run(folder)

    run.do("caption-images", caption.run)

    assert run.messages("warning") == ["a.jpg, a.png share one caption: they differ in nothing but the suffix"]


def test_nothing_but_captions_is_left_in_the_folder(folder: Path) -> None:
    """The trainer would take any other file for an image."""
    before = {path.name for path in folder.iterdir()}

    done(folder, trigger_word="ohwx")

    assert {path.name for path in folder.iterdir()} == before
