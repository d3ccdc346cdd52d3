"""`dpcompile schema`: JSON Schemas for editors, narrowed to one model when it is named."""

from __future__ import annotations

import json
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.commands.common import FINDINGS, OK, Common, exit_code, tell
from dpcompile.fileschemas import dataset_schema, train_schema
from dpcompile.narrow import narrowed_job
from dpcompile.report import as_json
from dpcompile.spec import ModelSpec

KINDS = {
    "job": "job.schema.json",
    "spec": "model_spec.schema.json",
    "plan": "plan.schema.json",
    "train": "diffusion_pipe.train.schema.json",
    "dataset": "diffusion_pipe.dataset.schema.json",
}
NARROWED = ("job", "train", "dataset")
FILES = ("train", "dataset")


def run(kind: str, model: str | None, common: Common) -> int:
    """Prints the schema. Raises click.UsageError for a model where it makes no difference."""
    if model is not None and kind not in NARROWED:
        raise click.UsageError(f"--model narrows {', '.join(NARROWED)}; the schema of a {kind} is the same for all.")
    catalogue = common.catalogue()
    schema: dict[str, Any] = json.loads((catalogue.dirs.schemas / KINDS[kind]).read_text("utf-8"))
    if model is not None:
        return _for_one(kind, schema, model, catalogue)
    if kind not in FILES:
        click.echo(as_json(schema))
        return OK
    found = catalogue.problems()
    tell(found)
    click.echo(as_json(_for_files(kind, schema, [spec for _, spec, _ in catalogue.all() if spec], catalogue)))
    return exit_code(found)


def _for_one(kind: str, schema: dict[str, Any], model: str, catalogue: Catalogue) -> int:
    spec = catalogue.find(model)
    if spec is None:
        tell(catalogue.problems())
        click.echo("{}. {}".format(*catalogue.unknown_model(model)), err=True)
        return FINDINGS
    if kind == "job":
        click.echo(as_json(narrowed_job(schema, spec, catalogue)))
        return OK
    narrowed = _for_files(kind, schema, [spec], catalogue)
    click.echo(as_json({**narrowed, "title": f"{schema['title']}, for {spec.title}"}))
    return OK


def _for_files(kind: str, schema: dict[str, Any], specs: list[ModelSpec], catalogue: Catalogue) -> dict[str, Any]:
    make = train_schema if kind == "train" else dataset_schema
    return make(schema, catalogue.trainer, specs)
