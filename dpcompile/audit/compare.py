"""What a checkout reads against what dpcompile knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dpcompile.audit.checkout import Checkout
from dpcompile.audit.findings import (
    Finding,
    gone_key,
    gone_optimizer,
    gone_type,
    in_order,
    is_model,
    moved_key,
    new_key,
    new_optimizer,
    parent,
    unknown_type,
    unreadable,
)
from dpcompile.audit.known import Key, Keys, Known, Reading
from dpcompile.audit.reads import Found, ModelType, find
from dpcompile.audit.record import Read
from dpcompile.wording import quote


def audit(checkout: Checkout, known: Known) -> tuple[Finding, ...]:
    """All differences, by kind and place."""
    return compare(find(checkout), known)


def compare(found: Found, known: Known) -> tuple[Finding, ...]:
    """All differences, by kind and place."""
    faults = list(_faults(found))
    new = [*_new(found, known), *_new_of_types(found, known)]
    optimizers = list(_new_optimizers(found, known))
    gone: list[Finding] = []
    # What cannot be followed may read what seems gone.
    if not faults:
        gone = [*_gone(found, known), *_gone_of_types(found, known)]
        optimizers += _gone_optimizers(found, known)
    return in_order([*faults, *_types(found, known), *_paired(new, gone), *optimizers])


def _faults(found: Found) -> Iterator[Finding]:
    for fault in found.faults:
        yield unreadable(fault.file, fault.line, fault.message)
    if "train.py" not in found.files:
        return
    if "root" not in found.reads:
        yield unreadable(
            "train.py", None, "nothing that can be followed reads a configuration with toml.load(args.config)"
        )
    elif not found.types:
        yield unreadable("train.py", None, "nothing that can be followed chooses a class by [model] type")
    for name, served in found.types.items():
        if served.cls is None:
            text = f"the class that serves the model type {quote(name)} cannot be found"
            yield unreadable(served.place.file, served.place.line, text)


def _types(found: Found, known: Known) -> Iterator[Finding]:
    for name, served in found.types.items():
        if name not in known.types:
            new = name not in known.listed
            yield unknown_type(name, served.place, _served_by(served), _own_keys(found, name), new=new)
    if not found.types:
        return
    first = min(served.place for served in found.types.values())
    for name in sorted({*known.types, *known.listed} - found.types.keys()):
        yield gone_type(name, first, known.types[name].files if name in known.types else ())


def _served_by(served: ModelType) -> str:
    if served.class_place is None:
        return "its class cannot be found"
    return f"{served.cls} in {served.class_place.file}:{served.class_place.line}"


def _own_keys(found: Found, name: str) -> list[str]:
    """The keys of [model] that the code of this type itself reads."""
    keys = found.reads.get("model", {})
    return sorted(key for key, reads in keys.items() if any(name in (read.types or ()) for read in reads))


def _paired(new: list[Finding], gone: list[Finding]) -> Iterator[Finding]:
    """One finding for a key that is gone in one scope and new in another."""
    for lost in gone:
        place = next((n for n in new if n.name == lost.name and n.scope != lost.scope), None)
        if place is None:
            yield lost
        else:
            new.remove(place)
            yield moved_key(lost, place)
    yield from new


def _new(found: Found, known: Known) -> Iterator[Finding]:
    for scope, keys in found.reads.items():
        if is_model(scope) or _ignored(scope, known.keys):
            continue
        for name, reads in keys.items():
            if _is_news(known.keys.get(scope, {}).get(name)):
                types = {t for read in reads for t in read.types or ()}
                if any(read.types is None for read in reads) or types == found.types.keys():
                    types = set()
                yield new_key(scope, name, reads[0].place, types, found.types)


def _new_of_types(found: Found, known: Known) -> Iterator[Finding]:
    compared = found.types.keys() & known.types.keys()
    for scope, keys in found.reads.items():
        for name, reads in keys.items() if is_model(scope) else ():
            types = {kind for kind in compared if _is_news_for(kind, scope, name, reads, found, known)}
            if types:
                first = next(read for read in reads if read.types is None or read.types & types)
                yield new_key(scope, name, first.place, types, compared)


def _is_news_for(kind: str, scope: str, name: str, reads: tuple[Read, ...], found: Found, known: Known) -> bool:
    if _ignored(scope, known.types[kind].keys):
        return False
    if any(kind in (read.types or ()) for read in reads):
        # A class that serves two types may read a key for the sake of the other one.
        return all(_is_news(known.types[t].keys.get(scope, {}).get(name)) for t in _twins(kind, found, known))
    # Code that all types share prepares keys that only some of them use: those know it.
    shared = any(read.types is None for read in reads)
    return shared and not any(name in other.keys.get(scope, {}) for other in known.types.values())


def _twins(kind: str, found: Found, known: Known) -> list[str]:
    """This model type and those that the same class serves."""
    place = found.types[kind].class_place
    return [name for name, served in found.types.items() if served.class_place == place and name in known.types]


def _is_news(key: Key | None) -> bool:
    return key is None or key.reading is Reading.NO


def _gone(found: Found, known: Known) -> Iterator[Finding]:
    for scope, keys in known.keys.items():
        if _whole_table_gone(scope, found, known.keys, None):
            continue
        for name, key in keys.items():
            if key.reading is Reading.YES and name not in found.reads.get(scope, {}):
                file = key.source.partition(":")[0]
                file = file if file in found.files else "train.py"
                yield gone_key(scope, name, (file, None), _before(key, known))


def _gone_of_types(found: Found, known: Known) -> Iterator[Finding]:
    compared = found.types.keys() & known.types.keys()
    lost: dict[tuple[str, str], list[str]] = {}
    for kind in sorted(compared):
        for scope, keys in known.types[kind].keys.items():
            if _whole_table_gone(scope, found, known.types[kind].keys, kind):
                continue
            read = _read_by(kind, found.reads.get(scope, {}))
            for name, key in keys.items():
                if key.reading is Reading.YES and name not in read:
                    lost.setdefault((scope, name), []).append(kind)
    for (scope, name), types in lost.items():
        place = found.types[types[0]].class_place or found.types[types[0]].place
        before = _before(known.types[types[0]].keys[scope][name], known)
        yield gone_key(scope, name, (place.file, place.line), before, types, compared)


def _before(key: Key, known: Known) -> str:
    return f"in {key.source} at commit {known.commit[:7]}" if key.source else f"at commit {known.commit[:7]}"


def _read_by(kind: str | None, keys: Mapping[str, tuple[Read, ...]]) -> set[str]:
    """The keys that the code for a model type reads; with None, that any code reads."""
    return {k for k, reads in keys.items() if any(kind is None or r.types is None or kind in r.types for r in reads)}


def _whole_table_gone(scope: str, found: Found, keys: Keys, kind: str | None) -> bool:
    """Whether the key that holds a table is itself no longer read, so that its keys need not be told."""
    above, name = parent(scope)
    return name in keys.get(above, {}) and name not in _read_by(kind, found.reads.get(above, {}))


def _ignored(scope: str, keys: Keys) -> bool:
    """Whether a table stands at a key that is dead or unread, so that nothing in it counts."""
    above, name = parent(scope)
    key = keys.get(above, {}).get(name)
    return key is not None and key.reading is not Reading.YES and scope not in keys


def _new_optimizers(found: Found, known: Known) -> Iterator[Finding]:
    for name, place in found.optimizers.items():
        if name.lower() not in known.optimizers:
            yield new_optimizer(name, place)


def _gone_optimizers(found: Found, known: Known) -> Iterator[Finding]:
    first = min(found.optimizers.values(), default=None)
    for name in sorted(known.optimizers - {name.lower() for name in found.optimizers}):
        yield gone_optimizer(name, first)
