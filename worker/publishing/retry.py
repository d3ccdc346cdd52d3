"""Trying again: what fails for a moment is tried again, for a bounded time, and a stop ends the waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from worker.stopping import Stop

Result = TypeVar("Result")
_LONGEST_WAIT = 60.0  # seconds between two tries, unless the server asks for more


def tried(
    work: Callable[[], Result],
    *,
    stop: Stop,
    passing: Callable[[Exception], float | None],
    first_wait: float,
    patience: float,
    on_wait: Callable[[Exception, float], None] = lambda _error, _seconds: None,
) -> Result:
    """The result of `work`, tried again while its failures pass.

    `passing` says of a failure how many seconds the server asks to wait (0 if it does not say), or None when
    trying again is of no use. Waits grow from `first_wait`; all of them together last `patience` seconds at
    most, after which the failure is raised. Raises Stopped when the run has to stop meanwhile.
    """
    waited, wait = 0.0, first_wait
    while True:
        stop.check()
        try:
            return work()
        except Exception as error:
            asked = passing(error)
            if asked is None:
                raise
            pause = max(wait, asked)
            if waited + pause > patience:
                raise
            on_wait(error, pause)
            if stop.wait(pause):
                stop.check()
            waited += pause
            wait = min(wait * 2, _LONGEST_WAIT)
