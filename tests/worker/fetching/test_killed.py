"""A worker that is killed while it fetches, for real and at any moment: the next one ends where it would have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.doubles.fileserver import FileServer
from tests.worker.fetching.fetches import a_run, beside, dataset, fetched, picture, zipped

ROOT = Path(__file__).parents[3]
OLD = zipped({"a.png": picture(1), "b.png": picture(2)})
NEW = zipped({"set/a.png": picture(1), "set/c.png": picture(3), "set/c.txt": b"new"})


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


def process(url: str, volume: Path, moment: int = 0) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.worker.fetching.killed", url, str(volume), str(moment)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def before(server: FileServer, volume: Path) -> str:
    """A dataset in place, with a caption of ours, whose source then changes."""
    volume.mkdir()
    url = server.put("data.zip", OLD)
    fetched(a_run(volume, url))
    (volume / "work" / "datasets" / "d" / "a.txt").write_text("ours", "utf-8")
    return server.put("data.zip", NEW)


def test_at_whatever_moment_it_is_killed_the_next_run_ends_in_the_same_place(
    server: FileServer, tmp_path: Path
) -> None:
    url = before(server, tmp_path / "whole")
    code, said = process(url, tmp_path / "whole")
    assert code == 0, said
    wanted = dataset(tmp_path / "whole")
    assert wanted == {"a.png": picture(1), "a.txt": b"ours", "c.png": picture(3), "c.txt": b"new"}
    moments = int(said)
    assert moments > 10

    for moment in range(1, moments + 1, 2):
        volume = tmp_path / f"killed-{moment}"
        url = before(server, volume)
        code, said = process(url, volume, moment)
        assert code == -9, said
        there = dataset(volume)
        assert not there or there in (wanted, {"a.png": picture(1), "a.txt": b"ours", "b.png": picture(2)})

        fetched(a_run(volume, url))

        assert dataset(volume) == wanted
        assert beside(volume) == {"d.json", "d.lock"}
