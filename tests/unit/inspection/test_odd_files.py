"""Files and folders at which the trainer does something unexpected, found by running its own code on random datasets."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dpcompile.examine import DatasetFile, Examiner, Place, TrainingFiles
from dpcompile.inspection.inspected import Inspection
from dpcompile.inspection.judging import FATAL
from dpcompile.inspection.rules import Refused
from dpcompile.inspection.saying import Wishes
from dpcompile.probing.folders import Prober
from tests.unit.inspection.support import IMAGES, TOP, VIDEOS, captioned, codes, image, inspected, video


def fates(inspection: Inspection) -> dict[str, str | None]:
    return {verdict.item.path: verdict.why for _directory, verdict in inspection.train.verdicts}


def test_a_file_with_an_empty_list_of_captions_stops_the_run_where_it_is_alone_in_its_bucket(tmp_path: Path) -> None:
    image(tmp_path / "1.png", caption=None)
    image(tmp_path / "2.png", (128, 64), caption=None)
    (tmp_path / "captions.json").write_text(json.dumps({"1.png": ["x"], "2.png": []}), "utf-8")

    assert "DPC607" in codes(inspected(tmp_path))


def test_beside_others_it_is_only_left_out(tmp_path: Path) -> None:
    for n in (1, 2):
        image(tmp_path / f"{n}.png", caption=None)
    (tmp_path / "captions.json").write_text(json.dumps({"1.png": ["x"], "2.png": []}), "utf-8")

    found = inspected(tmp_path)

    assert "DPC607" not in codes(found)
    assert "DPC636" in codes(found)


@pytest.mark.parametrize("form", ["gif", "bmp", "tiff"])
def test_pictures_that_are_cut_off_are_broken_whatever_their_form(tmp_path: Path, form: str) -> None:
    whole, cut = image(tmp_path / f"whole.{form}"), image(tmp_path / f"cut.{form}")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])

    assert fates(inspected(tmp_path)) == {cut.name: "broken", whole.name: None}


@pytest.mark.parametrize(("keep", "fate"), [(16, "broken"), (40, "broken"), (8, "unreadable"), (0, "broken")])
def test_a_webp_that_is_cut_off(tmp_path: Path, keep: int, fate: str) -> None:
    file = image(tmp_path / "a.webp")
    file.write_bytes(file.read_bytes()[:keep])

    assert fates(inspected(tmp_path)) == {"a.webp": fate}


def test_a_video_that_is_called_webp_is_taken_for_an_animation(tmp_path: Path) -> None:
    made = video(tmp_path / "elsewhere" / "a.mp4", 5)
    shutil.copy(made, tmp_path / "a.webp")
    captioned(tmp_path / "a.webp")

    assert fates(inspected(tmp_path, facts=VIDEOS)) == {"a.webp": "animated WebP"}


def test_text_that_is_called_webp_is_only_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_text("no picture at all, but long enough", "utf-8")
    captioned(tmp_path / "a.webp")

    assert fates(inspected(tmp_path)) == {"a.webp": "unreadable"}


def test_a_video_in_a_tar_file_has_to_bear_being_opened_again_where_it_was_left(tmp_path: Path) -> None:
    made = video(tmp_path / "elsewhere" / "a.avi", 20)
    with tarfile.TarFile(tmp_path / "v.tar", "w") as archive:
        archive.add(made, "a.avi")
    (tmp_path / "captions.json").write_text(json.dumps({"a.avi": ["x"]}), "utf-8")

    found = inspected(tmp_path, facts=VIDEOS, frame_buckets=[1, 17])

    assert fates(found) == {"v.tar/a.avi": "unreadable"}
    assert "in a tar file" in next(v.reason for _d, v in found.train.verdicts)


@pytest.mark.parametrize("role", ["mask_path", "control_path"])
def test_a_video_is_neither_mask_nor_control_image(tmp_path: Path, role: str) -> None:
    image(tmp_path / "d" / "a.png")
    video(tmp_path / "more" / "a.mp4", 5)

    found = inspected({"path": str(tmp_path / "d"), role: str(tmp_path / "more")})

    assert fates(found)["a.png"] in FATAL


def test_online_captions_need_a_captions_json(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    assert "DPC607" in codes(inspected(tmp_path, online_captions=True))
    assert "DPC607" not in codes(inspected(tmp_path, online_captions=False))


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ({"resolutions": [6]}, "a side comes to 0 pixels"),
        ({"resolutions": [0]}, "a resolution comes to 0 or less"),
        ({"ar_buckets": [0.0001, 1.0]}, "an aspect ratio comes to 0"),
    ],
)
def test_sizes_that_come_to_nothing_are_refused(tmp_path: Path, dataset: Mapping[str, Any], said: str) -> None:
    image(tmp_path / "a.png")
    with pytest.raises(Refused, match=said):
        inspected(tmp_path, **dataset)


def _with_eval(folder: Path, **other: Any) -> Inspection:
    def file(name: str, **more: Any) -> DatasetFile:
        value = {**TOP, **more, "directory": [{"path": str(folder)}]}
        return DatasetFile(name=name, file=f"{name}.toml", value=value)

    files = TrainingFiles(name="", train={"epochs": 1}, dataset=file("train"), evals=(file("held", **other),), ranks=1)
    return Examiner(IMAGES, Wishes(), Prober(), Place()).examine(files)


def test_an_evaluation_set_on_the_training_folder_needs_the_same_buckets_and_captions(tmp_path: Path) -> None:
    image(tmp_path / "a.png")

    assert "DPC613" not in codes(_with_eval(tmp_path))
    assert "DPC613" not in codes(_with_eval(tmp_path, resolutions=[32]))
    assert "DPC613" in codes(_with_eval(tmp_path, max_ar=3.0))
    assert "DPC613" in codes(_with_eval(tmp_path, caption_prefix="x"))


def test_a_member_of_a_tar_file_that_is_no_video_is_unreadable(tmp_path: Path) -> None:
    with tarfile.TarFile(tmp_path / "v.tar", "w") as archive:
        info = tarfile.TarInfo("a.mp4")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"nope"))
    (tmp_path / "captions.json").write_text(json.dumps({"a.mp4": ["x"]}), "utf-8")

    assert fates(inspected(tmp_path, facts=VIDEOS)) == {"v.tar/a.mp4": "unreadable"}


def test_a_whole_picture_of_any_form_is_whole(tmp_path: Path) -> None:
    for form in ("gif", "bmp", "tiff", "ppm", "tga", "ico", "png", "jpg", "webp"):
        picture = Image.new("RGB", (64, 64), (len(form) * 40, 9, 9))
        picture.save(tmp_path / f"a.{form}")
    for file in list(tmp_path.iterdir()):
        captioned(file.with_suffix(""))
    found = fates(inspected(tmp_path))
    assert set(found.values()) == {None}
