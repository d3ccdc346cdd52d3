"""What a training has come to: never by its exit code, but by what it said and by what lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worker.training.modelfiles import ModelFolder, model_folder
from worker.training.output import TrainerOutput
from worker.training.runs import Run, read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training that is complete and has a whole model."""

    run: Path
    model: Path
    epochs: int
    steps: int


def completed(output: TrainerOutput, run: Path | None) -> Trained | str:
    """The result, or what is wrong with the model, of a training that said it was complete."""
    if run is None:
        return "no run folder has come into being"
    last = _last_model(output, run)
    if last is None:
        return "no model folder has come into being"
    if last.fault:
        return last.fault
    # Epochs are counted when they begin. The last one is whole if the model was saved for its end (train.py:953).
    epochs = last.number if last.kind == "epoch" else output.epoch - 1
    # Not every step is printed; the checkpoint at the end names the last one (train.py:968).
    steps = max(output.step, read_run(run).step or 0)
    return Trained(run=run, model=last.path, epochs=epochs, steps=steps)


def _last_model(output: TrainerOutput, run: Path) -> ModelFolder | None:
    """The one that was said to be saved last: an older, whole one must not stand in for it."""
    if output.saved:
        return model_folder(run / output.saved[-1])
    models = read_run(run).models
    return models[-1] if models else None


def found_finished(run: Run, model: ModelFolder, epochs: int) -> Trained:
    """The result of a training that had completed before, of which the worker did not live to tell."""
    step = run.step if run.step is not None else (model.number if model.kind == "step" else 0)
    return Trained(run=run.path, model=model.path, epochs=model.number if model.kind == "epoch" else epochs, steps=step)
