"""One `dpcompile check` from the shell, against merely importing the libraries it stands on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.jobs import jobs
from benchmarks.measure import python, show, side_by_side
from dpcompile.catalogue import Catalogue

BARE = "import json, yaml, jinja2, tomllib, jsonschema, click"
PHASES = """
import time
def lap(name, start):
    print(f"  {name:34} {(time.perf_counter() - start) * 1e3:6.1f} ms")
    return time.perf_counter()
t = time.perf_counter()
import json, yaml, jinja2, tomllib, jsonschema, click
t = lap("the libraries", t)
import dpcompile.cli, dpcompile.commands.check
t = lap("our own modules", t)
from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job
c = Catalogue()
c.trainer
t = lap("what the trainer reads", t)
c.find("flux")
t = lap("the model spec", t)
job = open(JOB).read()
compile_job(job, catalogue=c)
t = lap("the first job (templates, schemas)", t)
compile_job(job, catalogue=c)
t = lap("a second job", t)
"""


def main(runs: int) -> None:
    """Prints the ratio and where the time goes."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(jobs(Catalogue())["flux"])
        commands = {
            "bare imports": python(BARE),
            "dpcompile check": [sys.executable, "-m", "dpcompile", "check", str(job)],
        }
        show(f"Cold check of one job, {runs} runs each, taking turns", side_by_side(commands, runs))
        print("\nWhere a cold check spends its time (one run)")
        subprocess.run(python(PHASES.replace("JOB", repr(str(job)))), check=True)
