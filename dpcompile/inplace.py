"""Folders that are trained where they lie, `dataset.directories`, and sets to evaluate on, `dataset.eval.sets`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.job import JobInput
from dpcompile.wording import quote

FETCHED_EVAL = "eval"
"""Name of the evaluation set that is fetched or split off."""

_CONTROL = r"[\x00-\x1f\x7f]"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One folder that becomes a `[[directory]]`. `field` is its place in the job, `settings` all but its path."""

    path: str
    field: tuple[str | int, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySet:
    """The directories of one dataset file. `part` is the first segment of its keys, and the stem of its file."""

    part: str
    name: str
    field: tuple[str | int, ...]
    directories: tuple[Directory, ...]
    settings: Mapping[str, Any]
    """What an evaluation set says for all its directories."""


def trained_in_place(job: JobInput) -> tuple[Directory, ...]:
    """The folders of `dataset.directories`."""
    return _directories(job.get("dataset", "directories"), ("dataset", "directories"))


def eval_sets(job: JobInput) -> tuple[DirectorySet, ...]:
    """The sets of `dataset.eval.sets`, each with a dataset file of its own."""
    place = ("dataset", "eval", "sets")
    sets = []
    for n, given in enumerate(_tables(job.get(*place))):
        own = {k: v for k, v in given.items() if k not in ("name", "directories")}
        field = (*place, n)
        sets.append(
            DirectorySet(
                part=f"eval.{n + 1}",
                name=_text(given.get("name")),
                field=field,
                directories=_directories(given.get("directories"), (*field, "directories")),
                settings=own,
            )
        )
    return tuple(sets)


def _text(value: Any) -> str:
    """Empty for what is no text, which the schema of the job has told."""
    return value if isinstance(value, str) else ""


def _tables(value: Any) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, Mapping) else {} for item in items]


def _directories(value: Any, place: tuple[str | int, ...]) -> tuple[Directory, ...]:
    return tuple(
        Directory(
            path=_text(given.get("path")),
            field=(*place, n),
            settings={k: v for k, v in given.items() if k != "path"},
        )
        for n, given in enumerate(_tables(value))
    )


def check_in_place(job: JobInput) -> Iterator[Diagnostic]:
    """What cannot be had for folders whose files are not touched, and what names them wrongly."""
    directories, sets = trained_in_place(job), eval_sets(job)
    if directories:
        yield from _at_odds(job)
    for folder in (*directories, *(d for each in sets for d in each.directories)):
        if re.search(_CONTROL, folder.path) or re.match(_SCHEME, folder.path):
            file, where = job.place((*folder.field, "path"))
            text = f"{quote(folder.path)} is not the path of a folder"
            hint = "Folders that are trained in place lie on the volume; what is to be fetched goes into images_url."
            yield finding("DPC221", where, text, hint, file=file)
        elif folder.path and not folder.path.startswith("/"):
            file, where = job.place((*folder.field, "path"))
            text = f"path {quote(folder.path)} is relative: the trainer will look for it below its own folder"
            hint = "Write the whole path, as it is on the machine that trains."
            yield finding("DPC434", where, text, hint, file=file)
    names = {FETCHED_EVAL} if _fetches_eval(job) else set()
    for each in sets:
        if each.name and each.name in names:
            file, where = job.place((*each.field, "name"))
            text = f"two evaluation sets are called {quote(each.name)}: the trainer would keep one of them"
            yield finding("DPC235", where, text, "Give each a name of its own.", file=file)
        names.add(each.name)


def _fetches_eval(job: JobInput) -> bool:
    return any(job.get("dataset", "eval", name) for name in ("images_url", "videos_url", "fraction"))


def _at_odds(job: JobInput) -> Iterator[Diagnostic]:
    """Fields that would need the files of the folders to be moved or written."""
    kind = job.get("dataset", "type")
    if kind != "precaptioned":
        file, where = job.place(("dataset", "type"))
        text = f"the folders of dataset.directories bring their captions, but dataset.type is {quote(kind)}"
        hint = 'Set it to "precaptioned"; or name the folder in images_url, which is copied and captioned.'
        yield finding("DPC234", where, text, hint, file=file)
    remedies: dict[tuple[str, ...], str] = {
        ("images_url",): "Put what is fetched into a job of its own, or name its folder in directories.",
        ("videos_url",): "Put what is fetched into a job of its own, or name its folder in directories.",
        ("trigger_word",): f"Set training.dataset.caption_prefix to {_prefix(job)}.",
        ("eval", "fraction"): "Name a folder of its own in dataset.eval.sets.",
    }
    for below, hint in remedies.items():
        place = ("dataset", *below)
        if job.get(*place):
            file, where = job.place(place)
            text = f"{'.'.join(place)} does not go with dataset.directories, whose files stay as they are"
            yield finding("DPC234", where, text, hint, file=file)
    for name in ("image_repeats", "video_repeats"):
        if job.said(("dataset", name)):
            file, where = job.place(("dataset", name))
            text = f"{name} has no effect on dataset.directories"
            yield finding("DPC227", where, text, "Set num_repeats in each directory.", file=file)


def _prefix(job: JobInput) -> str:
    return quote(f"{job.get('dataset', 'trigger_word')}, ")
