"""A whole run of the real steps, killed again and again from outside at whatever it was doing, then left to end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.inspection.support import image
from tests.worker.doubles.fileserver import FileServer
from tests.worker.fetching.fetches import zipped
from worker.rehearsal.behaviour import STEPS_VARIABLE
from worker.training import processes

REPO_ROOT = Path(__file__).parents[2]
IMAGES, EPOCHS = 12, 3


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    photos = tmp_path / "photos"
    for n in range(IMAGES):
        image(photos / f"{n}.png", caption=f"a grey card, number {n}")
    with FileServer() as files:
        files.put("photos.zip", zipped({path.name: path.read_bytes() for path in sorted(photos.iterdir())}))
        yield files


def test_a_run_that_is_killed_over_and_over_ends_as_if_nothing_had_been(files: FileServer, tmp_path: Path) -> None:
    volume, specs = tmp_path / "volume", tmp_path / "specs"
    volume.mkdir()
    specs.mkdir()
    (specs / "mine.yaml").write_text("name: mine\ntitle: Mine\nextends: sdxl\nsources: []\n", "utf-8")
    job = tmp_path / "job.json"
    training = {"epochs": EPOCHS, "resolution": 64, "save_every_n_epochs": 1, "checkpoint_every_n_epochs": 1}
    dataset = {"type": "precaptioned", "images_url": f"{files.url}/photos.zip"}
    job.write_text(
        json.dumps({"model_type": "mine", "dataset": dataset, "training": training, "output": {"method": "volume"}})
    )
    env = {
        **os.environ,
        "PYTHONPATH": str(REPO_ROOT),
        "DPCOMPILE_ALLOW_PRIVATE_ADDRESSES": "yes",
        "TEST_VOLUME": str(volume),
        STEPS_VARIABLE: "0",
    }
    command = [sys.executable, "-m", "worker", "run", str(job), "--specs", str(specs), "--volume", str(volume)]
    command += ["--job-id", "j", "--rehearse", "--resume", "--format", "json"]

    finished: list[set[str]] = [set()]
    wait = 0.2
    while len(finished) < 40 and "publish" not in finished[-1]:
        run = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(timeout=wait)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
        finished.append(_finished(volume))
        wait *= 1.08  # at another moment each time, and late enough in the end on a slow machine too
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)

    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (answer["status"], answer["epochs_completed"], answer["latest_epoch"]) == (
        "success",
        EPOCHS,
        f"epoch{EPOCHS}",
    )
    # What was finished stayed so, and was not done again.
    assert all(before <= after for before, after in itertools.pairwise(finished))
    assert len(finished) > 3, "it was killed before it was done"
    assert files.sent <= 3 * len(files.files["photos.zip"])
    [data] = [
        path
        for path in (volume / "diffusion_pipe_working_folder" / "datasets").iterdir()
        if not path.suffix and path.is_dir()
    ]
    assert len(list(data.glob("*.png"))) == len(list(data.glob("*.txt"))) == IMAGES
    assert (Path(answer["output"]["network_volume_path"]) / "lora.safetensors").stat().st_size > 0
    assert _orphans(volume) == []


def _finished(volume: Path) -> set[str]:
    """The steps that the state on disk calls done."""
    state = volume / "diffusion_pipe_working_folder" / "jobs" / "j-rehearsal" / "state.json"
    if not state.is_file():
        return set()
    steps = json.loads(state.read_text("utf-8"))["steps"]
    return {name for name, step in steps.items() if step["status"] == "done"}


def _orphans(volume: Path) -> list[int]:
    """Processes that still work for the run, a moment after it has ended."""
    wanted = os.fsencode(f"TEST_VOLUME={volume}")
    until = time.monotonic() + 10
    while True:
        left = [pid for pid in processes.living() if wanted in processes.environment(pid)]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)
