"""Telling how far a fetch is, stopping it, and ending it in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from worker.context import Emit
from worker.fetching.faults import out_of_time
from worker.stopping import Stop

_EVERY = 1.0  # seconds between two events
_POLL = 0.2  # seconds between two looks at `stop`

T = TypeVar("T")


class Watch:
    """One fetch as it goes on: `check` often; it raises Stopped, or StepFailed when the time is up."""

    def __init__(self, stop: Stop, emit: Emit, seconds: float) -> None:
        self._stop = stop
        self._emit = emit
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._told = 0.0
        self._phase = ""
        self._unit = "bytes"
        self._done = 0
        self._total: int | None = None

    @property
    def ended(self) -> bool:
        """Whether `check` would raise."""
        return self._stop.requested() or time.monotonic() > self._deadline

    def check(self) -> None:
        self._stop.check()
        if time.monotonic() > self._deadline:
            raise out_of_time(self._seconds)

    def pause(self, seconds: float) -> None:
        """Sleeps, but no longer than the run may go on."""
        self._stop.wait(max(0.0, min(seconds, self._deadline - time.monotonic() + 0.01)))
        self.check()

    def phase(self, name: str, total: int | None = None, unit: str = "bytes") -> None:
        """Begins to count something else, such as the bytes of a download or the files of an archive."""
        with self._lock:
            self._phase, self._unit, self._done, self._total = name, unit, 0, total
        self._tell(force=True)

    def expect(self, total: int | None) -> None:
        """Says how much there will be, where that was not known when the phase began."""
        with self._lock:
            self._total = total if self._total is None else self._total

    def add(self, count: int) -> None:
        """Counts what was done; negative when it has to be done again. Raises as `check` does."""
        with self._lock:
            self._done += count
        self._tell()
        self.check()

    def finish(self) -> None:
        """Tells the last figures of a phase."""
        self._tell(force=True)

    def note(self, message: str, hint: str = "") -> None:
        self._emit("note", message=message, hint=hint)

    def warn(self, message: str, hint: str = "") -> None:
        self._emit("warning", message=message, hint=hint)

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            if not force and now - self._told < _EVERY:
                return
            self._told = now
            facts = {"phase": self._phase, "done": self._done, "total": self._total, "unit": self._unit}
        self._emit("progress", **facts)

    def run(self, call: Callable[[], T]) -> T:
        """What a call returns that cannot be interrupted, such as asking for an address.

        Raises as `check` does while it waits; the call is then left to end by itself.
        """
        results: list[T] = []
        errors: list[BaseException] = []
        done = threading.Event()

        def body() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                errors.append(error)
            finally:
                done.set()

        threading.Thread(target=body, daemon=True).start()
        while not done.wait(_POLL):
            self.check()
        if errors:
            raise errors[0]
        return results[0]
