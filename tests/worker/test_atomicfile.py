"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from worker.atomicfile import write_whole


def test_a_file_takes_the_place_of_another_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    write_whole(path, "a = 1\r\n")
    write_whole(path, "ä = 2\n")
    assert path.read_bytes() == "ä = 2\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["x.toml"]


def test_what_a_kill_left_aside_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".x.new").write_text("half a fi")
    write_whole(tmp_path / "x", "whole")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "whole")]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "x"
    write_whole(path, "old")
    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    monkeypatch.undo()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x", "old")]


def test_a_volume_that_cannot_sync_folders_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "x", "text")
    assert (tmp_path / "x").read_text() == "text"
