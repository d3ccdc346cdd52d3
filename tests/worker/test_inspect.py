"""The gate before the training: evaluation data split off once, what cannot train stopped, steps for the ETA."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan
from tests.unit.inspection.support import image
from tests.unit.jobs import CATALOGUE, job
from worker.context import StepContext
from worker.errors import StepFailed
from worker.evalsplit import split_off
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.steps import inspect
from worker.stopping import Stop

LORA_BYTES = 2 * 32 * 5_369_856
"""A LoRA of rank 32 for FLUX, two bytes a number."""


def context(
    volume: Path,
    events: list[tuple[str, dict[str, Any]]],
    data: dict[str, Any] | None = None,
    launch: dict[str, Any] | None = None,
    **training: Any,
) -> StepContext:
    wanted = job("flux", {"epochs": 3, "resolution": 64, **training}, data, launch=launch or {})
    made = compile_job(wanted, catalogue=CATALOGUE, volume=str(volume))
    assert isinstance(made.plan, Plan), made.diagnostics
    return StepContext(
        plan=made.plan,
        step=next(step for step in made.plan.steps if step.kind == "inspect"),
        secrets=SecretStore({}),
        settings=Settings(environ={}),
        stop=Stop(),
        emit=lambda kind, **data: events.append((kind, data)),
        results={},
    )


def fill(given: StepContext, count: int, caption: str | None = "a cat") -> Path:
    folder = Path(given.step.args["folders"][0]["path"])
    for n in range(count):
        image(folder / f"{n}.png", caption=caption)
    return folder


def test_steps_are_returned(tmp_path: Path) -> None:
    given = context(tmp_path, [])
    fill(given, 9)

    assert inspect.run(given)["trainings"]["train"] == {
        "steps_per_epoch": 2,
        "total_steps": 6,
        "global_batch_size": 4,
        "saves": [{"step": 6, "folder": "epoch3"}],
        "disk": {
            "models": 1,
            "model": LORA_BYTES,
            "checkpoints": 1,
            "checkpoint": 4 * LORA_BYTES,
            "checkpoint_is_least": False,
            "written": 5 * LORA_BYTES,
            "cache": 9 * (16 * 8 * 8 * 2 + 4_195_840 + 2 * 2000),
        },
    }


def test_a_run_that_the_disk_cannot_hold_is_stopped(tmp_path: Path) -> None:
    given = context(tmp_path, [], epochs=1_000_000, save_every_n_epochs=1)
    fill(given, 9)

    with pytest.raises(StepFailed) as caught:
        inspect.run(given)

    assert caught.value.code == "DPC746"
    assert "(1000000 models of 327.8 MiB and 1 checkpoint of 1.3 GiB, and room to" in caught.value.message
    # What an earlier run has written is not to be written again: how much of it is left to do shows later.
    assert inspect.run(replace(given, resume=True))["trainings"]["train"]["saves"]
    asked = context(tmp_path, [], launch={"resume": True}, epochs=1_000_000, save_every_n_epochs=1)
    assert inspect.run(asked)["trainings"]["train"]["saves"]


def test_what_cannot_train_is_stopped(tmp_path: Path) -> None:
    given = context(tmp_path, [])
    fill(given, 9, caption=None)

    with pytest.raises(StepFailed) as caught:
        inspect.run(given)
    assert caught.value.code == "DPC611"
    assert {found["code"] for found in caught.value.diagnostics} >= {"DPC611", "DPC603"}


def test_evaluation_data_is_split_off_once(tmp_path: Path) -> None:
    data = {**job()["dataset"], "eval": {"fraction": 0.25}}
    given = context(tmp_path, [], data=data)
    folder = fill(given, 12)

    first, second = inspect.run(given), inspect.run(given)

    target = Path(given.step.args["split"][0]["to"])
    assert first == second
    assert first["trainings"]["train"]["steps_per_epoch"] == 2
    assert len(list(folder.glob("*.png"))) == len(list(folder.glob("*.txt"))) == 9
    assert len(list(target.glob("*.png"))) == len(list(target.glob("*.txt"))) == 3


def test_split_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(12):
        image(tmp_path / "whole" / f"{n}.png")
        image(tmp_path / "cut" / f"{n}.png")
    split_off(tmp_path / "whole", tmp_path / "whole-eval", 0.5)
    moves: list[Path] = []
    move = Path.replace

    def dies(path: Path, to: Path) -> Path:
        moves.append(path)
        if len(moves) == 4:
            raise KeyboardInterrupt
        return move(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            split_off(tmp_path / "cut", tmp_path / "cut-eval", 0.5)
    split_off(tmp_path / "cut", tmp_path / "cut-eval", 0.5)

    for side in ("", "-eval"):
        names = [sorted(path.name for path in (tmp_path / f"{name}{side}").iterdir()) for name in ("whole", "cut")]
        assert names[0] == names[1]
