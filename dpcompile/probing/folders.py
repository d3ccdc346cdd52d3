"""One `[[directory]]` of a dataset file, read as the trainer lists it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcompile.inspection.extensions import NOT_MEDIA, TAR, WEBP, ending, is_video, looks_like_media, stem
from dpcompile.inspection.media import Captions, Folder, Item, Probe
from dpcompile.inspection.rules import Rules
from dpcompile.probing.captions import NONE, listed_captions, read_captions, read_captions_json
from dpcompile.probing.duplicates import duplicates
from dpcompile.probing.images import allow_large_images, probe_image
from dpcompile.probing.remembered import Remembered
from dpcompile.probing.tars import read_tar
from dpcompile.probing.videos import probe_video

Progress = Callable[[int, int], None]
"""Told how many files are done, and of how many. What it raises ends the probing."""


def _quiet(_done: int, _total: int) -> None:
    """For those who do not want to hear of it."""


_AT_ONCE = 64
"""Files that one task looks at: small enough for a smooth bar, large enough to cost nothing."""
_SLOW = 0.001
"""Seconds for a file: from here on threads help. Where files open faster they only get in each other's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """How to look at folders. `threads` wait for the disk or the network together, where that keeps one waiting."""

    store: Path | None = None
    """Where probes are kept for later runs; nowhere if None."""
    threads: int = 16
    trigger: str | None = None
    progress: Progress = _quiet
    clock: Callable[[], float] | None = None
    """Seconds that only grow: tells whether files have to be waited for. Without one they are taken to be."""

    def folder(self, rules: Rules, at: Callable[[str], str]) -> Folder:
        """Everything in a directory. `at` tells where a path of the dataset file lies on this machine."""
        missing = tuple(_missing(rules, at))
        path = Path(at(rules.path))
        if missing:
            return Folder(path=rules.path, missing=missing)
        return _Reading(self, rules, at, path).folder()


def _missing(rules: Rules, at: Callable[[str], str]) -> Iterator[str]:
    """What the trainer stops at with `Invalid path` (utils/dataset.py:486-493)."""
    for name in ("path", "mask_path", "control_path"):
        folder = getattr(rules, name)
        if folder is not None and not Path(at(folder)).is_dir():
            yield f"{name} {at(folder)} is not a folder"
    if rules.default_mask_file is not None and not Path(at(rules.default_mask_file)).is_file():
        yield f"default_mask_file {at(rules.default_mask_file)} is not a file"


