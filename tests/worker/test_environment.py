"""Settings from the environment."""

from __future__ import annotations

import dataclasses
import operator
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.secrecy import SECRET_FIELDS, WANDB_ENV
from worker.environment import SettingsError, read_settings, variable
from worker.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({}) == Settings(environ={})
    assert read_settings({"DPCOMPILE_SAVE_MINUTES": " "}).save_minutes == Settings(environ={}).save_minutes


def test_each_kind_of_setting_is_read() -> None:
    read = read_settings(
        {
            "DPCOMPILE_ALLOW_PRIVATE_ADDRESSES": "Yes",
            "DPCOMPILE_TIME_LIMIT_MINUTES": "90",
            "DPCOMPILE_SAVE_MINUTES": "2.5",
        }
    )
    assert (read.allow_private_addresses, read.time_limit_minutes, read.save_minutes) == (True, 90.0, 2.5)
    assert read.environ["DPCOMPILE_SAVE_MINUTES"] == "2.5"


def test_what_is_given_comes_first() -> None:
    assert read_settings({"DPCOMPILE_REHEARSE": "no"}, rehearse=True).rehearse is True


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"DPCOMPILE_REHEARSE": "maybe", "DPCOMPILE_SAVE_MINUTES": "-1", "DPCOMPILE_STOP_MINUTES": "inf"})
    assert str(caught.value) == (
        "DPCOMPILE_REHEARSE must be true or false, but is 'maybe';"
        " DPCOMPILE_SAVE_MINUTES must be a number, 0 or more, but is '-1';"
        " DPCOMPILE_STOP_MINUTES must be a number, 0 or more, but is 'inf'"
    )


def test_a_variable_that_is_no_setting_is_told_with_the_one_that_is_meant() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"DPCOMPILE_TIME_LIMIT_MINUTE": "170", "DPCOMPILE_FETCH_MAX_FILES": "0"})
    assert str(caught.value) == (
        "DPCOMPILE_FETCH_MAX_FILES must be a whole number, 1 or more, but is '0';"
        " DPCOMPILE_TIME_LIMIT_MINUTE is not a setting. Did you mean DPCOMPILE_TIME_LIMIT_MINUTES?"
    )


def test_variables_that_others_read_are_left_to_them() -> None:
    others = {"DPCOMPILE_SPECS": "/specs", "DPCOMPILE_STANDIN": "nan@3", "DPCOMPILE_TRAINING": "x"}
    assert read_settings(others) == Settings(environ=others)


def all_settings(group: type[Any] = Settings, above: str = "") -> Iterator[tuple[str, Any]]:
    """Name -> default, of settings within settings too."""
    kinds = typing.get_type_hints(group)
    for setting in dataclasses.fields(group):
        if dataclasses.is_dataclass(kinds[setting.name]):
            yield from all_settings(kinds[setting.name], f"{above}{setting.name}.")
        elif setting.name != "environ":
            yield f"{above}{setting.name}", setting.default


@pytest.mark.parametrize(("name", "default"), list(all_settings()))
def test_every_setting_can_be_read_back_from_its_own_text(name: str, default: Any) -> None:
    assert default is not dataclasses.MISSING, "a setting has a default"
    if default is None or default == "":
        return
    other = default + 1 if type(default) in (int, float) else default
    read = read_settings({variable(name.replace(".", "_")): str(other)})
    assert operator.attrgetter(name)(read) == other


PAGE = (Path(__file__).parents[2] / "docs" / "worker.md").read_text("utf-8")
TABLE = dict(re.findall(r"^\| `(DPCOMPILE_\w+)` \| (.*?) ?\| .+ \|$", PAGE, re.MULTILINE))


def test_the_page_has_every_setting_with_its_default() -> None:
    told = {variable(name.replace(".", "_")): default for name, default in all_settings()}

    assert TABLE.keys() == told.keys()
    read = read_settings({name: text for name, text in TABLE.items() if text})
    assert dataclasses.replace(read, environ={}) == Settings(environ={})
    assert {name for name, text in TABLE.items() if not text} == {n for n, default in told.items() if default is None}


def test_the_page_names_every_variable_that_may_hold_a_token() -> None:
    names = {name for _place, env in SECRET_FIELDS.values() for name in env} | set(WANDB_ENV)
    assert {name for name in names if f"`{name}`" not in PAGE} == set()
