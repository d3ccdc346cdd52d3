"""`dpcompile inspect`: the dataset as the trainer will see it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dpcompile.commands.common import FINDINGS, OK, Common, compile_file, exit_code, say, screen_width, tell, wrapped
from dpcompile.commands.inspect_toml import toml_subject
from dpcompile.diagnostics import Diagnostic
from dpcompile.examine import Examiner, Place, TrainingFiles, refused
from dpcompile.inspection.inspected import Inspection, to_json
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.page import Shown, captioned, key, page, pictured
from dpcompile.inspection.rules import Refused
from dpcompile.inspection.saying import Wishes
from dpcompile.inspection.text import as_text
from dpcompile.inspectplan import facts_of, inspect_args, split_as_planned, trainings_of, wishes_of
from dpcompile.plan import Plan
from dpcompile.probing.captions import caption_texts
from dpcompile.probing.folders import Prober
from dpcompile.probing.thumbnails import thumbnail
from dpcompile.report import as_json, place, printable, summary
from dpcompile.report import to_json as diagnostic_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the media lie on this machine. `at` are pairs of a path of the job and the folder it is here."""

    images: str | None = None
    videos: str | None = None
    eval_images: str | None = None
    eval_videos: str | None = None
    at: tuple[tuple[str, str], ...] = ()

    def folder(self, role: str, media: str) -> tuple[str, str | None]:
        """The option for one folder of a job, and what it says."""
        name = media if role == "train" else f"eval_{media}"
        return f"--{name.replace('_', '-')}", getattr(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is inspected: trainings, the model's facts, and where the folders lie."""

    trainings: tuple[TrainingFiles, ...]
    facts: ModelFacts
    wishes: Wishes
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFiles:
    """The trainer's own files, to be inspected instead of a job."""

    dataset: str
    train: str
    model: str | None
    gpus: int


def run(
    job: str | None, toml: TomlFiles | None, common: Common, sources: Sources, *, form: str, html: str | None
) -> int:
    """Inspects a job, or the trainer's own files, and prints what will come of the data."""
    _need_libraries()
    subject = _job_subject(job, common, sources) if toml is None else _toml_subject(toml, common, sources)
    if isinstance(subject, int):
        return subject
    progress = _Bar(sys.stderr.isatty())
    prober = Prober(store=_store(), progress=progress, clock=time.monotonic)
    examiner = Examiner(subject.facts, subject.wishes, prober, subject.place)
    found: list[Inspection] = []
    stopped: list[Diagnostic] = []
    for training in subject.trainings:
        try:
            found.append(examiner.examine(training))
        except Refused as error:
            stopped.append(refused(error, training.dataset.file))
    progress.clear()
    diagnostics = tuple(dict.fromkeys([*stopped, *(d for each in found for d in each.diagnostics)]))
    _print(found, diagnostics, form, subject.place.shown)
    if html is not None and found:
        _write_page(html, found, subject)
    return exit_code(diagnostics)


def _need_libraries() -> None:
    for library in ("PIL", "av"):
        try:
            __import__(library)
        except ImportError:
            text = "inspect looks into media and needs Pillow and PyAV: pip install 'dpcompile[inspect]'"
            raise click.ClickException(text) from None


def _store() -> Path:
    """Where probes are remembered: the folder that the machine has for such files."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "dpcompile" / "probes"


def _job_subject(job: str | None, common: Common, sources: Sources) -> Subject | int:
    if job is None:
        raise click.UsageError("Name a job, or the trainer's files with --toml and --train.")
    result = compile_file(job, common, common.catalogue())
    tell(result.diagnostics)
    if result.plan is None:
        return FINDINGS
    return Subject(
        trainings=trainings_of(result.plan),
        facts=facts_of(result.plan),
        wishes=wishes_of(result.plan),
        place=_job_place(result.plan, sources),
    )


def _job_place(plan: Plan, sources: Sources) -> Place:
    args = inspect_args(plan)
    here = dict(sources.at)
    for folder in args["folders"]:
        if folder["media"] is None:
            continue  # it lies where the job says, or where --at does
        option, given = sources.folder(folder["role"], folder["media"])
        if given is not None:
            here[folder["path"]] = given
        elif not Path(folder["path"]).is_dir():
            text = f"The job has {'evaluation ' if folder['role'] == 'eval' else ''}{folder['media']}"
            raise click.UsageError(f"{text}: name their folder with {option}.")
    done = {split["from"] for split in args["split"] if Path(split["to"]).is_dir()}
    here |= {
        split["to"]: here.get(split["from"], split["from"]) for split in args["split"] if split["from"] not in done
    }
    keep = split_as_planned(plan)
    return Place(
        at=lambda path: here.get(path, path),
        shown=lambda path: here.get(path, path),
        keep=lambda path, folder: folder if done else keep(path, folder),
    )


def _toml_subject(toml: TomlFiles, common: Common, sources: Sources) -> Subject | int:
    read = toml_subject(toml.dataset, toml.train, toml.model, toml.gpus, common.catalogue())
    if not isinstance(read, tuple):
        tell([read])
        return FINDINGS
    facts, files = read
    at = _below(dict(sources.at))
    return Subject(trainings=(files,), facts=facts, wishes=Wishes(), place=Place(at=at, shown=at))


def _below(here: Mapping[str, str]) -> Callable[[str], str]:
    return lambda path: here.get(path.rstrip("/"), here.get(path, path))


class _Bar:
    """How far the reading is, on a terminal."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def __call__(self, done: int, total: int) -> None:
        if self.shown and total > 1000:
            full = 40 * done // total
            click.echo(f"\rlooking at files [{'#' * full:.<40}] {done}/{total}", nl=False, err=True)

    def clear(self) -> None:
        if self.shown:
            click.echo("\r" + " " * 78 + "\r", nl=False, err=True)


def _print(
    found: Sequence[Inspection], diagnostics: Sequence[Diagnostic], form: str, shown: Callable[[str], str]
) -> None:
    if form == "json":
        click.echo(as_json(_json(found, diagnostics, shown)))
        return
    for inspection in found:
        say(printable_lines(as_text(inspection, screen_width())) + "\n")
    for each in diagnostics:
        text = f"{place(each)}: {each.severity} {each.code}: {printable(each.message)}"
        say(wrapped(text, later="  "))
        if each.hint:
            say(wrapped(f"    {printable(each.hint)}", later="    "))
    click.echo(summary(diagnostics), err=True)


def printable_lines(text: str) -> str:
    """Lines without what a name of a file could send to the terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _json(
    found: Sequence[Inspection], diagnostics: Sequence[Diagnostic], shown: Callable[[str], str]
) -> dict[str, Any]:
    """One object for one training; with several, each in a list."""
    told = [diagnostic_json(each) for each in diagnostics]
    if len(found) == 1:
        return {**to_json(found[0], shown), "diagnostics": told}
    return {
        "trainings": [
            {**to_json(each, shown), "diagnostics": [diagnostic_json(d) for d in each.diagnostics]} for each in found
        ],
        "diagnostics": told,
    }


def _write_page(html: str, found: Sequence[Inspection], subject: Subject) -> None:
    pictures: dict[str, str] = {}
    captions: dict[str, Sequence[str]] = {}
    for inspection in found:
        for report in inspection.reports:
            for directory, verdict in pictured(report, inspection):
                path = Path(subject.place.at(directory.rules.path)) / verdict.item.path
                if (made := thumbnail(path)) is not None:
                    pictures[key(directory, verdict)] = made
            for directory, verdict in captioned(report):
                folder = Path(subject.place.at(directory.rules.path))
                captions[key(directory, verdict)] = caption_texts(folder, verdict.item.name)
    shown = Shown(pictures=pictures, captions=captions, trigger=subject.wishes.trigger)
    try:
        Path(html).write_text(page(found, shown), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.ClickException(f"{html} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {html}", err=True)


__all__ = ["OK", "Sources", "TomlFiles", "run"]
