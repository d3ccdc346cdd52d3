"""Two workers on one volume at the same time: on the same data, and on the same job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.inspection.support import image
from tests.worker.doubles.fileserver import FileServer
from tests.worker.fetching.fetches import zipped

REPO_ROOT = Path(__file__).parents[2]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    photos = tmp_path / "photos"
    for n in range(8):
        image(photos / f"{n}.png", caption=f"a grey card, number {n}")
    with FileServer() as files:
        files.put("photos.zip", zipped({path.name: path.read_bytes() for path in sorted(photos.iterdir())}))
        yield files


class Workers:
    """Starts workers that run one job under ids of their own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.volume, self.folder = folder / "volume", folder
        self.volume.mkdir()
        (folder / "specs").mkdir()
        spec = "name: mine\ntitle: Mine\nextends: sdxl\nsources: []\n"
        (folder / "specs" / "mine.yaml").write_text(spec, "utf-8")
        job = {
            "model_type": "mine",
            "dataset": {"type": "precaptioned", "images_url": address},
            "training": {"epochs": 2, "resolution": 64, "save_every_n_epochs": 1},
            "output": {"method": "volume"},
        }
        (folder / "job.json").write_text(json.dumps(job), "utf-8")

    def start(self, job_id: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "worker", "run", "job.json", "--specs", "specs", "--volume", str(self.volume)]
        env = {**os.environ, "PYTHONPATH": str(REPO_ROOT), "DPCOMPILE_ALLOW_PRIVATE_ADDRESSES": "yes"}
        return subprocess.Popen(
            [*command, "--job-id", job_id, "--rehearse", "--format", "json"],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def answers(*running: subprocess.Popen[str]) -> list[dict[str, Any]]:
    return [json.loads(run.communicate(timeout=120)[0]) for run in running]


def test_two_jobs_on_the_same_data_fetch_it_once_and_both_end_well(files: FileServer, tmp_path: Path) -> None:
    workers = Workers(tmp_path, f"{files.url}/photos.zip")

    one, other = answers(workers.start("one"), workers.start("other"))

    assert (one["status"], other["status"]) == ("success", "success")
    assert one["output"]["network_volume_path"] != other["output"]["network_volume_path"]
    for answer in (one, other):
        assert (Path(answer["output"]["network_volume_path"]) / "lora.safetensors").is_file()
    assert files.sent == len(files.files["photos.zip"])


def test_of_two_workers_on_one_job_one_is_told_of_the_other(files: FileServer, tmp_path: Path) -> None:
    workers = Workers(tmp_path, f"{files.url}/photos.zip")

    found = answers(*(workers.start("same") for _ in range(2)))

    statuses = sorted(answer["status"] for answer in found)
    codes = [diagnostic["code"] for answer in found for diagnostic in answer.get("diagnostics", ())]
    # The second may come when the first is through, and then finds all of it done.
    assert (statuses == ["failed", "success"] and codes == ["DPC703"]) or statuses == ["success", "success"]
