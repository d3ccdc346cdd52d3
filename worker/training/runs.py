"""The run folders of a training: what the trainer left in them, what is whole, and what can be gone on with.

<output>/<UTC time, 20260131_23-59-59>/     one for each time the trainer was started afresh (train.py:547)
train.toml, dataset.toml                copies, of new runs only (train.py:553)
epoch3/, step120/                       a model; `tmp/` is in it while it is written (utils/saver.py:63)
global_step120/, latest                 a checkpoint of DeepSpeed, and the name of the newest
save, save_quit                         signals, looked for at each step (utils/saver.py:151)
"""

from __future__ import annotations

import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from worker.rehearsal import REHEARSAL_FILE
from worker.training.modelfiles import ModelFolder, model_folder

_RUN = re.compile(r"\d{8}_\d{2}-\d{2}-\d{2}")
_MODEL = re.compile(r"(epoch|step)(\d+)")
_CHECKPOINT = re.compile(r"global_step(\d+)")
SIGNALS = ("save", "save_quit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run folder as it is on disk now."""

    path: Path
    models: tuple[ModelFolder, ...]
    """Whole ones, the one written last at the end."""
    checkpoints: tuple[int, ...]
    """Steps of the whole checkpoints, in order."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_rehearsal(self) -> bool:
        """Whether the stand-in of a rehearsal made it: a real training must never go on from its checkpoints."""
        return (self.path / REHEARSAL_FILE).exists()

    @property
    def step(self) -> int | None:
        """The step after which a resumed training goes on; None when there is no checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    def finished(self, epochs: int, max_steps: int | None) -> ModelFolder | None:
        """The last model, if the run has trained all that was asked for."""
        for model in reversed(self.models):
            if model.kind == "epoch" and model.number >= epochs:
                return model
            if model.kind == "step" and max_steps is not None and model.number >= max_steps:
                return model
        return None


def runs(output: Path) -> list[Run]:
    """All runs below the output folder, oldest first. Whatever else lies there is none.

    The trainer itself takes the last entry of the folder for the newest run, whatever it is (train.py:146), so it
    is never left to choose.
    """
    if not output.is_dir():
        return []
    names = sorted(e.name for e in output.iterdir() if e.is_dir() and _RUN.fullmatch(e.name))
    return [read_run(output / name) for name in names]


def read_run(path: Path) -> Run:
    entries = [e for e in path.iterdir() if e.is_dir()]
    models = [model_folder(e) for e in entries if _MODEL.fullmatch(e.name)]
    whole = [m for m in models if not m.fault]
    checkpoints = [int(m[1]) for e in entries if (m := _CHECKPOINT.fullmatch(e.name)) and is_whole_checkpoint(e)]
    return Run(
        path=path,
        models=tuple(sorted(whole, key=lambda m: (m.written, m.number))),
        checkpoints=tuple(sorted(checkpoints)),
    )


def is_whole_checkpoint(folder: Path) -> bool:
    """Whether a checkpoint has its files, and none was cut off: PyTorch's are archives that end with their list."""
    states = list(folder.glob("*.pt"))
    return any(s.name.startswith("mp_rank_") for s in states) and all(zipfile.is_zipfile(s) for s in states)


def newest(found: list[Run]) -> Run | None:
    """The newest of them that has a whole checkpoint."""
    return next((run for run in reversed(found) if run.checkpoints), None)


def new_run(output: Path, known: set[str]) -> Path | None:
    """The run folder that was not there before; the trainer makes it after caching and never prints it."""
    if not output.is_dir():
        return None
    names = sorted(e.name for e in output.iterdir() if _RUN.fullmatch(e.name) and e.name not in known)
    return output / names[-1] if names else None


def clean(run: Run) -> list[str]:
    """Takes away what a crash left behind; returns the names of it.

    A `tmp` folder makes the next save of the same name fail (utils/saver.py:64), a signal that was not taken
    ends the resumed run at its first step, and `latest` may name a checkpoint that is not whole.
    """
    removed = []
    for entry in sorted(run.path.iterdir()):
        if entry.name in SIGNALS and entry.is_file():
            entry.unlink()
            removed.append(entry.name)
        elif entry.is_dir() and _is_left_over(entry):
            shutil.rmtree(entry)
            removed.append(entry.name)
    if run.step is not None and _latest(run.path) != f"global_step{run.step}":
        _replace_text(run.path / "latest", f"global_step{run.step}")
        removed.append("latest")
    return removed


def prune(path: Path, keep: int) -> list[str]:
    """Removes all checkpoints but the newest `keep`, never the one that `latest` names. Returns their names.

    One is removed only once `latest` names a newer one: DeepSpeed writes that file when all others are written.
    """
    latest = _CHECKPOINT.fullmatch(_latest(path) or "")
    if not latest:
        return []
    steps = sorted(int(m[1]) for e in path.iterdir() if (m := _CHECKPOINT.fullmatch(e.name)))
    old = [step for step in steps if step <= int(latest[1])][: -max(keep, 1)]
    for step in old:
        # Renamed first, so that a crash in between leaves nothing that looks like a checkpoint.
        gone = path / f".removed_global_step{step}"
        (path / f"global_step{step}").replace(gone)
        shutil.rmtree(gone)
    return [f"global_step{step}" for step in old]


def _is_left_over(entry: Path) -> bool:
    if _MODEL.fullmatch(entry.name):
        return bool(model_folder(entry).fault)
    if _CHECKPOINT.fullmatch(entry.name):
        return not is_whole_checkpoint(entry)
    return entry.name.startswith(".removed_global_step")


def _latest(path: Path) -> str | None:
    try:
        return (path / "latest").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _replace_text(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
