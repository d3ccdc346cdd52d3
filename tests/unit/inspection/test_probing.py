"""Reading folders: how names are taken apart, what is remembered, and when threads are begun."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.inspection.extensions import ending, stem
from dpcompile.inspection.media import Folder, Probe
from dpcompile.inspection.rules import dataset_rules
from dpcompile.probing.folders import Prober
from dpcompile.probing.images import probe_image
from tests.unit.inspection.support import image

FILES = 200


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the trainer's Python is older, and takes `a.` for no ending")
@given(st.text(alphabet="ab./", max_size=8))
def test_names_are_taken_apart_as_the_trainer_does(name: str) -> None:
    if name.endswith(("/", "/.")) or name in ("", "."):
        return  # not names of files
    assert (stem(name), ending(name)) == (PurePosixPath(name).stem, PurePosixPath(name).suffix)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(FILES):
        image(folder / f"{n:03}.png", (16 + n % 5, 16))
    return folder


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that files are opened in."""
    threads: set[int] = set()

    def probe(file: IO[bytes]) -> Probe:
        threads.add(threading.get_ident())
        return probe_image(file)

    monkeypatch.setattr("dpcompile.probing.folders.probe_image", probe)
    return threads


def looked_at(pictures: Path, clock: Callable[[], float] | None) -> tuple[Folder, list[tuple[int, int]]]:
    [rules] = dataset_rules({"resolutions": [64], "directory": [{"path": str(pictures)}]})
    told: list[tuple[int, int]] = []
    prober = Prober(clock=clock, progress=lambda done, total: told.append((done, total)))
    return prober.folder(rules, str), told


def ticking(seconds: float) -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: next(ticks) * seconds


def test_where_files_open_at_once_one_thread_does_it_all(pictures: Path, seen: set[int]) -> None:
    looked_at(pictures, ticking(0.001))

    assert seen == {threading.get_ident()}


def test_where_files_keep_one_waiting_threads_wait_together(pictures: Path, seen: set[int]) -> None:
    looked_at(pictures, ticking(1.0))

    assert seen > {threading.get_ident()}


def test_without_a_clock_threads_are_begun_at_once(pictures: Path, seen: set[int]) -> None:
    looked_at(pictures, None)

    assert threading.get_ident() not in seen


@pytest.mark.parametrize("clock", [None, ticking(0.001), ticking(1.0)], ids=["unknown", "fast", "slow"])
def test_all_find_the_same_in_the_same_order(pictures: Path, clock: Callable[[], float] | None) -> None:
    folder, told = looked_at(pictures, clock)

    assert [item.path for item in folder.items] == [f"{n:03}.png" for n in range(FILES)]
    assert [item.probe.width for item in folder.items] == [16 + n % 5 for n in range(FILES)]
    assert told == [(64, 200), (128, 200), (192, 200), (200, 200)]
