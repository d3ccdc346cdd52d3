"""Telling: redacted, to every sink, in a file, and never an error of the run."""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.runs import Remembers
from worker.eventlog import TAIL_LINES, Events, JsonLines, plain
from worker.events import Event
from worker.secretstore import SecretStore

NO_SECRETS = SecretStore({})


class Breaks:
    """A sink that does not keep its promise."""

    def emit(self, event: Event) -> None:
        raise OSError("no network")

    def close(self) -> None:
        raise OSError("no network")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_event_has_the_time_of_the_clock_and_no_secret(tmp_path: Path) -> None:
    sink = Remembers()
    file = JsonLines(tmp_path / "events.jsonl")
    events = Events([sink, file], SecretStore({"token": "hf_secret/1"}), lambda: 12.5)
    events.for_step("fetch")("progress", done=1, source="x?t=hf_secret%2F1", **{"hf_secret/1": ["hf_secret/1"]})
    events.close()
    expected = {"done": 1, "source": "x?t=***", "***": ["***"]}
    assert sink.events == [Event(kind="progress", time=12.5, step="fetch", data=expected)]
    assert lines(tmp_path / "events.jsonl") == [
        {"version": 1, "kind": "progress", "time": 12.5, "step": "fetch", "data": expected}
    ]
    assert sink.closed


def test_a_sink_that_fails_is_told_of_once_and_the_others_go_on() -> None:
    sink = Remembers()
    events = Events([Breaks(), sink], NO_SECRETS, lambda: 0)
    events.emit("note", None, {"message": "one"})
    events.emit("note", None, {"message": "two"})
    events.close()
    assert sink.texts("warning") == ["events no longer reach Breaks: OSError: no network"]
    assert sink.texts("note") == ["one", "two"]
    assert events.warnings() == ("events no longer reach Breaks: OSError: no network",)


def test_a_sink_that_fails_only_at_the_end_is_told_of_too() -> None:
    class BreaksAtTheEnd(Remembers):
        def close(self) -> None:
            raise OSError("no network")

    sink = Remembers()
    Events([BreaksAtTheEnd(), sink], NO_SECRETS, lambda: 0).close()
    assert sink.texts("warning") == ["events no longer reach BreaksAtTheEnd: OSError: no network"]


def test_the_tail_is_the_last_lines_of_each_step() -> None:
    events = Events([], SecretStore({"k": "hf_secret"}), lambda: 0)
    for n in range(TAIL_LINES + 5):
        events.emit("output", "train", {"line": f"{n} hf_secret"})
    events.emit("output", "other", {"line": "x"})
    assert events.tail("train").splitlines() == [f"{n} ***" for n in range(5, TAIL_LINES + 5)]
    assert events.tail("none") == ""


def test_warnings_are_kept_once_and_not_without_end() -> None:
    events = Events([], NO_SECRETS, lambda: 0)
    for n in range(200):
        events.emit("warning", None, {"message": f"{n % 150}"})
        events.emit("warning", None, {"message": "0"})
    assert len(events.warnings()) == 100
    assert events.warnings()[:2] == ("0", "1")


def test_events_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    events = Events([JsonLines(tmp_path / "x")], NO_SECRETS, lambda: 0)

    def tell(name: str) -> None:
        for n in range(50):
            events.emit("progress", name, {"done": n, "text": "x" * 1000})

    threads = [threading.Thread(target=tell, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = lines(tmp_path / "x")
    assert len(told) == 200
    for n in range(4):
        assert [e["data"]["done"] for e in told if e["step"] == str(n)] == list(range(50))  # type: ignore[index]


def test_a_line_that_a_kill_cut_short_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text('{"kind": "no')
    file = JsonLines(path)
    file.emit(Event(kind="note", time=1))
    file.close()
    assert path.read_text().splitlines()[0] == '{"kind": "no'
    assert json.loads(path.read_text().splitlines()[1])["kind"] == "note"


def test_a_full_disk_loses_events_and_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes a part of one line, then nothing, then all again."""
    real, room = os.write, [10, 0, 0]

    def write(descriptor: int, data: bytes) -> int:
        if not room:
            return real(descriptor, data)
        size = room.pop(0)
        if not size:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:size])

    file = JsonLines(tmp_path / "x")
    monkeypatch.setattr(os, "write", write)
    for n in range(4):
        file.emit(Event(kind="note", time=n, data={"message": str(n)}))
    file.close()
    cut, *rest = (tmp_path / "x").read_text().splitlines()
    assert cut == '{"version"'
    told = [json.loads(line) for line in rest]
    assert [event["data"]["message"] for event in told] == [
        "2 events could not be written to events.jsonl",
        "2",
        "3",
    ]


def test_a_device_without_room_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("/dev/full")
    file = JsonLines(tmp_path / "x")
    file.emit(Event(kind="note", time=1))
    file.close()


def test_what_comes_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "x")
    file.close()
    with (tmp_path / "y").open("w") as other:  # it gets the number of the closed file
        file.emit(Event(kind="note", time=1))
        file.close()
        other.write("mine")
    assert (tmp_path / "y").read_text() == "mine"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_whatever_a_step_tells_can_be_written(value: object) -> None:
    json.dumps(plain(value), allow_nan=False)


def test_a_number_that_is_not_finite_is_told_as_text() -> None:
    assert plain({"loss": math.nan, "x": (1, math.inf), "p": Path("a"), "s": {1}}) == {
        "loss": "nan",
        "x": [1, "inf"],
        "p": "a",
        "s": [1],
    }
