"""Progress of a run for RunPod's own status page: seldom, and never near the end.

RunPod's SDK sends each update from a thread of its own, in no certain order; one that arrives after the result
could take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from worker.events import Event
from worker.progresswords import progress_words, training_words

_LAST = ("UPLOADING", "COMPLETE", "ERROR")
"""From these on nothing is told: the result is near."""

Send = Callable[[Mapping[str, Any]], None]


class RunPodProgress:
    """A sink that hands the latest state to `send`, at most once in `seconds`."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send, self._seconds = send, seconds
        self._state: dict[str, Any] = {}
        self._sent: float | None = None
        self._over = False

    def emit(self, event: Event) -> None:
        if event.kind == "status":
            self._over = self._over or event.data["status"] in _LAST
            self._state = {"status": event.data["status"], "message": event.data.get("message", "")}
        elif event.kind == "training":
            numbers = ("phase", "epoch", "step", "total_steps", "loss", "eta_seconds")
            self._state |= {"message": training_words(event.data)}
            self._state |= {key: event.data[key] for key in numbers if event.data.get(key) is not None}
        elif event.kind == "progress":
            self._state |= {"message": f"{event.step}: {progress_words(event.data)}"}
        else:
            return
        early = self._sent is not None and event.time - self._sent < self._seconds
        if not self._over and not early:
            self._sent = event.time
            self._send(dict(self._state))

    def close(self) -> None:
        """Nothing waits: what was not sent is out of date."""
