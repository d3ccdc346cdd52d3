"""Jobs with several trainings on one dataset, such as the two experts of one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.folders import train_part
from dpcompile.keypath import KeyPath, dotted, pointer
from dpcompile.resolve import Dropped, ResolvedConfig, Setting
from dpcompile.similar import did_you_mean
from dpcompile.values import identical
from dpcompile.wording import kind, listing, quote

PARTS = "parts"
"""Name in `training` below which each training may have settings of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the trainings of a job. `names` are those of all of them; one training alone has no name."""

    name: str
    names: tuple[str, ...]


ONLY = Part(name="", names=())


def split_training(training: Any, part: Part) -> tuple[Any, Any]:
    """What a `training` says of all trainings, and what it says of this one alone (None if nothing)."""
    if not part.names or not isinstance(training, Mapping):
        return training, None
    own = training.get(PARTS)
    common = {name: value for name, value in training.items() if name != PARTS}
    return common, own.get(part.name) if isinstance(own, Mapping) else None


def check_parts(training: Any, part: Part, file: str, place: Sequence[str]) -> Iterator[Diagnostic]:
    """`parts` holds an object for trainings that the model has."""
    if not part.names or not isinstance(training, Mapping) or PARTS not in training:
        return
    hint = f"The trainings of this model are {listing(part.names, 'and')}."
    own, where = training[PARTS], (*place, PARTS)
    if not isinstance(own, Mapping):
        text = f"parts must be an object, with settings for each training, but is {kind(own)}"
        yield finding("DPC203", pointer(where), text, hint, file=file)
        return
    for name, value in own.items():
        if name not in part.names:
            text = f"this model has no training {quote(name)}"
            meant = f"{did_you_mean(name, part.names)} {hint}".strip()
            yield finding("DPC232", pointer((*where, name)), text, meant, file=file)
        elif not isinstance(value, Mapping):
            text = f"parts.{name} must be an object, but is {kind(value)}"
            yield finding("DPC203", pointer((*where, name)), text, file=file)


def combined(configs: Mapping[str, ResolvedConfig]) -> ResolvedConfig:
    """The configs of all trainings as one: `train.high.epochs` beside `train.low.epochs`, and one dataset."""
    settings: dict[KeyPath, Setting] = {}
    for name, config in configs.items():
        for key, setting in config.settings.items():
            settings[(train_part(name), *key[1:]) if key[0] == "train" else key] = setting
    # Files in order: the trainings, then the dataset, then the evaluation sets.
    ranks = {"train": 0, "dataset": 1, "eval": 2}
    ordered = sorted(settings.items(), key=lambda item: ranks[str(item[0][0]).partition(".")[0]])
    dropped: list[Dropped] = []
    for config in configs.values():
        dropped += [gone for gone in config.dropped if gone not in dropped]
    return ResolvedConfig(settings=dict(ordered), dropped=tuple(dropped))


def check_one_dataset(configs: Mapping[str, ResolvedConfig]) -> Iterator[Diagnostic]:
    """All trainings of a job read the same dataset file."""
    first, *others = configs.values()
    for other in others:
        for key in sorted({*first.settings, *other.settings}, key=dotted):
            mine, theirs = first.settings.get(key), other.settings.get(key)
            if key[0] == "train" or (mine and theirs and identical(mine.value, theirs.value)):
                continue
            origin = max((s.origin for s in (mine, theirs) if s), key=lambda o: o.layer in ("job", "set"))
            text = f"{dotted(key)} differs between the trainings of this job, which share one dataset"
            yield finding("DPC233", origin.pointer, text, "Set it for all of them.", file=origin.file)
