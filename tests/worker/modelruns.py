"""Runs of single steps in a volume of their own, for the tests of downloads and captions."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan, PlanFile, Step
from worker.context import RunStep, StepContext
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a plan: what its steps share, and everything that they told."""

    plan: Plan
    settings: Settings
    secrets: SecretStore = field(default_factory=lambda: SecretStore({}))
    stop: Stop = field(default_factory=Stop)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, kind: str, **data: Any) -> None:
        with self._lock:
            self.told.append((kind, data))

    def messages(self, kind: str) -> list[str]:
        return [data["message"] for told, data in self.told if told == kind]

    def context(self, step: str) -> StepContext:
        [found] = [each for each in self.plan.steps if each.id == step]
        return StepContext(
            plan=self.plan,
            step=found,
            secrets=self.secrets,
            settings=self.settings,
            stop=self.stop,
            emit=self.emit,
            results=self.results,
        )

    def do(self, step: str, run: RunStep) -> dict[str, Any]:
        return run(self.context(step))


def a_plan(volume: Path, steps: Sequence[Step], files: Sequence[PlanFile] = (), **more: Any) -> Plan:
    """A plan with these steps, below a folder that stands in for the volume."""
    work = volume / "work"
    names = {"trainer": "diffusion_pipe", "models": "models", "output": "training_outputs/j", "job": "jobs/j"}
    return Plan(
        job_id="j",
        model={"name": "m", "title": "M", "toml_type": "wan", "trigger_word": None},
        folders={"volume": str(volume), "work": str(work), **{k: str(work / v) for k, v in names.items()}},
        files=tuple(files),
        secrets=more.pop("secrets", ()),
        steps=tuple(steps),
        trainer={"repo": "r", "commit": "c"},
        compiler="0",
        **more,
    )


def download_step(number: int, to: Path, **args: Any) -> Step:
    given = {"repo": None, "revision": "main", "files": None, "file": None, "gated": False, **args}
    return Step(id=f"download-{number}", kind="download", needs=(), args={**given, "to": str(to)})


def plain_settings(environ: Mapping[str, str] | None = None, **fields: Any) -> Settings:
    """Settings for a test: nothing of this machine's own tokens and addresses."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "GEMINI", "GOOGLE"))
    }
    return Settings(environ={**kept, **(environ or {})}, **fields)
