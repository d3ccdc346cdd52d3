"""Asking a run to stop: everyone who waits hears it, and a signal may ask at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from worker.errors import Stopped
from worker.stopping import Stop

REPO_ROOT = Path(__file__).parents[2]
ASKED_ALL_THE_TIME = """
import signal
import time
from worker.stopping import Stop

stop, asked = Stop(), 0

def ask(number, frame):
    global asked
    asked += 1
    stop.request("signal")

signal.signal(signal.SIGALRM, ask)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0001)
until = time.monotonic() + 1.5
while time.monotonic() < until:
    stop.wait(0.001)
    stop.request("cancelled")
    stop = Stop()
signal.setitimer(signal.ITIMER_REAL, 0)
print(asked)
"""


def test_everyone_who_waits_is_woken() -> None:
    stop = Stop()
    woken: list[bool] = []
    waiting = [threading.Thread(target=lambda: woken.append(stop.wait(60))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    assert not stop.wait(0.05)

    stop.request("cancelled")

    for thread in waiting:
        thread.join(30)
    assert woken == [True] * 5
    assert stop.wait(0)
    assert stop.requested()
    with pytest.raises(Stopped):
        stop.check()


def test_the_first_reason_counts_and_none_is_needed_to_go_on() -> None:
    stop = Stop()
    stop.check()
    assert (stop.reason, stop.requested(), stop.wait(0)) == (None, False, False)
    stop.request("time limit")
    stop.request("signal")
    assert stop.reason == "time limit"


def test_a_signal_ends_a_wait_at_once() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGALRM, lambda *_: stop.request("signal"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        began = time.monotonic()
        assert stop.wait(60)
        assert time.monotonic() - began < 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_signal_may_ask_in_the_middle_of_asking_and_waiting() -> None:
    """A process of its own, because one that waits for its own lock would not come back."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED_ALL_THE_TIME], cwd=REPO_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
