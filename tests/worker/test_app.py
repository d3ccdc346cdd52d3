"""Whole requests: from a document to the answer of the contract."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import SecretNeed
from tests.worker.runs import Remembers, Spec, all_steps, plan_in, worker_of
from worker.app import run_now, run_request
from worker.context import StepContext
from worker.errors import StepFailed, Stopped

LONG = 60.0
PLANTED: tuple[Spec, ...] = (
    ("fetch-images", "fetch", ()),
    ("download-1", "download", ()),
    ("train", "train", ("fetch-images",)),
)


def test_a_plan_is_run_and_answered(tmp_path: Path) -> None:
    sink = Remembers()
    plan = plan_in(tmp_path)

    answer = run_now(plan.to_json(), worker_of(None, sink), plans=True)

    assert answer == {
        "status": "success",
        "job_id": "job",
        "model_type": "wan13",
        "model_name": "Wan 2.1",
        "epochs_completed": 3,
        "latest_epoch": "epoch3",
        "output": {
            "download_url": "https://example.com/x.zip",
            "safetensors_url": None,
            "repo_url": None,
            "download_method": "s3",
            "expires_in_days": None,
            "archive_size_mb": None,
            "network_volume_path": plan.folders["output"],
            "note": None,
            "warnings": [],
            "fallback_instructions": None,
        },
    }
    assert sink.closed
    assert sink.statuses() == [
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


def test_a_cancelled_request_stops_its_steps_in_order_before_it_goes_on(tmp_path: Path) -> None:
    begun, left = threading.Event(), threading.Event()
    reasons: list[object] = []

    def train(context: StepContext) -> dict[str, Any]:
        begun.set()
        assert context.stop.wait(LONG)
        reasons.append(context.stop.reason)
        left.set()
        raise Stopped

    async def cancel() -> None:
        worker = worker_of(all_steps(train=train))
        task = asyncio.create_task(run_request(plan_in(tmp_path).to_json(), worker, plans=True))
        await asyncio.to_thread(begun.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left.is_set()

    asyncio.run(cancel())
    assert reasons == ["cancelled"]
    answer = asyncio.run(run_request(plan_in(tmp_path).to_json(), worker_of(), plans=True))
    assert answer["status"] == "success"


def test_a_plan_is_no_job_for_those_who_may_not_send_plans(tmp_path: Path) -> None:
    answer = run_now(plan_in(tmp_path).to_json(), worker_of(environ={"NETWORK_VOLUME": str(tmp_path)}))
    assert answer["status"] == "failed"
    assert not (tmp_path / "diffusion_pipe_working_folder").exists()


def test_secrets_planted_everywhere_are_found_nowhere(tmp_path: Path) -> None:
    secret = "hf_planted0123456789"
    need = SecretNeed(name="huggingface_token", pointer="/x", env=("HF_TOKEN",), required=False)
    sink = Remembers()

    def step(context: StepContext) -> dict[str, Any]:
        context.emit("output", line=f"using {secret}")
        context.emit("warning", message=secret, hint=secret)
        if context.step.kind == "train":
            raise StepFailed("DPC701", f"no {secret}", secret, output_tail=f"the end: {secret}")
        if context.step.kind == "download":
            assert context.stop.wait(LONG)
            raise KeyError(secret)
        return {secret: [secret]}

    plan = plan_in(tmp_path, PLANTED, secrets=[need])
    answer = run_now(plan.to_json(), worker_of(all_steps(step), sink, environ={"HF_TOKEN": secret}), plans=True)

    assert answer["status"] == "failed"
    assert answer["error"] == "no ***"
    assert secret not in json.dumps(answer)
    assert secret not in repr(sink.events)
    assert sink.events
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path
