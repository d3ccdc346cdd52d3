"""Small plans in a folder of the test's own, and steps that do real work with files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan, PlanFile, SecretNeed, Step, StepKind
from worker.app import Worker, no_sinks
from worker.context import RunStep, StepContext
from worker.events import Event
from worker.settings import Settings

Spec = tuple[str, StepKind, Sequence[str]]
WHOLE: tuple[Spec, ...] = (
    ("fetch-images", "fetch", ()),
    ("caption-images", "caption", ("fetch-images",)),
    ("inspect", "inspect", ("caption-images",)),
    ("download-1", "download", ()),
    ("train", "train", ("inspect", "download-1")),
    ("publish", "publish", ("train",)),
)
"""A plan of the usual form."""
TRAIN_TOML = "epochs = 3\n\n[adapter]\nrank = 16\n"


def plan_in(
    volume: Path,
    steps: Sequence[Spec] = WHOLE,
    *,
    job_id: str = "job",
    args: Mapping[str, Mapping[str, Any]] | None = None,
    secrets: Sequence[SecretNeed] = (),
    train_toml: str = TRAIN_TOML,
) -> Plan:
    """A plan of these steps; `args` are more of their arguments, by step."""
    work = volume / "diffusion_pipe_working_folder"
    job = work / "jobs" / job_id
    made = {step: dict((args or {}).get(step, {})) for step, _, _ in steps}
    for step, kind, _needs in steps:
        if kind == "train":
            made[step] |= {"config": str(job / "train.toml"), "epochs": 3}
    return Plan(
        job_id=job_id,
        compiler="0",
        trainer={"repo": "owner/trainer", "commit": "0" * 40},
        model={"name": "wan13", "title": "Wan 2.1"},
        folders={
            "volume": str(volume),
            "work": str(work),
            "trainer": str(work / "diffusion_pipe"),
            "models": str(work / "models"),
            "output": str(work / "training_outputs" / job_id),
            "job": str(job),
        },
        files=(PlanFile(name="train.toml", path=str(job / "train.toml"), text=train_toml),),
        secrets=tuple(secrets),
        steps=tuple(Step(id=step, kind=kind, needs=tuple(needs), args=made[step]) for step, kind, needs in steps),
    )


def made_by(plan: Plan, step: str) -> Path:
    """Where `work` puts the files of a step."""
    return Path(plan.folders["work"], "made", plan.job_id, step)


def work(context: StepContext) -> dict[str, Any]:
    """Puts three files in place, one after the other, made from what the steps it needs returned.

    A file that is there is not made again. What it does is noted in `<folder>.log`.
    """
    folder = made_by(context.plan, context.step.id)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({need: context.results[need] for need in context.step.needs}, sort_keys=True)
    for n in range(3):
        context.stop.check()
        if not (folder / f"{n}").exists():
            aside = folder / f".{n}.new"
            aside.write_text(f"{context.step.id} {n} {text}", "utf-8")
            aside.replace(folder / f"{n}")
            with folder.with_suffix(".log").open("a") as log:
                log.write(f"made {n}\n")
        context.emit("progress", done=n + 1, total=3, unit="files")
    with folder.with_suffix(".log").open("a") as log:
        log.write("done\n")
    return {"files": sorted(path.name for path in folder.iterdir()), **RESULTS.get(context.step.kind, {})}


RESULTS: dict[StepKind, dict[str, Any]] = {
    "train": {"epochs_completed": 3, "latest_epoch": "epoch3"},
    "publish": {"output": {"download_url": "https://example.com/x.zip", "download_method": "s3", "warnings": []}},
}


def all_steps(run: RunStep = work, **others: RunStep) -> dict[StepKind, RunStep]:
    """One way to do steps of every kind, apart from `others`."""
    kinds: tuple[StepKind, ...] = ("fetch", "caption", "inspect", "download", "train", "publish")
    return {kind: others.get(kind, run) for kind in kinds}


class Remembers:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True

    def kinds(self, step: str | None = None) -> list[str]:
        return [event.kind for event in self.events if event.step == step]

    def statuses(self) -> list[str]:
        return [str(event.data["status"]) for event in self.events if event.kind == "status"]

    def texts(self, kind: str) -> list[str]:
        return [str(event.data["message"]) for event in self.events if event.kind == kind]


def worker_of(
    run_step: Mapping[StepKind, RunStep] | None = None,
    *sinks: Remembers,
    clock: Callable[[], float] = lambda: 0.0,
    **settings: Any,
) -> Worker:
    """A worker with an environment of its own."""
    return Worker(
        settings=Settings(**{"environ": {}, **settings}),
        make_sinks=(lambda _plan, _secrets: sinks) if sinks else no_sinks,
        run_step=run_step or all_steps(),
        clock=clock,
    )


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder but logs, with its text."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}
