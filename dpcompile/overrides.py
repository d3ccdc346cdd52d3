"""`--set KEY=VALUE`: texts that override fields of the job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import parse_json
from dpcompile.keypath import pointer
from dpcompile.wording import quote

SET_FILE = "--set"


def parse_sets(sets: Sequence[str], fields: Sequence[str]) -> tuple[dict[str, Any], list[Diagnostic]]:
    """What the texts say as a tree of the job's shape, and what is wrong with them.

    `fields` are the job's own top-level fields; every other name means a setting in `training`.
    """
    tree: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for text in sets:
        key, equals, raw = text.partition("=")
        path = _set_path(key.strip(), fields)
        if not equals or not all(path):
            hint = "Write KEY=VALUE, for example --set epochs=20 or --set training.optimizer.lr=1e-4."
            found.append(finding("DPC223", "", "--set needs a key and a value", hint, file=SET_FILE))
            continue
        value, problems_of_value = _set_value(raw)
        found += problems_of_value
        if not problems_of_value and not _plant(tree, path, value):
            text = f"--set {quote(key.strip())} does not fit another --set"
            found.append(finding("DPC223", pointer(path), text, "Give each key once.", file=SET_FILE))
    return tree, found


def _set_path(key: str, fields: Sequence[str]) -> tuple[str, ...]:
    """`epochs` and `train.epochs` mean `training.epochs`; a job's own fields stand for themselves."""
    parts = tuple(key.split("."))
    if parts[0] == "train":
        return ("training", *parts[1:])
    if parts[0] in fields:
        return parts
    return ("training", *parts)


def _set_value(raw: str) -> tuple[Any, list[Diagnostic]]:
    """The value as JSON if it is JSON, else as text: `1e-4` is a number, `ohwx` is text."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        document, found = parse_json(json.dumps({"v": raw}), file=SET_FILE)
    else:
        document, found = parse_json(f'{{"v": {raw}}}', file=SET_FILE)
    if document is None:
        return None, [finding("DPC223", "", f"--set: {d.message}", d.hint, file=SET_FILE) for d in found]
    return document.value["v"], []


def _plant(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """Puts a value at its place; False if something else stands there already."""
    node = tree
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            return False
    if path[-1] in node:
        return False
    node[path[-1]] = value
    return True
