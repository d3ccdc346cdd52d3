"""A catalogue of 70 specs against today's: a job must pay only for the specs it needs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.jobs import jobs
from benchmarks.measure import show, side_by_side
from dpcompile.catalogue import Catalogue
from dpcompile.resources import DataDirs

MODELS = 70
CHECK = """
from dataclasses import replace
from pathlib import Path
from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job
from dpcompile.resources import DataDirs
c = Catalogue(replace(DataDirs.default(), specs=Path(SPECS)))
WORK
"""


def main(runs: int) -> None:
    """Prints a cold check with few and with many specs, and reading them all."""
    dirs = DataDirs.default()
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many"
        shutil.copytree(dirs.specs, many)
        _fill(many)
        job = jobs(Catalogue())["flux"]
        one = f"assert compile_job({job!r}, catalogue=c).ok"
        everything = "assert all(spec for _, spec, _ in c.all())"
        commands = {
            "one job, shipped specs": _command(dirs.specs, one),
            f"one job, {MODELS} models": _command(many, one),
            f"all {MODELS} models read": _command(many, everything),
        }
        show(f"Cold start with a large catalogue, {runs} runs each, taking turns", side_by_side(commands, runs))


def _command(specs: Path, work: str) -> list[str]:
    return [sys.executable, "-c", CHECK.replace("SPECS", repr(str(specs))).replace("WORK", work)]


def _fill(folder: Path) -> None:
    """More models until there are MODELS: full-length copies under other names."""
    text = next(folder.rglob("flux.yaml")).read_text("utf-8")
    existing = sum("\nabstract: true" not in path.read_text("utf-8") for path in folder.rglob("*.yaml"))
    for n in range(MODELS - existing):
        copy = text.replace("\nname: flux\n", f"\nname: copy{n}\n").replace(
            "aliases: [flux-dev", f"aliases: [flux-dev{n}"
        )
        copy = copy.replace("flux1-dev,", f"flux1-dev{n},").replace("flux.1-dev]", f"flux.1-dev{n}]")
        (folder / f"copy{n}.yaml").write_text(copy, "utf-8")
