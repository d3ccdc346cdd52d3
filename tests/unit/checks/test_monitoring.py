"""wandb."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

NAMES = {"wandb_tracker_name": "loras", "wandb_run_name": "first"}
KEY = "0123456789abcdef0123456789abcdef01234567"


def test_both_names_are_needed(check: JobCheck) -> None:
    found = check("qwen", {"monitoring": {"enable_wandb": True}})

    assert found.places("DPC430") == ["/training/monitoring/enable_wandb"] * 2
    assert [d.hint for d in found.diagnostics] == [
        "Set monitoring.wandb_tracker_name.",
        "Set monitoring.wandb_run_name.",
    ]


def test_empty_name(check: JobCheck) -> None:
    assert check("qwen", {"monitoring": {**NAMES, "enable_wandb": True, "wandb_run_name": ""}}).codes == ["DPC430"]


@pytest.mark.parametrize(
    ("training", "place"),
    [
        ({"wandb_run_name": "first"}, "/training/wandb_run_name"),
        ({"monitoring": {"wandb_tracker_name": "loras"}}, "/training/monitoring/wandb_tracker_name"),
        ({"monitoring": {"wandb_api_key": KEY}}, "/training/monitoring/wandb_api_key"),
        ({"wandb_api_key": KEY}, "/training/wandb_api_key"),
    ],
)
def test_settings_while_it_is_off(check: JobCheck, training: dict[str, Any], place: str) -> None:
    found = check("qwen", training)

    assert (found.only.code, found.only.path) == ("DPC439", place)
    assert KEY not in found.only.message + found.only.hint


@pytest.mark.parametrize("monitoring", [None, {}, {**NAMES, "enable_wandb": True}, {**NAMES, "enable_wandb": False}])
def test_left_in_peace(check: JobCheck, monitoring: dict[str, Any] | None) -> None:
    assert check("qwen", {"monitoring": monitoring}).codes == []


def test_whether_it_is_on_is_not_known(check: JobCheck) -> None:
    assert check("qwen", {"monitoring": {**NAMES, "enable_wandb": "yes"}}).codes == ["DPC203"]
