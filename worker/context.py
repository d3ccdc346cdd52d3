"""What a step gets to do its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dpcompile.plan import Plan, Step
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop


class Emit(Protocol):
    """Tells one event about the step: `emit("progress", done=3, total=10, unit="files")`."""

    def __call__(self, kind: str, **data: Any) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """One step of one run. Everything outside it is reached through this."""

    plan: Plan
    step: Step
    secrets: SecretStore
    settings: Settings
    stop: Stop
    emit: Emit
    results: Mapping[str, Mapping[str, Any]]
    """What the finished steps returned, by step id."""
    resume: bool = False
    """Whether the run was started to go on with an earlier one."""


RunStep = Callable[[StepContext], dict[str, Any]]
"""Does a step in a thread of its own and returns a JSON object for `results` and the state on disk.

It can be run again after it was killed at any moment: work goes to a name of its own first, and is put in
place with `os.replace`. Raises StepFailed, or Stopped once `context.stop` was requested and all is in order.
"""
