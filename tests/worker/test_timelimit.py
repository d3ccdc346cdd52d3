"""Stopping in time. No test waits for a limit that is far."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.worker.runs import WHOLE, Spec, all_steps, plan_in, worker_of
from worker.app import run_now
from worker.settings import Settings
from worker.stopping import Stop
from worker.timelimit import TimeLimit, stop_after_seconds, training_limit_seconds

LONG = 60.0
LIMIT = 1_234_567
TRAINING: tuple[Spec, ...] = (("train", "train", ()),)


@pytest.mark.parametrize(
    ("limit", "save", "expected"), [(None, 10, None), (120, 10, 6600), (15, 10, 450), (1, 10, 30), (60, 0, 3600)]
)
def test_the_platform_leaves_time_to_save_and_half_of_it_to_work(limit: Any, save: float, expected: Any) -> None:
    assert stop_after_seconds(Settings(environ={}, time_limit_minutes=limit, save_minutes=save)) == expected


def test_the_job_limits_its_training() -> None:
    assert training_limit_seconds(plan_in(Path("/data"))) is None
    plan = plan_in(Path("/data"), args={"train": {"time_limit_minutes": 1.5}})
    assert training_limit_seconds(plan) == 90


def test_a_limit_that_is_reached_asks_to_stop() -> None:
    stop = Stop()
    with TimeLimit(stop, platform=None, training=0):
        assert stop.wait(LONG)
    assert stop.reason == "time limit"


def test_a_limit_of_the_training_ends_with_it() -> None:
    stop = Stop()
    with TimeLimit(stop, platform=3600, training=3600) as limit:
        assert limit._training is not None
        assert limit._platform is not None
        limit.training_done()
        assert limit._training.finished.is_set()
        assert not limit._platform.finished.is_set()
    assert limit._platform.finished.is_set()
    assert not stop.requested()


def test_an_endless_limit_is_none() -> None:
    with TimeLimit(Stop(), platform=1e300, training=None):
        pass


@pytest.mark.parametrize("by", ["job", "platform"])
def test_a_run_saves_and_says_that_its_time_is_over(tmp_path: Path, by: str) -> None:
    saved: list[str] = []

    def train(context: Any) -> dict[str, Any]:
        assert context.stop.wait(LONG)
        saved.append(context.stop.reason)
        context.stop.check()
        raise AssertionError

    plan = plan_in(tmp_path, TRAINING, args={"train": {"time_limit_minutes": 0.001}} if by == "job" else {})
    limit = None if by == "job" else 0.001
    worker = worker_of(all_steps(train=train), time_limit_minutes=limit)
    answer = run_now(plan.to_json(), worker, plans=True)
    assert saved == ["time limit"]
    assert answer["status"] == "failed"
    assert answer["error"] == "the run was stopped at its time limit"
    assert answer["resumable"]
    assert [found["code"] for found in answer["diagnostics"]] == ["DPC707"]


def test_what_was_trained_is_published_after_the_limit_of_the_job(tmp_path: Path) -> None:
    """The limit lies behind the training, which ends it; publishing may take as long as it likes."""
    timers: list[threading.Timer] = []

    def publish(context: Any) -> dict[str, Any]:
        running = [t for t in threading.enumerate() if isinstance(t, threading.Timer) and t.interval == LIMIT * 60]
        timers.extend(timer for timer in running if not timer.finished.is_set())
        return {}

    plan = plan_in(tmp_path, WHOLE, args={"train": {"time_limit_minutes": LIMIT}})
    answer = run_now(plan.to_json(), worker_of(all_steps(publish=publish)), plans=True)
    assert answer["status"] == "success"
    assert timers == []
