"""A volume that is full: told, and what was begun is gone. On a small file system of its own where that can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.fileserver import FileServer
from tests.worker.fetching.fetches import a_run, beside, dataset, failure, fetched, picture, zipped

_SIZE = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_what_does_not_fit_is_told_before_it_is_downloaded(small: Path) -> None:
    with FileServer() as server:
        url = server.put("data.zip", zipped({"a.png": os.urandom(2 * _SIZE)}))
        failed = failure(a_run(small, url))

        assert failed.code == "DPC716"
        assert "needs 2.0 MiB" in failed.message
        assert not (small / "work" / "datasets" / "d.part").exists()
    assert beside(small) == {"d.lock"}


def test_what_does_not_fit_when_it_is_unpacked(small: Path) -> None:
    with FileServer() as server:
        url = server.put("data.zip", zipped({"a.png": os.urandom(600 << 10)}))
        assert failure(a_run(small, url)).code == "DPC716"

        assert beside(small) == {"d.lock"}
        server.put("data.zip", zipped({"a.png": picture(1)}))
        fetched(a_run(small, url))
    assert dataset(small) == {"a.png": picture(1)}


def test_a_disk_that_fills_up_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others write to the volume too, so looking at the free space first is not enough."""

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, os.strerror(28))

    with FileServer() as server:
        url = server.put("data.zip", zipped({"a.png": picture(1)}))
        with monkeypatch.context() as patch:
            patch.setattr("worker.fetching.download.os.write", full)
            failed = failure(a_run(tmp_path, url))

        assert failed.code == "DPC716"
        assert "the disk is full" in failed.message
        assert beside(tmp_path) == {"d.lock"}
        fetched(a_run(tmp_path, url))


def test_a_place_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise OSError(30, os.strerror(30), "somewhere")

    monkeypatch.setattr("worker.fetching.store.Store.recover", refuse)

    failed = failure(a_run(tmp_path, "data.zip", kind="path"))

    assert (failed.code, failed.message) == ("DPC719", "somewhere: Read-only file system")
