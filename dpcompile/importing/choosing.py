"""Which model spec the trainer's files mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.spec import ROOT_SPEC, ModelSpec, SpecFile, make_spec
from dpcompile.trainer import TrainerKeys

_WEIGHTS = (".safetensors", ".sft", ".pth", ".pt", ".bin", ".ckpt", ".gguf")


def candidates(model_type: object, catalogue: Catalogue) -> tuple[ModelSpec, ...]:
    """Every spec of one model type that means one training."""
    return tuple(spec for spec in _trainable(catalogue) if spec.toml_type == model_type)


def nearly(model_type: object, catalogue: Catalogue) -> tuple[ModelSpec, ...]:
    """The specs that a misspelt model type means: one in other letters, or the name of one of our specs."""
    wanted = _letters(model_type) if isinstance(model_type, str) else ""
    same = tuple(spec for spec in _trainable(catalogue) if _letters(spec.toml_type) == wanted)
    names = (spec for spec in _trainable(catalogue) if wanted in map(_letters, (spec.name, *spec.aliases)))
    return same or tuple(names)


def _trainable(catalogue: Catalogue) -> Iterator[ModelSpec]:
    for _name, spec, _found in catalogue.all():
        if spec is not None and "trainings" not in spec.merged:
            yield spec


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def likeness(spec: ModelSpec, others: Sequence[ModelSpec], model: Mapping[str, Any]) -> int:
    """How much the paths of a [model] table speak for one of several specs of its type.

    A name that is one of the spec's counts most; then each word that tells the specs apart, such as 14b or i2v.
    """
    paths = spec.merged.get("paths", {})
    shared = set(_names(paths)) & set(_names(model))
    common: set[str] = set.intersection(*map(_words, others))
    telling = _words(spec) - common
    return 4 * len(shared) + len(telling & {word for name in _names(model) for word in _split(name)})


def _words(spec: ModelSpec) -> set[str]:
    return {word for name in (spec.name, *spec.aliases, *_names(spec.merged.get("paths", {}))) for word in _split(name)}


def _split(name: str) -> set[str]:
    stem = next((name[: -len(ending)] for ending in _WEIGHTS if name.endswith(ending)), name)
    words = {word.strip(".") for word in re.split(r"[^a-z0-9.]+", stem)}
    # wan2.1 is a word, and 2.1 in it is one as well; so is 14b in wan14b.
    return words | {part for word in words for part in re.findall(r"\d+(?:\.\d+)?[a-z]*", word)} - {""}


def _names(node: Any) -> Iterator[str]:
    """The last part of each path, in small letters."""
    if isinstance(node, str):
        yield PurePosixPath(node.replace("\\", "/")).name.lower()
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def fork_yaml(model_type: str, model: Mapping[str, Any], base: SpecFile, catalogue: Catalogue) -> dict[str, Any]:
    """A model spec, as it would stand in a YAML file, for a model type that the trainer does not have.

    It takes whatever stands in the [model] table.
    """
    name = re.sub(r"[^a-z0-9._-]+", "_", model_type.lower()).strip("_.-") or "fork"
    name = name if catalogue.find(name) is None and name not in catalogue.names() else f"{name}_fork"
    fields = {
        key: {"description": "Read by the fork of the trainer that has this model type."}
        for key in model
        if key not in ("type", "dtype")
    }
    return {
        "name": name,
        "title": model_type,
        "extends": ROOT_SPEC,
        "toml_type": model_type,
        "media": {"images": True, "videos": True, "frame_rate": 16, "pixel_multiple": 16},
        "capabilities": dict.fromkeys(("lora", "lokr", "full_finetune", "float8"), True),
        "unread": dict.fromkeys(key for key in base.value.get("unread", {}) if key in fields),
        "fields": fields,
    }


def fork_spec(value: Mapping[str, Any], base: SpecFile, trainer: TrainerKeys) -> ModelSpec:
    """The model spec that `fork_yaml` describes."""
    name = str(value["name"])
    return make_spec((base, SpecFile(file=f"{name}.yaml", name=name, value=value, text="")), trainer)
