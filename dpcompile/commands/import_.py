"""`dpcompile import`: the trainer's own files become jobs, and a report tells what was wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.commands.common import FINDINGS, OK, Common, model_of, say, tell, wrapped
from dpcompile.commands.imported import to_json, write_job
from dpcompile.commands.importfolder import import_folder, tree_of
from dpcompile.commands.trainerfiles import Read, read_files
from dpcompile.diagnostics import Diagnostic
from dpcompile.importing.importer import Imported, import_files, summary
from dpcompile.importing.recognising import recognise
from dpcompile.importing.report import Entry
from dpcompile.report import as_json, place, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says beside the files."""

    dataset: str | None
    evals: tuple[str, ...]
    model: str | None
    out: str | None
    keep_unread: bool
    form: str


def run(sources: Sequence[str], common: Common, given: Given) -> int:
    """Imports one training file, or every one of some folders."""
    catalogue = common.catalogue()
    spec = model_of(given.model, catalogue)

    def convert(read: Read) -> Imported | None:
        if read.files is None:
            return None
        return import_files(read.files, catalogue, model=spec, volume=common.volume_root, keep_unread=given.keep_unread)

    if len(sources) > 1 or Path(sources[0]).is_dir():
        if given.dataset or given.evals:
            raise click.UsageError("--dataset and --eval go with one training file.")
        return import_folder(sources, convert, given.out, given.form, catalogue)
    _refuse_other_forms(sources[0], catalogue)
    read = read_files(sources[0], given.dataset, given.evals)
    if read.files is not None:
        _refuse_others(read.files.train.value, sources[0], catalogue)
    return _tell(read, convert(read), given)


def _refuse_other_forms(name: str, catalogue: Catalogue) -> None:
    """A file in JSON or YAML is a job, or a config of another trainer."""
    if Path(name).suffix.lower() in (".json", ".yaml", ".yml"):
        tree, _broken = tree_of(Path(name))
        what = recognise(tree, catalogue.foreign_keys())
        kind = f"a config of {what.trainer}" if what.kind == "other" else "a job already" if what.kind == "job" else ""
        if kind:
            raise click.UsageError(f"{name} is {kind}, not a TOML file of diffusion-pipe.")


def _refuse_others(tree: Any, name: str, catalogue: Catalogue) -> None:
    """A file that is no training file of the trainer is not imported as if it were one."""
    what = recognise(tree, catalogue.foreign_keys())
    if what.kind == "dataset":
        raise click.UsageError(f"{name} is a dataset file: name the training file, and this one with --dataset.")
    if what.kind == "unknown":
        raise click.UsageError(f"{name} is no training file of diffusion-pipe: it has neither [model] nor [optimizer].")
    if what.kind == "other":
        raise click.UsageError(f"{name} is a config of {what.trainer}, not of diffusion-pipe, and cannot be imported.")


def _tell(read: Read, imported: Imported | None, given: Given) -> int:
    if given.form == "json":
        click.echo(as_json(to_json(read, imported)))
    elif imported is None:
        tell(read.diagnostics)
    if imported is None:
        return FINDINGS
    if given.form == "text":
        to_screen = given.out is not None
        _print_report(read.diagnostics, imported, err=not to_screen)
        if given.out is None:
            click.echo(as_json(imported.job))
    written = given.out is None or write_job(imported, Path(given.out))
    return OK if written else FINDINGS


_TITLES = {
    "crash": "Stops the trainer before it encodes anything",
    "late": "Stops the trainer later, or trains something else",
    "unread": "Never read by the trainer",
    "inert": "Has no effect",
    "changed": "Not in the job, or in another way",
    "kept": "Kept as it is",
}


def _print_report(found: Sequence[Diagnostic], imported: Imported, *, err: bool) -> None:
    lines: list[str] = []
    for told in found:
        lines += _entry_lines(place(told), told.message, told.hint)
    for kind, title in _TITLES.items():
        entries = [each for each in imported.entries if each.kind == kind]
        if entries:
            lines += ["", f"{title}:"]
        for each in entries:
            lines += _entry_lines(_where(each), each.message, each.hint)
    lines += ["", f"{imported.job['model_type']}: {summary(imported.entries)}"]
    say("\n".join(lines).lstrip("\n"), err=err)


def _where(each: Entry) -> str:
    return f"{each.file}:{each.line}: {each.shown}" if each.line else f"{each.file}: {each.shown}"


def _entry_lines(where: str, message: str, hint: str) -> list[str]:
    lines = [wrapped(f"  {printable(where)}: {printable(message)}", later="    ")]
    return lines + ([wrapped(f"    {printable(hint)}", later="    ")] if hint else [])
