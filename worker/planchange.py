"""Whether two plans of one job make the same thing, and in which words they differ."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from worker.state import LAUNCH_ARGS, SECRET_ARGS, without

_MOST = 5
_LONGEST = 60
_NOT_MADE = ("id", "compiler", "secrets")
"""Parts of a plan that say nothing about what comes of it."""
_IN_FILES = frozenset({"epochs", "max_steps"})
"""Arguments that also stand in a TOML file, where users know them."""
_DATA = re.compile(r"/datasets/[0-9a-f]{32}")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Where two plans (their JSON) make something else, in the words of a user; empty when they do not.

    How a training is started, where its result is published and where secrets come from may change: what
    is finished stays right.
    """
    before, after = _made(old), _made(new)
    if before == after:
        return ()
    told = [f"{place} {_change(a, b)}" for place, a, b in _leaves(_named(before), _named(after))]
    told = told or ["the data comes from another address"]
    more = len(told) - _MOST
    return (*told[:_MOST], *([f"and {more} more"] if more > 0 else []))


def _made(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a plan that says what comes of it."""
    steps = []
    for step in plan["steps"]:
        hidden = LAUNCH_ARGS | SECRET_ARGS if step["kind"] == "train" else SECRET_ARGS
        args = {} if step["kind"] == "publish" else without(step["args"], hidden)
        steps.append({**step, "args": args})
    return {**{k: v for k, v in plan.items() if k not in _NOT_MADE}, "steps": steps}


def _named(made: Mapping[str, Any]) -> dict[str, Any]:
    """The same, its files as tables and its steps by name; folders of data lose their digests."""
    named = {
        **{file["name"]: _table(file["text"]) for file in made["files"]},
        **{f"step {step['id']}": without(step["args"], _IN_FILES) for step in made["steps"]},
        **{k: v for k, v in made.items() if k not in ("files", "steps")},
    }
    hidden: dict[str, Any] = json.loads(_DATA.sub("/datasets/…", json.dumps(named, ensure_ascii=False, default=str)))
    return hidden


def _table(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text


def _leaves(old: Any, new: Any, place: str = "", separator: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(place, old, new) of every value that is not the same: `train.toml: optimizer.lr`, `model.name`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            first = not place and (key.endswith(".toml") or key.startswith("step "))
            inner = f"{place}{separator}{key}"
            yield from _leaves(old.get(key, _NOTHING), new.get(key, _NOTHING), inner, ": " if first else ".")
    elif old != new:
        yield place, old, new


_NOTHING = object()


def _change(old: Any, new: Any) -> str:
    if old is _NOTHING:
        return f"is new: {_shown(new)}"
    if new is _NOTHING:
        return f"is gone; it was {_shown(old)}"
    return f"was {_shown(old)}, is {_shown(new)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
