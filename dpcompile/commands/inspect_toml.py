"""The trainer's own TOML files, as they stand, for `dpcompile inspect --toml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.codes import finding
from dpcompile.commands.common import model_of
from dpcompile.commands.trainerfiles import read_toml_file
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.examine import DatasetFile, TrainingFiles, ranks
from dpcompile.importing.choosing import candidates, likeness
from dpcompile.inspection.media import ModelFacts, facts_from
from dpcompile.inspection.size import agreed, size_from
from dpcompile.keypath import dotted
from dpcompile.schema import problems, strict_validator
from dpcompile.spec import ModelSpec
from dpcompile.wording import listing

_TITLE_OF_SEVERAL = "this model"
_USED = (
    "micro_batch_size_per_gpu",
    "image_micro_batch_size_per_gpu",
    "eval_micro_batch_size_per_gpu",
    "eval_image_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
    "eval_gradient_accumulation_steps",
    "pipeline_stages",
    "epochs",
    "max_steps",
    "save_every_n_epochs",
    "save_every_n_steps",
    "save_every_n_examples",
    "checkpoint_every_n_epochs",
    "checkpoint_every_n_minutes",
    "eval_every_n_epochs",
    "eval_every_n_steps",
    "eval_every_n_examples",
    "map_num_proc",
)
"""What the inspection builds upon in train.toml: of these, wrong kinds of value are told."""


class _Unusable(Exception):
    """A file that cannot be inspected; its argument is the finding."""


def toml_subject(
    dataset: str, train: str, model: str | None, gpus: int, catalogue: Catalogue
) -> tuple[ModelFacts, TrainingFiles] | Diagnostic:
    """The model's facts and the files, or the first thing that is wrong with them."""
    try:
        table = _read(train)
        _check_train(table, train, catalogue)
        evals = tuple(_eval(n, each, train, catalogue) for n, each in enumerate(table.get("eval_datasets", ())))
        files = TrainingFiles(
            name="",
            train=table,
            dataset=_dataset("train", dataset, catalogue),
            evals=evals,
            ranks=ranks(gpus, table.get("pipeline_stages", 1)),
        )
        return _facts(table, train, model, catalogue), files
    except _Unusable as error:
        found = error.args[0]
        assert isinstance(found, Diagnostic)
        return found


def _read(name: str) -> dict[str, Any]:
    """What the trainer reads in a file, with its own parser."""
    file, found = read_toml_file(name)
    if file is None or has_errors(found):
        raise _Unusable(next(told for told in found if told.severity == "error"))
    return dict(file.value)


def _dataset(name: str, file: str, catalogue: Catalogue) -> DatasetFile:
    value = _read(file)
    schema = json.loads((catalogue.dirs.schemas / "diffusion_pipe.dataset.schema.json").read_text("utf-8"))
    for problem in problems(strict_validator(schema), value):
        if problem.keyword != "additionalProperties":  # keys that nothing reads change nothing that is counted
            raise _Unusable(_wrong(file, dotted(problem.path), problem.message))
    return DatasetFile(name=name, file=file, value=value)


def _wrong(file: str, key: str, message: str) -> Diagnostic:
    return finding("DPC614", "", message, f"Correct {key}." if key else "", file=file)


def _check_train(table: Mapping[str, Any], file: str, catalogue: Catalogue) -> None:
    fields = catalogue.trainer.scopes["root"]
    for name in _USED:
        if name in table and name in fields:
            for problem in problems(fields[name].validator, table[name]):
                raise _Unusable(_wrong(file, name, f"{name}: {problem.message}"))


def _eval(number: int, entry: Any, train: str, catalogue: Catalogue) -> DatasetFile:
    """An evaluation set; its path counts from where the trainer is started, else from the file itself."""
    if isinstance(entry, Mapping) and {"name", "config"} <= set(entry):
        name, config = str(entry["name"]), str(entry["config"])
    elif isinstance(entry, str):
        name, config = f"eval{number}", entry
    else:
        raise _Unusable(_wrong(train, "eval_datasets", "eval_datasets must hold tables with name and config"))
    beside = Path(train).parent / config
    return _dataset(name, config if Path(config).exists() or not beside.exists() else str(beside), catalogue)


def _facts(table: Mapping[str, Any], train: str, name: str | None, catalogue: Catalogue) -> ModelFacts:
    named = model_of(name, catalogue)
    if named is not None:
        return _of_spec(named)
    model = table.get("model")
    kind = model.get("type") if isinstance(model, Mapping) else None
    specs = candidates(kind, catalogue)
    if not specs:
        text = f"no model is known of the type {kind}" if kind else "there is no [model] type"
        raise _Unusable(_wrong(train, "model.type", text))
    assert isinstance(model, Mapping)
    alike = {spec.name: likeness(spec, specs, model) for spec in specs}
    likely = [spec for spec in specs if alike[spec.name] == max(alike.values())]
    facts = {_of_spec(spec, title=_TITLE_OF_SEVERAL) for spec in likely}
    if len(facts) > 1:
        names = listing(sorted(spec.name for spec in specs))
        raise click.UsageError(f"Models of the type {kind} differ in what they train on: say --model {names}.")
    return replace(facts.pop(), size=agreed([size_from(spec.size) for spec in likely]))


def _of_spec(spec: ModelSpec, title: str | None = None) -> ModelFacts:
    return facts_from(spec.media.of_files(), title or spec.title, spec.size)
