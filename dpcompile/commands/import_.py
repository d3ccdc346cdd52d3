"""`dpcompile import`: the trainer's own files become jobs, and a report tells what was wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from dpcompile.catalogue import Catalogue
from dpcompile.codes import finding
from dpcompile.commands.common import FINDINGS, OK, Common, tell, wrapped
from dpcompile.commands.importfolder import import_folder
from dpcompile.commands.trainerfiles import Read, read_files
from dpcompile.diagnostics import Diagnostic
from dpcompile.folders import DEFAULT_VOLUME
from dpcompile.importing.importer import Imported, import_files, summary
from dpcompile.importing.recognising import recognise
from dpcompile.importing.report import Entry
from dpcompile.report import as_json, place, printable
from dpcompile.spec import ModelSpec


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
    spec = _model(given.model, catalogue)
    volume = DEFAULT_VOLUME if common.volume is None else common.volume

    def one(train: str, dataset: str | None, evals: tuple[str, ...]) -> tuple[Read, Imported | None]:
        read = read_files(train, dataset, evals)
        if read.files is None:
            return read, None
        return read, import_files(read.files, catalogue, model=spec, volume=volume, keep_unread=given.keep_unread)

    if len(sources) > 1 or Path(sources[0]).is_dir():
        if given.dataset or given.evals:
            raise click.UsageError("--dataset and --eval go with one training file.")
        return import_folder(sources, lambda train: one(train, None, ()), given.out, given.form, catalogue)
    read, imported = one(sources[0], given.dataset, given.evals)
    if imported is not None and read.files is not None:
        _refuse_others(read.files.train.value, sources[0], catalogue)
    return _tell(read, imported, given)


def _model(name: str | None, catalogue: Catalogue) -> ModelSpec | None:
    if name is None:
        return None
    spec = catalogue.find(name)
    if spec is None:
        message, hint = catalogue.unknown_model(name)
        raise click.UsageError(f"{message}. {hint}")
    return spec


def _refuse_others(tree: Any, name: str, catalogue: Catalogue) -> None:
    """A file that is no training file of the trainer is not imported as if it were one."""
    what = recognise(tree, catalogue.foreign_keys())
    if what.kind == "dataset":
        raise click.UsageError(f"{name} is a dataset file: name the training file, and this one with --dataset.")
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


def to_json(read: Read, imported: Imported | None) -> dict[str, Any]:
    """The JSON form of an import (contract). What is no TOML is a crash, and there is no job then."""
    report = [_broken(found) for found in read.diagnostics]
    report += [each.to_json() for each in imported.entries] if imported else []
    made = {"job": imported.job if imported else None, "report": report}
    return made | ({"spec": imported.spec} if imported and imported.spec else {})


def _broken(found: Diagnostic) -> dict[str, Any]:
    return {
        "kind": "crash" if found.severity == "error" else "changed",
        "key": ".".join(found.path.split("/")[1:]),
        "message": found.message,
        "hint": found.hint,
        "code": found.code,
        "file": found.file,
        "line": found.line,
    }


_TITLES = {
    "crash": "Stops the trainer at once",
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
    click.echo("\n".join(lines).lstrip("\n"), err=err)


def _where(each: Entry) -> str:
    return f"{each.file}:{each.line}: {each.shown}" if each.line else f"{each.file}: {each.shown}"


def _entry_lines(where: str, message: str, hint: str) -> list[str]:
    lines = [wrapped(f"  {printable(where)}: {printable(message)}", later="    ")]
    return lines + ([wrapped(f"    {printable(hint)}", later="    ")] if hint else [])


def write_job(imported: Imported, file: Path) -> bool:
    """Writes the job, and the model spec of a fork beside it."""
    texts = {file: as_json(imported.job) + "\n"}
    if imported.spec is not None:
        text = yaml.safe_dump(imported.spec, sort_keys=False, allow_unicode=True)
        texts[file.parent / f"{file.stem}.specs" / f"{imported.spec['name']}.yaml"] = text
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.part")
            aside.write_text(text, encoding="utf-8", newline="\n")
            aside.replace(path)
        except OSError as error:
            message = f"the job cannot be written: {error.strerror or error}"
            tell([finding("DPC113", "", message, "Check the folder and the free space.", file=str(path))])
            return False
        click.echo(f"wrote {printable(str(path))}", err=True)
    return True
