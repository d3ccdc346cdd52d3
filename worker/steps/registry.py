"""The steps that a worker can do."""

from __future__ import annotations

from dpcompile.plan import StepKind
from worker.context import RunStep
from worker.steps import caption, download, fetch, inspect
from worker.steps.publish import publish
from worker.steps.train import run_train

RUN_STEP: dict[StepKind, RunStep] = {
    "fetch": fetch.run,
    "caption": caption.run,
    "inspect": inspect.run,
    "download": download.run,
    "train": run_train,
    "publish": publish,
}
