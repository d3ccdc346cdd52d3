"""compile_job over and over in one process, with verify on."""

from __future__ import annotations

import cProfile
import io
import pstats
import time

from benchmarks.jobs import jobs
from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job


def main(seconds: float) -> None:
    """Prints jobs per second and core, and the functions that dominate."""
    catalogue = Catalogue()
    texts = list(jobs(catalogue).values())
    for text in texts:
        result = compile_job(text, catalogue=catalogue)
        if not result.ok:
            raise SystemExit(f"a benchmark job does not compile: {result.diagnostics}")
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        for text in texts:
            compile_job(text, catalogue=catalogue)
        count += len(texts)
    print(f"\nWarm compile_job: {count / taken:.0f} jobs per second and core ({taken / count * 1e3:.2f} ms each)")
    _dominant(texts, catalogue)


def _dominant(texts: list[str], catalogue: Catalogue) -> None:
    profile = cProfile.Profile()
    profile.enable()
    for text in texts * 20:
        compile_job(text, catalogue=catalogue)
    profile.disable()
    stats = pstats.Stats(profile, stream=io.StringIO())
    phases = {
        "read the JSON": ("documents.py", "parse_json"),
        "check against the schema": ("job.py", "check_job"),
        "collect and fold the layers": ("assemble.py", "assemble"),
        "checks": ("__init__.py", "run_checks"),
        "render": ("render.py", "render"),
        "verify": ("verify.py", "verify"),
        "plan": ("planner.py", "make_plan"),
    }
    total = _cumulative(stats, "compiler.py", "compile_job")
    print("Where it goes (under a profiler)")
    for phase, place in phases.items():
        print(f"  {phase:34} {_cumulative(stats, *place) / total:6.0%}")


def _cumulative(stats: pstats.Stats, file: str, function: str) -> float:
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]
    return sum(
        entry[3]
        for (path, _, name), entry in entries.items()
        if name == function and path.endswith(file) and "dpcompile" in path
    )
