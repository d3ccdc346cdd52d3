"""Which captions are ours: a record beside the dataset, never in it.

It tells our captions from those that the user brought, so that the former may be written again (with another
prompt, by another captioner, for real after a rehearsal) and the latter are left alone unless asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.filelock import take_patiently
from worker.stopping import Stop


def aside_of(folder: Path) -> Path:
    """The folder for all that belongs to the captions of a dataset and must not lie in it."""
    return folder.with_name(f"{folder.name}.captions")


def maker_key(captioner: str, settings: Mapping[str, Any]) -> str:
    """One name for all that decides how captions turn out."""
    text = json.dumps([captioner, settings], sort_keys=True)
    return f"{captioner}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(slots=True, kw_only=True)
class Record:
    """A line for each caption that we write, written before the caption itself.

    So a caption that is not what its line says is somebody else's, whenever the worker was killed.
    """

    path: Path
    _lines: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Record:
        record = cls(path=aside_of(folder) / "record.jsonl")
        with contextlib.suppress(FileNotFoundError):
            for line in record.path.read_text("utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # the last line of a worker that was killed
                    entry = json.loads(line)
                    record._lines[entry["name"]] = (entry["maker"], entry["digest"])
        return record

    def maker_of(self, name: str, captions: Sequence[str]) -> str | None:
        """Who made the captions of a media file; None if we did not."""
        maker, digest = self._lines.get(name, (None, ""))
        return maker if digest == _digest(captions) else None

    def note(self, name: str, captions: Sequence[str], maker: str) -> None:
        entry = {"name": name, "maker": maker, "digest": _digest(captions)}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(entry)}\n")
        self._lines[name] = (maker, entry["digest"])


def _digest(captions: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(captions)).encode()).hexdigest()


@contextlib.contextmanager
def one_at_a_time(folder: Path, stop: Stop, waiting: Callable[[], None]) -> Iterator[None]:
    """Keeps two workers from captioning one dataset. A killed holder holds it no longer."""
    aside = aside_of(folder)
    aside.mkdir(parents=True, exist_ok=True)
    with (aside / "lock").open("a") as handle:
        stop.check()
        take_patiently(handle, tell=waiting, pause=lambda: stop.pause(0.5))
        yield
