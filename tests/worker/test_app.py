"""Whole requests: from a document to the answer of the contract."""

from __future__ import annotations

from pathlib import Path

from tests.worker.runs import Remembers, plan_in, worker_of
from worker.app import run_now


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
