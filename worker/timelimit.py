"""Ending a run in time: the job's own limit, and the platform's, after which it ends the worker."""

from __future__ import annotations

import threading
from types import TracebackType

from dpcompile.plan import Plan
from worker.settings import Settings
from worker.stopping import Stop


def stop_after_seconds(settings: Settings) -> float | None:
    """When to stop because of the platform: early enough to save, and never before half of the time."""
    if settings.time_limit_minutes is None:
        return None
    minutes = max(settings.time_limit_minutes - settings.save_minutes, settings.time_limit_minutes / 2)
    return minutes * 60


def training_limit_seconds(plan: Plan) -> float | None:
    """The job's own limit: its training saves and stops then."""
    limits = [s.args.get("time_limit_minutes") for s in plan.steps if s.kind == "train"]
    given = [limit for limit in limits if limit is not None]
    return min(given) * 60 if given else None


class TimeLimit:
    """Asks to stop when a limit is reached, while it is entered.

    The job's own limit is about the training and ends with it: what was trained is published however late.
    """

    def __init__(self, stop: Stop, *, platform: float | None, training: float | None) -> None:
        self._platform = _timer(platform, stop)
        self._training = _timer(training, stop)

    def __enter__(self) -> TimeLimit:
        for timer in (self._platform, self._training):
            if timer is not None:
                timer.start()
        return self

    def training_done(self) -> None:
        if self._training is not None:
            self._training.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in (self._platform, self._training):
            if timer is not None:
                timer.cancel()


def _timer(seconds: float | None, stop: Stop) -> threading.Timer | None:
    if seconds is None:
        return None
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), stop.request, ("time limit",))
    timer.daemon = True
    return timer
