"""The benchmarks run, and print a figure for everything that is said to be measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).parents[2]
MEASURED = (
    "Cold check of one job",
    "Warm compile_job",
    "Cold start with a large catalogue",
    "Looking at 200 images",
    "memory for 200 images",
    "Fetching 2 MB",
    "Packing 2 MB",
    "Describing",  # or what is not installed
    "A run up to its training",
)


def test_every_benchmark_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"], cwd=REPO_ROOT, capture_output=True, text=True, timeout=300
    )

    assert done.returncode == 0, done.stderr
    assert [title for title in MEASURED if title not in done.stdout] == []
    assert len(re.findall(r"\d\.\d\d x", done.stdout)) >= 15
