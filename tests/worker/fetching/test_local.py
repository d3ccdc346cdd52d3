"""Data on the volume: copied, never changed, and nothing outside the volume is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.fetching.fetches import a_run, dataset, failure, fetched, picture, zipped


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(1))
    (folder / "a.txt").write_bytes(b"a caption")
    (folder / "sub" / "b.png").write_bytes(picture(2))
    return folder


@pytest.mark.parametrize("how", ["absolute", "relative"])
def test_a_folder_is_copied_and_left_as_it_is(tmp_path: Path, photos: Path, how: str) -> None:
    fetched(a_run(tmp_path, str(photos) if how == "absolute" else "photos", kind="path"))

    assert dataset(tmp_path) == {"a.png": picture(1), "a.txt": b"a caption", "b.png": picture(2)}
    assert (photos / "a.png").exists()
    result = fetched(a_run(tmp_path, str(photos), kind="path"))
    assert result["kept"]

    (photos / "c.png").write_bytes(picture(3))
    assert not fetched(a_run(tmp_path, str(photos), kind="path"))["kept"]
    assert "c.png" in dataset(tmp_path)


def test_a_single_picture(tmp_path: Path, photos: Path) -> None:
    fetched(a_run(tmp_path, str(photos / "a.png"), kind="path"))

    assert dataset(tmp_path) == {"a.png": picture(1)}


@pytest.mark.parametrize("way", ["..", "link", "absolute"])
def test_nothing_outside_the_volume_is_read(tmp_path: Path, way: str) -> None:
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    volume.mkdir()
    (outside / "a.png").write_bytes(picture(1))
    (volume / "link").symlink_to(outside)
    source = {"..": "../outside", "link": "link", "absolute": str(outside)}[way]

    failed = failure(a_run(volume, source, kind="path"))

    assert failed.code == "DPC719"
    assert "outside the volume" in failed.message
    fetched(a_run(volume, source, kind="path", environ={"DPCOMPILE_ALLOW_ANY_PATH": "1"}))
    assert dataset(volume) == {"a.png": picture(1)}


def test_links_in_a_folder_are_told_and_not_followed(tmp_path: Path, photos: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(9))
    (photos / "l.png").symlink_to(secret)
    (photos / "ring").symlink_to(photos)
    run = a_run(tmp_path, "photos", kind="path")

    fetched(run)

    assert "l.png" not in dataset(tmp_path)
    assert "2 links or devices are left out (l.png, ring)" in run.messages("warning")


def test_what_is_not_there(tmp_path: Path) -> None:
    failed = failure(a_run(tmp_path, "nowhere", kind="path"))

    assert (failed.code, failed.message) == ("DPC719", "nowhere: there is no such file or folder on the volume")


def test_the_worker_can_be_pointed_at_an_archive(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(zipped({"x.png": picture(4)}))

    fetched(a_run(tmp_path, "data.zip", kind="path"))

    assert dataset(tmp_path) == {"x.png": picture(4)}
    assert (tmp_path / "data.zip").exists()
