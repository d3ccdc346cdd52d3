"""The range of noise levels, and how many of the trainer's levels lie within it."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.checks.noise import LEVELS, levels_within
from tests.unit.checks.support import JobCheck

UNIFORM = {"timestep_sample_method": "uniform", "sigmoid_scale": None, "shift": None, "flux_shift": None}


def literal(low: float, high: float, drawn: dict[str, Any]) -> int:
    """The trainer's list, level by level (utils/common.py:125-152, models/wan/wan.py:352-358)."""
    count = 0
    for n in range(LEVELS):
        quantile = 1 / LEVELS + n * (1 - 2 / LEVELS) / (LEVELS - 1)
        level = quantile
        if drawn["timestep_sample_method"] != "uniform":
            scale = 1.0 if drawn["sigmoid_scale"] is None else drawn["sigmoid_scale"]
            level = 1 / (1 + math.exp(-scale * NormalDist().inv_cdf(quantile)))
        if shift := drawn["shift"]:
            level = level * shift / (1 + (shift - 1) * level)
        count += low <= level < high
    return count


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([None, "logit_normal", "uniform"]),
    st.sampled_from([None, 0.3, 0.5, 1.0, 1.7, 4.0]),
    st.sampled_from([None, 0, 0.2, 1.0, 3.0, 12.0]),
)
def test_as_many_levels_as_the_trainer_s_list_has(
    one: float, other: float, method: str | None, scale: float | None, shift: float | None
) -> None:
    low, high = sorted((one, other))
    drawn = {"timestep_sample_method": method, "sigmoid_scale": scale, "shift": shift, "flux_shift": None}

    # The trainer's numbers have 24 bits, so levels at the very limits may be on the other side.
    assert abs(levels_within(low, high, drawn) - literal(low, high, drawn)) <= 2


@pytest.mark.parametrize("limit", [5e-324, 1e-300, 1 - 2**-53])
def test_limits_at_the_very_ends(limit: float) -> None:
    assert levels_within(0, limit, UNIFORM) in (0, LEVELS)


@pytest.mark.parametrize(
    ("model", "training", "said"),
    [
        ("wan22_t2v_high", {}, None),
        ("wan22_i2v_high", {}, None),
        ("wan22_t2v_high", {"sigmoid_scale": 0.5}, ("DPC417", "/training/sigmoid_scale", "none lies")),
        ("wan22_t2v_high", {"sigmoid_scale": 0.6}, ("DPC458", "/training/sigmoid_scale", "only 5 lie")),
        ("wan22_t2v_high", {"sigmoid_scale": 0.6, "shift": 3}, None),
        ("wan22_t2v_high", {"shift": 0.1}, ("DPC417", "/training/shift", "none lies")),
        ("wan22_t2v_high", {"timestep_sample_method": "uniform", "sigmoid_scale": None}, None),
        ("wan22_t2v_low", {"shift": 10000}, ("DPC417", "/training/shift", "none lies")),
        ("wan13", {"min_t": 0.98}, ("DPC417", "/training/min_t", "none lies")),
        ("wan13", {"min_t": 0.95, "flux_shift": True}, None),
        ("wan13", {"max_t": 0.01, "flux_shift": True}, ("DPC417", "/training/flux_shift", "none lies")),
        ("wan13", {"min_t": 0.4, "max_t": 0.41}, None),
    ],
)
def test_few_levels_or_none(
    check: JobCheck, model: str, training: dict[str, Any], said: tuple[str, str, str] | None
) -> None:
    found = check(model, training)

    assert [(d.code, d.path) for d in found.diagnostics] == ([said[:2]] if said else [])
    assert not said or said[2] in found.only.message


def test_the_hint_counts_what_one_other_setting_would_leave(check: JobCheck) -> None:
    hint = check("wan22_t2v_high", {"sigmoid_scale": 0.5}).only.hint

    assert hint == 'There would be 258 with sigmoid_scale 1 or 1,250 with timestep_sample_method "uniform".'
