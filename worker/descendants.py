"""Ending every process that the worker started, when there is no time left to ask."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def descendants(process: int) -> list[int]:
    """The processes below one, parents before children; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it ended while we looked
            # The name of the program stands in brackets and may hold anything; the parent comes after it.
            parent = int(entry.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found: list[int] = []
    stack = [process]
    while stack:
        below = children.get(stack.pop(), [])
        found += below
        stack += below
    return found


def kill_descendants() -> None:
    """Ends, by SIGKILL, every process that this one started and what those started."""
    for process in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
