"""The `dpcompile` command: in this process for what it prints, in one of its own for how it behaves as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dpcompile.cli import main

ROOT = Path(__file__).parents[3]

# What a user's machine may set must not change what the tests see.
UNSET = {"NETWORK_VOLUME": None, "DPCOMPILE_SPECS": None, "COLUMNS": "80"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def dpcompile(*arguments: str | Path, stdin: str = "", env: Mapping[str, str] | None = None) -> Output:
    """Runs the command in this process, as `main` does, to its exit code."""
    with CliRunner().isolation(input=stdin, env={**UNSET, **(env or {})}) as streams:
        with pytest.raises(SystemExit) as ending:
            main([str(argument) for argument in arguments])
        out, err = (stream.getvalue().decode("utf-8") for stream in streams[:2])
    assert isinstance(ending.value.code, int)
    return Output(code=ending.value.code, out=out, err=err)


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that runs this checkout."""
    kept = {k: v for k, v in os.environ.items() if k not in UNSET and not k.startswith(("PYTHON", "_DPCOMPILE"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **more}


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs `python -m dpcompile` in a process of its own."""
    given = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(),
        **options,
    }
    command = [sys.executable, "-m", "dpcompile", *map(str, arguments)]
    return subprocess.run(command, text=True, encoding="utf-8", timeout=60, **given)


def written(folder: Path, value: object, name: str = "job.json") -> Path:
    """A job file."""
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), "utf-8")
    return path


def contents(folder: Path) -> dict[str, str]:
    """Every file in a folder: name -> text."""
    return {path.name: path.read_bytes().decode("utf-8") for path in folder.iterdir()}
