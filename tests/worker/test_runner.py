"""Steps as a graph: order, overlap, failures, stopping, going on."""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpcompile.plan import STEP_KINDS, Plan
from tests.worker.runs import Remembers, Spec, all_steps, plan_in, tree, work, worker_of
from worker import atomicfile
from worker.app import run_now
from worker.context import RunStep, StepContext
from worker.errors import StepFailed, Stopped
from worker.response import Response
from worker.state import read_state
from worker.stopping import Stop

LONG = 60.0
"""Seconds after which a test that hangs ends: far above anything that takes place."""


def run(plan: Plan, step: RunStep = work, sink: Remembers | None = None, **more: Any) -> Response:
    sinks = [sink] if sink is not None else []
    given = {name: more.pop(name) for name in ("stop", "resume", "until") if name in more}
    return run_now(plan.to_json(), worker_of(all_steps(step), *sinks, **more), plans=True, **given)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Spec, ...]:
    """Steps in an order in which each needs earlier ones."""
    specs: list[Spec] = []
    for n in range(draw(st.integers(1, 7))):
        needs = draw(st.lists(st.sampled_from([s[0] for s in specs]), unique=True, max_size=3)) if specs else []
        kind = draw(st.sampled_from(STEP_KINDS))
        specs.append((f"s{n}", kind, needs))
    return tuple(specs)


@settings(max_examples=30)
@given(specs=graphs())
def test_each_step_begins_when_those_it_needs_are_done(
    tmp_path_factory: pytest.TempPathFactory, specs: Sequence[Spec]
) -> None:
    done: list[str] = []

    def step(context: StepContext) -> dict[str, Any]:
        assert set(context.step.needs) <= set(done)
        assert all(context.results[need] == {"of": need} for need in context.step.needs)
        done.append(context.step.id)
        return {"of": context.step.id}

    assert run(plan_in(tmp_path_factory.mktemp("run"), specs), step)["status"] == "success"
    assert sorted(done) == sorted(name for name, _, _ in specs)


class Killed(BaseException):
    """Stands for a kill: nothing after it in the step is done."""


@settings(max_examples=25)
@given(specs=graphs(), data=st.data())
def test_however_often_it_is_killed_the_end_is_that_of_an_undisturbed_run(
    tmp_path_factory: pytest.TempPathFactory, specs: Sequence[Spec], data: st.DataObject
) -> None:
    calm, killed = tmp_path_factory.mktemp("calm"), tmp_path_factory.mktemp("killed")
    expected = run(plan_in(calm, specs))
    plan = plan_in(killed, specs)
    for _ in range(data.draw(st.integers(1, 3), "kills")):
        fatal = data.draw(st.integers(0, 3 * len(specs)), "fatal call")
        calls: list[None] = []

        def step(context: StepContext, fatal: int = fatal, calls: list[None] = calls) -> dict[str, Any]:
            class Fragile(Stop):
                def check(self) -> None:
                    calls.append(None)
                    if len(calls) > fatal:
                        raise Killed
                    context.stop.check()

            return work(replace(context, stop=Fragile()))

        run(plan, step)
    answer = run(plan)

    assert answer == run(plan)
    assert {**answer, "output": None} == {**expected, "output": None}
    made = Path("diffusion_pipe_working_folder", "made", "job")
    assert tree(killed / made) == tree(calm / made)
    for log in (killed / made).glob("*.log"):
        lines = log.read_text().splitlines()
        assert sorted(lines) == ["done", "made 0", "made 1", "made 2"], f"{log.name} was done twice"


