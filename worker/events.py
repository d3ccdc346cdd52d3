"""Events: what a run tells while it runs, one JSON object each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

EVENT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    `kind` is `status` (`status`, one of the contract such as TRAINING, and `message`), `step_started`,
    `step_done` (`seconds`), `step_failed` (`code`, `message`, `hint`), `step_stopped`, `step_kept` (done
    by an earlier run), `progress` (`done`, `total` or None, `unit`),
    `training` (`phase`, `epoch`, `step`, `total_steps`, `loss`, `samples_per_second`, `eta_seconds`),
    `output` (`line`, one of the trainer's), `note` or `warning` (`message`, `hint`).
    `time` is in seconds since 1970-01-01 UTC; `step` is the id of a step of the plan.
    """

    kind: str
    time: float
    step: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"version": EVENT_VERSION, "kind": self.kind, "time": self.time, "step": self.step, "data": self.data}


class Sink(Protocol):
    """Where events go. What it gets holds no secret any more."""

    def emit(self, event: Event) -> None:
        """Takes one event, quickly. It must not raise: telling about a run never ends it."""

    def close(self) -> None:
        """Delivers what is still waiting, within a bounded time."""
