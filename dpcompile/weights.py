"""What is known of the weight files that a training names: for the worker to look at before the trainer starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile.keypath import dotted
from dpcompile.planinput import Training
from dpcompile.trainer import TrainerKeys
from dpcompile.values import paths_in

_NOT_SCALED: Mapping[str, str] = {
    "without": r"(^|\.)(scale_input|scale_weight|weight_scale|comfy_quant|scaled_fp8)$",
    "why": "The trainer does not know weights quantised as fp8_scaled: it stops, or loads them without their scales.",
    "remedy": "Take the file in bfloat16, or in plain float8.",
}
"""What the trainer's own loaders do (utils/common.py:76-103); they refuse the first two names, and know no other."""


def weights_of(training: Training, trainer: TrainerKeys) -> list[dict[str, Any]]:
    """One entry for each file or folder, as the `weights` of a train step (schemas/plan.schema.json)."""
    return [*_model(training), *_adapter(training, trainer)]


def _model(training: Training) -> Iterator[dict[str, Any]]:
    for name, setting in training.config.table("train", "model").items():
        field = training.spec.fields.get(str(name))
        for inside, path, schema in paths_in(setting.value, field.schema if field else {}):
            yield _entry(("model", name, *inside), path, schema.get("x-weights", {}), training)


def _adapter(training: Training, trainer: TrainerKeys) -> Iterator[dict[str, Any]]:
    table = training.config.table("train", "adapter")
    for name, setting in table.items():
        field = trainer.scopes["adapter"].get(str(name))
        for inside, path, schema in paths_in(setting.value, field.schema if field else {}):
            entry = _entry(("adapter", name, *inside), path, schema.get("x-weights", {}), training)
            yield entry | (_earlier(training) if name == "init_from_existing" else {})


def _earlier(training: Training) -> dict[str, Any]:
    """What must hold for an adapter that training begins with (models/base.py:367-386, 709-728, models/flux.py:238)."""
    can = training.spec.capabilities
    same_shape = not can.get("init_replaces_adapter")
    return {
        "form": None if can.get("init_from_file") else "folder",
        "sole": True,
        "rank": training.config.get("train", "adapter", "rank") if same_shape else None,
    }


def _entry(key: tuple[str | int, ...], path: str, known: Mapping[str, Any], training: Training) -> dict[str, Any]:
    return {
        "key": dotted(key),
        "path": path,
        "form": known.get("form"),
        "sole": bool(known.get("sole")),
        "rank": None,
        "tensors": [_rule(rule) for rule in _rules(known) if _counts(rule, training)],
    }


def _rules(known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if not known.get("fp8_scaled", True):
        yield _NOT_SCALED
    yield from known.get("tensors", {}).values()


def _counts(rule: Mapping[str, Any], training: Training) -> bool:
    needed = all(_is_set(training, tuple(key.split("."))) for key in rule.get("when", ()))
    return needed and not any(_is_set(training, tuple(key.split("."))) for key in rule.get("unless", ()))


def _is_set(training: Training, key: tuple[str, ...]) -> bool:
    if len(key) == 1:
        return bool(training.config.table("train", *key))
    return training.config.get("train", *key) is not None


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    wanted = "with" in rule
    return {
        "pattern": rule["with" if wanted else "without"],
        "wanted": wanted,
        "why": rule["why"],
        "remedy": rule["remedy"],
        "severity": rule.get("severity", "error"),
    }
