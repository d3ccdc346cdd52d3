"""A whole run on a volume that is full again and again: it says so each time, goes on, and ends with a whole result."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from tests.unit.inspection.support import image
from tests.worker.doubles.fileserver import FileServer
from tests.worker.fetching.fetches import zipped
from worker.app import Worker, run_now
from worker.environment import read_settings
from worker.request import JobOptions

FULL = {"DPC704", "DPC716", "DPC746", "DPC753"}
"""What a full disk is called, by the step that meets it."""


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "volume"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_volume_that_fills_up_never_makes_a_run_lie(volume: Path, tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "mine.yaml").write_text("name: mine\ntitle: Mine\nextends: sdxl\nsources: []\n", "utf-8")
    photos = tmp_path / "photos"
    for n in range(8):
        image(photos / f"{n}.png", caption=f"a grey card, number {n}")
    settings = read_settings({**os.environ, "DPCOMPILE_ALLOW_PRIVATE_ADDRESSES": "yes", "DPCOMPILE_REHEARSE": "yes"})
    answers: list[dict[str, Any]] = []
    with FileServer() as files:
        url = files.put("photos.zip", zipped({path.name: path.read_bytes() for path in sorted(photos.iterdir())}))
        job = {
            "model_type": "mine",
            "dataset": {"type": "precaptioned", "images_url": url},
            "training": {"epochs": 2, "resolution": 64, "save_every_n_epochs": 1},
            "output": {"method": "volume"},
        }
        for size in (64, 96, 128, 160, 256, 512, 1024):
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(volume)], check=True)
            options = JobOptions(catalogue=Catalogue(folders=[specs]), volume=str(volume), job_id="j")
            answers.append(dict(run_now(job, Worker(settings=settings), options=options, resume=True)))
            if answers[-1]["status"] == "success":
                break

    *failed, last = answers
    assert failed
    for answer in failed:
        assert answer["status"] == "failed"
        assert {found["code"] for found in answer["diagnostics"]} <= FULL, answer
        assert "output" not in answer or not answer["output"]
    assert last["status"] == "success"
    assert (last["epochs_completed"], last["latest_epoch"]) == (2, "epoch2")
    published = Path(last["output"]["network_volume_path"])
    assert (published / "lora.safetensors").stat().st_size > 0
