"""The settings of a worker, from its environment."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
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

    An empty variable counts as not set.
    """
    kinds = typing.get_type_hints(Settings)
    values: dict[str, Any] = {}
    wrong = []
    for setting in dataclasses.fields(Settings):
        text = environ.get(variable(setting.name), "").strip()
        if setting.name == "environ" or setting.name in given or not text:
            continue
        try:
            values[setting.name] = _value(text, kinds[setting.name])
        except ValueError as error:
            wrong.append(f"{variable(setting.name)} must be {error}, but is {text!r}")
    if wrong:
        raise SettingsError("; ".join(wrong))
    return Settings(environ=dict(environ), **{**values, **given})


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
