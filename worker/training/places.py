"""Where a training step keeps what it needs in the job's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worker.context import StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Files of one training, named after its step, and the folders of the plan."""

    output: Path
    config: Path
    log: Path
    """All that the trainer said, over all starts."""
    record: Path
    losses: Path
    hostfile: Path
    forwarded: Path

    @classmethod
    def of(cls, context: StepContext) -> Places:
        job, name = Path(context.plan.folders["job"]), context.step.id
        return cls(
            output=Path(context.step.args["output"]),
            config=Path(context.step.args["config"]),
            log=job / f"{name}.log",
            record=job / f"{name}.running.json",
            losses=job / f"{name}.losses.csv",
            hostfile=job / f"{name}.hostfile",
            forwarded=job / f"{name}.environment",
        )
