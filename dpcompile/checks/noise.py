"""Noise levels: the range that is trained, and what the trainer draws from within it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.wording import listing, quote

LEVELS = 10_000
"""So many the trainer computes once, and then draws from those that are within the range (utils/common.py:133-137)."""
_FEW = 100
_DRAWN_BY = ("timestep_sample_method", "sigmoid_scale", "shift", "flux_shift")
_FLUX_SHIFTS = tuple(math.exp(mu) for mu in (0.5, 0.8, 1.15, 2.0))
"""`flux_shift` grows with the size of the media, from 256 pixels a side to 1536 (utils/common.py:119-122)."""


def timestep_range(facts: Facts) -> Iterator[Diagnostic]:
    """min_t >= max_t leaves nothing to sample from: RuntimeError at the first step (utils/common.py:149-160)."""
    low, high = facts.in_model("min_t"), facts.in_model("max_t")
    if low is None or high is None or low < high:
        return
    asked = [name for name in ("min_t", "max_t") if facts.asked("train", "model", name)]
    of_spec = f" of the model spec {facts.spec.name}"
    text = f"min_t {low}{of_spec if asked == ['max_t'] else ''} is not below "
    text += f"max_t {high}{of_spec if asked == ['min_t'] else ''}: no timestep is left to train on"
    own = facts.spec.merged.get("defaults", {}).get("model", {})
    hint = "Use 0 <= min_t < max_t <= 1, for example "
    hint += f"min_t {own.get('min_t', 0.0)} and max_t {own.get('max_t', 0.875)}."
    if asked == ["min_t"]:
        hint = f"Set min_t below {high}."
    elif asked == ["max_t"]:
        hint = f"Set max_t above {low}."
    yield facts.at("DPC417", ("train", "model", asked[0] if asked else "max_t"), text, hint)


def drawn_levels(facts: Facts) -> Iterator[Diagnostic]:
    """Levels are computed first and cut to the range then, which may leave few or none (models/wan/wan.py:352-361)."""
    if not {"min_t", "max_t", *_DRAWN_BY} <= facts.spec.fields.keys():
        return
    low, high = facts.in_model("min_t") or 0.0, facts.in_model("max_t")
    high = 1.0 if high is None else high
    given = {name: facts.in_model(name) for name in _DRAWN_BY}
    left = levels_within(low, high, given)
    if left >= _FEW or low >= high:
        return
    asked = [name for name in (*_DRAWN_BY, "min_t", "max_t") if facts.asked("train", "model", name)]
    some = "none" if not left else f"only {left}"
    text = f"of the {LEVELS:,} noise levels that the trainer draws from, {some} {'lies' if left <= 1 else 'lie'} "
    text += f"between min_t {low} and max_t {high}: "
    text += "the run would fail at its first step" if not left else "nearly all of that range would never be trained"
    key = ("train", "model", asked[0] if asked else "min_t")
    yield facts.at("DPC458" if left else "DPC417", key, text, _remedy(low, high, given))


def _remedy(low: float, high: float, given: Mapping[str, Any]) -> str:
    """What one setting could be, and how many levels there are then."""
    ways = {
        "sigmoid_scale 1": {**given, "sigmoid_scale": 1.0},
        "no shift": {**given, "shift": None, "flux_shift": None},
        f"timestep_sample_method {quote('uniform')}": {**given, "timestep_sample_method": "uniform"},
    }
    counted = {way: levels_within(low, high, changed) for way, changed in ways.items()}
    told = [f"{count:,} with {way}" for way, count in counted.items() if count >= _FEW]
    return f"There would be {listing(told, 'or')}." if told else "Use a wider range."


def levels_within(low: float, high: float, given: Mapping[str, Any]) -> int:
    """How many of the trainer's levels lie in [low, high); the most where that depends on the size of the media.

    `given` are the [model] settings that decide which levels there are, None where the trainer's default holds.
    """
    shifts = (given["shift"],) if given["shift"] else _FLUX_SHIFTS if given["flux_shift"] else (1.0,)
    scale = 1.0 if given["sigmoid_scale"] is None else given["sigmoid_scale"]
    if given["timestep_sample_method"] == "uniform":
        scale = None
    if min(shifts) <= 0 or (scale is not None and scale <= 0):
        return LEVELS  # levels do not rise then, and this cannot count them
    return max(_first(high, scale, shift) - _first(low, scale, shift) for shift in shifts)


def _first(limit: float, scale: float | None, shift: float) -> int:
    """The number of the first level that is not below a limit: levels rise, as their quantiles do in equal steps.

    A shift adds its logarithm to a level's logit; without a scale the quantiles themselves are the levels.
    """
    if not 0 < limit < 1:
        return 0 if limit <= 0 else LEVELS
    logit = math.log(limit / (1 - limit)) - math.log(shift)
    quantile = (1 + math.tanh(logit / 2)) / 2 if scale is None else NormalDist().cdf(logit / scale)
    least, step = 1 / LEVELS, (1 - 2 / LEVELS) / (LEVELS - 1)
    return min(LEVELS, max(0, math.ceil((quantile - least) / step)))


CHECKS = (
    timestep_range,
    drawn_levels,
)
