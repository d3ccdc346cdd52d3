"""The loss: keys that a model does not read, and parts of it that hold for some media or some settings only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile.checks.facts import Facts
from dpcompile.checks.sizes import sizes_of
from dpcompile.diagnostics import Diagnostic
from dpcompile.wording import listing


def losses(facts: Facts) -> Iterator[Diagnostic]:
    """Some types compute their own loss and never look at these keys (models/sdxl.py:639, models/base.py:424-429)."""
    for name in facts.table("train"):
        field = facts.trainer.scopes["root"].get(name)
        if field is not None and facts.spec.toml_type in field.schema.get("x-not-models", ()):
            text = f"{facts.spec.title} computes its own loss and never reads {name}"
            yield facts.at("DPC431", ("train", name), text, "Take it out.")


def added_losses(facts: Facts) -> Iterator[Diagnostic]:
    """A part that is computed for large media alone, and from the plain difference (models/cosmos_predict2.py:524)."""
    for name, field in facts.spec.fields.items():
        added, key = field.schema.get("x-adds-loss"), ("train", "model", name)
        if added is None or not facts.sound(key) or not facts.get(*key):
            continue
        views = [view for view in facts.in_each_directory() if view.part == "dataset"]
        sides = [math.sqrt(width * height) for view in views for width, height in sizes_of(view)]
        if sides and max(sides) < added["from_side"]:
            least = math.ceil(added["from_side"])
            text = f"{name} does nothing: it is for media of {least} pixels a side and more, and these have at most "
            text += f"{max(sides):.0f}"
            yield facts.at("DPC439", key, text, f"Set resolutions to {least} or more, or take {name} out.")
        elif others := _not_followed(facts, views, added):
            text = f"{name} adds a part to the loss that does not follow {listing(others, 'and')}"
            hint = f"Take {name} out, if {listing(others, 'and')} should hold for the whole loss."
            yield facts.at("DPC465", key, text, hint)


def _not_followed(facts: Facts, views: list[Facts], added: Mapping[str, Any]) -> list[str]:
    """The settings that are there and that an added part of the loss does not follow."""
    found = []
    for place in added["ignores"]:
        scope, _, name = place.partition(".")
        values = [facts.get("train", name)] if scope == "root" else [view.in_dataset(name)[1] for view in views]
        if any(value is not None for value in values):
            found.append(name)
    return found


CHECKS = (
    losses,
    added_losses,
)
