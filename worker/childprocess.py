"""Work done by a child process: it can be ended when it hangs, and gives all its memory back.

The child is `python -m MODULE`. It gets one request as a line of JSON on its standard input, which stays
open: its end means that the worker has died, and then the child goes too. It answers with lines of JSON.
Secrets travel in the request, never in the arguments or the environment, which other processes can read.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from worker.stopping import Stop

_ROOT = Path(__file__).resolve().parents[1]
_TAIL_LINES = 40
_POLL_SECONDS = 0.5

Tell = Callable[[dict[str, Any]], None]


class ChildDied(Exception):
    """The child ended before its work was done; `returncode` is negative for a signal."""

    def __init__(self, returncode: int, tail: str) -> None:
        super().__init__(f"ended with {returncode}")
        self.returncode = returncode
        self.tail = tail
        """The last lines it wrote to standard error. May hold anything: redact before telling."""


class ChildStalled(Exception):
    """The child gave no sign of life for too long, and was ended."""


def run_child(
    module: str,
    request: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    stop: Stop,
    stall_seconds: float,
    sign_of_life: Callable[[], object] = lambda: None,
    grace_seconds: float = 10.0,
) -> Generator[dict[str, Any], None, None]:
    """Yields what the child tells, until it has done its work.

    A child is alive as long as it tells something or what `sign_of_life` returns changes; it yields `{}`
    whenever nothing was told for a moment. Raises ChildDied, ChildStalled, or Stopped. However this ends,
    also by closing the generator, the child and all that it started are gone.
    """
    process = _start(module, environ)
    told: queue.Queue[dict[str, Any] | None] = queue.Queue()
    lines: deque[str] = deque(maxlen=_TAIL_LINES)
    readers = _listen(process, told, lines)
    try:
        _ask(process, request)
        seen, since = sign_of_life(), time.monotonic()
        while True:
            stop.check()
            try:
                message = told.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                message = {}
            if message is None:
                break
            sign = sign_of_life()
            if message or sign != seen:
                seen, since = sign, time.monotonic()
            elif time.monotonic() - since > stall_seconds:
                raise ChildStalled
            yield message
        if process.wait() != 0:
            for reader in readers:
                reader.join(timeout=5)
            raise ChildDied(process.returncode, "\n".join(lines))
    finally:
        _end(process, readers, grace_seconds)


def _start(module: str, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    paths = [str(_ROOT), *environ.get("PYTHONPATH", "").split(os.pathsep)]
    env = {**environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p), "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _ask(process: subprocess.Popen[str], request: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has died already, which is told when its output ends
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()


def _listen(
    process: subprocess.Popen[str], told: queue.Queue[dict[str, Any] | None], lines: deque[str]
) -> list[threading.Thread]:
    def answers() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                told.put(json.loads(line))
            except ValueError:  # the last line of a child that was killed
                lines.append(line.rstrip())
        told.put(None)

    def errors() -> None:
        assert process.stderr is not None
        lines.extend(line.rstrip() for line in process.stderr)

    readers = [threading.Thread(target=work, daemon=True) for work in (answers, errors)]
    for reader in readers:
        reader.start()
    return readers


def _end(process: subprocess.Popen[str], readers: list[threading.Thread], grace_seconds: float) -> None:
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    _signal(process, signal.SIGKILL)  # and what it may have left behind in its group
    process.wait()
    for reader in readers:
        reader.join(timeout=5)
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def serve(work: Callable[[dict[str, Any], Tell, Stop], None], *, grace_seconds: float = 0.0) -> None:
    """The child's side: reads the request, does the work, tells about it.

    With `grace_seconds` the work is asked to end by the Stop, and has that long to tidy up; without, it is
    ended at once.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    lock = threading.Lock()
    stop = Stop()

    def tell(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    def leave() -> None:
        sys.stdin.read()
        stop.request("signal")
        time.sleep(grace_seconds)
        os._exit(1)

    request = json.loads(sys.stdin.readline())
    if grace_seconds:
        signal.signal(signal.SIGTERM, lambda *_: stop.request("signal"))
    threading.Thread(target=leave, daemon=True).start()
    work(request, tell, stop)
    with lock:
        answers.flush()
    # Threads of libraries that never end must not keep the child.
    sys.stderr.flush()
    os._exit(0)
