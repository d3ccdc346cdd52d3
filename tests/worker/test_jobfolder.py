"""One folder, one job: what a later run may go on from, and what it may not be mixed with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import Plan
from tests.worker.runs import all_steps, plan_in, worker_of
from worker.app import run_now
from worker.errors import StepFailed
from worker.jobfolder import open_state


def run(plan: Plan, **settings: Any) -> None:
    assert run_now(plan.to_json(), worker_of(**settings), plans=True)["status"] == "success"


def test_files_of_the_plan_are_written(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    run(plan)
    folder = Path(plan.folders["job"])
    assert (folder / "train.toml").read_text("utf-8") == plan.file("train.toml").text
    assert sorted(path.name for path in folder.iterdir()) == [
        "events.jsonl",
        "lock",
        "plan.json",
        "state.json",
        "train.toml",
    ]


def test_another_plan_under_the_same_id_is_told_in_plain_words_and_changes_nothing(tmp_path: Path) -> None:
    first = plan_in(tmp_path)
    run(first)
    folder = Path(first.folders["job"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    second = plan_in(tmp_path, train_toml="epochs = 4\n\n[adapter]\nrank = 16\n")

    answer = run_now(second.to_json(), worker_of(), plans=True)

    assert answer["status"] == "failed"
    assert not answer["resumable"]
    assert answer["diagnostics"][0]["code"] == "DPC702"
    assert answer["error"] == (
        "job job cannot be mixed with another: an earlier run under this id made something else:"
        " train.toml: epochs was 3, is 4"
    )
    assert first.folders["job"] in answer["diagnostics"][0]["hint"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("rehearsed_first", [True, False])
def test_a_rehearsal_and_a_real_run_are_not_mixed(tmp_path: Path, rehearsed_first: bool) -> None:
    plan = plan_in(tmp_path)
    run(plan, rehearse=rehearsed_first)
    answer = run_now(plan.to_json(), worker_of(rehearse=not rehearsed_first), plans=True)
    assert answer["status"] == "failed"
    assert answer["diagnostics"][0]["code"] == "DPC702"
    assert "a rehearsal" in answer["error"]


def test_another_way_to_start_and_to_publish_goes_on(tmp_path: Path) -> None:
    run(plan_in(tmp_path, args={"train": {"num_gpus": 1}, "publish": {"method": "s3"}}))
    done: list[str] = []

    def work(context: Any) -> dict[str, Any]:
        done.append(context.step.id)
        return {}

    changed = plan_in(tmp_path, args={"train": {"num_gpus": 2}, "publish": {"method": "volume"}})
    answer = run_now(replace(changed, compiler="1").to_json(), worker_of(all_steps(work)), plans=True)
    assert answer["status"] == "success"
    assert done == ["publish"]


def test_a_plan_that_is_gone_from_the_folder_is_told(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    run(plan)
    Path(plan.folders["job"], "plan.json").unlink()
    with pytest.raises(StepFailed) as caught:
        open_state(Path(plan.folders["job"]), plan_in(tmp_path, train_toml=""), rehearsal=False)
    assert caught.value.code == "DPC708"
