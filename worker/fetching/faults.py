"""What can go wrong with a fetch, in the user's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from worker.errors import StepFailed

_FULL = (errno.ENOSPC, errno.EDQUOT)


def not_downloaded(shown: str, why: str) -> StepFailed:
    hint = "Run the job again: it goes on from what is here. If it fails again, try the address in a browser."
    return StepFailed("DPC710", f"{shown} could not be downloaded: {why}", hint)


def not_given(message: str, hint: str) -> StepFailed:
    return StepFailed("DPC711", message, hint, resumable=False)


def bad_archive(name: str, why: str, hint: str = "") -> StepFailed:
    hint = hint or "Pack the files again as .zip or .tar.gz, look into the archive, and upload it again."
    return StepFailed("DPC713", f"{name} cannot be unpacked: {why}", hint, resumable=False)


def over_limit(message: str, setting: str) -> StepFailed:
    hint = f"Bring less data, or let the operator of the worker raise {setting}."
    return StepFailed("DPC714", message, hint, resumable=False)


def out_of_time(seconds: float) -> StepFailed:
    text = f"the data was not here after {seconds / 60:.0f} minutes, the time limit for fetching"
    hint = "Run the job again: it goes on from what is here. The operator's limit is DPCOMPILE_FETCH_MAX_MINUTES."
    return StepFailed("DPC714", text, hint)


def disk_full(what: str) -> StepFailed:
    hint = "Make room on the volume, or use a larger one. What had been fetched of this data is deleted again."
    return StepFailed("DPC716", f"the disk is full: {what}", hint)


def size(count: float) -> str:
    """A number of bytes for people: `3.4 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def is_full(error: OSError) -> bool:
    return error.errno in _FULL


@contextmanager
def telling_a_full_disk(what: str) -> Iterator[None]:
    """Turns the system's "no space left" into a failure with a name. Other errors pass."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise disk_full(f"{what} does not fit") from error
        raise
