"""The settings of a worker, from its environment."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dpcompile.similar import similar
from worker.rehearsal.behaviour import STEPS_VARIABLE
from worker.rehearsal.behaviour import VARIABLE as STANDIN_VARIABLE
from worker.settings import Settings
from worker.training.processes import MARK

PREFIX = "DPCOMPILE_"
_OTHERS = ("DPCOMPILE_SPECS", MARK, STANDIN_VARIABLE, STEPS_VARIABLE)
"""Read elsewhere: by `dpcompile`, and by what the worker starts."""
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingsError(ValueError):
    """A variable of the environment that is not what its setting takes."""


def variable(name: str) -> str:
    """The environment variable of a setting: DPCOMPILE_SAVE_MINUTES for `save_minutes`."""
    return PREFIX + name.upper()


def read_settings(environ: Mapping[str, str], **given: Any) -> Settings:
    """The settings that the environment holds; `given` ones come first. Raises SettingsError for all that are wrong.

    An empty variable counts as not set. Settings within settings have both names: DPCOMPILE_TRAINING_SAVE. A variable
    that begins with DPCOMPILE_ and is no setting is wrong too: it would be ignored in silence.
    """
    wrong: list[str] = []
    values = _read(Settings, "", environ, wrong, leave=("environ", *given))
    known = {*variables(), *_OTHERS}
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in known):
        alike = similar(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
        meant = f" Did you mean {PREFIX}{alike[0]}?" if alike else " docs/worker.md lists those there are."
        wrong.append(f"{name} is not a setting.{meant}")
    if wrong:
        raise SettingsError("; ".join(wrong))
    return Settings(environ=dict(environ), **{**values, **given})


def variables(group: type[Any] = Settings, above: str = "") -> Iterator[str]:
    """The environment variables of all settings, those within settings too."""
    kinds = typing.get_type_hints(group)
    for setting in dataclasses.fields(group):
        if dataclasses.is_dataclass(kind := kinds[setting.name]):
            assert isinstance(kind, type)
            yield from variables(kind, f"{above}{setting.name}_")
        elif setting.name != "environ":
            yield variable(f"{above}{setting.name}")


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
        return _number(text, int, 1, "a whole number, 1 or more")
    if float in choices:
        return _number(text, float, 0, "a number, 0 or more")
    return text


def _number(text: str, kind: type[int] | type[float], least: int, words: str) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(words) from None
    if not math.isfinite(value) or value < least:
        raise ValueError(words)
    return value
