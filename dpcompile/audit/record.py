"""What is written down while the trainer's code is followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dpcompile.audit.values import TRAIN, Path

MODEL_TYPE: Path = (*TRAIN, "model", "type")
OPTIMIZER_TYPE: Path = (*TRAIN, "optimizer", "type")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A line of a file of the checkout."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The code looks for `key` in the table at `path`.

    `types` are the model types for which it does, None is all. `certain` is false for `"key" in x` alone, which
    also looks for a piece of text in a value.
    """

    path: Path
    key: str
    place: Place
    types: frozenset[str] | None
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Where a model type is chosen, and the class that serves it, if it is one of the trainer's own."""

    place: Place
    cls: str | None


@dataclass(slots=True)
class Record:
    """Everything found so far; each thing once."""

    reads: set[Read] = field(default_factory=set)
    types: dict[str, Dispatch] = field(default_factory=dict)
    optimizers: dict[str, Place] = field(default_factory=dict)
    too_deep: set[str] = field(default_factory=set)
    """Files with code too deeply nested to be followed."""

    def dispatch(self, names: Iterable[str], place: Place, cls: str | None) -> None:
        """The first class that is made for a model type is the one that serves it."""
        for name in names:
            if name not in self.types or (self.types[name].cls is None and cls is not None):
                self.types[name] = Dispatch(place=place, cls=cls)
