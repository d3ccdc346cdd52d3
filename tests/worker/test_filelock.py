"""Locks on files: one holder or several readers, and volumes without any."""

from __future__ import annotations

import errno
import fcntl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.errors import Stopped
from worker.filelock import take, take_patiently
from worker.modelstore.web import _own
from worker.stopping import Stop


def refusing(code: int) -> Callable[[object, int], None]:
    def flock(_file: object, _operation: int) -> None:
        raise OSError(code, "made to fail")

    return flock


def test_one_holder_or_several_readers(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as one, (tmp_path / "lock").open("w") as other:
        assert take(one) == "taken"
        assert (take(other), take(other, shared=True)) == ("held", "held")
        assert take(one, shared=True) == "taken"  # in place of the first
        assert (take(other), take(other.fileno(), shared=True)) == ("held", "taken")
        assert take(one) == "held"
    with (tmp_path / "lock").open("w") as another:
        assert take(another) == "taken"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_volume_without_locks_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(code))
    with (tmp_path / "lock").open("w") as file:
        assert take(file) == "no locks"
        assert not take_patiently(file, tell=pytest.fail, pause=pytest.fail)


def test_other_errors_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(errno.EIO))
    with (tmp_path / "lock").open("w") as file, pytest.raises(OSError, match="made to fail"):
        take(file)


def test_who_waits_is_told_once_and_may_give_up(tmp_path: Path) -> None:
    told: list[str] = []
    pauses: list[int] = []
    stop = Stop()

    def pause() -> None:
        pauses.append(1)
        if len(pauses) == 3:
            stop.request("cancelled")
        stop.pause(0)

    with (tmp_path / "lock").open("w") as holder, (tmp_path / "lock").open("w") as waiting:
        take(holder)
        with pytest.raises(Stopped):
            take_patiently(waiting, tell=lambda: told.append("waiting"), pause=pause)
        assert (told, len(pauses)) == (["waiting"], 3)
        holder.close()
        assert take_patiently(waiting, tell=pytest.fail, pause=pytest.fail)


@pytest.mark.parametrize("finished", [True, False])
def test_a_download_that_another_was_at(tmp_path: Path, finished: bool) -> None:
    """It is gone on with where the other left off; and where the other put it in place, that is not written to."""
    part, whole = tmp_path / "part", tmp_path / "whole"
    with part.open("ab") as other:
        take(other)
        threading.Timer(0.3, lambda: _leave(other, part, whole if finished else None)).start()
        with _own(part) as stream:
            assert stream.tell() == (0 if finished else 5)
            stream.write(b"more")
    assert part.read_bytes() == (b"more" if finished else b"begunmore")
    assert not finished or whole.read_bytes() == b"begun"


def _leave(other: object, part: Path, whole: Path | None) -> None:
    """What the other does at its end."""
    part.write_bytes(b"begun")
    if whole:
        part.replace(whole)
    other.close()  # type: ignore[attr-defined]
