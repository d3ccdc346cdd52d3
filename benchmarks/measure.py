"""Timing of whole processes, side by side."""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Wall times of several runs of one thing, in milliseconds."""

    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def best(self) -> float:
        return min(self.milliseconds)

    def __str__(self) -> str:
        return f"median {self.median:6.1f} ms   best {self.best:6.1f} ms"


def python(code: str) -> list[str]:
    """The command that runs a piece of Python with this interpreter."""
    return [sys.executable, "-c", code]


def side_by_side(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Times]:
    """Times each command `runs` times, taking turns, so that all meet the same machine.

    Bytecode is written first, as pip does when it installs: compiling is not what is measured.
    """
    compileall.compile_dir(ROOT / "dpcompile", quiet=2)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn:  # the first turn warms the disk cache
                taken[name].append((time.perf_counter() - start) * 1e3)
    return {name: Times(milliseconds=tuple(values)) for name, values in taken.items()}


def show(title: str, times: Mapping[str, Times]) -> None:
    """Prints a table with the ratio of each row to the first."""
    print(f"\n{title}")
    base = next(iter(times.values()))
    for name, each in times.items():
        ratio = f"{each.median / base.median:5.2f} x (best {each.best / base.best:4.2f} x)"
        print(f"  {name:34} {each}   {ratio}")
