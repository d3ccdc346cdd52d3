"""The lock of a job: one holder, whose death frees it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from worker.errors import StepFailed
from worker.joblock import JobLock, is_locked

REPO_ROOT = Path(__file__).parents[2]
HOLD = """
import sys, pathlib
from worker.joblock import JobLock
with JobLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_worker_is_told_who_holds_it_and_gets_it_when_the_first_was_killed(tmp_path: Path) -> None:
    other = holder(tmp_path)
    try:
        assert is_locked(tmp_path)
        with pytest.raises(StepFailed) as caught, JobLock(tmp_path):
            pass
        assert caught.value.code == "DPC703"
        assert f"(process {other.pid} on {socket.gethostname()})" in caught.value.message
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()

    assert not is_locked(tmp_path)
    with JobLock(tmp_path) as lock:
        assert lock.supported
        assert is_locked(tmp_path)
        assert json.loads((tmp_path / "lock").read_text()) == {"pid": os.getpid(), "host": socket.gethostname()}
    assert not is_locked(tmp_path)


def test_a_folder_that_nobody_has_locked_yet(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "none")


def test_a_damaged_note_of_the_holder_costs_only_its_name(tmp_path: Path) -> None:
    with JobLock(tmp_path):
        (tmp_path / "lock").write_bytes(b"\xff{")
        with pytest.raises(StepFailed) as caught, JobLock(tmp_path):
            pass
    assert caught.value.message == "another worker is running this job"


def test_a_volume_without_locks_is_used_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with JobLock(tmp_path) as lock:
        assert not lock.supported


def test_a_lock_that_is_kept_outlives_its_block(tmp_path: Path) -> None:
    with JobLock(tmp_path) as lock:
        descriptor = lock._descriptor
        lock.keep()
    try:
        assert is_locked(tmp_path)
    finally:
        assert descriptor is not None
        os.close(descriptor)
