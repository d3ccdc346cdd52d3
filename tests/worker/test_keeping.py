"""Which steps are done, and which are kept from an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dpcompile.plan import Plan
from tests.worker.runs import WHOLE, plan_in
from worker.keeping import NoSuchStep, select, wanted_steps
from worker.state import RunState, StepRecord, begun_anew, work_of


def planned(tmp_path: Path) -> Plan:
    """The usual plan, with the arguments that name what each step makes."""
    args = {
        "fetch-images": {"to": str(tmp_path / "data")},
        "caption-images": {"folder": str(tmp_path / "data")},
        "download-1": {"to": str(tmp_path / "model")},
        "train": {"output": str(tmp_path / "out")},
    }
    return plan_in(tmp_path, WHOLE, args=args)


def after(plan: Plan, done: Sequence[str]) -> RunState:
    state = begun_anew(plan, rehearsal=False)
    for step in plan.steps:
        if step.id in done:
            record = StepRecord(status="done", work=work_of(step), time=0, result={"of": step.id})
            state = state.with_step(step.id, record)
    return state


def make(tmp_path: Path, *names: str) -> None:
    for name in names:
        (tmp_path / name).mkdir()


def todo(plan: Plan, state: RunState, until: str | None = None) -> list[str]:
    return [step.id for step in select(plan, state, until).todo]


ALL = [step for step, _, _ in WHOLE]


def test_at_first_everything_is_to_be_done(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert todo(plan, after(plan, [])) == ALL


def test_what_is_done_and_there_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "data", "model")
    plan = planned(tmp_path)
    selection = select(plan, after(plan, ALL[:4]), None)
    assert [step.id for step in selection.todo] == ["train", "publish"]
    assert selection.kept == {name: {"of": name} for name in ALL[:4]}


def test_a_model_that_was_deleted_is_downloaded_again(tmp_path: Path) -> None:
    make(tmp_path, "data")
    plan = planned(tmp_path)
    assert todo(plan, after(plan, ALL[:4])) == ["download-1", "train", "publish"]


def test_data_that_was_deleted_is_made_and_looked_at_again(tmp_path: Path) -> None:
    make(tmp_path, "model")
    plan = planned(tmp_path)
    assert todo(plan, after(plan, ALL[:4])) == ["fetch-images", "caption-images", "inspect", "train", "publish"]


def test_nobody_misses_data_and_models_once_the_training_is_done(tmp_path: Path) -> None:
    make(tmp_path, "out")
    plan = planned(tmp_path)
    assert todo(plan, after(plan, ALL[:5])) == ["publish"]


def test_a_training_whose_result_was_deleted_before_it_was_published_is_done_again(tmp_path: Path) -> None:
    make(tmp_path, "data", "model")
    plan = planned(tmp_path)
    assert todo(plan, after(plan, ALL[:5])) == ["train", "publish"]


def test_what_was_published_stays_published(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert todo(plan, after(plan, ALL)) == []


def test_a_step_with_other_work_is_done_again(tmp_path: Path) -> None:
    make(tmp_path, "data", "model", "out")
    plan = planned(tmp_path)
    state = after(plan, ALL).with_step("publish", StepRecord(status="done", work="other", time=0, result={}))
    assert todo(plan, state) == ["publish"]
    assert "publish" not in select(plan, state, None).kept


@pytest.mark.parametrize("status", ["begun", "failed", "stopped"])
def test_a_step_that_was_not_finished_is_done_again(tmp_path: Path, status: str) -> None:
    make(tmp_path, "data", "model", "out")
    plan = planned(tmp_path)
    record = StepRecord(status=status, work=work_of(plan.steps[4]), time=0)  # type: ignore[arg-type]
    assert todo(plan, after(plan, ALL[:4]).with_step("train", record)) == ["train", "publish"]


def test_until_leaves_out_what_does_not_lead_there(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert todo(plan, after(plan, []), "inspect") == ["fetch-images", "caption-images", "inspect"]
    assert todo(plan, after(plan, []), "download-1") == ["download-1"]
    make(tmp_path, "data")
    assert todo(plan, after(plan, ALL[:3]), "inspect") == []
    assert [step.id for step in wanted_steps(plan, "publish")] == ALL


def test_until_something_that_is_no_step(tmp_path: Path) -> None:
    with pytest.raises(NoSuchStep, match="has no step 'x'; its steps are fetch-images, caption-images, inspect"):
        select(planned(tmp_path), begun_anew(planned(tmp_path), rehearsal=False), "x")
