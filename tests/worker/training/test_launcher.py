"""The stand-in under DeepSpeed's own launcher, on the processor: its process tree, its signals, its exit codes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worker.training.bench import LAUNCHER_PATH, Bench, make_bench
from tests.worker.training.test_train import fails, leftovers, reaches_step, spawn, wait_for
from worker.rehearsal.behaviour import VARIABLE
from worker.training.losscurve import read_losses

pytestmark = pytest.mark.torch


@pytest.fixture
def launched(tmp_path: Path) -> Bench:
    return make_bench(tmp_path, path=LAUNCHER_PATH)


def test_a_training_by_the_launcher(launched: Bench) -> None:
    result = launched.train()

    assert (result["epochs_completed"], result["steps"]) == (2, 12)
    assert "is started by DeepSpeed, as the trainer would be" in launched.notes()
    assert leftovers(launched) == []


@pytest.mark.parametrize(("behaviour", "code"), [("killed@4", "DPC743"), ("half-model", "DPC753")])
def test_the_launcher_s_exit_code_says_nothing(launched: Bench, behaviour: str, code: str) -> None:
    fails(launched, behaviour, code)
    assert leftovers(launched) == []


def test_a_training_whose_launcher_is_killed_goes_on_to_its_end(launched: Bench) -> None:
    assert launched.train("launcher-killed@3")["steps"] == 12
    assert leftovers(launched) == []


def test_a_killed_worker_under_the_launcher_loses_no_step(launched: Bench) -> None:
    with spawn(launched, "pause@5") as worker:
        wait_for(reaches_step(launched, 5))
        wait_for(lambda: '"can_save": true' in (launched.job / "train.running.json").read_text())
        worker.kill()
    assert leftovers(launched)
    launched.env[VARIABLE] = ""

    result = launched.train(resume=True)

    assert (result["resumed_after"], result["steps"]) == (5, 12)
    assert [step for step, _, _ in read_losses(Path(result["loss_curve"]))] == list(range(1, 13))
    assert leftovers(launched) == []
    assert os.path.isdir(result["model_folder"])  # noqa: PTH112
