"""`dpcompile check`: every finding of every job, at once."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dpcompile.commands.common import FINDINGS, OK, Common, compile_file, say, shown_name
from dpcompile.diagnostics import Diagnostic
from dpcompile.report import as_github, as_json, as_text, printable, summary, to_json


def run(jobs: Sequence[str], common: Common, *, form: str, strict: bool) -> int:
    """Checks all jobs. With `strict`, warnings are findings too."""
    catalogue = common.catalogue()
    found: list[Diagnostic] = []
    jobs = tuple(dict.fromkeys(jobs))
    for job in jobs:
        diagnostics = compile_file(job, common, catalogue).diagnostics
        found += [d for d in diagnostics if d not in found]
        if form == "text":
            _print(job, diagnostics)
    return _end(found, len(jobs), "job", form=form, strict=strict)


def run_toml(train: str, diagnostics: Sequence[Diagnostic], *, form: str, strict: bool) -> int:
    """Tells what was found in the trainer's own files."""
    if form == "text":
        _print(train, diagnostics)
    return _end(diagnostics, 1, "training", form=form, strict=strict)


def _print(name: str, diagnostics: Sequence[Diagnostic]) -> None:
    say(as_text(diagnostics) if diagnostics else f"{printable(shown_name(name))}: ok")


def _end(found: Sequence[Diagnostic], count: int, what: str, *, form: str, strict: bool) -> int:
    if form == "json":
        click.echo(as_json([to_json(d) for d in found]))
    elif form == "github" and found:
        click.echo(as_github(found))
    elif form == "text":
        click.echo(f"{summary(found)} in {count} {what}{'s' if count != 1 else ''}", err=True)
    stopping = ("error", "warning") if strict else ("error",)
    return FINDINGS if any(d.severity in stopping for d in found) else OK
