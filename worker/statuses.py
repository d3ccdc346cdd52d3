"""The statuses of a run, in the order of the contract, however its steps overlap."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dpcompile.plan import Plan, Step, StepKind

_OF_KIND: dict[StepKind, tuple[str, str]] = {
    "fetch": ("DOWNLOADING", "Fetching the data"),
    "caption": ("CAPTIONING", "Captioning the data"),
    "download": ("MODEL_DOWNLOAD", "Downloading the model"),
    "train": ("TRAINING", "Training started"),
    "publish": ("UPLOADING", "Uploading the result"),
}
_ORDER: tuple[StepKind, ...] = ("fetch", "caption", "download", "train", "publish")

Tell = Callable[[str, Mapping[str, Any]], None]
"""Takes a status and its data."""


class Statuses:
    """Tells each status once and in order.

    Downloads run beside the captioning; MODEL_DOWNLOAD is then told when CAPTIONING has been. Steps that
    are kept from an earlier run have no status of their own.
    """

    def __init__(self, plan: Plan, todo: Sequence[Step], tell: Tell) -> None:
        self._plan = plan
        self._tell = tell
        self._left = {step.id: step for step in todo}
        self._begun: dict[StepKind, Step] = {}
        self._open: list[StepKind] = [kind for kind in _ORDER if any(step.kind == kind for step in todo)]

    def initialized(self) -> None:
        self._tell("INITIALIZED", {"message": "The job was accepted", "model": self._plan.model.get("name")})

    def starting(self) -> None:
        steps = list(self._left)
        self._tell("STARTING", {"message": f"Starting: {', '.join(steps) or 'nothing is left to do'}", "steps": steps})

    def step_started(self, step: Step) -> None:
        """Notes that a step begins, and tells what can be told now."""
        self._begun.setdefault(step.kind, step)
        while self._open and self._open[0] in self._begun:
            kind = self._open.pop(0)
            status, message = _OF_KIND[kind]
            more = _training(self._plan, self._begun[kind]) if kind == "train" else {}
            self._tell(status, {"message": message, **more})

    def step_done(self, step: Step) -> None:
        self._left.pop(step.id, None)
        if step.kind == "train" and not any(other.kind == "train" for other in self._left.values()):
            self._tell("TRAINING_COMPLETE", {"message": "Training is complete"})

    def complete(self) -> None:
        self._tell("COMPLETE", {"message": "The job is done"})

    def error(self, message: str, *, resumable: bool) -> None:
        self._tell("ERROR", {"message": message, "resumable": resumable})


def _training(plan: Plan, step: Step) -> dict[str, Any]:
    """What watchers are told about a training: `{"epochs": 100, "lora_rank": 32}`."""
    told = {"epochs": step.args.get("epochs")}
    config = next((file.text for file in plan.files if file.path == step.args.get("config")), "")
    rank = tomllib.loads(config).get("adapter", {}).get("rank")
    return told if rank is None else {**told, "lora_rank": rank}
