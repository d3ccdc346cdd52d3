"""`dpcompile import` of folders: every training file in them becomes a job, and a table tells what each was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.commands.common import FINDINGS, OK, read_file
from dpcompile.commands.imported import to_json, write_job
from dpcompile.commands.trainerfiles import Read, read_files, read_toml_file
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import parse_json, parse_yaml
from dpcompile.importing.importer import Imported
from dpcompile.importing.recognising import Recognised, recognise
from dpcompile.importing.report import Kind
from dpcompile.report import as_json, printable

_READ = (".toml", ".json", ".yaml", ".yml")
_COLUMNS: tuple[Kind, ...] = ("crash", "late", "unread", "inert")
_WORDS = {"dataset": "dataset file", "job": "a job already", "unknown": "no config that is known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One file of the folders. `report` is the JSON form of its import, where it was one."""

    file: str
    what: str
    report: Mapping[str, Any] | None = None
    counts: Mapping[str, int] | None = None
    failed: bool = False


def import_folder(
    sources: Sequence[str],
    convert: Callable[[Read], Imported | None],
    out: str | None,
    form: str,
    catalogue: Catalogue,
) -> int:
    """Imports what is found; with `out` the jobs are written there, by the names of their files."""
    rows: list[_Row] = []
    foreign = catalogue.foreign_keys()
    for root, file in _files(sources):
        row = _import(file, root, convert, out, foreign)
        if row is not None:
            rows.append(row)
    if form == "json":
        click.echo(as_json([{"file": r.file, "what": r.what, **(r.report or {})} for r in rows]))
    else:
        click.echo(_table(rows))
    return FINDINGS if not rows or any(row.failed for row in rows) else OK


def _files(sources: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """Each file, with the folder that its job's name counts from."""
    for source in sources:
        path = Path(source)
        if not path.is_dir():
            yield path.parent, path
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in _READ and file.is_file():
                yield path, file


def _import(
    file: Path,
    root: Path,
    convert: Callable[[Read], Imported | None],
    out: str | None,
    foreign: Mapping[str, Any],
) -> _Row | None:
    tree, broken = tree_of(file)
    if broken:
        found = [{"kind": "crash", "key": "", "message": d.message, "hint": d.hint, "line": d.line} for d in broken]
        text = f"not TOML, line {broken[0].line}: {broken[0].message}" if broken[0].line else broken[0].message
        return _Row(file=str(file), what=text, report={"job": None, "report": found}, failed=True)
    what = recognise(tree, foreign)
    if file.suffix.lower() != ".toml" and what.kind != "other":
        return None  # some other file of the folder
    if what.kind != "train":
        return _Row(file=str(file), what=_words(what))
    read = read_files(str(file), None, ())
    imported = convert(read)
    report = to_json(read, imported)
    counts = Counter(each["kind"] for each in report["report"])
    if imported is None:
        first = next(d for d in read.diagnostics if d.severity == "error")
        return _Row(file=str(file), what=f"{first.file}: {first.message}", report=report, counts=counts, failed=True)
    target = Path(out) / file.relative_to(root).with_suffix(".json") if out is not None else None
    written = target is None or write_job(imported, target)
    return _Row(
        file=str(file),
        what=imported.job["model_type"],
        report=report,
        counts=counts,
        failed=not written,
    )


def tree_of(file: Path) -> tuple[Any, tuple[Diagnostic, ...]]:
    """What a TOML, JSON or YAML file holds, or why a TOML file cannot be read; None for what else it cannot read."""
    if file.suffix.lower() == ".toml":
        read, found = read_toml_file(str(file))
        return (read.value if read else None), tuple(d for d in found if d.severity == "error") if read is None else ()
    data = read_file(str(file))
    if isinstance(data, Diagnostic):
        return None, ()
    parse = parse_json if file.suffix.lower() == ".json" else parse_yaml
    document, _found = parse(data, file=str(file))
    return (document.value if document else None), ()


def _words(what: Recognised) -> str:
    return f"of {what.trainer}" if what.kind == "other" else _WORDS[what.kind]


def _table(rows: Sequence[_Row]) -> str:
    if not rows:
        return "no TOML files here"
    cells: list[tuple[str, ...]] = [("file", "model or kind", *_COLUMNS)]
    for row in rows:
        counts = [str(row.counts[kind]) if row.counts and row.counts[kind] else "" for kind in _COLUMNS]
        if row.counts is not None and not row.failed:
            counts = [count or "-" for count in counts]
        cells.append((printable(row.file), printable(row.what), *counts))
    shown = [row for row in cells if len(row[1]) < 40]
    widths = [max(len(row[n]) for row in shown) for n in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    jobs = sum(1 for row in rows if row.counts is not None and not row.failed)
    flawed = sum(1 for row in rows if row.counts and not row.failed and any(row.counts[k] for k in _COLUMNS))
    broken = sum(1 for row in rows if row.failed)
    said = f"{jobs} of {len(rows)} files are trainings; in {flawed} of them something was wrong all along"
    lines += ["", said + (f"; {broken} cannot be read" if broken else "")]
    return "\n".join(lines)
