"""`dpcompile check --toml`: the checks of jobs, for the trainer's own files."""

from __future__ import annotations

from dpcompile.commands.common import Common, model_of
from dpcompile.commands.trainerfiles import read_files
from dpcompile.diagnostics import Diagnostic
from dpcompile.importing.importer import import_files


def findings(
    train: str, dataset: str | None, evals: tuple[str, ...], model: str | None, common: Common
) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the files, each with its place in them."""
    catalogue = common.catalogue()
    spec = model_of(model, catalogue)
    read = read_files(train, dataset, evals)
    if read.files is None:
        return read.diagnostics
    own = read.files.train.file
    imported = import_files(read.files, catalogue, model=spec, volume=common.volume_root)
    told = [each.told for each in imported.entries if each.told is not None]
    found = dict.fromkeys((*read.diagnostics, *told))
    return tuple(sorted(found, key=lambda d: (d.file != own, d.file or "", d.line or 0)))
