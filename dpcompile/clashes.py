"""One layer that says two things about one setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.resolve import Assignment
from dpcompile.values import identical
from dpcompile.wording import quote


def contested(assignments: Sequence[Assignment]) -> frozenset[KeyPath]:
    """Keys of which one layer says two things: checks do not go by either."""
    first: dict[KeyPath, Assignment] = {}
    return frozenset(
        said.key
        for said in assignments
        if (before := first.setdefault(said.key, said)).origin != said.origin
        and not identical(before.value, said.value)
    )


def conflicts(assignments: Sequence[Assignment]) -> Iterator[Diagnostic]:
    """Two names of one layer that say different things about one key."""
    first: dict[KeyPath, Assignment] = {}
    told: set[tuple[str, str]] = set()
    for said in assignments:
        before = first.setdefault(said.key, said)
        pair = (before.origin.pointer, said.origin.pointer)
        if before.origin == said.origin or pair in told or identical(before.value, said.value):
            continue
        told.add(pair)
        names = " and ".join(p.rsplit("/training/", 1)[-1].strip("/").replace("/", ".") for p in pair)
        text = f"{names} set the same thing to {quote(before.value)} and {quote(said.value)}"
        yield finding("DPC212", said.origin.pointer, text, "Keep one of them.", file=said.origin.file)
    yield from _under_removed_tables(assignments)


def _under_removed_tables(assignments: Sequence[Assignment]) -> Iterator[Diagnostic]:
    for gone in assignments:
        if gone.removed and len(gone.key) == 2 and gone.key[1] in ("adapter", "monitoring"):
            for said in assignments:
                if said.key[:2] == gone.key and said.key != gone.key and not said.removed:
                    name = said.origin.pointer.rsplit("/", 1)[-1]
                    text = f"{name} has no effect: {gone.key[1]} is null"
                    hint = "Take one of them out." + (
                        ' "adapter": null means a full fine-tune.' if gone.key[1] == "adapter" else ""
                    )
                    yield finding("DPC212", said.origin.pointer, text, hint, file=said.origin.file)
