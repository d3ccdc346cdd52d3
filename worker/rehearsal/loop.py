"""The training loop of the stand-in: train.py:911-973 and utils/saver.py:130-180 as seen from outside."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.rehearsal import runfolder
from worker.rehearsal.behaviour import Behaviour, hang, kill_self
from worker.rehearsal.words import bar, log, say, step_lines

_QUANTILES = 9  # of each evaluation (train.py:39)


@dataclass(slots=True, kw_only=True)
class Loop:
    """One training from its first step to its end."""

    config: dict[str, Any]
    config_file: Path
    run_folder: Path
    batch: int
    behaviour: Behaviour
    epoch: int = 1
    step: int = 1
    place: int = 0
    """Steps of the current epoch that are done."""
    eval_items: int = 0
    _last_minutes: float | None = None

    def run(self, steps_of_epoch: int, *, eval_items: int, resume: bool) -> int:
        """Takes the steps. Returns the exit code, which is 0 in nearly every case, as the trainer's is."""
        self.eval_items = eval_items
        if resume:
            self._resume()
        elif self.config.get("eval_before_first_step", True):
            self._evaluate()
        while True:
            self._take_step()
            self.place += 1
            finished = self.place >= steps_of_epoch
            checkpointed, saved = self._end_epoch() if finished else (False, False)
            if self._is_time_for_evaluation(finished):
                self._evaluate()
            if finished:
                self.place = 0
                if self.epoch > self.config["epochs"]:
                    return self._finish(f"epoch{self.epoch - 1}", checkpointed, saved)
            checkpointed, saved, quits = self._look_for_signals()
            if quits:
                say("Manually quitting")
                return 0
            if "max_steps" in self.config and self.step >= self.config["max_steps"]:
                return self._finish(f"step{self.step}", checkpointed, saved)
            self.step += 1

    def _resume(self) -> None:
        state = runfolder.load_checkpoint(self.run_folder)
        if state is None:
            log(f"Unable to find latest file at {self.run_folder}/latest", "WARNING", "engine.py:4438:load_checkpoint")
        assert state is not None
        self.step, self.epoch, self.place = state["step"] + 1, state["epoch"], state["place"]
        if self.behaviour.has("rewind"):
            self.step, self.epoch, self.place = 1, 1, 0
        say(f"Resuming training from checkpoint. Resuming at epoch: {self.epoch}, step: {self.step}")

    def _take_step(self) -> None:
        step, faults = self.step, self.behaviour
        if faults.at("hang-in-training", step):
            hang()
        if faults.at("oom", step):
            raise _OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of …")
        if faults.at("killed", step):
            kill_self()
        if faults.at("launcher-killed", step):
            os.kill(os.getppid(), signal.SIGKILL)
        loss = 0.5 / (1 + 0.01 * step)
        if faults.since("nan", step) or faults.at("one-nan", step):
            loss = math.nan
        if step % int(self.config.get("steps_per_print", 1)) == 0:
            step_lines(step, loss, self.batch, self.config["optimizer"].get("lr", 0.0))
        if faults.at("pause", step):
            while not any((self.run_folder / name).exists() for name in ("save", "save_quit")):
                time.sleep(0.02)

    def _end_epoch(self) -> tuple[bool, bool]:
        """Saves at the end of an epoch; returns (checkpointed, saved). The next one is told only if there is one."""
        checkpointed = saved = False
        if self._is_due("checkpoint_every_n_epochs", self.epoch):
            self._checkpoint(next_epoch=True)
            checkpointed = True
        if self._is_due("save_every_n_epochs", self.epoch):
            self._save(f"epoch{self.epoch}")
            saved = True
        self.epoch += 1
        if self.epoch <= self.config["epochs"]:
            say(f"Started new epoch: {self.epoch}")
        return checkpointed, saved

    def _look_for_signals(self) -> tuple[bool, bool, bool]:
        """(checkpointed, saved, quits): signal files first, then what is due at this step."""
        wants = quits = saved = False
        for name in ("save", "save_quit"):
            if not wants and not self.behaviour.has("deaf") and (self.run_folder / name).is_file():
                (self.run_folder / name).unlink()
                wants, quits = True, name == "save_quit"
        if self._is_due("save_every_n_steps", self.step):
            self._save(f"step{self.step}")
            saved = True
        checkpointed = wants or self._minutes_have_passed()
        if checkpointed:
            self._checkpoint()
        return checkpointed, saved, quits

    def _is_due(self, key: str, number: int) -> bool:
        return key in self.config and number % int(self.config[key]) == 0

    def _minutes_have_passed(self) -> bool:
        """Counted from the first look, not from the start (utils/saver.py:33)."""
        every = self.config.get("checkpoint_every_n_minutes")
        if every is None:
            return False
        now = time.monotonic()
        if self._last_minutes is None:
            self._last_minutes = now
        if (now - self._last_minutes) / 60 <= every:
            return False
        self._last_minutes = now
        return True

    def _is_time_for_evaluation(self, finished: bool) -> bool:
        steps, epochs = self.config.get("eval_every_n_steps"), self.config.get("eval_every_n_epochs")
        return bool((steps and self.step % steps == 0) or (finished and epochs and (self.epoch - 1) % epochs == 0))

    def _evaluate(self) -> None:
        if self.eval_items:
            say("Running eval")
            for number in range(1, _QUANTILES + 1):
                bar(number, _QUANTILES)

    def _checkpoint(self, *, next_epoch: bool = False) -> None:
        log(f"[Torch] Checkpoint global_step{self.step} is about to be saved!")
        state = {"step": self.step, "epoch": self.epoch + next_epoch, "place": 0 if next_epoch else self.place}
        runfolder.save_checkpoint(self.run_folder, self.step, state, self.behaviour)

    def _save(self, name: str) -> None:
        say(f"Saving model to directory {name}")
        if not self.behaviour.has("no-model"):
            runfolder.save_model(self.run_folder, name, self.config_file, self.config, self.behaviour)

    def _finish(self, name: str, checkpointed: bool, saved: bool) -> int:
        if self.behaviour.has("silent-end"):
            return 0
        if not checkpointed:
            self._checkpoint()
        if not saved:
            self._save(name)
        say("TRAINING COMPLETE!")
        return 0


class _OutOfMemoryError(RuntimeError):
    """Shown under the name that PyTorch gives it."""


_OutOfMemoryError.__module__, _OutOfMemoryError.__qualname__ = "torch", "OutOfMemoryError"
