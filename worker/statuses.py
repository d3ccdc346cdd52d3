"""The statuses of a run, in the order of the contract, however its steps overlap."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dpcompile.plan import Plan, Step, StepKind

_STARTED: dict[StepKind, str] = {
    "fetch": "DOWNLOADING",
    "caption": "CAPTIONING",
    "download": "MODEL_DOWNLOAD",
    "train": "TRAINING",
    "publish": "UPLOADING",
}
"""What is told when the first step of a kind begins."""
_TRAINED = "TRAINING_COMPLETE"
_MESSAGES = {
    "DOWNLOADING": "Fetching the data",
    "CAPTIONING": "Captioning the data",
    "MODEL_DOWNLOAD": "Downloading the model",
    "TRAINING": "Training started",
    _TRAINED: "Training is complete",
    "UPLOADING": "Uploading the result",
}
"""In the order of the contract."""

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
        self._todo = [step.id for step in todo]
        self._training = {step.id for step in todo if step.kind == "train"}
        coming = {_STARTED[step.kind] for step in todo if step.kind in _STARTED}
        coming |= {_TRAINED} if self._training else set()
        self._coming = [status for status in _MESSAGES if status in coming]
        self._due: dict[str, Mapping[str, Any]] = {}

    def initialized(self) -> None:
        self._tell("INITIALIZED", {"message": "The job was accepted", "model": self._plan.model.get("name")})

    def starting(self) -> None:
        message = f"Starting: {', '.join(self._todo) or 'nothing is left to do'}"
        self._tell("STARTING", {"message": message, "steps": self._todo})

    def step_started(self, step: Step) -> None:
        if step.kind in _STARTED:
            self._may_tell(_STARTED[step.kind], _training(self._plan, step) if step.kind == "train" else {})

    def step_done(self, step: Step) -> None:
        if step.id in self._training:
            self._training.remove(step.id)
            if not self._training:
                self._may_tell(_TRAINED, {})

    def _may_tell(self, status: str, data: Mapping[str, Any]) -> None:
        """Tells a status when those before it have been, and those that waited for it."""
        self._due.setdefault(status, data)
        while self._coming and self._coming[0] in self._due:
            status = self._coming.pop(0)
            self._tell(status, {"message": _MESSAGES[status], **self._due[status]})

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
