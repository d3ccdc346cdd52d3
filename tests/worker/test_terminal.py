"""What `run` shows, line by line and as bars."""

from __future__ import annotations

import io
from typing import Any

import pytest

from worker.events import Event
from worker.terminal import Bars, Lines, view_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(kind: str, of: str | None = None, time: float = 0, **data: Any) -> Event:
    return Event(kind=kind, time=time, step=of, data=data)


def shown(*events: Event) -> list[str]:
    stream = io.StringIO()
    view = Lines(stream)
    for each in events:
        view.emit(each)
    view.close()
    return stream.getvalue().splitlines()


def test_each_thing_that_happens_has_a_line() -> None:
    assert shown(
        event("status", status="TRAINING", message="Training started"),
        event("step_started", "train"),
        event("output", "train", line="noise"),
        event("step_done", "train", seconds=3700.2),
        event("step_kept", "inspect"),
        event("step_stopped", "train"),
        event("step_failed", "train", code="DPC740", message="out of memory"),
        event("warning", "caption-images", message="1 of 3 has no caption", hint="Look at x.png."),
        event("note", message="go"),
    ) == [
        "TRAINING: Training started",
        "train: done in 1 h 2 min",
        "inspect: kept from an earlier run",
        "train: stopped",
        "train: failed: DPC740: out of memory",
        "caption-images: warning: 1 of 3 has no caption (Look at x.png.)",
        "go",
    ]


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    lines = shown(*[event("progress", "fetch", n, done=n, total=25, unit="files") for n in range(26)])
    assert lines == [f"fetch: {n} of 25 files" for n in (0, 10, 20, 25)]


def test_steps_do_not_take_each_other_s_turn() -> None:
    lines = shown(
        event("training", "train", phase="caching"),
        event("progress", "fetch", done=1, total=None, unit="files"),
        event("training", "train", 5, epoch=1, step=1),
        event(
            "training",
            "train",
            10,
            epoch=1,
            step=2,
            total_steps=8,
            loss=0.08123,
            eta_seconds=90,
            samples_per_second=1.5,
        ),
    )
    assert lines == [
        "train: caching",
        "fetch: 1 files",
        "train: epoch 1, step 2 of 8, loss 0.08123, 1.5 samples/s, 2 min left",
    ]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert shown(event("note", message="a\x1b[2Jb\nc")) == [r"a\u001b[2Jb\nc"]


def test_a_stream_that_has_gone_ends_nothing() -> None:
    stream = io.StringIO()
    view = Lines(stream)
    stream.close()
    view.emit(event("note", message="x"))


def test_a_terminal_gets_bars_and_anything_else_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(view_for(io.StringIO()), Lines)
    stream = Terminal()
    view = view_for(stream)
    assert isinstance(view, Bars)
    view.emit(event("status", status="DOWNLOADING", message="Fetching [bold]the data"))
    view.emit(event("step_started", "fetch-images"))
    view.emit(event("progress", "fetch-images", done=2**20, total=2**22, unit="bytes"))
    view._progress.refresh()
    at_work = stream.getvalue()
    view.emit(event("training", "fetch-images", step=3, total_steps=0, loss="nan"))
    view.emit(event("step_done", "fetch-images", seconds=2))
    view.close()
    assert "DOWNLOADING: Fetching [bold]the data" in at_work
    assert "fetch-images" in at_work
    assert "1.0 MiB of 4.0 MiB" in at_work
    assert "fetch-images: done in 2 s" in stream.getvalue()
