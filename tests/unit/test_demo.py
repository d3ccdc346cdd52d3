"""`demo/run.sh`, as `make demo` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = ("flux", "sdxl", "wan13", "wan14b_t2v", "wan14b_i2v", "qwen", "z_image_turbo")


def run_demo(repo_root: Path, out: Path, first_in_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "demo/run.sh", str(out)],
        cwd=repo_root,
        env={
            **os.environ,
            "PATH": f"{first_in_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(repo_root),
            "PYTHONUTF8": "1",
            "COLUMNS": "80",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def command_folder(tmp_path: Path) -> Path:
    """A folder with the `dpcompile` of this checkout, installed or not."""
    return stand_in(tmp_path / "bin", f'exec "{sys.executable}" -m dpcompile "$@"')


def stand_in(folder: Path, body: str) -> Path:
    folder.mkdir()
    (folder / "dpcompile").write_text(f"#!/bin/sh\n{body}\n", "utf-8")
    (folder / "dpcompile").chmod(0o755)
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    (folder / "python").chmod(0o755)
    return folder


def test_demo_runs(repo_root: Path, tmp_path: Path, command_folder: Path) -> None:
    done = run_demo(repo_root, tmp_path / "out", command_folder)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [line.split()[:2] for line in done.stdout.splitlines() if " ok  " in line] == [
        [f"{model}.json", "ok"] for model in MODELS
    ]
    assert {path.parent.name for path in (tmp_path / "out").glob("*/plan.json")} == set(MODELS)
    published = tmp_path / "out" / "volume/diffusion_pipe_working_folder/jobs/demo-rehearsal/published"
    assert {"README.md", "REHEARSAL.txt", "lora.safetensors", "train.toml"} <= {
        path.name for path in published.iterdir()
    }
    assert "train: kept from an earlier run" in done.stdout
    assert "All as it should be" in done.stdout


def test_demo_fits_a_terminal(repo_root: Path, tmp_path: Path, command_folder: Path) -> None:
    done = run_demo(repo_root, tmp_path / "out", command_folder)

    shown = [line for line in done.stdout.splitlines() if str(tmp_path) not in line]
    assert [line for line in shown if len(line) > 100] == []


@pytest.mark.parametrize("body", ["exit 3", "exit 0", "echo wrong >&2; exit 1"])
def test_demo_fails_when_the_command_misbehaves(repo_root: Path, tmp_path: Path, body: str) -> None:
    done = run_demo(repo_root, tmp_path / "out", stand_in(tmp_path / "broken", body))

    assert done.returncode != 0
    assert "All as it should be" not in done.stdout
