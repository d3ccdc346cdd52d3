"""Statuses in the Hub's repository: the form of the contract, few commits, and never a run that waits or fails."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan
from tests.worker.doubles.hub import Hub
from tests.worker.doubles.hubstore import User
from worker.events import Event
from worker.hubupdates import HubUpdates
from worker.publishing.faults import TargetFailed
from worker.secretstore import SecretStore
from worker.settings import Settings

TOKEN = "hf_test0123456789abcdef"
REPO = "tester/my-lora"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(tokens={TOKEN: User(name="tester"), "hf_read_only_0123456789": User(name="r", role="read")}) as hub:
        yield hub


def plan_of(volume: Path) -> Plan:
    job = {
        "model_type": "sdxl",
        "dataset": {"type": "images", "images_url": "https://example.com/photos.zip"},
        "output": {"method": "huggingface", "huggingface": {"repo_id": REPO}},
    }
    plan = compile_job(job, volume=str(volume), job_id="job-1").plan
    assert plan is not None
    return plan


def sink(hub: Hub, tmp_path: Path, token: str | None = TOKEN, **settings: Any) -> HubUpdates | None:
    plain = {"retry_seconds": 0.01, "hub_commit_seconds": 0.0, **settings}
    secrets = SecretStore({"huggingface_token": token} if token else {})
    return HubUpdates.of(plan_of(tmp_path), secrets, Settings(environ={"HF_ENDPOINT": hub.url}, **plain))


def status(name: str, seconds: float = 1734220799.123456, **data: Any) -> Event:
    return Event(kind="status", time=seconds, data={"status": name, **data})


def updates(hub: Hub) -> dict[str, Any]:
    files = hub.files(REPO)
    return {name: json.loads(files[name]) for name in sorted(files) if name.startswith("UPDATES/")}


def told(hub: Hub, tmp_path: Path, *events: Event, **settings: Any) -> None:
    made = sink(hub, tmp_path, **settings)
    assert made is not None
    for event in events:
        made.emit(event)
    made.close()


def test_each_status_is_a_file_of_the_contract_s_form(hub: Hub, tmp_path: Path) -> None:
    told(hub, tmp_path, status("INITIALIZED"), status("TRAINING", message="Training started", epochs=100, lora_rank=32))

    files = updates(hub)
    assert list(files) == [
        "UPDATES/0001_20241214_235959_INITIALIZED.json",
        "UPDATES/0002_20241214_235959_TRAINING.json",
    ]
    assert files["UPDATES/0002_20241214_235959_TRAINING.json"] == {
        "status": "TRAINING",
        "timestamp": "2024-12-14T23:59:59.123456+00:00",
        "job_id": "job-1",
        "update_number": 2,
        "repo_id": REPO,
        "data": {"message": "Training started", "epochs": 100, "lora_rank": 32},
    }
    assert hub.store.repos["model", REPO].private


def test_a_later_run_goes_on_counting(hub: Hub, tmp_path: Path) -> None:
    told(hub, tmp_path, status("INITIALIZED"), status("ERROR"))
    told(hub, tmp_path, status("INITIALIZED"))

    assert [re.sub(r"_\d+_\d+", "", name) for name in updates(hub)] == [
        "UPDATES/0001_INITIALIZED.json",
        "UPDATES/0002_ERROR.json",
        "UPDATES/0003_INITIALIZED.json",
    ]


def test_what_comes_close_together_is_one_commit_and_the_end_waits_for_nothing(hub: Hub, tmp_path: Path) -> None:
    names = ["INITIALIZED", "STARTING", "DOWNLOADING", "CAPTIONING", "TRAINING", "COMPLETE"]

    told(hub, tmp_path, *(status(name) for name in names), hub_commit_seconds=3600.0)

    assert [update["status"] for update in updates(hub).values()] == names
    commits = [commit for commit in hub.commits(REPO) if commit.title.startswith("Status: ")]
    assert 1 <= len(commits) <= 2


def test_a_training_that_goes_on_is_told_of_now_and_then(hub: Hub, tmp_path: Path) -> None:
    steps = [
        Event(kind="training", time=seconds, step="train", data={"epoch": 1, "step": int(seconds), "loss": 0.5})
        for seconds in (10.0, 300.0, 601.0, 700.0)
    ]

    told(hub, tmp_path, status("TRAINING", 0.0), *steps)

    [_first, again] = updates(hub).values()
    assert again["data"] == {"message": "epoch 1, step 601, loss 0.5", "epoch": 1, "step": 601, "loss": 0.5}


def test_a_hub_that_is_away_for_a_while_loses_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.fail(".*", status=503, times=4)
    hub.fail("/commit/", status=429, times=2)

    told(hub, tmp_path, status("INITIALIZED"), status("COMPLETE"))

    assert [update["status"] for update in updates(hub).values()] == ["INITIALIZED", "COMPLETE"]


def test_a_refusal_ends_the_telling_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    made = sink(hub, tmp_path, "hf_read_only_0123456789")
    assert made is not None
    made.emit(status("INITIALIZED"))
    made._thread.join(60)

    with pytest.raises(TargetFailed, match="may not write"):
        made.emit(status("STARTING"))
    made.close()


def test_a_hub_that_never_answers_does_not_hold_up_a_run(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.hubupdates._LAST_SECONDS", 0.2)
    hub.fail(".*", status=503, times=10_000)
    made = sink(hub, tmp_path, retry_seconds=30.0)
    assert made is not None
    before = time.monotonic()

    for n in range(2000):
        made.emit(status(f"S{n}"))
    made.close()

    assert time.monotonic() - before < 30, "the retries alone would take longer"


def test_without_a_token_nothing_is_told(hub: Hub, tmp_path: Path) -> None:
    assert sink(hub, tmp_path, None) is None
