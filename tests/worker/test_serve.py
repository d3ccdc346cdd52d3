"""`python -m worker serve`: RunPod's real SDK in a process of its own, against its control plane on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.fileserver import Fault, FileServer
from tests.worker.doubles.hub import Hub
from tests.worker.doubles.hubstore import User
from tests.worker.doubles.runpodplane import KEY, RunPod

ROOT = Path(__file__).parents[2]
TOKEN = "hf_0123456789abcdefghij"


@contextmanager
def sdxl_hub(token: str) -> Iterator[Hub]:
    """A Hub that has what a job of SDXL downloads."""
    with Hub(tokens={token: User(name="tester")}) as hub:
        hub.seed("timoshishi/sdXL_v10VAEFix", {"sdXL_v10VAEFix.safetensors": b"weights"})
        yield hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with sdxl_hub(TOKEN) as hub:
        yield hub


@pytest.fixture
def runpod() -> Iterator[RunPod]:
    with RunPod() as runpod:
        yield runpod


class Serving:
    """A worker that takes jobs. `log` is all that it printed, once it has ended."""

    def __init__(self, runpod: RunPod, volume: Path, **environ: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DPCOMPILE", "RUNPOD", "HF_TOKEN"))}
        self.log = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker", "serve"],
            cwd=ROOT,
            env={**kept, **runpod.environ(), "NETWORK_VOLUME": str(volume), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> int:
        """Asks it to leave by SIGTERM, as RunPod does. Returns its exit code."""
        if not self.log:
            self._process.terminate()
            try:
                self.log, _ = self._process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                # What it started may hold the pipe open: nobody waits for the end of that.
                self._process.kill()
                pytest.fail(f"the worker did not end after SIGTERM: {self._said()}")
        return self._process.returncode

    def _said(self) -> str:
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        return os.read(self._process.stdout.fileno(), 1 << 16).decode("utf-8", "replace")


def send(runpod: RunPod, job: Mapping[str, Any]) -> str:
    """Sends a job as RunPod's own client does; returns its id."""
    code = (
        "import json, sys, runpod; runpod.api_key = sys.argv[1];"
        "print(runpod.Endpoint('ep').run(json.loads(sys.argv[2])).job_id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, KEY, json.dumps({"input": job})],
        env={**os.environ, "RUNPOD_ENDPOINT_BASE_URL": runpod.base},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()[-1]


def a_job(url: str) -> dict[str, Any]:
    return {
        "model_type": "sdxl",
        "dataset": {"type": "precaptioned", "images_url": url},
        "output": {"method": "volume"},
        "api_keys": {"huggingface_token": TOKEN},
    }


def fetching(server: FileServer, runpod: RunPod, job: str) -> None:
    """Waits until a worker has begun to fetch the data of the job."""
    until = time.monotonic() + 120
    while not server.sent:
        assert time.monotonic() < until, runpod.jobs[job]
        assert "ended" not in runpod.jobs[job], runpod.jobs[job]
        time.sleep(0.05)


def test_bad_jobs_are_answered_and_the_next_one_is_taken(runpod: RunPod, hub: Hub, tmp_path: Path) -> None:
    with Serving(runpod, tmp_path, HF_ENDPOINT=hub.url) as serving:
        wrong = send(runpod, {**a_job("https://example.com/x.zip"), "model_type": "sdlx", "training": {"lr": "0.1"}})
        state = runpod.wait(wrong, lambda job: "ended" in job)

        assert state["status"] == "FAILED"
        assert "sdlx" in state["error"]
        assert "\n" not in state["error"]
        output = state["output"]
        assert (output["status"], output["resumable"]) == ("failed", False)
        assert {found["code"] for found in output["diagnostics"]}

        missing = send(runpod, a_job("nowhere.zip"))
        state = runpod.wait(missing, lambda job: "ended" in job)
        assert state["status"] == "FAILED"
        assert "there is no such file or folder on the volume" in state["error"]

        for nonsense in ({}, {"model_type": 7}, {"model_type": "sdxl", "dataset": []}):
            assert runpod.wait(send(runpod, nonsense), lambda job: "ended" in job)["status"] == "FAILED"
        assert serving.end() == 0
    assert TOKEN not in serving.log
    answers = [{key: value for key, value in job.items() if key != "input"} for job in runpod.jobs.values()]
    assert TOKEN not in json.dumps(answers)


def test_a_cancelled_job_ends_and_the_next_one_is_taken(runpod: RunPod, hub: Hub, tmp_path: Path) -> None:
    with (
        FileServer() as server,
        Serving(runpod, tmp_path, HF_ENDPOINT=hub.url, DPCOMPILE_ALLOW_PRIVATE_ADDRESSES="yes") as serving,
    ):
        url = server.put("photos.zip", b"x" * 100_000)
        server.faults = [Fault(stall_after=1000, times=99)]
        job = send(runpod, a_job(url))
        fetching(server, runpod, job)
        urllib.request.urlopen(f"{runpod.base}/ep/cancel/{job}", data=b"", timeout=60).close()

        after = send(runpod, {"model_type": "none"})
        assert runpod.wait(after, lambda state: "ended" in state)["status"] == "FAILED"
        assert serving.end() == 0
    events = (tmp_path / "diffusion_pipe_working_folder" / "jobs" / job / "events.jsonl").read_text("utf-8")
    assert '"step_stopped"' in events


def test_sigterm_ends_a_job_in_order_and_answers_it(runpod: RunPod, hub: Hub, tmp_path: Path) -> None:
    with (
        FileServer() as server,
        Serving(runpod, tmp_path, HF_ENDPOINT=hub.url, DPCOMPILE_ALLOW_PRIVATE_ADDRESSES="yes") as serving,
    ):
        url = server.put("photos.zip", b"x" * 100_000)
        server.faults = [Fault(stall_after=1000, times=99)]
        job = send(runpod, a_job(url))
        fetching(server, runpod, job)

        assert serving.end() == 0

        state = runpod.wait(job, lambda state: "ended" in state)
        assert state["status"] == "FAILED"
        assert state["error"] == "the run was stopped by a signal"
        assert state["output"]["resumable"] is True


def test_progress_is_told_while_a_job_runs(runpod: RunPod, hub: Hub, tmp_path: Path) -> None:
    with Serving(runpod, tmp_path, HF_ENDPOINT=hub.url):
        job = send(runpod, a_job("nowhere.zip"))
        runpod.wait(job, lambda state: "ended" in state)

    assert runpod.progress[job][0]["status"] == "INITIALIZED"


def test_wrong_settings_are_told_at_the_start(runpod: RunPod, hub: Hub, tmp_path: Path) -> None:
    with Serving(runpod, tmp_path, HF_ENDPOINT=hub.url, DPCOMPILE_SAVE_MINUTES="soon") as serving:
        code = serving._process.wait(timeout=120)
        serving.end()

    assert code == 2
    assert "The worker cannot start: DPCOMPILE_SAVE_MINUTES must be a number, 0 or more, but is 'soon'" in serving.log
