"""Progress for RunPod: seldom, the latest state, and nothing near the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.events import Event
from worker.runpodprogress import RunPodProgress


def sent(*events: Event, seconds: float = 15) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    sink = RunPodProgress(found.append, seconds)
    for event in events:
        sink.emit(event)
    sink.close()
    return found


def status(name: str, time: float) -> Event:
    return Event(kind="status", time=time, data={"status": name, "message": f"{name} now"})


def step(number: int, time: float) -> Event:
    return Event(kind="training", time=time, step="train", data={"epoch": 1, "step": number, "loss": 0.5})


def test_the_latest_state_is_told_at_most_every_so_often() -> None:
    told = sent(status("STARTING", 0), status("TRAINING", 1), *(step(n, n) for n in range(2, 40)))

    assert [update.get("step") for update in told] == [None, 15, 30]
    assert told[1] == {
        "status": "TRAINING",
        "message": "epoch 1, step 15, loss 0.5",
        "epoch": 1,
        "step": 15,
        "loss": 0.5,
    }


def test_nothing_is_told_once_the_result_is_near() -> None:
    upload = Event(kind="progress", time=400, step="publish", data={"done": 1, "total": 2, "unit": "files"})

    assert sent(status("UPLOADING", 100), upload, status("COMPLETE", 500)) == []


def test_lines_of_output_are_no_progress() -> None:
    assert sent(Event(kind="output", time=0, step="train", data={"line": "x"})) == []
