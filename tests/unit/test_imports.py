"""What the compiler loads, seen from a fresh interpreter: import-linter sees static imports only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("boto3", "google", "huggingface_hub", "requests", "runpod", "toml", "torch", "transformers")

# Loading a heavy module is noted and refused, so that this also tells on a machine where it is not installed.
GUARD = f"""
import importlib.abc, json, sys

class Guard(importlib.abc.MetaPathFinder):
    asked_for = []
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            self.asked_for.append(name)
            raise ModuleNotFoundError(f"refused by a test: {{name}}", name=name)

sys.meta_path.insert(0, Guard())
"""

RUN_COMMAND = """
from dpcompile.cli import main
try:
    status = main() or 0
except SystemExit as ending:
    status = ending.code or 0
"""

TELL = """
print()
print(json.dumps({"status": status, "asked_for": Guard.asked_for, "loaded": sorted(sys.modules)}))
"""


def run_guarded(code: str, *arguments: str, cwd: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", GUARD + code + TELL, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(told, dict)
    return told


def test_guard_itself_works(tmp_path: Path) -> None:
    told = run_guarded("try:\n    import torch\nexcept ImportError:\n    status = 0\n", cwd=tmp_path)

    assert told["asked_for"] == ["torch"]


@pytest.mark.parametrize("command", [("check",), ("render", "--out", "out")])
def test_no_command_loads_heavy_modules(command: tuple[str, ...], repo_root: Path, tmp_path: Path) -> None:
    job = min((repo_root / "tests" / "examples" / "valid").glob("*.json"))

    told = run_guarded(RUN_COMMAND, *command, str(job), cwd=tmp_path)

    assert told["status"] == 0
    assert told["asked_for"] == []


def test_plan_loads_nothing_else_of_the_compiler(tmp_path: Path) -> None:
    told = run_guarded("import dpcompile.plan\nstatus = 0\n", cwd=tmp_path)

    loaded = told["loaded"]
    assert isinstance(loaded, list)
    ours = {name for name in loaded if name.partition(".")[0] == "dpcompile"}
    assert ours == {"dpcompile", "dpcompile.plan"}
    assert not {"click", "jinja2", "jsonschema", "yaml"}.intersection(loaded)
