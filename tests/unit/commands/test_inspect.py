"""`dpcompile inspect`: the answer for a folder of real files, as text, JSON and a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.commands.support import dpcompile
from tests.unit.inspection.support import image

JOB: dict[str, Any] = {
    "model_type": "flux",
    "dataset": {
        "type": "precaptioned",
        "images_url": "https://example.com/photos.zip",
        "trigger_word": "ohwx",
        "missing_caption": "skip",
    },
    "training": {"epochs": 3, "resolution": 64},
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine square images, one without a caption, and one that is none."""
    folder = tmp_path / "photos"
    for n in range(9):
        image(folder / f"{n}.png", caption=None if n == 4 else "ohwx, a cat")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "broken.txt").write_text("ohwx", "utf-8")
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(JOB), "utf-8")
    return path


def test_json_has_the_form_of_the_contract(job: Path, photos: Path) -> None:
    done = dpcompile("inspect", job, "--images", photos, "--format", "json")

    told = json.loads(done.out)
    assert done.code == 0
    assert (told["steps_per_epoch"], told["total_steps"]) == (2, 6)
    [bucket] = told["buckets"]
    assert {key: bucket[key] for key in ("ar", "width", "height", "frames", "items", "steps", "lost")} == {
        "ar": 1.0,
        "width": 64,
        "height": 64,
        "frames": 1,
        "items": 8,
        "steps": 2,
        "lost": 0,
    }
    files = {file["path"].removeprefix(f"{photos}/"): file for file in told["files"]}
    assert {name for name, file in files.items() if file["bucket"] == 0} == {f"{n}.png" for n in range(9) if n != 4}
    assert (files["4.png"]["bucket"], files["4.png"]["reason"]) == (None, "no caption")
    assert files["broken.png"]["reason"].startswith("cannot be opened: ")
    assert {found["code"] for found in told["diagnostics"]} == {"DPC611", "DPC623"}


def test_text_shows_buckets_the_dropped_and_the_arithmetic(job: Path, photos: Path) -> None:
    text = dpcompile("inspect", job, "--images", photos).out

    assert "Training set: 8 of 10 files" in text
    assert re.search(r"64x64 +#+ +8 items = 2 x 4", text)
    assert "4.png: no caption" in text
    assert "a step = 1 (micro batch) x 4 (accumulation) x 1 (GPUs / stages) = 4" in text
    assert "the run = 3 epochs x 2 = 6 steps" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_page_is_one_file_that_asks_nobody(job: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "8.txt").write_text("<script>alert(1)</script>", "utf-8")

    dpcompile("inspect", job, "--images", photos, "--html", tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "<script>alert" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_what_cannot_train_ends_with_exit_code_one(job: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = dpcompile("inspect", job, "--images", tmp_path / "empty")

    assert done.code == 1
    assert "error DPC60" in " ".join(done.out.split())  # a long name of a folder moves the rest to the next line


@pytest.mark.parametrize("given", [[], ["--toml", "dataset.toml"], ["--images"]])
def test_wrong_usage(job: Path, given: list[str]) -> None:
    assert dpcompile("inspect", job, *given).code == 2


def test_the_trainer_s_own_files(tmp_path: Path, photos: Path) -> None:
    dataset = f'resolutions = [64]\n[[directory]]\npath = "{photos}"\n'
    (tmp_path / "dataset.toml").write_text(dataset, "utf-8")
    train = 'epochs = 3\nmicro_batch_size_per_gpu = 2\ngradient_accumulation_steps = 1\n[model]\ntype = "flux"\n'
    (tmp_path / "train.toml").write_text(train, "utf-8")
    files = ("--toml", tmp_path / "dataset.toml", "--train", tmp_path / "train.toml")

    told = json.loads(dpcompile("inspect", *files, "--format", "json").out)
    on_two = json.loads(dpcompile("inspect", *files, "--gpus", "2", "--format", "json").out)

    assert (told["steps_per_epoch"], told["total_steps"]) == (4, 12)
    assert (on_two["steps_per_epoch"], on_two["total_steps"]) == (2, 6)
