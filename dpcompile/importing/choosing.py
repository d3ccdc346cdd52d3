"""Which model spec the trainer's files mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.spec import ROOT_SPEC, ModelSpec, SpecFile, make_spec
from dpcompile.trainer import TrainerKeys


def candidates(model_type: object, catalogue: Catalogue) -> tuple[ModelSpec, ...]:
    """Every spec of one model type that means one training."""
    return tuple(
        spec
        for _name, spec, _found in catalogue.all()
        if spec is not None and spec.toml_type == model_type and "trainings" not in spec.merged
    )


def shared_names(spec: ModelSpec, model: Mapping[str, Any]) -> int:
    """How many paths of a [model] table end like one of the spec's, which tells variants of one type apart."""
    return len(_last_parts(spec.merged.get("paths", {})) & _last_parts(model))


def _last_parts(node: Any) -> set[str]:
    if isinstance(node, str):
        return {PurePosixPath(node.replace("\\", "/")).name.lower()} - {""}
    if isinstance(node, Mapping):
        return {part for value in node.values() for part in _last_parts(value)}
    return {part for value in node for part in _last_parts(value)} if isinstance(node, list) else set()


def fork_yaml(model_type: str, model: Mapping[str, Any], base: SpecFile) -> dict[str, Any]:
    """A model spec, as it would stand in a YAML file, for a model type that the trainer does not have.

    It takes whatever stands in the [model] table.
    """
    fields = {
        name: {"description": "Read by the fork of the trainer that has this model type."}
        for name in model
        if name not in ("type", "dtype")
    }
    return {
        "name": model_type,
        "title": model_type,
        "extends": ROOT_SPEC,
        "toml_type": model_type,
        "media": {"images": True, "videos": True, "frame_rate": 16, "pixel_multiple": 16},
        "capabilities": dict.fromkeys(("lora", "lokr", "full_finetune", "float8"), True),
        "unread": dict.fromkeys(name for name in base.value.get("unread", {}) if name in fields),
        "fields": fields,
    }


def fork_spec(value: Mapping[str, Any], base: SpecFile, trainer: TrainerKeys) -> ModelSpec:
    """The model spec that `fork_yaml` describes."""
    name = str(value["name"])
    return make_spec((base, SpecFile(file=f"{name}.yaml", name=name, value=value, text="")), trainer)
