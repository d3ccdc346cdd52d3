"""One worker at a time on one dataset, on whatever machine: a lock that its holder's death gives back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import StepFailed
from worker.fetching.progress import Watch
from worker.filelock import take_patiently

_POLL = 0.25  # seconds


@contextmanager
def locked(path: Path, watch: Watch, *, what: str) -> Iterator[None]:
    """Holds the file at `path` locked. Waits for another holder, and says so once.

    The file is never deleted: whoever locked a deleted one would hold a lock that nobody else sees.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        take_patiently(
            descriptor,
            tell=lambda: watch.note(f"waiting for another worker that has {what} in hand"),
            pause=lambda: _pause(watch, what),
        )
        yield
    finally:
        os.close(descriptor)  # and the lock with it


def _pause(watch: Watch, what: str) -> None:
    try:
        watch.pause(_POLL)
    except StepFailed as error:
        hint = "Run the job again later, or look whether that worker hangs."
        raise StepFailed("DPC718", f"another worker has had {what} in hand all the time", hint) from error
