"""The processes of one training, found by a mark in their environment, and ended without leaving one behind.

A mark is inherited by everything that a training starts: by processes of other sessions (the service of
wandb), and by those whose parent was killed, which no process group and no tree of parents would show.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "DPCOMPILE_TRAINING"
_PROC = Path("/proc")
_WAITING_FOR_DISK = "D"
_NOT_RUNNING = ("Z", "X")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the processes of a training have used since they started."""

    ticks: int
    """Processor time, in clock ticks of the system (100 in a second, mostly)."""
    bytes_moved: int
    waits_for_disk: bool

    def busier_than(self, earlier: Usage, seconds: float) -> bool:
        """Whether more was done in the seconds since than idling: a fiftieth of one processor, or 100 kB a second.

        Services in the background (those of wandb, say) read and compute a little all the time.
        """
        ticks, moved = self.ticks - earlier.ticks, self.bytes_moved - earlier.bytes_moved
        return self.waits_for_disk or moved > 100_000 * seconds or ticks > max(1.0, 2 * seconds)


def marked(mark: str) -> list[int]:
    """The ids of the living processes that carry the mark."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in living() if wanted in environment(pid)]


def usage(pids: list[int]) -> Usage:
    """What these processes have used. One that has just ended counts nothing."""
    fields = [stat for stat in map(_stat, pids) if stat]
    return Usage(
        ticks=sum(int(stat[11]) + int(stat[12]) for stat in fields),
        bytes_moved=sum(map(_moved, pids)),
        waits_for_disk=any(stat[0] == _WAITING_FOR_DISK for stat in fields),
    )


def end(mark: str, *, terminate: float) -> list[int]:
    """Ends all processes with the mark: SIGTERM, and SIGKILL after `terminate` seconds. Returns those still there.

    Every process is signalled by itself: a signal to the `deepspeed` process alone would leave the training
    running, and a signal to its group would miss those of other sessions.
    """
    _signal(mark, signal.SIGTERM)
    if not _gone(mark, terminate):
        _signal(mark, signal.SIGKILL)
        _gone(mark, max(terminate, 5))
    return marked(mark)


def _signal(mark: str, number: signal.Signals) -> None:
    # Again and again, for a process may start another between being found and being signalled.
    seen: set[int] = set()
    while new := [pid for pid in marked(mark) if pid not in seen]:
        for pid in new:
            seen.add(pid)
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def _gone(mark: str, seconds: float) -> bool:
    """Whether all processes have ended within this time."""
    until = time.monotonic() + seconds
    while marked(mark):
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def living() -> Iterator[int]:
    """The ids of all processes but this one that have not ended; one that nobody has waited for yet has."""
    own = os.getpid()
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != own and _state(int(entry.name)) not in _NOT_RUNNING:
            yield int(entry.name)


def environment(pid: int) -> list[bytes]:
    """The variables that a process was started with, `NAME=value` each; none if it is not ours to look into."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold blanks and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _state(pid: int) -> str:
    stat = _stat(pid)
    return stat[0] if stat else "X"


def _moved(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "io").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("read_bytes", "write_bytes", "rchar")))
