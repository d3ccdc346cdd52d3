"""The trainer's own TOML text -> what the trainer reads in it, and where that is not what it says.

The trainer uses the parser `toml` 0.10.2, which refuses some legal TOML and reads some of it otherwise than
TOML 1.0 means it (train.py:284, 393). So the value is always that parser's; the standard library's tells what
was written.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from dpcompile.keypath import KeyPath, dotted, pointer
from dpcompile.reading.faults import Fault
from dpcompile.reading.tomlsyntax import scan
from dpcompile.values import identical
from dpcompile.wording import quote

_MARK = "\ufeff"
_DATES = (dt.date, dt.time)
# What the parser is known to raise for broken text, beside errors of its own.
_REFUSED = (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError)


def read_toml(text: str) -> tuple[dict[str, Any] | None, dict[KeyPath, int], list[Fault]]:
    """What the trainer reads, the offset of each key, and what is wrong: DPC114 to DPC119, DPC108.

    There is no value where the trainer stops at the text, unless it is for a byte order mark alone. What it reads
    otherwise than it is written is an error, too: it would train something else.
    """
    body = text.removeprefix(_MARK)
    found = scan(body)
    written, refusal = _standard(body)
    read = _trainer(body)
    if isinstance(read, Exception):
        return None, found.places, found.faults or [_unexplained(read, refusal)]
    faults = list(_dates(read, found.places))
    if faults:
        return None, found.places, faults
    if written is None:
        faults = found.faults or [_standard_refuses(refusal)]
    else:
        faults = list(_differences(written, read, found.places))
    if len(body) != len(text):
        return _with_mark(text, read, found.places, faults)
    return read, found.places, faults


def _with_mark(
    text: str, read: dict[str, Any], places: Mapping[KeyPath, int], faults: list[Fault]
) -> tuple[dict[str, Any], dict[KeyPath, int], list[Fault]]:
    """What becomes of a text that begins with a byte order mark: a part of the first name, or the end."""
    marked, first = _trainer(text), next(iter(read), "")
    hint = "Save the file as UTF-8 without a BOM."
    if isinstance(marked, Exception):
        message = "the file begins with a byte order mark, at which the trainer stops"
        return read, dict(places), [*faults, Fault(code="DPC118", offset=0, message=message, hint=hint)]
    message = f"the file begins with a byte order mark, which the trainer takes for a part of the name {quote(first)}"
    mark = Fault(code="DPC118", offset=0, message=message, hint=hint, path=pointer((first,)))
    return marked, {**places, (_MARK + first,): 0}, [*faults, mark]


def _standard(text: str) -> tuple[dict[str, Any] | None, str]:
    try:
        return tomllib.loads(text), ""
    except (ValueError, RecursionError) as error:
        return None, str(error)


def _trainer(text: str) -> dict[str, Any] | Exception:
    """What the trainer's parser makes of a text, as plain lists and dicts."""
    import toml  # the one place that needs it: most commands never read TOML

    try:
        plain = _plain(toml.loads(text))
    except _REFUSED as error:
        return error
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any) -> Any:
    """Its inline tables are dicts of a class that cannot be copied."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _unexplained(read: Exception, refusal: str) -> Fault:
    """A text that the trainer stops at, where the scan found no cause."""
    if refusal:
        return Fault(code="DPC114", offset=None, message=f"this is no TOML: {refusal}", hint="Mend the file.")
    if "homogeneous" in str(read):
        message = "a list holds whole numbers beside decimal ones, or lists beside numbers: the trainer stops at it"
        return Fault(code="DPC118", offset=None, message=message, hint="Write all alike: [1.0, 1.5], [[512, 768]].")
    offset = getattr(read, "pos", None)
    message = f"the trainer's TOML parser stops at this, though it is legal TOML: {getattr(read, 'msg', read)}"
    hint = "Look for commas, brackets or other quotes inside of texts in lists and inline tables; see `dpcompile "
    hint += "explain DPC118`."
    return Fault(code="DPC118", offset=offset if isinstance(offset, int) else None, message=message, hint=hint)


def _standard_refuses(refusal: str) -> Fault:
    message = f"the trainer reads this, but it is not legal TOML: {refusal}"
    return Fault(
        code="DPC118", offset=None, message=message, hint="Correct it: what it reads may not be what is meant."
    )


def _dates(node: Any, places: Mapping[KeyPath, int], path: KeyPath = ()) -> Iterator[Fault]:
    """Dates and times without quotes: the trainer turns the file into JSON, which has none (train.py:284)."""
    if isinstance(node, _DATES):
        message = f"{dotted(path)} is a date or time, at which the trainer stops"
        hint = f"Put it in quotes: {quote(str(node))}."
        yield Fault(code="DPC118", offset=_offset(path, places), message=message, hint=hint, path=pointer(path))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _dates(value, places, (*path, key))
    elif isinstance(node, list):
        for n, value in enumerate(node):
            yield from _dates(value, places, (*path, n))


def _differences(written: Any, read: Any, places: Mapping[KeyPath, int], path: KeyPath = ()) -> Iterator[Fault]:
    """Every key that the trainer reads otherwise than it is written."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key in [*written, *(k for k in read if k not in written)]:
            if key not in read or key not in written:
                said = "does not see" if key not in read else "invents"
                yield _difference(path, key, f"the trainer's TOML parser {said} {dotted((*path, key))}", places)
            else:
                yield from _differences(written[key], read[key], places, (*path, key))
    elif _tables(written) and _tables(read) and len(written) == len(read):
        for n, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from _differences(one, other, places, (*path, n))
    elif not identical(written, read) and not _negative_zero(written, read):
        text = f"{dotted(path)} reads as {quote(read)} in the trainer, but {quote(written)} is written"
        yield _difference(path[:-1], path[-1], text, places)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _negative_zero(written: Any, read: Any) -> bool:
    return isinstance(written, float) and written == 0 == read


def _difference(path: KeyPath, key: str | int, message: str, places: Mapping[KeyPath, int]) -> Fault:
    whole = (*path, key)
    hint = "Write it more plainly: texts on one line in double quotes, tables with a header of their own."
    return Fault(code="DPC118", offset=_offset(whole, places), message=message, hint=hint, path=pointer(whole))


def _offset(path: KeyPath, places: Mapping[KeyPath, int]) -> int | None:
    """Where a key stands, or the nearest thing above it."""
    return next((places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in places), None)
