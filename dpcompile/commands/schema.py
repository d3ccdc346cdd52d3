"""`dpcompile schema`: JSON Schemas for editors, narrowed to one model when it is named."""

from __future__ import annotations

import json
from typing import Any

import click

from dpcompile.commands.common import FINDINGS, OK, Common, tell
from dpcompile.narrow import narrowed_job, narrowed_train
from dpcompile.report import as_json
from dpcompile.resources import DataDirs

KINDS = {
    "job": "job.schema.json",
    "spec": "model_spec.schema.json",
    "plan": "plan.schema.json",
    "train": "diffusion_pipe.train.schema.json",
    "dataset": "diffusion_pipe.dataset.schema.json",
}
NARROWED = ("job", "train", "dataset")


def run(kind: str, model: str | None, common: Common) -> int:
    """Prints the schema. Raises click.UsageError for a model where it makes no difference."""
    schema: dict[str, Any] = json.loads((DataDirs.default().schemas / KINDS[kind]).read_text("utf-8"))
    if model is not None and kind not in NARROWED:
        raise click.UsageError(f"--model narrows {', '.join(NARROWED)}; the schema of a {kind} is the same for all.")
    if model is None:
        click.echo(as_json(schema))
        return OK
    catalogue = common.catalogue()
    spec = catalogue.find(model)
    if spec is None:
        tell(catalogue.problems())
        click.echo("{}. {}".format(*catalogue.unknown_model(model)), err=True)
        return FINDINGS
    if kind != "dataset":  # which has the same keys for all models
        schema = narrowed_job(schema, spec, catalogue) if kind == "job" else narrowed_train(schema, spec)
    click.echo(as_json(schema))
    return OK
