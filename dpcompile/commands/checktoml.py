"""`dpcompile check --toml`: the checks of jobs, for the trainer's own files."""

from __future__ import annotations

import click

from dpcompile.commands.common import Common
from dpcompile.commands.trainerfiles import read_files
from dpcompile.diagnostics import Diagnostic
from dpcompile.folders import DEFAULT_VOLUME
from dpcompile.importing.importer import import_files


def findings(
    train: str, dataset: str | None, evals: tuple[str, ...], model: str | None, common: Common
) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the files, each with its place in them."""
    catalogue = common.catalogue()
    spec = None
    if model is not None and (spec := catalogue.find(model)) is None:
        message, hint = catalogue.unknown_model(model)
        raise click.UsageError(f"{message}. {hint}")
    read = read_files(train, dataset, evals)
    if read.files is None:
        return read.diagnostics
    own = read.files.train.file
    volume = DEFAULT_VOLUME if common.volume is None else common.volume
    imported = import_files(read.files, catalogue, model=spec, volume=volume)
    told = [each.told for each in imported.entries if each.told is not None]
    found = dict.fromkeys((*read.diagnostics, *told))
    return tuple(sorted(found, key=lambda d: (d.file != own, d.file or "", d.line or 0)))
