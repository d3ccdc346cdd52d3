"""`python -m worker` as a user meets it, in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import Plan
from tests.unit.jobs import job as small_job
from tests.worker.runs import made_by, plan_in
from worker.joblock import is_locked

REPO_ROOT = Path(__file__).parents[2]
LONG = 120.0
"""Seconds after which a test that hangs ends: far above anything that takes place."""


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


def write_plan(plan: Plan, folder: Path) -> str:
    path = folder / f"{plan.job_id}.json"
    path.write_text(json.dumps(plan.to_json()))
    return str(path)


def command(volume: Path, **more: str) -> dict[str, Any]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DPCOMPILE")}
    ours = {"PYTHONPATH": str(REPO_ROOT), "NETWORK_VOLUME": str(volume), "PYTHONUTF8": "1", "COLUMNS": "80"}
    return {"env": {**kept, **ours, **more}, "cwd": volume, "text": True, "timeout": LONG}


def worker(*arguments: str, volume: Path, **more: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tests.worker.command", *arguments]
    return subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL, **command(volume, **more))


@contextlib.contextmanager
def started(*arguments: str, volume: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A worker at work in the background, ended with the block whatever becomes of the test."""
    line = [sys.executable, "-m", "tests.worker.command", *arguments]
    given = command(volume, **more)
    del given["timeout"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **given)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(path: Path) -> None:
    end = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def test_a_plan_from_beginning_to_end(volume: Path) -> None:
    plan = plan_in(volume)
    done = worker("run", write_plan(plan, volume), volume=volume)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "job job is done: Wan 2.1, 3 epochs, epoch3",
        "  download: https://example.com/x.zip",
        f"  on the volume: {plan.folders['output']}",
    ]
    assert done.stderr.splitlines()[0] == "INITIALIZED: The job was accepted"
    assert done.stderr.splitlines()[-1] == "COMPLETE: The job is done"


def test_the_answer_as_json_stands_alone_on_stdout(volume: Path) -> None:
    plan = plan_in(volume)
    done = worker("run", "--format", "json", write_plan(plan, volume), volume=volume)
    assert json.loads(done.stdout)["status"] == "success"


def test_a_signal_ends_it_in_order_and_the_same_command_goes_on(volume: Path) -> None:
    plan = plan_in(volume)
    path = write_plan(plan, volume)
    with started("run", path, volume=volume, TRAIN="waits") as process:
        wait_for(made_by(plan, "train.ready"))
        looked = worker("status", "job", volume=volume)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == 130, err
    assert out == ""
    assert "note" not in err
    assert "stopping (signal): train may put everything in order first" in err
    assert err.splitlines()[-3:] == [
        "error DPC707: the run was stopped by a signal",
        "    Run the same job again, with the same id, to go on from where it is.",
        "The same command goes on from here.",
    ]
    assert looked.stdout.splitlines() == [
        "job job: running",
        "TRAINING: Training started",
        "  fetch-images    done",
        "  caption-images  done",
        "  inspect         done",
        "  download-1      done",
        "  train           working  epoch 1, step 12 of 40, loss 0.0812",
        "  publish         waiting",
    ]

    done = worker("run", path, volume=volume)
    assert done.returncode == 0
    assert "train: kept" not in done.stderr
    assert "inspect: kept from an earlier run" in done.stderr
    state = json.loads(Path(plan.folders["job"], "state.json").read_text())
    assert state["steps"]["train"]["result"]["resumed"] is True


def test_a_second_ctrl_c_ends_everything_at_once(volume: Path) -> None:
    plan = plan_in(volume)
    with started("run", write_plan(plan, volume), volume=volume, TRAIN="holds") as process:
        wait_for(made_by(plan, "train.ready"))
        other = int(made_by(plan, "started").read_text())
        process.send_signal(signal.SIGINT)
        events = Path(plan.folders["job"], "events.jsonl")
        end = time.monotonic() + LONG
        while "stopping (signal)" not in events.read_text():  # the first has been taken
            assert time.monotonic() < end
            time.sleep(0.02)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG)
    assert process.returncode == 130
    assert not alive(other), "a program that a step had started is still there"


