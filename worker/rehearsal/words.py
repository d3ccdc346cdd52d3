"""What the stand-in says, in the forms of the trainer, of tqdm and of DeepSpeed's logger."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """A line as `print` writes it: the line break apart, and nothing held back."""
    sys.stdout.write(text)
    sys.stdout.write("\n")
    sys.stdout.flush()


def log(text: str, level: str = "INFO", place: str = "logging.py:128:log_dist") -> None:
    """A line of DeepSpeed's logger, which goes to stdout as well."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    say(f"[{now},000] [{level}] [{place}] {text}")


def bar(done: int, total: int) -> None:
    """A progress bar as tqdm draws it: over itself, on stderr, and ended with a line break."""
    percent = 100 * done // max(total, 1)
    filled = "█" * (percent // 10)
    sys.stderr.write(f"\r{percent:3}%|{filled:<10}| {done}/{total} [00:00<00:00, 100.00it/s]")
    if done >= total:
        sys.stderr.write("\n")
    sys.stderr.flush()


def step_lines(step: int, loss: float, batch: int, rate: float) -> None:
    """The two lines of a step (DeepSpeed, runtime/pipe/engine.py)."""
    log(f"[Rank 0] step={step}, skipped=0, lr=[{rate}], mom=[[0.9, 0.99]]")
    say(f"steps: {step} loss: {loss:0.4f} iter time (s): 0.010 samples/sec: {batch / 0.010:0.3f}")