def test_steps_that_do_not_need_each_other_overlap(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind in ("fetch", "download"):
            both.wait(LONG)  # breaks unless the other is there at the same time
        return {}

    assert run(plan_in(tmp_path), step)["status"] == "success"


def test_the_first_failure_is_reported_and_stops_the_others(tmp_path: Path) -> None:
    sink = Remembers()
    working = threading.Event()

    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind == "download":
            working.set()
            assert context.stop.wait(LONG)
            assert context.stop.reason == "another step failed"
            context.stop.check()
        working.wait(LONG)
        raise StepFailed("DPC701", "no key", "give one", resumable=False, output_tail="the end")

    plan = plan_in(tmp_path)
    answer = run(plan, step, sink)

    assert answer["status"] == "failed"
    assert answer == {
        "status": "failed",
        "error": "no key",
        "diagnostics": [
            {
                "code": "DPC701",
                "severity": "error",
                "path": "",
                "message": "no key",
                "hint": "give one",
                "file": None,
                "line": None,
                "column": None,
            }
        ],
        "output_tail": "the end",
        "resumable": False,
    }
    assert sink.statuses()[-1] == "ERROR"
    assert sink.kinds("download-1")[-1] == "step_stopped"
    state = read_state(Path(plan.folders["job"]))
    assert state is not None
    assert {name: record.status for name, record in state.steps.items()} == {
        "fetch-images": "failed",
        "download-1": "stopped",
    }


def test_a_step_that_is_done_while_another_fails_stays_done(tmp_path: Path) -> None:
    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind == "download":
            assert context.stop.wait(LONG)  # and does not look at it any more
            return {"n": 1}
        raise StepFailed("DPC701", "x")

    plan = plan_in(tmp_path)
    run(plan, step)
    done: list[str] = []

    def again(context: StepContext) -> dict[str, Any]:
        done.append(context.step.id)
        return {}

    assert run(plan, again)["status"] == "success"
    assert done == ["fetch-images", "caption-images", "inspect", "train", "publish"]


def test_failures_after_the_first_are_told_too(tmp_path: Path) -> None:
    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind == "download":
            assert context.stop.wait(LONG)
            raise StepFailed("DPC704", "second")
        raise StepFailed("DPC701", "first")

    answer = run(plan_in(tmp_path), step)
    assert answer["status"] == "failed"
    assert [found["message"] for found in answer["diagnostics"]] == ["first", "second"]
    assert answer["error"] == "first"


@pytest.mark.parametrize("reason", ["cancelled", "signal", "time limit"])
def test_a_run_that_is_stopped_says_why_and_goes_on_later(tmp_path: Path, reason: Any) -> None:
    stop, sink = Stop(), Remembers()
    resumes: dict[str, bool] = {}

    def step(context: StepContext) -> dict[str, Any]:
        resumes[context.step.id] = context.resume
        if context.step.kind == "train":
            context.emit("output", line="step 1")
            stop.request(reason)
            context.stop.check()
        return {}

    plan = plan_in(tmp_path)
    answer = run(plan, step, sink, stop=stop)

    assert answer["status"] == "failed"
    assert answer["error"].startswith("the run was ")
    assert answer["diagnostics"][0]["code"] == "DPC707"
    assert answer["resumable"]
    assert answer["output_tail"] == "step 1"
    assert not any(resumes.values())
    assert "publish" not in resumes

    resumes.clear()
    assert (
        run(plan, lambda context: (resumes.setdefault(context.step.id, context.resume) and {}) or {})["status"]
        == "success"
    )
    assert resumes == {"train": True, "publish": False}


def test_resume_is_handed_on_when_it_is_asked_for(tmp_path: Path) -> None:
    def step(context: StepContext) -> dict[str, Any]:
        assert context.resume
        return {}

    assert run(plan_in(tmp_path), step, resume=True)["status"] == "success"


def test_what_cannot_be_gone_on_from_begins_anew(tmp_path: Path) -> None:
    def fails(context: StepContext) -> dict[str, Any]:
        raise StepFailed("DPC701", "x", resumable=False)

    plan = plan_in(tmp_path, [("train", "train", ())])
    run(plan, fails)

    def step(context: StepContext) -> dict[str, Any]:
        assert not context.resume
        return {}

    assert run(plan, step)["status"] == "success"


def test_a_stop_before_the_beginning_begins_nothing(tmp_path: Path) -> None:
    stop = Stop()
    stop.request("signal")
    plan = plan_in(tmp_path)
    answer = run(plan, stop=stop)
    assert answer["status"] == "failed"
    assert answer["error"] == "the run was stopped by a signal"
    assert not Path(plan.folders["work"], "made").exists()


def test_a_stop_when_all_is_done_changes_nothing(tmp_path: Path) -> None:
    stop = Stop()

    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind == "publish":
            stop.request("signal")
        return {}

    assert run(plan_in(tmp_path), step, stop=stop)["status"] == "success"


def test_a_step_that_does_not_stop_is_left_and_keeps_its_job_locked(tmp_path: Path) -> None:
    stop, leave = Stop(), threading.Event()

    def step(context: StepContext) -> dict[str, Any]:
        stop.request("cancelled")
        leave.wait(LONG)
        raise Stopped

    plan = plan_in(tmp_path, [("train", "train", ())])
    answer = run(plan, step, stop=stop, stop_minutes=0)
    try:
        assert answer["status"] == "failed"
        assert answer["error"] == "the run was cancelled; train did not end in time"
        again = run(plan)
        assert again["status"] == "failed"
        assert again["diagnostics"][0]["code"] == "DPC703"
    finally:
        leave.set()


def test_stopped_without_being_asked_is_a_bug(tmp_path: Path) -> None:
    def step(context: StepContext) -> dict[str, Any]:
        raise Stopped("by myself")

    answer = run(plan_in(tmp_path), step)
    assert answer["status"] == "failed"
    assert answer["diagnostics"][0]["code"] == "DPC709"


def test_an_exception_that_nobody_expected_is_told_with_its_traceback_in_the_events(tmp_path: Path) -> None:
    sink = Remembers()

    def step(context: StepContext) -> dict[str, Any]:
        raise KeyError("to")

    answer = run(plan_in(tmp_path, [("fetch-images", "fetch", ())]), step, sink)
    assert answer["status"] == "failed"
    assert answer["error"] == "fetch-images: this is a bug in the worker: KeyError: 'to'"
    failed = next(event for event in sink.events if event.kind == "step_failed")
    assert "Traceback" in failed.data["traceback"]


def test_a_result_that_is_no_object_is_a_bug(tmp_path: Path) -> None:
    def step(context: StepContext) -> Any:
        return None

    answer = run(plan_in(tmp_path), step)
    assert answer["status"] == "failed"
    assert "returned NoneType, not an object" in answer["error"]


def test_a_result_is_the_same_now_and_read_back(tmp_path: Path) -> None:
    seen: list[object] = []

    def step(context: StepContext) -> dict[str, Any]:
        if context.step.kind == "train":
            seen.append(context.results["fetch-images"])
            raise StepFailed("DPC701", "again")
        odd: dict[Any, Any] = {"path": tmp_path, "pair": (1, 2.5), "loss": float("nan"), 3: None}
        return odd

    plan = plan_in(tmp_path)
    run(plan, step)
    run(plan, step)
    assert seen == [{"path": str(tmp_path), "pair": [1, 2.5], "loss": "nan", "3": None}] * 2


def test_until_ends_after_a_step_and_says_what_was_left(tmp_path: Path) -> None:
    sink = Remembers()
    answer = run(plan_in(tmp_path), work, sink, until="inspect")
    assert answer["status"] == "success"
    assert answer["output"]["note"] == (
        "As asked, the run ended before these steps: download-1, train, publish. Nothing was published."
    )
    assert answer["epochs_completed"] is None
    assert sink.statuses() == ["INITIALIZED", "STARTING", "DOWNLOADING", "CAPTIONING"]
    assert sink.texts("note") == ["ended after inspect, as asked"]


def test_a_full_disk_under_the_state_ends_the_run_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is refused once the first step has been done, as a disk that has just become full would."""
    real, full = atomicfile.write_whole, threading.Event()

    def write(path: Path, text: str) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, text)

    def step(context: StepContext) -> dict[str, Any]:
        result = work(context)
        full.set()
        return result

    monkeypatch.setattr("worker.state.write_whole", write)
    plan = plan_in(tmp_path, [("a", "fetch", ()), ("b", "caption", ("a",))])
    answer = run(plan, step)
    assert answer["status"] == "failed"
    assert answer["error"].startswith("the disk is full: ")
    assert [found["code"] for found in answer["diagnostics"]] == ["DPC704"]
    assert answer["resumable"]

    full.clear()
    assert run(plan)["status"] == "success"
    log = Path(plan.folders["work"], "made", "job", "a.log").read_text().splitlines()
    assert log == ["made 0", "made 1", "made 2", "done", "done"], "begun again, and nothing made twice"
