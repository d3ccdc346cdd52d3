"""`dpcompile init`: a small, valid starter job."""

from __future__ import annotations

from typing import Any

import click

from dpcompile.commands.common import FINDINGS, OK, Common, tell
from dpcompile.report import as_json
from dpcompile.resources import DataDirs
from dpcompile.spec import ModelSpec


def run(model: str, common: Common) -> int:
    """Prints the job."""
    catalogue = common.catalogue()
    spec = catalogue.find(model)
    if spec is None:
        broken = catalogue.load(model)[1] if model in catalogue.names() else catalogue.problems()
        tell(broken)
        click.echo("{}. {}".format(*catalogue.unknown_model(model)), err=True)
        return FINDINGS
    click.echo(as_json(starter_job(spec, DataDirs.default())))
    click.echo(
        f"For an editor that knows what {spec.name} takes: dpcompile schema job --model {spec.name} > job.schema.json",
        err=True,
    )
    return OK


def starter_job(spec: ModelSpec, dirs: DataDirs) -> dict[str, Any]:
    """A job with the few fields most people set. `$schema` is this installation's own schema file."""
    kind = "images" if spec.media.images else "videos"
    defaults = spec.merged["defaults"]
    sizes = defaults["dataset"]["resolutions"]
    training = {
        "epochs": defaults["root"]["epochs"],
        "learning_rate": defaults["optimizer"]["lr"],
        "lora_rank": defaults["adapter"]["rank"],
        "resolution": sizes[0] if len(sizes) == 1 else sizes,
    }
    if kind == "videos":
        training["frame_buckets"] = defaults["dataset"]["frame_buckets"]
    return {
        "$schema": (dirs.schemas / "job.schema.json").as_uri(),
        "model_type": spec.name,
        "dataset": {
            "type": kind,
            f"{kind}_url": f"https://example.com/my-{kind}.zip",
            "trigger_word": "ohwx",
        },
        "training": training,
        "output": {"method": "volume"},
    }
