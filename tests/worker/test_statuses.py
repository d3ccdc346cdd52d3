"""Each status once, in the order of the contract, whatever the order of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dpcompile.plan import STEP_KINDS
from tests.worker.runs import WHOLE, Spec, plan_in
from worker.statuses import Statuses

ORDER = ["DOWNLOADING", "CAPTIONING", "MODEL_DOWNLOAD", "TRAINING", "TRAINING_COMPLETE", "UPLOADING"]


class Told:
    def __init__(self) -> None:
        self.all: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, status: str, data: Mapping[str, Any]) -> None:
        self.all.append((status, data))

    @property
    def names(self) -> list[str]:
        return [status for status, _data in self.all]


@given(
    kinds=st.lists(st.sampled_from(STEP_KINDS), max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_each_once_and_in_order(kinds: list[Any], order: Any) -> None:
    specs: list[Spec] = [(f"s{n}", kind, ()) for n, kind in enumerate(kinds)]
    plan = plan_in(Path("/data"), specs)
    told = Told()
    statuses = Statuses(plan, plan.steps, told)
    actions = [(step, ended) for step in plan.steps for ended in (False, True)]
    order.shuffle(actions)
    actions.sort(key=lambda action: 0 if not action[1] else order.randint(0, 1))
    for step, ended in actions:
        (statuses.step_done if ended else statuses.step_started)(step)

    assert told.names == [status for status in ORDER if status in told.names]
    kinds_told = {"fetch": 0, "caption": 1, "download": 2, "train": 3, "publish": 5}
    assert set(told.names) == {ORDER[kinds_told[k]] for k in kinds if k in kinds_told} | (
        {"TRAINING_COMPLETE"} if "train" in kinds else set()
    )


def test_the_download_is_told_after_the_captioning_has_begun() -> None:
    plan = plan_in(Path("/data"))
    steps = {step.id: step for step in plan.steps}
    told = Told()
    statuses = Statuses(plan, plan.steps, told)
    statuses.step_started(steps["fetch-images"])
    statuses.step_started(steps["download-1"])
    statuses.step_done(steps["download-1"])
    assert told.names == ["DOWNLOADING"]
    statuses.step_started(steps["caption-images"])
    assert told.names == ["DOWNLOADING", "CAPTIONING", "MODEL_DOWNLOAD"]


def test_steps_that_are_kept_are_passed_over() -> None:
    plan = plan_in(Path("/data"))
    told = Told()
    statuses = Statuses(plan, plan.steps[-2:], told)
    statuses.step_started(plan.steps[-2])
    assert told.all == [("TRAINING", {"message": "Training started", "epochs": 3, "lora_rank": 16})]


def test_several_trainings_are_one() -> None:
    specs: list[Spec] = [*WHOLE[:4], ("train-high", "train", ()), ("train-low", "train", ("train-high",))]
    plan = plan_in(Path("/data"), specs, train_toml="")
    first, second = plan.steps[-2:]
    told = Told()
    statuses = Statuses(plan, (first, second), told)
    for step in (first, second):
        statuses.step_started(step)
        statuses.step_done(step)
    assert told.names == ["TRAINING", "TRAINING_COMPLETE"]
    assert told.all[0][1] == {"message": "Training started", "epochs": 3}


def test_beginning_and_end() -> None:
    plan = plan_in(Path("/data"))
    told = Told()
    statuses = Statuses(plan, (), told)
    statuses.initialized()
    statuses.starting()
    statuses.complete()
    statuses.error("the disk is full", resumable=True)
    assert told.all == [
        ("INITIALIZED", {"message": "The job was accepted", "model": "wan13"}),
        ("STARTING", {"message": "Starting: nothing is left to do", "steps": []}),
        ("COMPLETE", {"message": "The job is done"}),
        ("ERROR", {"message": "the disk is full", "resumable": True}),
    ]
