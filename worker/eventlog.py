"""Telling about a run: each event loses its secrets, then goes to every sink, one of them a file."""

from __future__ import annotations

import json
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.context import Emit
from worker.events import Event, Sink
from worker.failures import summary
from worker.secretstore import SecretStore

NAME = "events.jsonl"
TAIL_LINES = 50
_MOST_WARNINGS = 100


class Events:
    """Where all events of a run come together. Any thread may tell one; telling never raises."""

    def __init__(self, sinks: Sequence[Sink], secrets: SecretStore, clock: Callable[[], float]) -> None:
        self._sinks = tuple(sinks)
        self._secrets = secrets
        self._clock = clock
        self._lock = threading.RLock()  # a sink that fails is told of in the middle of a telling
        self._failed: set[int] = set()
        self._tails: dict[str | None, deque[str]] = {}
        self._warnings: dict[str, None] = {}

    def emit(self, kind: str, step: str | None = None, data: Mapping[str, Any] | None = None) -> None:
        """Tells one event: redacted, in the order of time, to each sink."""
        with self._lock:
            safe = self._secrets.redact_value(plain(data or {}))
            event = Event(kind=kind, time=self._clock(), step=step, data=safe)
            self._remember(event)
            for sink in self._sinks:
                self._hand(sink, event)

    def for_step(self, step: str) -> Emit:
        """What a step tells its events with."""

        def emit(kind: str, **data: Any) -> None:
            self.emit(kind, step, data)

        return emit

    def _hand(self, sink: Sink, event: Event) -> None:
        try:
            sink.emit(event)
        except Exception as error:  # noqa: BLE001 - a sink that breaks its promise must not end the run
            self._complain(sink, error)

    def _complain(self, sink: Sink, error: Exception) -> None:
        if id(sink) not in self._failed:
            self._failed.add(id(sink))
            told = f"events no longer reach {type(sink).__name__}: {summary(error)}"
            self.emit("warning", None, {"message": told, "hint": ""})

    def _remember(self, event: Event) -> None:
        if event.kind == "output":
            self._tails.setdefault(event.step, deque(maxlen=TAIL_LINES)).append(str(event.data.get("line", "")))
        elif event.kind == "warning" and len(self._warnings) < _MOST_WARNINGS:
            self._warnings[str(event.data.get("message", ""))] = None

    def tail(self, step: str | None) -> str:
        """The last lines that the program of a step wrote."""
        with self._lock:
            return "\n".join(self._tails.get(step, ()))

    def warnings(self) -> tuple[str, ...]:
        """What was warned of, each once, in order."""
        with self._lock:
            return tuple(self._warnings)

    def close(self) -> None:
        """Lets every sink deliver what is waiting."""
        with self._lock:
            for sink in self._sinks:
                try:
                    sink.close()
                except Exception as error:  # noqa: BLE001 - as above
                    self._complain(sink, error)


def plain(value: Any) -> Any:
    """A value that JSON has: a number that is not finite becomes text, anything unknown its text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    return str(value)


class JsonLines:
    """Events in a file, one JSON object on each line, written at once.

    When the disk is full, events are lost and the run goes on; the next one that can be written is followed
    by how many were lost. A line cut short by a kill or a full disk is ended before the next begins.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._descriptor).st_size
        self._cut = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        self._lost = 0

    def emit(self, event: Event) -> None:
        if self._lost and self._write(_lost(self._lost, event.time)):
            self._lost = 0
        if not self._write(event):
            self._lost += 1

    def _write(self, event: Event) -> bool:
        line = (b"\n" if self._cut else b"") + json.dumps(event.to_json(), allow_nan=False).encode("ascii") + b"\n"
        if self._descriptor is None:
            return False
        try:
            written = os.write(self._descriptor, line)
        except OSError:
            return False
        self._cut = written < len(line) if written else self._cut
        return written == len(line)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _lost(count: int, time: float) -> Event:
    told = {"message": f"{count} events could not be written to {NAME}", "hint": "The disk was full."}
    return Event(kind="warning", time=time, data=told)
