"""Watching the trainer: reads what it says, sees when it hangs, stops it in order, leaves no process behind."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.settings import TrainingLimits
from worker.stopping import Stop
from worker.training import processes
from worker.training.output import BEFORE_TRAINING, Lines, TrainerOutput
from worker.training.runs import new_run, prune

Fault = Literal["silent", "idle", "error while encoding", "no number", "went back"]
_LOOK_EVERY = 5.0
"""Seconds between two looks at what the processes use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is being watched."""

    process: subprocess.Popen[bytes]
    mark: str
    log: Path
    log_start: int
    """Where in the log this training begins, in bytes."""
    output_dir: Path
    known_runs: frozenset[str]
    run: Path | None
    """The run folder, when an earlier one is gone on with."""
    after_step: int
    """The step that a resumed run goes on after; 0 for a new one."""
    time_limit: float | None
    """Seconds after which it has to save and stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it came to an end. Whether that is a success is for others to say."""

    returncode: int | None
    """Of the launcher: it is 0 in many cases in which nothing was trained."""
    run: Path | None
    fault: Fault | None
    """Why it was ended from here, when it hung or trained in vain."""
    stopped: bool
    """Whether it was ended because the run has to stop."""
    left: tuple[int, ...]
    """Processes that even SIGKILL did not end."""


class Supervisor:
    """Watches one training to its end. `on_line` gets each line, `on_run` the run folder once it is there."""

    def __init__(
        self,
        watched: Watched,
        *,
        output: TrainerOutput,
        limits: TrainingLimits,
        stop: Stop,
        on_line: Callable[[str], None],
        on_run: Callable[[Path, bool], None],
        on_note: Callable[[str], None],
    ) -> None:
        self._watched, self._output, self._limits, self._stop = watched, output, limits, stop
        self._on_line, self._on_run, self._on_note = on_line, on_run, on_note
        self._lines = Lines()
        self._run = watched.run
        self._told_run: tuple[Path, bool] | None = None
        self._save_until: float | None = None
        self._latest = ""
        now = time.monotonic()
        self._began = self._last_sign = self._last_busy = self._last_look = now
        self._signs = 0
        self._usage = processes.Usage(ticks=0, bytes_moved=0, waits_for_disk=False)

    def watch(self) -> Ended:
        """Returns when no process of the training is left."""
        fault: Fault | None = None
        stopped = False
        with self._watched.log.open("rb") as log:
            log.seek(self._watched.log_start)
            try:
                while self._is_alive():
                    self._take(log.read())
                    self._look_around()
                    fault = self._fault()
                    if fault:
                        break
                    if self._has_to_end():
                        stopped = True
                        break
                    self._pause()
            finally:
                left = processes.end(self._watched.mark, terminate=self._limits.terminate)
                returncode = self._returncode()
                self._take(log.read())
                for line in self._lines.rest():
                    self._on_line(line)
                self._look_around()
        fault = fault or self._trained_in_vain()  # a fast training may be over before anyone looks
        if self._run is not None and self._save_until is not None:
            # Not taken by the trainer, it would end the next one at its first step.
            (self._run / "save_quit").unlink(missing_ok=True)
        stopped = stopped or (self._save_until is not None and not self._output.complete)
        return Ended(returncode=returncode, run=self._run, fault=fault, stopped=stopped, left=tuple(left))

    def _is_alive(self) -> bool:
        """Whether the training goes on: without its launcher, too, if that was killed and left it behind."""
        returncode = self._watched.process.poll()
        if returncode is None:
            return True
        if returncode != 0 or self._output.complete or self._output.quitting:
            return False
        return bool(processes.marked(self._watched.mark))

    def _returncode(self) -> int | None:
        try:
            return self._watched.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return None

    def _take(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._on_line(line)
        if self._signs != self._output.signs:
            self._signs = self._output.signs
            self._last_sign = self._last_busy = time.monotonic()

    def _look_around(self) -> None:
        """Finds the run folder, and clears old checkpoints away once a new one is whole."""
        watched = self._watched
        if self._run is None:
            self._run = new_run(watched.output_dir, set(watched.known_runs))
        if self._run is None:
            return
        told = (self._run, self._output.phase not in BEFORE_TRAINING)
        if told != self._told_run:
            self._told_run = told
            self._on_run(*told)
        latest = self._run / "latest"
        text = latest.read_text("utf-8", "replace") if latest.is_file() else ""
        if text != self._latest:
            self._latest = text
            for name in prune(self._run, self._limits.keep_checkpoints):
                self._on_note(f"removed the checkpoint {name}: newer ones are whole")

    def _pause(self) -> None:
        if self._stop.requested():
            time.sleep(self._limits.poll)  # the request itself would wake us at once, again and again
        else:
            self._stop.wait(self._limits.poll)

    def _has_to_end(self) -> bool:
        """Asks the trainer to save once the run has to stop; True when it is to be ended without waiting longer."""
        now = time.monotonic()
        limit = self._watched.time_limit
        if limit is not None and now - self._began >= limit:
            self._stop.request("time limit")
        if not self._stop.requested():
            return False
        if self._save_until is None:
            if self._run is None or self._output.phase in BEFORE_TRAINING:
                return True  # nothing to save: what is encoded stays in the cache
            self._save_until = now + self._limits.save
            # Each process looks for it by itself at the end of a step, then all meet (utils/saver.py:154). On
            # several GPUs one may miss it and all wait: then the time is up, and no more is lost than without.
            (self._run / "save_quit").touch()
            self._on_note("asked the trainer to save a checkpoint and stop")
        return now >= self._save_until

    def _trained_in_vain(self) -> Fault | None:
        output = self._output
        if output.bad_losses >= self._limits.bad_losses > 0:
            return "no number"
        if output.first_step is not None and output.first_step <= self._watched.after_step:
            return "went back"
        return None

    def _fault(self) -> Fault | None:
        output, limits = self._output, self._limits
        if fault := self._trained_in_vain():
            return fault
        now = time.monotonic()
        self._look_at_usage(now)
        silent, idle = now - self._last_sign, now - self._last_busy
        if output.traceback and min(silent, idle) >= limits.after_traceback:
            return "error while encoding"
        if silent >= limits.silent:
            return "error while encoding" if output.traceback else "silent"
        if idle >= limits.idle:
            return "idle"
        return None

    def _look_at_usage(self, now: float) -> None:
        limits = self._limits
        every = min(_LOOK_EVERY, limits.idle / 4, limits.after_traceback / 4)
        if now - self._last_look < every:
            return
        used = processes.usage(processes.marked(self._watched.mark))
        if used.busier_than(self._usage, now - self._last_look):
            self._last_busy = now
        self._usage, self._last_look = used, now
