"""`training.passthrough`: tables of keys that go to the trainer as they are, unchecked, with a warning each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile import keypath
from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.resolve import Assignment, ResolvedConfig
from dpcompile.secrecy import WANDB_KEY
from dpcompile.spec import within
from dpcompile.trainer import SCOPES, Field, Scope
from dpcompile.wording import kind

HINT = 'Write tables of keys: "passthrough": {"root": {…}, "model": {…}}.'


def check_shape(value: object, pointer: str, file: str) -> Iterator[Diagnostic]:
    """Passthrough is an object of objects, none of them empty."""
    if not isinstance(value, Mapping):
        text = f"passthrough must be an object of tables, but is {kind(value)}"
        yield finding("DPC217", pointer, text, HINT, file=file)
        return
    for table, keys in value.items():
        if not isinstance(keys, Mapping) or not keys:
            text = f"passthrough.{table} must be a table of keys, but is {'empty' if keys == {} else kind(keys)}"
            yield finding("DPC217", f"{pointer}{keypath.pointer((table,))}", text, HINT, file=file)


def refusal(
    scopes: Mapping[Scope, Mapping[str, Field]], table: str, name: str, value: Any, pointer: str, file: str
) -> Diagnostic | None:
    """Why a key cannot be passed through at all."""
    known = _known(scopes, table, name)
    owned = known.owned if known else ""
    if name == WANDB_KEY or (known is not None and (known.owned or known.secret)):
        text = f"passthrough cannot set {table}.{name}: {'dpcompile makes it' if owned else 'it is a secret'}"
        return finding("DPC213", pointer, text, f"Take it out. {owned}".strip(), file=file)
    if table == "root" and name in SCOPES:
        text = f"{name} is a table, not a key at the top of train.toml"
        return finding("DPC217", pointer, text, f"Write its keys in passthrough.{name}.", file=file)
    if value is None:
        text = f"passthrough.{table}.{name} is null, and TOML has no null"
        return finding("DPC217", pointer, text, "Take it out.", file=file)
    return None


def notice(scopes: Mapping[Scope, Mapping[str, Field]], table: str, name: str, pointer: str, file: str) -> Diagnostic:
    """What is sent unchecked is said."""
    where = within(table) if table in SCOPES else f"in [{table}]"
    known = _known(scopes, table, name)
    hint = "dpcompile knows this key: outside passthrough it is checked." if known else ""
    if known and known.dead:
        hint = " ".join(filter(None, (known.dead.get("why"), known.dead.get("instead"))))
    return finding("DPC216", pointer, f"{name} is sent to the trainer as it is, {where}, unchecked", hint, file=file)


def _known(scopes: Mapping[Scope, Mapping[str, Field]], table: str, name: str) -> Field | None:
    return scopes[table].get(name) if table in SCOPES else None


def collisions(config: ResolvedConfig, assignments: list[Assignment]) -> Iterator[Diagnostic]:
    """A passed-through name cannot be a key and a table at once."""
    tables: set[KeyPath] = {key[:n] for key in config.settings for n in range(1, len(key))}
    for said in assignments:
        if "/passthrough/" not in said.origin.pointer:
            continue
        above = {said.key[:n] for n in range(2, len(said.key))}
        if said.key in tables or above & config.settings.keys():
            name = said.key[1]
            text = f"{name} would be both a key and a table of the same file"
            yield finding("DPC217", said.origin.pointer, text, "Choose one.", file=said.origin.file)
