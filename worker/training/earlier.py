"""A training whose worker was killed: it is found, asked to save, and ended before another one starts."""

from __future__ import annotations

import time
from pathlib import Path

from worker.context import StepContext
from worker.training import processes
from worker.training.losscurve import LossCurve
from worker.training.output import Lines, TrainerOutput
from worker.training.places import Places
from worker.training.record import read_record


def end_earlier(context: StepContext, places: Places) -> None:
    """Ends what an earlier worker left running, and keeps what it had trained by then."""
    record = read_record(places.record)
    if record is None:
        return
    if processes.marked(record.mark):
        if record.can_save and record.run_folder is not None:
            context.emit("note", message="A worker that was killed left its training running: it is asked to save.")
            _save(context, record.mark, Path(record.run_folder))
        left = processes.end(record.mark, terminate=context.settings.training.terminate)
        if left:
            context.emit("warning", message=f"Processes of an earlier training cannot be ended: {left}", hint="")
    _keep_losses(places, record.log_start)
    places.record.unlink(missing_ok=True)


def _save(context: StepContext, mark: str, run: Path) -> None:
    signal = run / "save_quit"
    until = time.monotonic() + context.settings.training.save
    try:
        signal.touch()
        while processes.marked(mark) and time.monotonic() < until and not context.stop.requested():
            context.stop.wait(context.settings.training.poll)
    except OSError as error:  # the run folder is gone, or the disk is full
        context.emit("warning", message=f"It cannot be asked to save: {error.strerror}", hint="")
    finally:
        signal.unlink(missing_ok=True)


def _keep_losses(places: Places, start: int) -> None:
    """Adds the losses of the steps that were trained after the worker was gone, from the trainer's own words."""
    output, lines = TrainerOutput(), Lines()
    if not places.log.is_file():
        return
    with places.log.open("rb") as log:
        log.seek(start)
        said = lines.feed(log.read()) + lines.rest()
    curve: LossCurve | None = None
    for line in said:
        step = output.step
        output.read(line)
        if output.loss is not None and output.step != step:
            curve = curve or LossCurve(places.losses, after_step=output.step - 1)
            curve.add(output.step, output.epoch, output.loss)
    if curve is not None:
        curve.close()
