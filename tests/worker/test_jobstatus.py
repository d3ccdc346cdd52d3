"""What `status` tells of a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import Plan
from tests.worker.runs import all_steps, plan_in, worker_of
from worker.app import run_now
from worker.errors import StepFailed
from worker.jobstatus import as_text, job_status, read_events


def status_of(plan: Plan) -> dict[str, Any]:
    found = job_status(Path(plan.folders["job"]))
    assert found is not None
    return found


def test_a_job_that_was_never_run(tmp_path: Path) -> None:
    assert job_status(tmp_path) is None


def test_a_job_that_is_done(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    answer = run_now(plan.to_json(), worker_of(), plans=True)
    found = status_of(plan)
    assert found["outcome"] == answer
    assert (found["running"], found["status"], found["message"]) == (False, "COMPLETE", "The job is done")
    assert {step["status"] for step in found["steps"]} == {"done"}
    assert as_text(found).splitlines()[-1] == "result: https://example.com/x.zip"


def test_a_job_that_failed(tmp_path: Path) -> None:
    def train(context: Any) -> dict[str, Any]:
        context.emit("training", epoch=2, step=7, loss=0.5)
        raise StepFailed("DPC701", "no key")

    plan = plan_in(tmp_path)
    run_now(plan.to_json(), worker_of(all_steps(train=train), rehearse=True), plans=True)
    assert as_text(status_of(plan)).splitlines() == [
        "job job (a rehearsal): not running",
        "ERROR: no key",
        "  fetch-images    done",
        "  caption-images  done",
        "  inspect         done",
        "  download-1      done",
        "  train           failed  no key",
        "  publish         waiting",
    ]


def test_a_worker_that_was_killed(tmp_path: Path) -> None:
    """What is on the disk then: a step begun, and no outcome."""
    plan = plan_in(tmp_path)
    run_now(plan.to_json(), worker_of(), plans=True, until="inspect")
    path = Path(plan.folders["job"], "state.json")
    state = json.loads(path.read_text())
    state["steps"]["inspect"] |= {"status": "begun", "result": None}
    path.write_text(json.dumps({**state, "outcome": None}))
    found = status_of(plan)
    assert found["steps"][2]["status"] == "interrupted"
    assert as_text(found).splitlines()[1] == "The worker ended before the job did; run it again to go on."


def test_damage_costs_only_what_it_hit(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    run_now(plan.to_json(), worker_of(), plans=True)
    folder = Path(plan.folders["job"])
    (folder / "plan.json").write_text("{")
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'\xff\n[]\n{"kind": 1}\n{"kind"')
    found = status_of(plan)
    assert {step["id"] for step in found["steps"]} == {step.id for step in plan.steps}
    assert found["status"] == "COMPLETE"


def test_only_the_end_of_many_events_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.jobstatus._LAST_BYTES", 200)
    path = tmp_path / "events.jsonl"
    events: list[dict[str, Any]] = [{"kind": "note", "time": n, "step": None, "data": {}} for n in range(100)]
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    told = list(read_events(path))
    assert 0 < len(told) < 10
    assert told[-1] == events[-1]
