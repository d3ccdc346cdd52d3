"""flock(2) on a volume that may have no locks. The kernel takes a lock back when its holder dies."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable
from typing import Literal, Protocol

Outcome = Literal["taken", "held", "no locks"]
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class HasDescriptor(Protocol):
    """An open file."""

    def fileno(self) -> int: ...


def take(file: int | HasDescriptor, *, shared: bool = False) -> Outcome:
    """Tries to lock an open file, in place of the lock that this descriptor has.

    `held` by another, or `no locks` on this volume: then nobody can know better, and work may be done twice.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return "held"
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return "no locks"
        raise
    return "taken"


def take_patiently(file: int | HasDescriptor, *, tell: Callable[[], object], pause: Callable[[], object]) -> bool:
    """Locks an open file as soon as nobody else does; False where the volume has no locks.

    `tell` is called once when there is something to wait for, `pause` between two tries; it may raise to give up.
    """
    outcome = take(file)
    if outcome == "held":
        tell()
    while outcome == "held":
        pause()
        outcome = take(file)
    return outcome == "taken"
