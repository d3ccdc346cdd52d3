"""Lines of the trainer -> events of the run, with what the run knows beyond them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from worker.context import StepContext
from worker.training.losscurve import LossCurve
from worker.training.output import BEFORE_TRAINING, TrainerOutput


class Teller:
    """Takes each line, tells what it means, and records the losses."""

    def __init__(
        self, *, context: StepContext, output: TrainerOutput, curve: LossCurve, done_encoding: Callable[[], None]
    ) -> None:
        self._context, self._output, self._curve = context, output, curve
        self._done_encoding = done_encoding
        self._encoding = True
        self._step = 0
        self._state: dict[str, Any] = {}
        self._bar: tuple[int, int] | None = None

    def line(self, line: str) -> None:
        output = self._output
        for kind, data in output.read(line):
            if kind == "training":
                data = {**data, **self._outlook()}
                if data == self._state:
                    continue
                self._state = data
            if kind != "progress" or self._is_news(data["done"], data["total"]):
                self._context.emit(kind, **data)
        if output.loss is not None and output.step != self._step:
            self._step = output.step
            self._curve.add(output.step, output.epoch, output.loss)
        if self._encoding and output.phase not in BEFORE_TRAINING:
            self._encoding = False
            self._done_encoding()

    def _is_news(self, done: int, total: int) -> bool:
        """Whether a bar has moved by a hundredth: it is drawn ten times a second."""
        before = self._bar
        if before is not None and before[1] == total and 0 <= done - before[0] < max(1, total // 100) and done < total:
            return False
        self._bar = (done, total)
        return before != self._bar

    def _outlook(self) -> dict[str, Any]:
        output, total = self._output, self._total_steps()
        eta = None
        if total is not None and output.seconds_per_step is not None and output.phase not in BEFORE_TRAINING:
            eta = round(max(0, total - output.step) * output.seconds_per_step, 1)
        return {"total_steps": total, "eta_seconds": eta}

    def _total_steps(self) -> int | None:
        """How many steps there will be: as worked out from the data, else by the length of the first epoch."""
        args, step_id = self._context.step.args, self._context.step.id
        counted = self._context.results.get("inspect", {}).get("trainings", {}).get(step_id, {}).get("total_steps")
        if not isinstance(counted, int) and self._output.steps_per_epoch:
            counted = self._output.steps_per_epoch * int(args["epochs"])
        limit: int | None = args["max_steps"]
        if isinstance(counted, int):
            return min(counted, limit) if limit else counted
        return limit
