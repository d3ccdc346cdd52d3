"""The train step: starts the trainer, watches it, and returns the model that it made."""

from __future__ import annotations

import dataclasses
import math
import os
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from worker import rehearsal
from worker.context import StepContext
from worker.errors import StepFailed, Stopped
from worker.modelstore.cachename import cache_name
from worker.modelstore.weights import check_weights
from worker.training import choice, launch, runs
from worker.training.cachenotes import encoded_alike
from worker.training.choice import Start
from worker.training.data import data_folders, read_toml, sole_encoder
from worker.training.earlier import end_earlier
from worker.training.encoding import encoding_settings
from worker.training.environment import gpu_names, trainer_environment, transfer_settings
from worker.training.failures import Failure, of_fault, of_output
from worker.training.losscurve import LossCurve, read_losses
from worker.training.outcome import Trained, completed, found_finished
from worker.training.output import BEFORE_TRAINING, TrainerOutput
from worker.training.places import Places
from worker.training.record import TrainingRecord, write_record
from worker.training.room import check_room
from worker.training.supervise import Ended, Supervisor, Watched
from worker.training.teller import Teller

_REGENERATE = "--regenerate_cache"
_TOP_PORT = 30000
"""Ports from here on are tried when the plan's is taken; plans use those below."""


def run_train(context: StepContext) -> dict[str, Any]:
    """Trains, or goes on training. The result:

    `run_folder`, `model_folder` (the last model saved), `epochs_completed`, `steps`, `final_loss`, `loss_curve`
    (a CSV file: step, epoch, loss), `log`, `resumed_after` (a step, or None) and `rehearsal`.
    """
    places = Places.of(context)
    context.stop.check()
    end_earlier(context, places)
    context.stop.check()
    args = context.step.args
    start = choice.choose_start(
        places.output,
        wanted=args["resume"],
        resume=context.resume,
        rehearse=context.settings.rehearse,
        epochs=args["epochs"],
        max_steps=args["max_steps"],
    )
    if start.note:
        context.emit("note", message=f"{start.note}.")
    if start.run is not None and start.done is not None:
        done = found_finished(start.run, start.done, args["epochs"])
        return _result(context, places, done, resumed_after=None)
    first = _Training(context, places, start)
    try:
        return first.run()
    except StepFailed as failure:
        if not first.ran_out_after_encoding(failure):
            raise
        # What encodes is not given back before the model is loaded (utils/dataset.py:1209). Now that all is in the
        # cache, the same training needs less.
        text = f"{failure.message}. The data is encoded now, so it is started once more."
        context.emit("warning", message=text, hint="")
    return _Training(context, places, start, again=True).run()