class _Reading:
    """The reading of one folder: what all its files are held against."""

    def __init__(self, prober: Prober, rules: Rules, at: Callable[[str], str], path: Path) -> None:
        self.prober, self.rules, self.path = prober, rules, path
        self.listed, self.problem = read_captions_json(path)
        self.masks = _stems(at, rules.mask_path)
        self.controls = _stems(at, rules.control_path)
        self.default_mask = None if rules.default_mask_file is None else at(rules.default_mask_file)
        self.remembered = Remembered(prober.store, str(path))
        self.names: frozenset[str] = frozenset()

    def folder(self) -> Folder:
        with os.scandir(self.path) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
        self.names = frozenset(entry.name for entry in there)
        media = [e.name for e in there if ending(e.name) not in NOT_MEDIA and e.is_file()]
        found, broken = self._items(media)
        self.remembered.save()
        return Folder(
            path=self.rules.path,
            items=tuple(found),
            captions_json=self.listed is not None,
            captions_problem=self.problem,
            unused_captions=self._unused_captions(media),
            subfolders=tuple(e.name for e in there if e.is_dir() and _has_media(e)),
            broken_tars=tuple(broken),
            duplicates=duplicates(self.path, {item.path: item.probe for item in found if item.probe.size}),
        )

    def _items(self, media: list[str]) -> tuple[list[Item], list[str]]:
        allow_large_images()
        found: list[Item] = []
        broken: list[str] = []
        for n, (items, failed) in enumerate(self._in_order(media)):
            found += items
            broken += failed
            self.prober.progress(min((n + 1) * _AT_ONCE, len(media)), len(media))
        return found, broken

    def _in_order(self, media: list[str]) -> Iterator[tuple[list[Item], list[str]]]:
        """What `_some` returns, task by task; in threads from the first task on that had to wait."""
        tasks = [media[n : n + _AT_ONCE] for n in range(0, len(media), _AT_ONCE)]
        while tasks and self.prober.clock is not None:
            task, start = tasks.pop(0), self.prober.clock()
            result = self._some(task)
            slow = self.prober.clock() - start > _SLOW * len(task)
            yield result
            if slow:
                break
        if not tasks:
            return
        with ThreadPoolExecutor(self.prober.threads) as pool:
            try:
                yield from pool.map(self._some, tasks)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _some(self, names: Iterable[str]) -> tuple[list[Item], list[str]]:
        found: list[Item] = []
        broken: list[str] = []
        for name in names:
            if ending(name) == TAR:
                members = read_tar(self.path / name)
                if members is None:
                    broken.append(name)
                    continue
                for member, probe in members:
                    found.append(self._item(f"{name}/{member}", member, self._listed(member), probe))
            else:
                found.append(self._item(name, name, self._captions(name), self._probe(name, self.path / name)))
        return found, broken

    def _item(self, path: str, name: str, captions: Captions, probe: Probe) -> Item:
        mask, control = self.masks.get(stem(name), self.default_mask), self.controls.get(stem(name))
        return Item(
            path=path,
            name=name,
            captions=captions,
            probe=probe,
            mask=None if mask is None else Path(mask).name,
            mask_probe=None if mask is None else self._probe(f"mask:{mask}", Path(mask), as_image=True),
            control=None if control is None else Path(control).name,
            control_probe=None if control is None else self._probe(f"control:{control}", Path(control), as_image=True),
        )

    def _listed(self, name: str) -> Captions:
        return NONE if self.listed is None else listed_captions(self.listed, name, self.prober.trigger)

    def _captions(self, name: str) -> Captions:
        if self.listed is not None:
            return self._listed(name)
        text = f"{stem(name)}.txt"
        return read_captions(f"{self.path}/{text}", self.prober.trigger) if text in self.names else NONE

    def _probe(self, name: str, path: Path, *, as_image: bool = False) -> Probe:
        """The probe of a file. Masks and control files are opened as images whatever they are called."""
        try:
            stat = path.stat()
            if known := self.remembered.get(name, stat):
                return known
            if is_video(path.name) and not as_image:
                probe = probe_video(str(path), path.name, stat.st_size)
            else:
                with path.open("rb") as file:
                    probe = probe_image(file)
                if probe.error and stat.st_size and ending(name) == WEBP:
                    probe = _as_animation(str(path), probe, stat.st_size)
        except OSError as error:
            return Probe(error=error.strerror or str(error), size=1)
        self.remembered.put(name, stat, probe)
        return probe

    def _unused_captions(self, media: list[str]) -> int:
        texts = {name for name in self.names if ending(name) == ".txt"}
        if self.listed is not None:
            return len(texts)
        return len(texts - {f"{stem(name)}.txt" for name in media})


def _as_animation(path: str, image: Probe, size: int) -> Probe:
    """A video that is called .webp: the trainer's reader of these takes it, and finds more than one picture."""
    video = probe_video(path, path, size)
    return image if video.error or not video.found_frames else Probe(pictures=video.found_frames, size=size)


def _stems(at: Callable[[str], str], folder: str | None) -> Mapping[str, str]:
    """Stem -> path of each file in a folder of masks or control images; their endings do not matter."""
    if folder is None:
        return {}
    with os.scandir(at(folder)) as entries:
        return {stem(e.name): e.path for e in sorted(entries, key=_name) if e.is_file()}


def _name(entry: os.DirEntry[Any]) -> str:
    return str(entry.name)


def _has_media(folder: os.DirEntry[str]) -> bool:
    """Whether media lie directly in a folder, other than the one with the trainer's cache."""
    if folder.name == "cache":
        return False
    try:
        with os.scandir(folder.path) as entries:
            return any(looks_like_media(entry.name) for entry in entries)
    except OSError:
        return False
