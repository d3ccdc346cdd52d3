"""Asking the steps of a run to stop, from any thread or signal handler."""

from __future__ import annotations

import queue
from typing import Literal

from worker.errors import Stopped

Reason = Literal["cancelled", "signal", "time limit", "another step failed"]


class Stop:
    """A request to stop that all steps of a run share. The first reason counts."""

    def __init__(self) -> None:
        self._reason: Reason | None = None
        # Not an Event: its lock is no reentrant one, so a signal that comes while the same thread asks would wait
        # for ever. Putting something into this queue may interrupt anything.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def reason(self) -> Reason | None:
        """Why the run has to stop; None while it may go on."""
        return self._reason

    def request(self, reason: Reason) -> None:
        """Asks every step to stop. May be called again, and from signal handlers: it takes no lock."""
        if self._reason is None:
            self._reason = reason
        self._wake.put(None)

    def requested(self) -> bool:
        return self._reason is not None

    def wait(self, seconds: float) -> bool:
        """Sleeps, and wakes early with True when the run has to stop."""
        if not self.requested():
            try:
                self._wake.get(timeout=max(seconds, 0))
            except queue.Empty:
                return self.requested()
            self._wake.put(None)  # for the next one who waits
        return True

    def pause(self, seconds: float) -> None:
        """Sleeps; raises Stopped as soon as the run has to stop."""
        self.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raises Stopped when the run has to stop: call it between pieces of work, a second apart at most."""
        if self._reason is not None:
            raise Stopped(self._reason)
