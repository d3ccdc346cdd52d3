"""Settings from the environment."""

from __future__ import annotations

import dataclasses
import operator
import typing
from collections.abc import Iterator
from typing import Any

import pytest

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
