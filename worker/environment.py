"""The settings of a worker, from its environment."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any

from worker.settings import Settings

PREFIX = "DPCOMPILE_"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingsError(ValueError):
    """A variable of the environment that is not what its setting takes."""


def variable(name: str) -> str:
    """The environment variable of a setting: DPCOMPILE_SAVE_MINUTES for `save_minutes`."""
    return PREFIX + name.upper()


def read_settings(environ: Mapping[str, str], **given: Any) -> Settings:
    """The settings that the environment holds; `given` ones come first. Raises SettingsError for all that are wrong.

    An empty variable counts as not set. Settings within settings have both names: DPCOMPILE_TRAINING_SAVE.
    """
    wrong: list[str] = []
    values = _read(Settings, "", environ, wrong, leave=("environ", *given))
    if wrong:
        raise SettingsError("; ".join(wrong))
    return Settings(environ=dict(environ), **{**values, **given})


def _read(
    group: type[Any], above: str, environ: Mapping[str, str], wrong: list[str], leave: Collection[str] = ()
) -> dict[str, Any]:
    kinds = typing.get_type_hints(group)
    values: dict[str, Any] = {}
    for setting in dataclasses.fields(group):
        name, kind = f"{above}{setting.name}", kinds[setting.name]
        if setting.name in leave:
            continue
        if dataclasses.is_dataclass(kind):
            assert isinstance(kind, type)
            values[setting.name] = kind(**_read(kind, f"{name}_", environ, wrong))
            continue
        text = environ.get(variable(name), "").strip()
        if not text:
            continue
        try:
            values[setting.name] = _value(text, kind)
        except ValueError as error:
            wrong.append(f"{variable(name)} must be {error}, but is {text!r}")
    return values


def _value(text: str, kind: Any) -> Any:
    choices = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if bool in choices:
        if text.lower() not in (*_YES, *_NO):
            raise ValueError("true or false")
        return text.lower() in _YES
    if int in choices and float not in choices:
        return _number(text, int, "a whole number")
    if float in choices:
        return _number(text, float, "a number")
    return text


def _number(text: str, kind: type[int] | type[float], words: str) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{words}, 0 or more") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{words}, 0 or more")
    return value
