"""One worker per job: a lock in the job's folder that its holder's death takes away."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType

from worker.errors import StepFailed
from worker.filelock import take

NAME = "lock"
_TRIES, _PAUSE_SECONDS = 10, 0.1


class JobLock:
    """Holds the lock of a job's folder while it is entered. flock(2): the kernel frees it when the holder dies.

    Entering raises StepFailed (DPC703) when another worker holds it. `supported` is False where the volume
    has no locks; the run then goes on without one.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.supported = True
        self._descriptor: int | None = None

    def __enter__(self) -> JobLock:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        for left in reversed(range(_TRIES)):  # `status` holds it for a moment when it looks
            outcome = take(descriptor)
            if outcome != "held":
                self.supported = outcome == "taken"
                return
            if left:
                time.sleep(_PAUSE_SECONDS)
        hint = "Wait for it, stop it, or give this job another id."
        raise StepFailed("DPC703", f"another worker is running this job{_holder(descriptor)}", hint)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def keep(self) -> None:
        """Leaves the lock to the life of this process: work is still going on that could not be ended."""
        self._descriptor = None


def is_locked(folder: Path) -> bool:
    """Whether a worker is running the job of this folder now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return take(descriptor, shared=True) == "held"
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """` (process 12 on host)`, when the holder has got as far as to say so."""
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return f" (process {int(told['pid'])} on {told['host']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
