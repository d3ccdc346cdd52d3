"""A captioner that is killed over files whose names say so."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from worker.childprocess import Tell, serve
from worker.stopping import Stop


def work(request: dict[str, Any], tell: Tell, _stop: Stop) -> None:
    """Two files at a time; `deadly` ones kill it, `hanging` ones make it wait for ever."""
    items = request["items"]
    alone = [[item] for item in items if item["alone"]]
    together = [item for item in items if not item["alone"]]
    for batch in [*(together[n : n + 2] for n in range(0, len(together), 2)), *alone]:
        names = [item["name"] for item in batch]
        tell({"working": names})
        if any("deadly" in name for name in names):
            os.kill(os.getpid(), signal.SIGKILL)
        if any("hanging" in name for name in names):
            time.sleep(3600)
        for name in names:
            tell({"name": name, "caption": f"it is {name}"})


if __name__ == "__main__":
    serve(work)
