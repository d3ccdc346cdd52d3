"""`dpcompile why`: for each rendered key its value, where it came from, and what it shadowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from dpcompile.catalogue import Catalogue
from dpcompile.commands.common import (
    FINDINGS,
    Common,
    compile_data,
    exit_code,
    read_file,
    say,
    screen_width,
    shown_name,
    tell,
)
from dpcompile.keypath import KeyPath, dotted, parse_pointer
from dpcompile.locate import locate
from dpcompile.report import as_json, printable
from dpcompile.resolve import Dropped, Origin, ResolvedConfig, Setting
from dpcompile.similar import similar
from dpcompile.wording import quote

_COLUMN = 40
"""Where origins begin that fit behind their setting."""


def run(job: str, keys: Sequence[str], common: Common, *, form: str) -> int:
    """Prints all settings, or those at or below the keys."""
    catalogue = common.catalogue()
    data = read_file(job)
    result = compile_data(data, job, common, catalogue)
    tell(result.diagnostics)
    if result.config is None:
        return FINDINGS
    config = result.config
    chosen = {k: s for k, s in config.settings.items() if not keys or any(_below(k, key) for key in keys)}
    places = _Places(
        job=shown_name(job),
        text=data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else "",
        catalogue=catalogue,
    )
    if form == "json":
        click.echo(as_json([_entry(key, setting) for key, setting in chosen.items()]))
    else:
        for key, setting in chosen.items():
            say(_lines(key, setting, places))
        for dropped in config.dropped if not keys else ():
            say(_gone(dropped, places))
    missing = [wanted for wanted in keys if not any(_below(key, wanted) for key in chosen)]
    for wanted in missing:
        click.echo(_explain_missing(wanted, config, places), err=True)
    return FINDINGS if missing else exit_code(result.diagnostics)


def _below(key: KeyPath, wanted: str) -> bool:
    name = dotted(key)
    return name == wanted or name.startswith(f"{wanted}.")


def _entry(key: KeyPath, setting: Setting) -> dict[str, Any]:
    return {
        "key": dotted(key),
        "value": setting.value,
        "origin": setting.origin.to_json(),
        "shadowed": [{"value": s.value, "origin": s.origin.to_json()} for s in setting.shadowed],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Finds the line of a place in the job or in a spec."""

    job: str
    text: str
    catalogue: Catalogue

    def line(self, origin: Origin) -> str:
        """`job.json:12`, as far as it is known."""
        file = origin.file or ""
        text = self.text if file == self.job else self.catalogue.text_of(file)
        place = locate(text, origin.pointer, yaml=file != self.job) if text else None
        return printable(file) + (f":{place[0]}" if place else "")


def _lines(key: KeyPath, setting: Setting, places: _Places) -> str:
    first = f"{printable(dotted(key))} = {quote(setting.value, 200)}"
    behind = f"{first:<{_COLUMN - 2}}  {_origin(setting.origin, places)}"
    fits = len(first) <= _COLUMN - 2 and len(behind) <= screen_width()
    lines = [behind] if fits else [first, f"    {_origin(setting.origin, places)}"]
    lines += [f"    instead of {quote(s.value, 200)} of {_origin(s.origin, places)}" for s in setting.shadowed]
    return "\n".join(lines)


def _origin(origin: Origin, places: _Places) -> str:
    if origin.layer == "set":
        return printable(f"--set {dotted(parse_pointer(origin.pointer))}")
    if origin.layer == "derived":
        return "made by dpcompile" + (f" from {places.line(origin)}" if origin.file else "")
    return places.line(origin) + ("" if origin.layer == "job" else f" ({origin.layer})")


def _gone(dropped: Dropped, places: _Places) -> str:
    said = dropped.assignment
    value, origin = quote(said.value, 200), _origin(said.origin, places)
    return f"{printable(dotted(said.key))} is not set: {dropped.why}\n    instead of {value} of {origin}"


def _explain_missing(key: str, config: ResolvedConfig, places: _Places) -> str:
    for dropped in config.dropped:
        if dotted(dropped.assignment.key) == key:
            return _gone(dropped, places)
    close = _same_name(key, config) or similar(key, [dotted(k) for k in config.settings])
    return f"nothing is set at {printable(key)}" + (f"; did you mean {close[0]}?" if close else "")


def _same_name(key: str, config: ResolvedConfig) -> list[str]:
    """The settings that end alike, or that the job sets under this name: `lr` and `learning_rate`."""
    name = key.rpartition(".")[2]
    ends = [(k, (k[-1], s.origin.pointer.rpartition("/")[2])) for k, s in config.settings.items()]
    return [dotted(k) for k, names in ends if name in names]
