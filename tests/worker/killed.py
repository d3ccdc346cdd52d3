"""Runs a plan again and again, each time killed (SIGKILL, by itself) at another moment, then to its end.

    python -m tests.worker.killed FOLDER

prints one JSON object for each moment: what had been finished, what was done afterwards, and the answer.
A process of its own without threads, so that it may fork: starting Python for each moment would take minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.worker.runs import all_steps, plan_in, tree, work, worker_of
from worker.app import run_now
from worker.context import StepContext
from worker.state import read_state

NEVER = 1_000_000


class Moments:
    """Counts the moments of a run, and ends the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, with a moment before and one after it."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self()
            result = call(*args, **kwargs)
            self()
            return result

        return wrapped


def run(volume: Path, fatal: int, told: Path) -> None:
    """One run in this process; it notes in `told` which steps it does, and what came of it."""
    moments = Moments(fatal)
    os.fsync = lambda fd: None  # slow, and a kill takes nothing from what the kernel has
    Path.replace = moments.around(Path.replace)  # type: ignore[method-assign]

    def step(context: StepContext) -> dict[str, Any]:
        with told.open("a") as file:
            file.write(f"{context.step.id}\n")
        moments()
        result = work(context)
        moments()
        return result

    answer = run_now(plan_in(volume).to_json(), worker_of(all_steps(step)), plans=True)
    answer_of(told).write_text(json.dumps({"answer": answer, "moments": moments.count}))


def answer_of(told: Path) -> Path:
    return told.with_name(f"{told.name}.answer")


def in_child(volume: Path, fatal: int, told: Path) -> int:
    """The same in a process of its own; returns how that ended."""
    child = os.fork()
    if child == 0:
        try:
            run(volume, fatal, told)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def one(folder: Path, fatal: int) -> dict[str, Any]:
    volume = folder / str(fatal)
    volume.mkdir()
    killed = in_child(volume, fatal, folder / f"{fatal}.first")
    job = Path(plan_in(volume).folders["job"])
    state = read_state(job)
    finished = [name for name, record in state.steps.items() if record.status == "done"] if state else []
    again = folder / f"{fatal}.again"
    in_child(volume, NEVER, again)
    made = job.parents[1] / "made" / "job"
    return {
        "killed": killed,
        "finished": finished,
        "again": again.read_text().split() if again.exists() else [],
        **json.loads(answer_of(again).read_text()),
        "tree": tree(made),
        "made": {log.stem: log.read_text().split("\n") for log in sorted(made.glob("*.log"))},
        "lines": (job / "events.jsonl").read_text().splitlines(),
        "left": sorted(path.name for path in job.iterdir()),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    calm = one(folder, NEVER)
    print(json.dumps(calm), flush=True)
    moments = json.loads(answer_of(folder / f"{NEVER}.first").read_text())["moments"]
    for fatal in range(1, moments + 1):
        print(json.dumps(one(folder, fatal)), flush=True)


if __name__ == "__main__":
    main()
