"""Kill -9 at every step boundary and in the middle of every step, then a worker that starts again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).parents[2]


def test_whenever_it_is_killed_the_next_worker_ends_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.worker.killed", str(tmp_path)],
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0
    calm, *killed = [json.loads(line) for line in done.stdout.splitlines()]
    assert calm["killed"] == 0
    assert calm["answer"]["status"] == "success"
    assert len(killed) > 60

    finished = set()
    for run in killed:
        assert run["killed"] == -signal.SIGKILL
        # Nothing is lost: the same files with the same content, the same answer but for the volume's place.
        assert run["tree"] == calm["tree"]
        assert {**run["answer"], "output": None} == {**calm["answer"], "output": None}
        # Nothing is done twice: no finished step begins again, no file that was there is made again.
        assert not set(run["finished"]) & set(run["again"])
        assert sorted(run["finished"] + run["again"]) == sorted(calm["finished"])
        assert all(lines.count(f"made {n}") <= 1 for lines in run["made"].values() for n in range(3))
        # Every event that was told is there, each on a line of its own.
        assert all(isinstance(json.loads(line), dict) for line in run["lines"])
        assert run["left"] == ["events.jsonl", "lock", "plan.json", "state.json", "train.toml"]
        finished.add(tuple(sorted(run["finished"])))
    assert len(finished) > len(calm["finished"]), "the kills fell between all the steps"
