"""`dpcompile diff`: what differs in what two jobs, plans or training files will train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.commands.common import FINDINGS, OK, Common, compile_data, read_file, say, tell
from dpcompile.commands.trainerfiles import read_files
from dpcompile.comparing import Difference, Side, differences, of_files, of_plan
from dpcompile.diagnostics import Diagnostic
from dpcompile.importing.recognising import recognise
from dpcompile.importing.written import Files
from dpcompile.plan import PlanError
from dpcompile.plan import from_json as plan_from_json
from dpcompile.report import as_json, printable
from dpcompile.tomlfiles import TomlFile
from dpcompile.wording import quote


class _Unreadable(Exception):
    """A file that cannot be compared; its argument are the findings."""


def run(first: str, second: str, common: Common, *, form: str) -> int:
    """Compares two files; 1 when something differs, or one of them cannot be compared."""
    catalogue = common.catalogue()
    try:
        sides = [_side(name, common, catalogue) for name in (first, second)]
    except _Unreadable as error:
        tell(error.args[0])
        return FINDINGS
    found = list(differences(*sides))
    if form == "json":
        click.echo(as_json([each.to_json() for each in found]))
    else:
        for each in found:
            say(printable(f"{each.key}: {_shown(each, 'first')} -> {_shown(each, 'second')}"))
        click.echo(_summary(len(found)), err=True)
    return FINDINGS if found else OK


def _summary(count: int) -> str:
    if not count:
        return "they train the same"
    return f"{count} difference{'s' if count != 1 else ''} in what is trained"


def _shown(each: Difference, side: str) -> str:
    value, default = (each.first, each.first_is_default) if side == "first" else (each.second, each.second_is_default)
    if value is None:
        return "not set"
    return quote(value, 200) + (" (default)" if default else "")


def _side(name: str, common: Common, catalogue: Catalogue) -> Side:
    data = read_file(name)
    if isinstance(data, Diagnostic):
        raise _Unreadable([data])
    if name.lower().endswith(".toml"):
        return _of_toml(name, catalogue)
    plan = _as_plan(data)
    if plan is not None:
        try:
            return of_plan(plan_from_json(plan), catalogue)
        except PlanError as error:
            raise click.UsageError(f"{name} is no plan that can be read: {error}") from None
    result = compile_data(data, name, common, catalogue)
    if result.plan is None:
        raise _Unreadable(result.diagnostics)
    return of_plan(result.plan, catalogue)


def _as_plan(data: bytes) -> Mapping[str, Any] | None:
    """The plan in a file, if it seems to be one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and "steps" in value and "files" in value else None


def _of_toml(name: str, catalogue: Catalogue) -> Side:
    read = read_files(name, None, ())
    if read.files is None:
        raise _Unreadable(read.diagnostics)
    what = recognise(read.files.train.value, catalogue.foreign_keys())
    if what.kind == "dataset":
        nothing = TomlFile(file=name, value={}, text="", offsets={})
        return of_files(Files(train=nothing, dataset=read.files.train), catalogue)
    if what.kind == "other":
        raise click.UsageError(f"{name} is a config of {what.trainer}, which cannot be compared.")
    for _key, file in read.files.missing:
        click.echo(f"{name}: {file} was not found from here, and is not compared", err=True)
    return of_files(read.files, catalogue)
