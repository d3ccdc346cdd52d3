"""The container's files: start.sh run for real in a folder of its own, linted, and held against what dpcompile knows.

No image is built here: there is no Docker engine. The Dockerfile is linted, and what it names is compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.resources import DataDirs
from worker.environment import read_settings

ROOT = Path(__file__).parents[2]
START = ROOT / "worker" / "start.sh"
SCRIPTS = [START, ROOT / "demo" / "run.sh", ROOT / ".ci" / "run"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the image has beside dpcompile: the trainer's checkout and some weights."""
    trainer = tmp_path / "image" / "trainer"
    trainer.mkdir(parents=True)
    (trainer / "train.py").write_text("print('I am the trainer')\n", "utf-8")
    (trainer / ".commit").write_text("one\n", "utf-8")
    weights = tmp_path / "image" / "weights" / "flux"
    weights.mkdir(parents=True)
    (weights / "ae.safetensors").write_bytes(b"weights")
    return tmp_path / "image"


def start(image: Path, volume: Path | None, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    tools = image / "bin"
    tools.mkdir(exist_ok=True)
    python = tools / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(0o755)
    given = {"NETWORK_VOLUME": str(volume)} if volume else {}
    return subprocess.run(
        ["bash", str(START), *(command or ("--help",))],
        cwd="/",
        env={
            "PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "TRAINER_SOURCE": str(image / "trainer"),
            "WEIGHTS_SOURCE": str(image / "weights"),
            **given,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def work(volume: Path) -> Path:
    return volume / "diffusion_pipe_working_folder"


def test_folders_trainer_and_weights_are_on_the_volume_and_the_worker_starts(image: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    done = start(image, volume)

    assert done.returncode == 0, done.stderr
    assert "Run training jobs on this machine" in done.stdout
    for name in ("models", "datasets", "training_outputs", "jobs"):
        assert (work(volume) / name).is_dir()
    assert (work(volume) / "diffusion_pipe" / "train.py").is_file()
    assert (work(volume) / "models" / "flux" / "ae.safetensors").read_bytes() == b"weights"
    assert start(image, volume).stderr == "", "the second time there is nothing to do"


def test_another_commit_takes_the_place_of_the_first_and_what_a_user_put_there_stays(
    image: Path, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    start(image, volume)
    (image / "trainer" / ".commit").write_text("two\n", "utf-8")
    (image / "trainer" / "train.py").write_text("print('newer')\n", "utf-8")

    assert "putting diffusion-pipe two on the volume" in start(image, volume).stderr
    assert (work(volume) / "diffusion_pipe" / "train.py").read_text("utf-8") == "print('newer')\n"
    assert not (work(volume) / "diffusion_pipe.old").exists()

    (work(volume) / "diffusion_pipe" / ".commit").unlink()
    (work(volume) / "diffusion_pipe" / "train.py").write_text("mine\n", "utf-8")
    assert "was not put there by this image: it is used as it is" in start(image, volume).stderr
    assert (work(volume) / "diffusion_pipe" / "train.py").read_text("utf-8") == "mine\n"


def test_what_a_killed_start_left_behind_is_no_trouble(image: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (work(volume) / "diffusion_pipe.new" / "half").mkdir(parents=True)
    (work(volume) / "models" / "flux").mkdir(parents=True)
    (work(volume) / "models" / "flux" / "ae.safetensors.part").write_bytes(b"wei")

    assert start(image, volume).returncode == 0

    assert not (work(volume) / "diffusion_pipe.new").exists()
    assert (work(volume) / "diffusion_pipe" / "train.py").is_file()
    assert (work(volume) / "models" / "flux" / "ae.safetensors").read_bytes() == b"weights"


def test_a_volume_that_is_not_there_ends_it_with_a_word(image: Path, tmp_path: Path) -> None:
    done = start(image, tmp_path / "nowhere")

    assert done.returncode == 1
    assert done.stderr == (
        f"start.sh: NETWORK_VOLUME is {tmp_path / 'nowhere'}, which is not there: attach the volume\n"
    )


def test_no_trainer_anywhere(image: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    done = start(image, volume, TRAINER_SOURCE=str(tmp_path / "nothing"))

    assert done.returncode == 1
    assert "there is no diffusion-pipe, neither in" in done.stderr


def test_a_wheel_that_cannot_be_installed_is_told_and_the_worker_starts(image: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    done = start(image, volume, FLASH_ATTN_WHEEL=str(tmp_path / "nowhere.whl"))

    assert done.returncode == 0
    assert "flash-attention cannot be installed from FLASH_ATTN_WHEEL" in done.stderr


def test_the_wheel_is_for_the_trainer_s_python(image: Path, tmp_path: Path) -> None:
    volume, said = tmp_path / "volume", tmp_path / "said"
    volume.mkdir()
    trainer = image / "trainer-python"
    trainer.write_text(f'#!/bin/sh\necho "$*" >> "{said}"\n[ "$1" != -c ]\n', "utf-8")
    trainer.chmod(0o755)
    start(image, volume)

    done = start(image, volume, TRAINER_PYTHON=str(trainer), FLASH_ATTN_WHEEL="/a.whl")

    assert (done.returncode, done.stderr) == (0, "start.sh: installing flash-attention\n")
    assert said.read_text("utf-8").splitlines() == ["-c import flash_attn", "-m pip install --quiet --no-deps /a.whl"]


def test_its_exit_code_is_the_worker_s(image: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()

    assert start(image, volume, "status", "no-such-job").returncode == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_are_without_findings(script: Path) -> None:
    done = subprocess.run(["shellcheck", str(script)], env=_tools(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_dockerfile_is_without_findings() -> None:
    done = subprocess.run(
        ["hadolint", str(ROOT / "Dockerfile")], env=_tools(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def _tools() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_dockerfile_has_the_trainer_that_dpcompile_knows() -> None:
    schema = json.loads((DataDirs.default().schemas / "diffusion_pipe.train.schema.json").read_text("utf-8"))

    assert f"TRAINER_COMMIT={schema['x-upstream']['commit']}" in (ROOT / "Dockerfile").read_text("utf-8")


def jobs() -> list[Any]:
    tests = json.loads((ROOT / ".runpod" / "tests.json").read_text("utf-8"))["tests"]
    return [json.loads((ROOT / "test_input.json").read_text("utf-8")), *({"input": t["input"]} for t in tests)]


@pytest.mark.parametrize("job", jobs())
def test_bundled_jobs_compile_without_a_finding(job: Any) -> None:
    result = compile_job(job)

    assert result.diagnostics == ()
    assert result.plan is not None


def test_variables_of_the_hub_s_files_are_ones_that_the_worker_reads() -> None:
    hub = json.loads((ROOT / ".runpod" / "hub.json").read_text("utf-8"))["config"]["env"]
    tests = json.loads((ROOT / ".runpod" / "tests.json").read_text("utf-8"))["config"]["env"]
    values = {each["key"]: str(each["input"]["default"]).lower() for each in hub}
    values |= {each["key"]: each["value"] for each in tests}

    known = {"HF_TOKEN", "GEMINI_API_KEY", "NETWORK_VOLUME"}
    settings = [name for name in values if name not in known]
    assert {name: read_settings({name: values[name]}) for name in settings}
    defaults = read_settings({})
    assert all(hasattr(defaults, name.removeprefix("DPCOMPILE_").lower()) for name in settings)
