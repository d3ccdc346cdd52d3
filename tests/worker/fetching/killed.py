"""Fetches one dataset in a process of its own, to be killed: ADDRESS VOLUME [MOMENT].

At the MOMENT (a number that counts the changes to the file system) it kills itself, without a word.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.worker.fetching.fetches import a_run, fetched

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "shutil.copyfile"}


def main(address: str, volume: str, moment: int) -> None:
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(arguments[1], str) and arguments[1][:1] in "wax"
        inside = any(str(argument).startswith(volume) for argument in arguments)
        if inside and (writes or event in _CHANGES):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    fetched(a_run(Path(volume), address))
    print(seen)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
