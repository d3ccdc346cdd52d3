"""What `run` shows while it runs: bars in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from dpcompile.report import printable
from worker.events import Event, Sink
from worker.progresswords import duration, progress_words, training_words

_EVERY_SECONDS = 10.0
"""Between two plain lines about the progress of one step."""


def view_for(stream: TextIO) -> Sink:
    """The view that suits a stream."""
    return Bars(stream) if stream.isatty() else Lines(stream)


def line_of(event: Event) -> str | None:
    """One line about an event; None for those that only move a bar, or only belong in the file."""
    data = event.data
    match event.kind:
        case "status":
            return f"{data.get('status')}: {data.get('message', '')}"
        case "step_done":
            return f"{event.step}: done in {duration(float(data.get('seconds', 0)))}"
        case "step_kept":
            return f"{event.step}: kept from an earlier run"
        case "step_stopped":
            return f"{event.step}: stopped"
        case "step_failed":
            return f"{event.step}: failed: {data.get('code')}: {data.get('message')}"
        case "warning" | "note":
            where = f"{event.step}: " if event.step else ""
            label = "warning: " if event.kind == "warning" else ""
            hint = f" ({data['hint']})" if data.get("hint") else ""
            return f"{where}{label}{data.get('message', '')}{hint}"
    return None


def progress_of(event: Event) -> str | None:
    """How far a step is, for the events that say so."""
    if event.kind == "progress":
        return progress_words(event.data)
    if event.kind == "training":
        return training_words(event.data)
    return None


class Lines:
    """One line for each thing that happened, the progress of a step now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: dict[str | None, float] = {}

    def emit(self, event: Event) -> None:
        line = line_of(event)
        progress = progress_of(event)
        if line is None and progress and self._due(event):
            line = f"{event.step}: {progress}"
        if line is not None:
            self._write(line)

    def _due(self, event: Event) -> bool:
        last = self._told.get(event.step)
        whole = event.kind == "progress" and event.data.get("done") == event.data.get("total")
        if last is not None and event.time - last < _EVERY_SECONDS and not whole:
            return False
        self._told[event.step] = event.time
        return True

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{printable(line)}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # whoever looked has gone; the events are in the job's folder

    def close(self) -> None:
        """Nothing waits."""


class Bars:
    """A bar for each step at work, and lines above them."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.fields[step]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(file=stream), redirect_stdout=False, redirect_stderr=False)
        self._bars: dict[str, Any] = {}
        self._progress.start()

    def emit(self, event: Event) -> None:
        line = line_of(event)
        if line is not None:
            self._progress.console.print(printable(line), markup=False, highlight=False)
        if event.step is None:
            return
        if event.kind == "step_started":
            self._bars[event.step] = self._progress.add_task("", total=None, step=event.step, words="")
        elif event.kind in ("step_done", "step_failed", "step_stopped") and event.step in self._bars:
            self._progress.remove_task(self._bars.pop(event.step))
        elif event.step in self._bars and (words := progress_of(event)) is not None:
            done, total = _extent(event.data)
            self._progress.update(self._bars[event.step], completed=done, total=total, words=printable(words))

    def close(self) -> None:
        self._progress.stop()


def _extent(data: Mapping[str, Any]) -> tuple[float, float | None]:
    """How much of how much: of a training, in steps."""
    done, total = data.get("done", data.get("step")), data.get("total", data.get("total_steps"))
    return (
        float(done) if isinstance(done, (int, float)) else 0.0,
        float(total) if isinstance(total, (int, float)) and total > 0 else None,
    )
