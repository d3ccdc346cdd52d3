"""Files and Python values -> Documents: well-formed trees of JSON values, or diagnostics."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from dpcompile.diagnostics import Diagnostic
from dpcompile.reading.faults import MAX_FAULTS, Fault, size_fault
from dpcompile.reading.jsontext import read_json
from dpcompile.reading.plainvalue import plain_value
from dpcompile.reading.yamltext import read_yaml
from dpcompile.secrecy import find_secrets
from dpcompile.wording import kind

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Parsed: TypeAlias = "tuple[Document | None, tuple[Diagnostic, ...]]"

MAX_BYTES = 16 * 2**20
"""Of a job. RunPod takes 10 MB, and 20 MB where it answers at once."""

MAX_SPEC_BYTES = 2**20
"""Of a model spec, of which the longest have a few hundred lines."""

MAX_DEPTH = 64
"""Of objects and lists in each other; the outermost counts as 1."""

_BOMS = {
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_JOB_TOP = 'A job is one JSON object: {"model_type": ...}.'
_SPEC_TOP = "A model spec is a mapping of keys to values."


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A tree that says exactly what was written: an object at the top, no key twice, only finite numbers.

    `file` is the name that users see; `text` is the source, if there is one, for lines and columns.
    """

    value: dict[str, JsonValue]
    file: str
    text: str | None


def parse_json(data: bytes | str, *, file: str) -> Parsed:
    """The Document of a JSON text, or every reason why there is none: DPC102 to DPC111. Raises nothing."""
    text, fault = decoded(data, MAX_BYTES, _JOB_TOP)
    if fault:
        return None, (fault.diagnostic(text, file),)
    value, faults = read_json(text, max_depth=MAX_DEPTH)
    return _document(value, faults, text, file, _JOB_TOP)


def parse_yaml(data: bytes | str, *, file: str) -> Parsed:
    """The Document of a model spec, read as YAML 1.2's core schema without aliases, merge keys and tags.

    Else every reason why there is none: DPC102, DPC103, DPC107 to DPC111, DPC301, DPC307. Raises nothing.
    """
    text, fault = decoded(data, MAX_SPEC_BYTES, _SPEC_TOP)
    if fault:
        return None, (fault.diagnostic(text, file),)
    documents, faults = read_yaml(text, max_depth=MAX_DEPTH)
    if not documents and not faults:
        faults = [_empty("the file holds nothing but comments", _SPEC_TOP)]
    return _document(documents[0] if documents else None, faults, text, file, _SPEC_TOP)


def parse_value(value: object, *, file: str) -> Parsed:
    """The Document of a tree of Python objects, or every reason why there is none: DPC106 to DPC112.

    The tree is copied. A tuple counts as a list, an object of a subclass of str, int, float, list or dict
    as one of that class. Raises nothing.
    """
    plain, faults = plain_value(value, max_depth=MAX_DEPTH, max_bytes=MAX_BYTES)
    return _document(plain, faults, None, file, _JOB_TOP)


def _document(value: Any, faults: Iterable[Fault], text: str | None, file: str, top: str) -> Parsed:
    found = list(islice(faults, MAX_FAULTS + 1))
    if len(found) > MAX_FAULTS:
        more = f"wrong in more than {MAX_FAULTS} places, of which the rest is not listed"
        found[-1] = replace(found[-1], message=more, hint="Mend the others first.")
    if not found and not isinstance(value, dict):
        found = [_not_an_object(value, top)]
    if found:
        told = (fault.diagnostic(text or "", file) for fault in found)
        return None, find_secrets(value).redact_all(told)
    return Document(value=value, file=file, text=text), ()


def _not_an_object(value: object, hint: str) -> Fault:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        hint = "This seems to be an object inside a string: give the object itself, encoded once."
    message = f"the top level is {kind(value)}, not an object"
    return Fault(code="DPC111", offset=None, message=message, hint=hint)


def _empty(message: str, hint: str) -> Fault:
    return Fault(code="DPC103", offset=None, message=message, hint=hint)


def decoded(data: bytes | str, limit: int, top: str) -> tuple[str, Fault | None]:
    """The text of a file, without its byte order mark; with a fault, the text as far as it is one."""
    size = _size(data, limit)
    if size > limit:
        return "", size_fault(size, limit)
    before, fault = _not_text(data)
    if fault:
        return before, fault
    text = data if isinstance(data, str) else data.decode("utf-8")
    text = text.removeprefix("\ufeff")
    return text, None if text.strip() else _empty("the file is empty", top)


def _size(data: bytes | str, limit: int) -> int:
    """In bytes; the characters of a text that is too large anyway need no counting."""
    if isinstance(data, bytes) or len(data) > limit or data.isascii():
        return len(data)
    return len(data.encode("utf-8", "surrogatepass"))


def _not_text(data: bytes | str) -> tuple[str, Fault | None]:
    """DPC102, and the text before the place that is none."""
    if isinstance(data, str):
        zero = data.find("\0")
        return ("", None) if zero < 0 else _broken(data[:zero], f"a zero byte at offset {zero}")
    for mark, name in _BOMS.items():
        if data.startswith(mark):
            return _broken("", f"the byte order mark of {name} at offset 0")
    zero = data.find(b"\0")
    if zero >= 0:
        return _broken(data[:zero].decode("utf-8", "replace"), f"a zero byte at offset {zero}")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        return _broken(data[:at].decode("utf-8"), f"the byte 0x{data[at]:02x} at offset {at}")
    return "", None


def _broken(before: str, what: str) -> tuple[str, Fault]:
    before = before.removeprefix("\ufeff")
    message = f"this is not text in UTF-8: {what}"
    hint = "Is it the right file? If it is text, save it as UTF-8."
    return before, Fault(code="DPC102", offset=len(before), message=message, hint=hint)
