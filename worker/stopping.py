"""Asking the steps of a run to stop, from any thread or signal handler."""

from __future__ import annotations

import threading
from typing import Literal

from worker.errors import Stopped

Reason = Literal["cancelled", "signal", "time limit", "another step failed"]


class Stop:
    """A request to stop that all steps of a run share. The first reason counts."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: Reason | None = None

    @property
    def reason(self) -> Reason | None:
        """Why the run has to stop; None while it may go on."""
        return self._reason

    def request(self, reason: Reason) -> None:
        """Asks every step to stop. May be called again, and from signal handlers: it takes no lock of ours."""
        if self._reason is None:
            self._reason = reason
        self._event.set()

    def requested(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleeps, and wakes early with True when the run has to stop."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises Stopped when the run has to stop: call it between pieces of work, a second apart at most."""
        if self._event.is_set():
            raise Stopped(self._reason or "stopped")
