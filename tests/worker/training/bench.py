"""A job on a volume of its own, with a small dataset, ready for its train step."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan, Step
from worker.context import StepContext
from worker.rehearsal.behaviour import STEPS_VARIABLE, VARIABLE
from worker.secretstore import SecretStore
from worker.settings import Settings, TrainingLimits
from worker.steps.train import run_train
from worker.stopping import Stop

PLAIN_PATH = os.pathsep.join(p for p in ("/usr/local/bin", "/usr/bin", "/bin"))
"""Where no deepspeed is: the stand-in is then started by itself."""
LAUNCHER_PATH = f"{Path(sys.executable).parent}{os.pathsep}{PLAIN_PATH}"
PATIENT = TrainingLimits(silent=600, idle=600, after_traceback=600, save=120, terminate=20, poll=0.02)
"""Limits that no test runs into, however slow the machine is."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """One compiled job. `events` holds what the step told: (kind, data)."""

    volume: Path
    plan: Plan
    limits: TrainingLimits = PATIENT
    path: str = PLAIN_PATH
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rehearse: bool = True

    @property
    def job(self) -> Path:
        return Path(self.plan.folders["job"])

    @property
    def output(self) -> Path:
        return Path(self.plan.folders["output"])

    def step(self, step_id: str = "train") -> Step:
        return next(step for step in self.plan.steps if step.id == step_id)

    def context(
        self, *, resume: bool = False, step_id: str = "train", args: Mapping[str, Any] | None = None
    ) -> StepContext:
        step = self.step(step_id)
        return StepContext(
            plan=self.plan,
            step=replace(step, args={**step.args, **(args or {})}),
            secrets=SecretStore(self.secrets, self.plan.secrets),
            settings=Settings(
                rehearse=self.rehearse, training=self.limits, environ={"PATH": self.path, "LANG": "C", **self.env}
            ),
            stop=self.stop,
            emit=self.emit,
            results=self.results,
            resume=resume,
        )

    def emit(self, kind: str, **data: Any) -> None:
        self.events.append((kind, data))

    def train(
        self,
        behaviour: str = "",
        *,
        resume: bool = False,
        step_id: str = "train",
        args: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Runs the step with a stand-in that misbehaves in this way."""
        self.env[VARIABLE] = behaviour
        return run_train(self.context(resume=resume, step_id=step_id, args=args))

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [data for k, data in self.events if k == kind]

    def notes(self) -> str:
        return "\n".join(data["message"] for data in (*self.told("note"), *self.told("warning")))

    def trainings(self) -> list[dict[str, Any]]:
        return self.told("training")


def make_bench(
    volume: Path,
    *,
    images: int = 6,
    training: Mapping[str, Any] | None = None,
    launch: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    model: str = "sdxl",
    steps: int = 0,
    **more: Any,
) -> Bench:
    """A job of `images` images: by default two epochs of six steps, a model each epoch, no checkpoint in between."""
    data = {"type": "images", "images_url": "https://example.com/photos.zip", "image_repeats": 1, **(dataset or {})}
    job = {
        # The port of a training follows from its id, and tests run side by side.
        "id": f"job-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}",
        "input": {
            "model_type": model,
            "dataset": {key: value for key, value in data.items() if value is not None},
            "training": {
                "epochs": 2,
                "save_every_n_epochs": 1,
                "gradient_accumulation_steps": 1,
                "warmup_steps": 0,
                **(training or {}),
            },
            "launch": dict(launch or {}),
        },
    }
    result = compile_job(json.dumps(job), file="job.json", volume=os.fspath(volume))
    assert result.plan is not None, [d.message for d in result.diagnostics]
    for file in result.plan.files:
        path = Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    inspect = next(step for step in result.plan.steps if step.kind == "inspect")
    for folder in inspect.args["folders"]:
        make_images(Path(folder["path"]), images)
    for split in inspect.args["split"]:
        make_images(Path(split["to"]), 1)
    return Bench(
        volume=volume, plan=result.plan, env={STEPS_VARIABLE: str(steps), "TEST_VOLUME": os.fspath(volume)}, **more
    )


def make_images(folder: Path, count: int) -> None:
    """Images of one pixel, each with a caption."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (folder / f"{n}.png").write_bytes(png())
        (folder / f"{n}.txt").write_text(f"a photo, number {n}, façade", encoding="utf-8")


def png() -> bytes:
    """A white pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (1).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    body = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
