"""What the code of a checkout reads: model types and their classes, keys by scope, and optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpcompile.audit.checkout import MAIN, Checkout, Fault
from dpcompile.audit.flow import Follower
from dpcompile.audit.record import Dispatch, Place, Read, Record
from dpcompile.audit.symbols import Symbols
from dpcompile.audit.values import DATASET, ENTRY, TRAIN, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """A model type that train.py knows: where it is chosen, and the class that serves it."""

    place: Place
    cls: str | None
    class_place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that was found in a checkout."""

    types: Mapping[str, ModelType]
    reads: Mapping[str, Mapping[str, tuple[Read, ...]]]
    """Scope -> key -> where it is read, in the order of files and lines."""
    optimizers: Mapping[str, Place]
    faults: tuple[Fault, ...]
    files: frozenset[str]


def find(checkout: Checkout) -> Found:
    """Follows train.py through the checkout."""
    record = Record()
    symbols = Symbols(checkout.modules)
    if MAIN in checkout.modules:
        try:
            Follower(symbols, record).follow()
        except RecursionError:
            record.too_deep.add(checkout.modules[MAIN].file)
    faults = [*checkout.faults, *_faults(record)]
    return Found(
        types={name: _model_type(d, symbols) for name, d in record.types.items()},
        reads=_by_scope(record),
        optimizers=record.optimizers,
        faults=tuple(faults),
        files=frozenset(module.file for module in checkout.modules.values()),
    )


def _faults(record: Record) -> list[Fault]:
    deep = "parts of it are nested too deeply to be followed"
    return [Fault(file=file, line=None, message=deep) for file in sorted(record.too_deep)]


def _model_type(dispatch: Dispatch, symbols: Symbols) -> ModelType:
    cls = symbols.classes.get(dispatch.cls or "")
    if cls is None:
        return ModelType(place=dispatch.place, cls=None, class_place=None)
    place = Place(file=symbols.modules[cls.module].file, line=cls.node.lineno)
    return ModelType(place=dispatch.place, cls=cls.node.name, class_place=place)


def _by_scope(record: Record) -> dict[str, dict[str, tuple[Read, ...]]]:
    # `"x" in value` looks for a key only if the value is a table, which other reads show.
    certain = {read.path for read in record.reads if read.certain} | {TRAIN, DATASET}
    found: dict[str, dict[str, tuple[Read, ...]]] = {}
    for read in sorted(record.reads, key=lambda r: (r.place, not r.certain, sorted(r.types or ()))):
        scope = scope_of(read.path)
        if scope is not None and read.path in certain:
            keys = found.setdefault(scope, {})
            keys[read.key] = (*keys.get(read.key, ()), read)
    return found


def scope_of(path: Path) -> str | None:
    """The scope of a table: `root`, `model`, `directory`, and `model.text_encoders[]` for tables in lists."""
    if path == TRAIN:
        return "root"
    if path == DATASET:
        return "dataset"
    if path[:1] not in (TRAIN, DATASET):
        return None
    if path == (*DATASET, "directory", ENTRY):
        return "directory"
    below = path[1:] if path[:1] == TRAIN else path
    return ".".join(below).replace(f".{ENTRY}", ENTRY)
