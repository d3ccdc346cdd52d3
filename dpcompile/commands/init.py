"""`dpcompile init`: a small, valid starter job."""

from __future__ import annotations

from typing import Any

import click

from dpcompile.commands.common import FINDINGS, OK, Common, tell
from dpcompile.report import as_json
from dpcompile.resources import DataDirs
from dpcompile.spec import ModelSpec, merge
from dpcompile.values import is_number


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
    return {
        "$schema": (dirs.schemas / "job.schema.json").as_uri(),
        "model_type": spec.name,
        "dataset": {
            "type": kind,
            f"{kind}_url": f"https://example.com/my-{kind}.zip",
            "trigger_word": "ohwx",
        },
        "training": _usual_settings(spec, kind),
        "output": {"method": "volume"},
    }


def _usual_settings(spec: ModelSpec, kind: str) -> dict[str, Any]:
    """What most people change, with the values that hold anyway."""
    defaults = merge(spec.merged["defaults"], spec.merged.get("defaults_with_adapter", {}))
    dataset = defaults["dataset"]
    settings = {
        "epochs": defaults["root"]["epochs"],
        "learning_rate": defaults["optimizer"]["lr"],
        "lora_rank": defaults["adapter"]["rank"],
    }
    if "resolutions" in dataset:
        sizes = dataset["resolutions"]
        settings["resolution"] = sizes[0] if len(sizes) == 1 and is_number(sizes[0]) else sizes
    for name in ("size_buckets", "frame_buckets") if kind == "videos" else ("size_buckets",):
        if name in dataset:
            settings[name] = dataset[name]
    return settings
