"""Whole jobs, sent by RunPod's own client to the worker's real loop, with local servers for all that is outside.

The stand-in trains, so these are rehearsals; everything else is what a real run does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.inspection.support import image
from tests.worker.doubles.fileserver import Fault, FileServer
from tests.worker.doubles.hub import Hub
from tests.worker.doubles.runpodplane import RunPod
from tests.worker.fetching.fetches import zipped
from tests.worker.test_serve import Serving, sdxl_hub, send
from worker.rehearsal.behaviour import VARIABLE

TOKEN = "hf_test0123456789abcdef"
PLANTED = "gm-0123456789abcdefghij"
REPO = "tester/my-lora"
FORM = {
    "download_url",
    "safetensors_url",
    "repo_url",
    "download_method",
    "expires_in_days",
    "archive_size_mb",
    "network_volume_path",
    "note",
    "warnings",
    "fallback_instructions",
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with sdxl_hub(TOKEN) as hub:
        yield hub


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileServer]:
    photos = tmp_path / "photos"
    for n in range(8):
        image(photos / f"{n}.png", caption=f"a grey card, number {n}")
    with FileServer() as files:
        files.put("photos.zip", zipped({path.name: path.read_bytes() for path in sorted(photos.iterdir())}))
        yield files


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    volume = tmp_path / "volume"
    volume.mkdir()
    return volume


def a_job(files: FileServer, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "sdxl",
        "dataset": {"type": "precaptioned", "images_url": f"{files.url}/photos.zip", "trigger_word": "ohwx"},
        "training": {"epochs": 2, "resolution": 64, "save_every_n_epochs": 1},
        "output": {"method": "huggingface", "huggingface": {"repo_id": REPO}},
        "api_keys": {"huggingface_token": TOKEN, "gemini_api_key": PLANTED},
        **more,
    }


def serving(runpod: RunPod, volume: Path, hub: Hub, **environ: str) -> Serving:
    return Serving(
        runpod,
        volume,
        HF_ENDPOINT=hub.url,
        HF_HUB_DISABLE_XET="1",
        DPCOMPILE_REHEARSE="yes",
        DPCOMPILE_ALLOW_PRIVATE_ADDRESSES="yes",
        DPCOMPILE_HUB_COMMIT_SECONDS="0",
        DPCOMPILE_RETRY_SECONDS="0.05",
        **environ,
    )


def answered(runpod: RunPod, job: dict[str, Any]) -> dict[str, Any]:
    return runpod.wait(send(runpod, job), lambda state: "ended" in state)


def test_a_job_from_the_queue_to_the_hub(files: FileServer, hub: Hub, volume: Path) -> None:
    files.faults = [Fault(drop_after=900), Fault(status=503)]
    with RunPod() as runpod, serving(runpod, volume, hub) as worker:
        state = answered(runpod, a_job(files))

        assert state["status"] == "COMPLETED", state
        answer = state["output"]
        assert (answer["status"], answer["model_type"], answer["model_name"]) == ("success", "sdxl", "SDXL 1.0")
        assert (answer["epochs_completed"], answer["latest_epoch"]) == (2, "epoch2")
        assert set(answer["output"]) == FORM
        assert answer["output"]["repo_url"] == f"{hub.url}/{REPO}-rehearsal"
        worker.end()

    published = hub.files(f"{REPO}-rehearsal")
    assert {"README.md", "lora.safetensors", "REHEARSAL.txt"} <= set(published)
    statuses = [json.loads(published[name])["status"] for name in sorted(published) if name.startswith("UPDATES/")]
    assert statuses == [
        "INITIALIZED",
        "STARTING",
        "DOWNLOADING",
        "CAPTIONING",
        "MODEL_DOWNLOAD",
        "TRAINING",
        "TRAINING_COMPLETE",
        "UPLOADING",
        "COMPLETE",
    ]
    everywhere = b"".join(path.read_bytes() for path in volume.rglob("*") if path.is_file()) + worker.log.encode()
    everywhere += b"".join(published.values()) + json.dumps([state["output"], list(runpod.progress.values())]).encode()
    assert not [secret for secret in (TOKEN, PLANTED) if secret.encode() in everywhere]


def test_the_second_job_on_the_same_data_fetches_nothing(files: FileServer, hub: Hub, volume: Path) -> None:
    with RunPod() as runpod, serving(runpod, volume, hub):
        assert answered(runpod, a_job(files))["status"] == "COMPLETED"
        sent = files.sent
        assert answered(runpod, a_job(files, training={"epochs": 1, "resolution": 64}))["status"] == "COMPLETED"

    assert files.sent == sent


@pytest.mark.parametrize(
    ("behaviour", "code"), [("oom@3", "DPC742"), ("nan@2", "DPC744"), ("exit-0", "DPC748"), ("half-model", "DPC753")]
)
def test_a_training_that_fails_is_answered_with_its_reason(
    files: FileServer, hub: Hub, volume: Path, behaviour: str, code: str
) -> None:
    with RunPod() as runpod, serving(runpod, volume, hub, **{VARIABLE: behaviour}):
        state = answered(runpod, a_job(files))

    assert state["status"] == "FAILED"
    assert "\n" not in state["error"]
    answer = state["output"]
    assert answer["status"] == "failed"
    assert answer["diagnostics"][0]["code"] == code
    assert bool(answer["output_tail"]) is (behaviour != "exit-0"), "that one says nothing at all"
    assert f"{REPO}-rehearsal" not in {repo for _kind, repo in hub.store.repos} or not [
        name for name in hub.files(f"{REPO}-rehearsal") if name.endswith(".safetensors")
    ]


def test_data_that_cannot_be_trained_ends_before_the_training(hub: Hub, volume: Path) -> None:
    with FileServer() as files, RunPod() as runpod, serving(runpod, volume, hub):
        files.put("photos.zip", zipped({"a.png": b"no image", "a.txt": b"a caption"}))
        state = answered(runpod, a_job(files))

    assert state["status"] == "FAILED"
    assert state["output"]["diagnostics"][0]["code"] == "DPC603"
    jobs = volume / "diffusion_pipe_working_folder" / "jobs"
    assert not list(jobs.glob("*/train.log")), "the trainer was never started"


def test_a_hub_that_refuses_the_result_loses_nothing(files: FileServer, hub: Hub, volume: Path) -> None:
    with RunPod() as runpod, serving(runpod, volume, hub, DPCOMPILE_PUBLISH_PATIENCE_SECONDS="0.1"):
        hub.fail("/api/models/tester/.*/(commit|preupload)", status=403, times=999)
        state = answered(runpod, a_job(files))

    assert state["status"] == "FAILED"
    answer = state["output"]
    assert answer["resumable"] is True
    assert answer["diagnostics"][0]["code"] == "DPC760"
    assert "Nothing is lost: the model is on the volume" in answer["diagnostics"][0]["hint"]
    assert list((volume / "diffusion_pipe_working_folder" / "training_outputs").glob("*/*/epoch2/*.safetensors"))