class _Training:
    """One start of the trainer."""

    def __init__(self, context: StepContext, places: Places, start: Start, *, again: bool = False) -> None:
        self._context, self._places, self._start = context, places, start
        # What was encoded at the first start is what the second one is for.
        self._argv = [part for part in context.step.args["argv"] if not (again and part == _REGENERATE)]
        self._mark = uuid.uuid4().hex
        self._after_step = (start.run.step or 0) if start.run else 0
        self._output = TrainerOutput(trusts_cache="--trust_cache" in context.step.args["argv"])

    def run(self) -> dict[str, Any]:
        context, places = self._context, self._places
        folders = data_folders(places.config)
        if not context.settings.rehearse:
            check_weights(context)
            if self._start.run is None:
                self._check_room()
        places.output.mkdir(parents=True, exist_ok=True)
        if self._start.run is not None:
            self._prepare_resumed(self._start.run)
        started = self._launch()
        curve = LossCurve(places.losses, after_step=self._after_step)
        try:
            with (
                sole_encoder(folders, context.stop, self._tell_waiting) as done_encoding,
                self._encoded_alike(folders),
            ):
                ended = self._watch(started, curve, done_encoding)
        finally:
            curve.close()
        if ended.left:
            text = f"Processes of the training cannot be ended: {list(ended.left)}"
            context.emit("warning", message=text, hint="They may still hold the GPU: use another machine.")
        places.record.unlink(missing_ok=True)
        return self._conclude(ended)

    def _check_room(self) -> None:
        """Once more, as the model has been downloaded since the data was inspected."""
        inspected = self._context.results.get("inspect", {}).get("trainings", {}).get(self._context.step.id, {})
        if disk := inspected.get("disk"):
            check_room([disk], self._places.output)

    def ran_out_after_encoding(self, failure: StepFailed) -> bool:
        """Whether memory ran out while the model was loaded in the same process that had encoded the data."""
        return failure.code in ("DPC742", "DPC743") and self._output.phase == "loading" and self._output.encoded

    def _prepare_resumed(self, run: runs.Run) -> None:
        for change in choice.changed_settings(run.path, self._places.config):
            hint = "To train with it, begin anew; or leave it as it was."
            self._context.emit("warning", message=f"{change}.", hint=hint)
        removed = runs.clean(run)
        if removed:
            text = f"Cleaned up what the last run left unfinished in {run.name}: {', '.join(removed)}."
            self._context.emit("note", message=text)

    def _encoded_alike(self, folders: list[Path]) -> AbstractContextManager[None]:
        """Nothing that other settings have encoded is taken from, and none of it goes while this training needs it."""
        if self._context.settings.rehearse:
            return nullcontext()  # nothing is encoded
        train = read_toml(self._places.config)
        name = cache_name(train["model"])
        if name is None:
            text = "It cannot be known which cache the trainer will use, nor with which settings that was encoded."
            self._warn(text, "Set launch.regenerate_cache if settings of the model have changed since.")
            return nullcontext()
        anew = _REGENERATE in self._argv
        return encoded_alike(folders, name, encoding_settings(train), anew=anew, tell=self._warn)

    def _warn(self, message: str, hint: str) -> None:
        self._context.emit("warning", message=message, hint=hint)

    def _tell_waiting(self) -> None:
        text = "Another training is encoding the same data: waiting for it, and then its work is used."
        self._context.emit("note", message=text)

    def _launch(self) -> launch.Launch:
        """The complete command and environment. Tells where they differ from the plan."""
        context, places, args = self._context, self._places, self._context.step.args
        settings, rehearse = context.settings, context.settings.rehearse
        env = trainer_environment(settings.environ, args["env"], context.secrets, mark=self._mark)
        several = len(args["hosts"]) > 1 and not rehearse
        if several:
            launch.need_program("pdsh", env, "it starts the training on other machines")
            launch.write_hostfile(places.hostfile, args["hosts"], args["num_gpus"])
            plain = {name: value for name, value in args["env"].items() if not value.startswith("secret:")}
            launch.write_forwarded(places.forwarded, plain)
            env["DS_ENV_FILE"] = str(places.forwarded)
        elif args["num_gpus"] > 1 and not rehearse:
            env |= transfer_settings(gpu_names(env), env)
        argv, notes = launch.complete_argv(
            self._argv,
            env=env,
            resume=self._start.run.name if self._start.run else None,
            hostfile=places.hostfile if several else None,
            port_from=_TOP_PORT,
        )
        cwd = Path(args["cwd"])
        if rehearse:
            cwd = rehearsal.TRAINER_FOLDER
            env |= rehearsal.rehearsal_environment(env)
            argv, note = launch.for_rehearsal(argv, env)
            notes = (*notes, note)
        else:
            launch.need_program(argv[0], env, "it starts the trainer")
        for note in notes:
            context.emit("note", message=f"{note}.")
        return launch.Launch(argv=tuple(argv), cwd=cwd, env=env)

    def _watch(self, started: launch.Launch, curve: LossCurve, done_encoding: Callable[[], None]) -> Ended:
        context, places = self._context, self._places
        limit = context.step.args["time_limit_minutes"]
        known = frozenset(run.name for run in runs.runs(places.output))
        places.log.parent.mkdir(parents=True, exist_ok=True)
        with places.log.open("ab") as log:
            record = TrainingRecord(mark=self._mark, log_start=log.tell())
            write_record(places.record, record)
            process = launch.start(started, log)
        teller = Teller(context=context, output=self._output, curve=curve, done_encoding=done_encoding)

        def on_run(path: Path, can_save: bool) -> None:
            write_record(places.record, dataclasses.replace(record, run_folder=str(path), can_save=can_save))

        supervisor = Supervisor(
            Watched(
                process=process,
                mark=self._mark,
                log=places.log,
                log_start=record.log_start,
                output_dir=places.output,
                known_runs=known,
                run=self._start.run.path if self._start.run else None,
                after_step=self._after_step,
                time_limit=None if limit is None else limit * 60,
            ),
            output=self._output,
            limits=context.settings.training,
            stop=context.stop,
            on_line=teller.line,
            on_run=on_run,
            on_note=lambda text: context.emit("note", message=f"{text}."),
        )
        return supervisor.watch()

    def _conclude(self, ended: Ended) -> dict[str, Any]:
        output = self._output
        if ended.fault in ("no number", "went back"):
            raise self._failed(of_fault(ended.fault, output), ended)
        if output.complete:
            if output.bad_losses:
                text, hint = "The loss of the last step is no number.", "The model may be worthless: try it first."
                self._context.emit("warning", message=text, hint=hint)
            done = completed(output, ended.run)
            if isinstance(done, str):
                raise self._failed(
                    Failure(
                        code="DPC753",
                        message=f"the training is complete, but its model is not whole: {done}",
                        hint="Most often the disk was full. Free some space, and go on with --resume.",
                    ),
                    ended,
                )
            return _result(self._context, self._places, done, resumed_after=self._after_step or None)
        if ended.stopped:
            self._context.emit("note", message=self._where_it_stands(ended))
            raise Stopped(self._context.stop.reason or "stopped")
        if ended.fault:
            raise self._failed(of_fault(ended.fault, output), ended)
        if output.quitting:
            raise self._failed(
                Failure(
                    code="DPC754",
                    message=f"a save_quit file in the run folder ended the training after step {output.step}",
                    hint="The worker did not put it there. Go on with --resume.",
                ),
                ended,
            )
        folders = [self._places.output, Path(self._context.plan.folders["job"])]
        raise self._failed(of_output(output, ended.returncode, folders), ended)

    def _where_it_stands(self, ended: Ended) -> str:
        checkpoint = runs.read_run(ended.run).step if ended.run else None
        if self._output.phase in BEFORE_TRAINING:
            return "Stopped before the first step. What is encoded is kept."
        if checkpoint is None:
            return f"Stopped after step {self._output.step}, without a checkpoint: it will begin anew."
        return f"Stopped after step {self._output.step}. --resume goes on after step {checkpoint} in {ended.run}."

    def _failed(self, failure: Failure, ended: Ended) -> StepFailed:
        checkpoint = runs.read_run(ended.run).step if ended.run and ended.run.is_dir() else None
        output = self._output
        resumable = True
        if ended.fault == "no number":
            # Weights saved since then are lost as well.
            resumable = checkpoint is not None and checkpoint <= output.step - output.bad_losses
        tail = self._context.secrets.redact("\n".join(output.tail))
        hint = failure.hint
        if checkpoint is not None and resumable:
            hint = f"{hint} There is a checkpoint after step {checkpoint}."
        return StepFailed(failure.code, failure.message, hint, resumable=resumable, output_tail=tail)


def _result(context: StepContext, places: Places, done: Trained, *, resumed_after: int | None) -> dict[str, Any]:
    losses = list(read_losses(places.losses))
    if context.settings.rehearse:
        (done.model / rehearsal.REHEARSAL_FILE).write_text(rehearsal.REHEARSAL_TEXT, encoding="utf-8")
    return {
        "run_folder": os.fspath(done.run),
        "model_folder": os.fspath(done.model),
        "epochs_completed": done.epochs,
        "steps": done.steps,
        "final_loss": losses[-1][2] if losses and math.isfinite(losses[-1][2]) else None,
        "loss_curve": os.fspath(places.losses),
        "log": os.fspath(places.log),
        "resumed_after": resumed_after,
        "rehearsal": context.settings.rehearse,
    }