def alive(process: int) -> bool:
    """Whether a process is there and not merely waiting to be noticed by whoever adopted it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_two_workers_never_run_one_job(volume: Path) -> None:
    plan = plan_in(volume)
    path = write_plan(plan, volume)
    with started("run", path, volume=volume, TRAIN="waits") as process:
        wait_for(made_by(plan, "train.ready"))
        before = Path(plan.folders["job"], "state.json").read_bytes()
        second = worker("run", path, volume=volume)
        assert second.returncode == 1
        assert second.stderr.splitlines()[0].startswith(
            f"error DPC703: another worker is running this job (process {process.pid} on "
        )
        assert Path(plan.folders["job"], "state.json").read_bytes() == before
        process.kill()
        process.communicate()
    assert not is_locked(Path(plan.folders["job"]))
    assert "interrupted" in worker("status", "job", volume=volume).stdout
    assert worker("run", path, volume=volume).returncode == 0


def test_two_jobs_run_beside_each_other_on_one_volume(volume: Path) -> None:
    plans = [plan_in(volume, job_id=name) for name in ("first", "second")]
    with (
        started("run", write_plan(plans[0], volume), volume=volume, TRAIN="waits") as one,
        started("run", write_plan(plans[1], volume), volume=volume, TRAIN="waits") as two,
    ):
        for plan in plans:
            wait_for(made_by(plan, "train.ready"))
        one.send_signal(signal.SIGINT)
        one.communicate(timeout=LONG)
        assert two.poll() is None
        assert json.loads(worker("status", "second", "--format", "json", volume=volume).stdout)["running"]
        two.send_signal(signal.SIGINT)
        two.communicate(timeout=LONG)
    for plan in plans:
        assert worker("run", write_plan(plan, volume), volume=volume).returncode == 0
        lines = Path(plan.folders["job"], "events.jsonl").read_text().splitlines()
        assert {json.loads(line)["step"] for line in lines} <= {None, *(step.id for step in plan.steps)}


def test_a_job_is_compiled_and_its_mistakes_are_told_with_their_places(volume: Path) -> None:
    (volume / "my.json").write_text(json.dumps(small_job(training={"epochs": "3"}), indent=1))
    done = worker("run", "my.json", volume=volume)
    assert done.returncode == 1
    assert "my.json:8:3: error DPC203: epochs must be" in done.stderr
    assert not (volume / "diffusion_pipe_working_folder").exists()


def test_a_job_takes_the_options_of_render(volume: Path) -> None:
    (volume / "my.json").write_text(json.dumps(small_job("sdxl")))
    done = worker("run", "my.json", "--set", "epochs=7", "--job-id", "mine", "--until", "inspect", volume=volume)
    assert done.returncode == 0, done.stderr
    text = (volume / "diffusion_pipe_working_folder" / "jobs" / "mine" / "train.toml").read_text()
    assert "epochs = 7" in text
    assert str(volume) in text


def test_a_bug_has_an_exit_code_of_its_own(volume: Path) -> None:
    plan = plan_in(volume)
    done = worker("run", write_plan(plan, volume), volume=volume, TRAIN="breaks")
    assert done.returncode == 3
    assert "error DPC709: train: this is a bug in the worker: KeyError: 'nothing'" in done.stderr


def test_stdin_and_a_reader_that_goes_away(volume: Path) -> None:
    plan = plan_in(volume)
    line = f'{sys.executable} -m tests.worker.command run - 2>&1 < "{write_plan(plan, volume)}" | head -1'
    done = subprocess.run(["bash", "-c", line], capture_output=True, **command(volume))
    assert done.stdout == "INITIALIZED: The job was accepted\n"
    assert "result: https://example.com/x.zip" in worker("status", "job", volume=volume).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Missing argument"),
        (["run", "PLAN", "--until", "nope"], "--until: the plan has no step 'nope'; its steps are fetch-images,"),
        (["run", "PLAN", "--set", "epochs=3"], "--set is for jobs; this is a plan, compiled already"),
        (["run", "PLAN", "--volume", "/data"], "--volume is for jobs"),
        (["status", "../x"], "'../x' is not the id of a job"),
    ],
)
def test_wrong_usage(volume: Path, arguments: list[str], words: str) -> None:
    path = write_plan(plan_in(volume), volume)
    done = worker(*[path if each == "PLAN" else each for each in arguments], volume=volume)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (volume / "diffusion_pipe_working_folder").exists()


def test_settings_of_the_environment_that_are_wrong(volume: Path) -> None:
    done = worker("run", "x.json", volume=volume, DPCOMPILE_SAVE_MINUTES="soon")
    assert done.returncode == 2
    assert "DPCOMPILE_SAVE_MINUTES must be a number, 0 or more, but is 'soon'" in done.stderr


def test_files_and_jobs_that_are_not_there(volume: Path) -> None:
    assert "there is no such file" in worker("run", "none.json", volume=volume).stderr
    unknown = worker("status", "none", volume=volume)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("no job none was run here: there is nothing in ")
