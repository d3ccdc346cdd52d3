"""Settings that nobody reads, sent on through a job's `passthrough`, for forks of the trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dpcompile.importing.report import Entry, entry
from dpcompile.importing.written import Files, Written
from dpcompile.secrecy import find_secrets, looks_secret


def in_json(value: Any) -> bool:
    """Whether JSON has a value: neither NaN nor an infinity is in it."""
    if isinstance(value, float):
        return math.isfinite(value)
    return all(map(in_json, value)) if isinstance(value, list) else True


def passed_through(
    job: dict[str, Any], entries: Sequence[Entry], files: Files, settings: Sequence[Written]
) -> list[Entry]:
    """Writes what nobody reads into `passthrough`, and tells so instead."""
    said = {each.key: each for each in settings}
    kept: list[Entry] = []
    for each in entries:
        known = said.get(each.key)
        if each.kind == "unread" and known is not None and _is_secret(known):
            text = f"{each.message.removesuffix('.')}; it is not passed through either, for it looks like a secret"
            kept.append(entry(files, "unread", each.key, text, "Secrets go into the worker's environment."))
            continue
        place = _place(known, settings) if each.kind == "unread" else None
        if place is None:
            kept.append(each)
            continue
        table, name, value = place
        job.setdefault("training", {}).setdefault("passthrough", {}).setdefault(table, {})[name] = value
        text = f"{each.message.removesuffix('.')}; it is passed through"
        kept.append(entry(files, "kept", each.key, text, f"passthrough.{table}.{name} of the job has it."))
    return kept


def _is_secret(said: Written) -> bool:
    """Whether a setting looks like a token or a key: none is copied into a job, which is shown around."""
    in_wandb = "wandb" in map(str, said.path[:-1]) and "key" in said.name.lower()
    return looks_secret(said.name) or in_wandb or find_secrets({"training": {said.name: said.value}}).texts != ()


def _place(said: Written | None, settings: Sequence[Written]) -> tuple[str, str, Any] | None:
    """Table, name and value, where passthrough can send a setting to where it was."""
    if said is None or not in_json(said.value) or said.part.startswith("eval"):
        return None
    if said.scope == "directory":  # passthrough speaks of all directories
        rows = {each.path[1] for each in settings if (each.part, each.scope) == (said.part, "directory")}
        given = {each.key: each.value for each in settings}
        values = [given.get((said.part, "directory", row, said.name)) for row in rows]
        return ("directory", said.name, said.value) if all(v == said.value for v in values) else None
    if said.scope is not None:
        return said.scope, said.name, said.value
    if said.part == "train" and len(said.path) == 2:
        return str(said.path[0]), said.name, said.value
    return None
