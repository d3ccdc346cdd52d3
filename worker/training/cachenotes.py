"""What the data in a folder was encoded with: a note beside the trainer's cache, which does not know it itself.

`<folder>/cache/<name>.encoded.json` stands for `<folder>/cache/<name>`. It is written before the trainer encodes, so
that what a killed training leaves behind is never taken for the work of other settings.

Where the note says otherwise, the cache is taken away whole. The trainer's --regenerate_cache would not do: it
clears the sizes that this training uses (utils/dataset.py:97), and those of others would stay, to be taken from by
the next training that uses them; it encodes again in every folder, also where nothing differs; and it begins again
at each start.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from glob import escape
from itertools import count
from pathlib import Path
from typing import IO, Any, Protocol

from worker.atomicfile import write_whole
from worker.errors import StepFailed
from worker.filelock import take
from worker.training.encoding import differences

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What all that is in one cache was encoded with."""

    settings: Mapping[str, Any]
    sure: bool
    """False where something was in the cache already and nobody knew how that was encoded."""
    version: int = _VERSION


class Tell(Protocol):
    """Tells a warning, with what can be done about it."""

    def __call__(self, message: str, hint: str) -> None: ...


@contextmanager
def encoded_alike(
    folders: list[Path], name: str, settings: Mapping[str, Any], *, anew: bool, tell: Tell
) -> Iterator[None]:
    """Sees to it that nothing in the folders' caches was encoded with other settings; `anew`: that nothing is there.

    To be entered while the folders are locked for encoding. Until it is left, no other training takes the caches
    away. Raises StepFailed when another one needs what would have to go, or when it cannot be taken away.
    """
    with ExitStack() as held:
        seen: list[_Seen] = []
        for folder in sorted(folders):
            try:
                each = _look_at(folder, folder / "cache" / name, settings)
                lock = held.enter_context(each.cache.with_name(f".{name}.in-use").open("w"))
                goes = each.there and (anew or bool(each.changes))
                outcome = take(lock, shared=not goes)
            except OSError as error:
                raise _failed(folder, error) from error
            if outcome == "held":
                raise _needed_by_another(each)
            seen.append(replace(each, lock=lock, goes=goes))
        for each in seen:  # nothing is taken away before all can be
            try:
                _prepare(each, settings, tell)
                if each.lock is not None:
                    take(each.lock, shared=True)
            except OSError as error:
                raise _failed(each.folder, error) from error
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is in one folder, and what becomes of it."""

    folder: Path
    cache: Path
    there: bool
    note: Note | None
    changes: tuple[str, ...]
    goes: bool = False
    lock: IO[str] | None = None


def _look_at(folder: Path, cache: Path, settings: Mapping[str, Any]) -> _Seen:
    note = read_note(_place(cache))
    changes = tuple(differences(note.settings, settings)) if note else ()
    return _Seen(folder=folder, cache=cache, there=_holds_something(cache), note=note, changes=changes)


def _prepare(seen: _Seen, settings: Mapping[str, Any], tell: Tell) -> None:
    """Takes away what is not wanted, then writes the note: killed in between, an empty cache has an old note."""
    _remove_leftovers(seen.cache)
    if seen.goes:
        if seen.changes:
            tell(f"The data in {seen.folder} is encoded anew: {'; '.join(seen.changes)}.", _TAKING_TURNS)
        _take_away(seen.cache)
    if seen.goes or not seen.there:
        note = Note(settings=settings, sure=True)
    else:
        note = seen.note or Note(settings=settings, sure=False)
    write_whole(_place(seen.cache), json.dumps(asdict(note), indent=2, ensure_ascii=False))
    if not note.sure:
        text = f"Data in {seen.folder} is encoded already, and it cannot be known with which settings."
        hint = "It is taken as it is. If it may have been other settings than these, set launch.regenerate_cache once."
        tell(text, hint)


_TAKING_TURNS = (
    "The trainer would have taken what is there without a word. Trainings that take turns with such settings encode "
    "each time: give each a folder of its own."
)


def read_note(place: Path) -> Note | None:
    """The note; None where there is none, or none that can be read."""
    try:
        note = Note(**json.loads(place.read_text("utf-8")))
        whole = note.version == _VERSION and isinstance(note.settings, dict) and isinstance(note.sure, bool)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return note if whole else None


def _place(cache: Path) -> Path:
    return cache.with_name(f"{cache.name}.encoded.json")


def _holds_something(cache: Path) -> bool:
    """Whether anything is encoded there, in a shard (utils/cache.py:101). Lists of files are checked by the trainer."""
    return any(cache.rglob("*.bin"))


def _needed_by_another(seen: _Seen) -> StepFailed:
    what = "; ".join(seen.changes) or "launch.regenerate_cache is set"
    text = f"another training uses what is encoded in {seen.folder}, and this one has to encode it anew: {what}"
    return StepFailed("DPC757", text, "Go on with --resume once it has ended, or give this job a folder of its own.")


def _failed(folder: Path, error: OSError) -> StepFailed:
    text = f"the cache in the dataset folder {folder} cannot be changed: {error.strerror or error}"
    return StepFailed("DPC751", text, "The trainer keeps what it encodes there. Let the worker write to all of it.")


def _take_away(cache: Path) -> None:
    """In one moment: a cache of which a part is gone would look whole to the trainer. A link keeps its target."""
    real = cache.resolve()
    names = (real.with_name(f".{real.name}.removed-{n}") for n in count())
    real.rename(next(name for name in names if not name.exists()))
    real.mkdir()
    _remove_leftovers(cache)


def _remove_leftovers(cache: Path) -> None:
    """What cannot be deleted takes room and harms nothing; it is tried again before the next training."""
    real = cache.resolve()
    for name in real.parent.glob(f".{escape(real.name)}.removed-*"):
        shutil.rmtree(name, ignore_errors=True)
