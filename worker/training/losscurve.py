"""The losses of a training on disk: `step,epoch,loss` a line, for the model card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

HEAD = "step,epoch,loss\n"


class LossCurve:
    """A file of losses that grows. Steps that are trained again after resuming are not kept twice."""

    def __init__(self, path: Path, *, after_step: int) -> None:
        """Goes on with the file, from which losses after the step are taken; 0 begins anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in read_losses(path) if row[0] <= after_step]
        aside = path.with_name(f".{path.name}.new")
        aside.write_text(HEAD + "".join(_line(*row) for row in kept), encoding="ascii")
        aside.replace(path)
        self.path = path
        self._file = path.open("a", buffering=1, encoding="ascii")

    def add(self, step: int, epoch: int, loss: float) -> None:
        self._file.write(_line(step, epoch, loss))

    def close(self) -> None:
        self._file.close()


def read_losses(path: Path) -> Iterator[tuple[int, int, float]]:
    """(step, epoch, loss) of each whole line; a line that a crash cut off is left out."""
    try:
        text = path.read_text("ascii", "replace")
    except FileNotFoundError:
        return
    for line in text.removeprefix(HEAD).split("\n")[:-1]:
        parts = line.split(",")
        try:
            yield int(parts[0]), int(parts[1]), float(parts[2])
        except (ValueError, IndexError):
            continue


def _line(step: int, epoch: int, loss: float) -> str:
    return f"{step},{epoch},{loss:g}\n"
