"""What the trainer says: bytes -> lines -> where it is.

The forms of the lines are those of the trainer's code at the pinned commit and of DeepSpeed's pipeline engine
(runtime/pipe/engine.py, train_batch). They are searched for within a line, not only at its beginning: several
processes write to one stream, progress bars end without a line break, and pdsh puts the host's name in front.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["starting", "caching", "loading", "training", "saving", "evaluating"]
BEFORE_TRAINING = ("starting", "caching", "loading")

_BREAK = re.compile(rb"[\r\n]+")
_LONGEST = 64 * 1024
_TAIL = 60

_STEP = re.compile(r"steps: (\d+) loss: (\S+) .*?iter time \(s\): (\S+) samples/sec: (\S+)")
_BAR = re.compile(r"\d+%\|.*?\| *(?P<done>\d+)/(?P<total>\d+) \[[^\]]*\]?")
_BAR_WITHOUT_TOTAL = re.compile(r"\d+it \[\d+:[^\]]*\]?")
_BATCH = re.compile(r"Global batch size = (\d+)")
_EPOCH = re.compile(r"Started new epoch: (\d+)")
_RESUME = re.compile(r"Resuming at epoch: (\d+), step: (\d+)")
_SAVING = re.compile(r"Saving model to directory (\S+)")
_CHECKPOINT = re.compile(r"Checkpoint (global_step\d+) is about to be saved")
_CACHING = re.compile(
    r"using video_clip_mode=|using framerate=|caching latents: |caching text embeddings: |\[CACHE\] |"
    r"(Intermediate|Grouped) metadata is not cached|Loading grouped metadata|Caching ungrouped metadata"
)
_LOADING = re.compile(
    r"Merging adapter |Loading model on rank |trainable params: |Loading adapter weights |Loading checkpoint shards|"
    r"stage=\d+ layers=\d+"
)
_FROM_CACHE = "Found grouped metadata cache. Directly loading it."
_TRACEBACK = "Traceback (most recent call last)"


class Lines:
    """Cuts a stream of bytes into lines, at line breaks and at the carriage returns of progress bars."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are now complete, without blank ones. What is not UTF-8 is replaced."""
        *whole, self._rest = _BREAK.split(self._rest + data)
        if len(self._rest) > _LONGEST:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", "replace").rstrip() for line in whole if line.strip()]

    def rest(self) -> list[str]:
        """What came after the last line break, once nothing more will come."""
        last, self._rest = self._rest, b""
        return [last.decode("utf-8", "replace").rstrip()] if last.strip() else []


@dataclass(slots=True, kw_only=True)
class TrainerOutput:
    """Where a training is, by what it has said so far. `read` takes one line after the other."""

    trusts_cache: bool = False
    """Whether it was started with --trust_cache: the end of caching is then not told apart from its start."""
    phase: Phase = "starting"
    epoch: int = 1
    step: int = 0
    first_step: int | None = None
    loss: float | None = None
    bad_losses: int = 0
    """Losses in a row that are no number."""
    samples_per_second: float | None = None
    seconds_per_step: float | None = None
    resumed_at: tuple[int, int] | None = None
    """Epoch and first step of a resumed run, as it says itself."""
    steps_per_epoch: int | None = None
    saved: list[str] = field(default_factory=list)
    """Names of the model folders that it began to save, oldest first."""
    complete: bool = False
    quitting: bool = False
    traceback: bool = False
    """Whether an error was shown while it encodes data."""
    encoded: bool = False
    """Whether data was encoded, and not only taken from the cache."""
    signs: int = 0
    """Counts what shows that it gets on; an error's text does not."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    _epoch_began: int = 0

    def read(self, line: str) -> list[tuple[str, dict[str, Any]]]:
        """Takes one line; returns the events that it gives, as (kind, data)."""
        bar = _BAR.search(line)
        drawn = bar or _BAR_WITHOUT_TOTAL.search(line)
        if drawn:
            self.signs += 1
            self.encoded = self.encoded or self.phase == "caching"
        before = self.phase
        stepped = self._step(line)
        moved = self._milestone(line)
        events: list[tuple[str, dict[str, Any]]] = []
        if bar:
            events.append(("progress", {"done": int(bar["done"]), "total": int(bar["total"]), "unit": self._unit()}))
        # Another stream may have written behind the bar, which has no line break: an error's first line, mostly.
        text = line[drawn.end() :].strip() if drawn else line
        if text:
            self.tail.append(text)
            events.append(("output", {"line": text}))
        if stepped or moved or self.phase != before:
            self.signs += 1
            events.append(("training", self.state()))
        return events

    def state(self) -> dict[str, Any]:
        """The data of a `training` event, without what only the run knows (`total_steps`, `eta_seconds`)."""
        return {
            "phase": self.phase,
            "epoch": self.epoch,
            "step": self.step,
            "loss": self.loss if self.loss is None or math.isfinite(self.loss) else None,
            "samples_per_second": self.samples_per_second,
        }

    def _unit(self) -> str:
        return {"caching": "items", "evaluating": "batches"}.get(self.phase, "parts")

    def _step(self, line: str) -> bool:
        found = _STEP.search(line)
        if not found:
            return False
        self.step, self.loss = int(found[1]), _number(found[2])
        if self.first_step is None:
            self.first_step = self.step
        self.bad_losses = 0 if math.isfinite(self.loss) else self.bad_losses + 1
        seconds, rate = _number(found[3]), _number(found[4])
        if math.isfinite(seconds):
            # The first steps are slow: later ones count for more.
            old = self.seconds_per_step
            self.seconds_per_step = seconds if old is None else 0.8 * old + 0.2 * seconds
        self.samples_per_second = rate if math.isfinite(rate) else None
        self.phase = "training"
        return True

    def _milestone(self, line: str) -> bool:
        """Takes what tells of a new phase or a new epoch; returns whether the line did."""
        if self.phase in BEFORE_TRAINING:
            return self._before_training(line)
        if found := _RESUME.search(line):
            self.epoch, first = int(found[1]), int(found[2])
            self.resumed_at = (self.epoch, first)
        elif found := _EPOCH.search(line):
            self._new_epoch(int(found[1]))
        elif found := _SAVING.search(line):
            self.saved.append(found[1])
            self.phase = "saving"
        elif _CHECKPOINT.search(line):
            self.phase = "saving"
        elif "Running eval" in line:
            self.phase = "evaluating"
        elif "TRAINING COMPLETE!" in line:
            self.complete = True
        elif "Manually quitting" in line:
            self.quitting = True
        else:
            return False
        return True

    def _before_training(self, line: str) -> bool:
        if _TRACEBACK in line and self.phase == "caching":
            self.traceback = True
        if _BATCH.search(line):
            self.phase, self.traceback = "training", False
        elif _LOADING.search(line) or (_FROM_CACHE in line and self.phase == "caching" and not self.trusts_cache):
            self.phase, self.traceback = "loading", False
        elif _CACHING.search(line):
            if self.phase == "starting":
                self.phase = "caching"
        else:
            return False
        return True

    def _new_epoch(self, epoch: int) -> None:
        # Whole epochs that this process has seen from end to end tell how many steps one has. After resuming,
        # the first is not whole, and a checkpoint at its end makes it one batch longer (utils/dataset.py:1428).
        if self._epoch_began or self.resumed_at is None:
            self.steps_per_epoch = self.step - self._epoch_began
        self._epoch_began = self.step
        self.epoch = epoch
        self.phase = "training"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
