"""The state of a job on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.plan import Step
from worker.errors import StepFailed
from worker.state import RunState, StateFile, StepRecord, read_state, work_of

records = st.builds(
    StepRecord,
    status=st.sampled_from(["begun", "done", "failed", "stopped"]),
    work=st.text(max_size=5),
    time=st.floats(0, 2e9),
    result=st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    resumable=st.booleans(),
    error=st.none() | st.text(max_size=5),
)


@given(
    steps=st.dictionaries(st.text(min_size=1, max_size=5), records, max_size=4),
    rehearsal=st.booleans(),
    outcome=st.none() | st.just({"status": "success"}),
)
def test_what_is_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, steps: dict[str, StepRecord], rehearsal: bool, outcome: Any
) -> None:
    folder = tmp_path_factory.mktemp("state")
    state = RunState(plan_id="a", job_id="b", rehearsal=rehearsal, steps=steps, outcome=outcome)
    StateFile(folder, state).save(state)
    assert read_state(folder) == state
    assert [path.name for path in folder.iterdir()] == ["state.json"]


def test_a_job_that_was_never_begun_has_none(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b"[]", b"null", b'{"version": 2}', b'{"version": 1}', b"[" * 100_000],
    ids=["empty", "broken", "not text", "a list", "null", "later version", "incomplete", "deep"],
)
def test_a_damaged_state_is_told_and_stays(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "state.json").write_bytes(text)
    with pytest.raises(StepFailed) as caught:
        read_state(tmp_path)
    assert caught.value.code == "DPC708"
    assert str(tmp_path / "state.json") in caught.value.message
    assert (tmp_path / "state.json").read_bytes() == text


@pytest.mark.parametrize(
    "change", [{"status": "finished"}, {"status": "done", "result": None}, {"result": []}, {"time": "x"}, {"work": ...}]
)
def test_a_damaged_record_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    state = RunState(plan_id="a", job_id="b", rehearsal=False)
    state = state.with_step("x", StepRecord(status="begun", work="w", time=1.0))
    value = state.to_json()
    value["steps"]["x"] = {k: v for k, v in {**value["steps"]["x"], **change}.items() if v is not ...}
    (tmp_path / "state.json").write_text(json.dumps(value), "utf-8")
    with pytest.raises(StepFailed, match="state of the job cannot be read"):
        read_state(tmp_path)


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    old = RunState(plan_id="old", job_id="b", rehearsal=False)
    file = StateFile(tmp_path, old)
    file.save(old)
    (tmp_path / ".state.json.new").mkdir()  # nothing can be written aside
    with pytest.raises(IsADirectoryError):
        file.record("x", StepRecord(status="begun", work="w", time=1.0))
    assert read_state(tmp_path) == old
    assert "x" in file.state.steps


def step(kind: Any = "train", **args: Any) -> Step:
    return Step(id="s", kind=kind, needs=(), args=args)


def test_how_a_training_is_started_is_no_part_of_what_it_makes() -> None:
    base = step(config="x", argv=["deepspeed"], env={"A": "1"}, num_gpus=1, hosts=[], resume=None, time_limit_minutes=5)
    other = step(config="x", argv=["x"], env={}, num_gpus=2, hosts=["h"], resume=True, time_limit_minutes=None)
    assert work_of(base) == work_of(other)
    assert work_of(base) != work_of(step(config="y"))


def test_where_a_secret_is_found_is_no_part_of_the_work() -> None:
    before = step("publish", targets=[{"kind": "huggingface", "repo_id": "a/b", "secret": "secret:x"}])
    after = step("publish", targets=[{"kind": "huggingface", "repo_id": "a/b", "secret": "secret:y"}])
    assert work_of(before) == work_of(after)
    assert work_of(step("fetch", resume=True)) != work_of(step("fetch", resume=False))


@pytest.mark.parametrize(
    ("status", "resumable", "goes_on"),
    [
        ("begun", True, True),
        ("stopped", True, True),
        ("failed", True, True),
        ("failed", False, False),
        ("done", True, False),
    ],
)
def test_what_a_later_run_may_go_on_from(status: Any, resumable: bool, goes_on: bool) -> None:
    assert StepRecord(status=status, work="w", time=0, resumable=resumable, result={}).goes_on() is goes_on
