"""What became of the trainer's files, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dpcompile.codes import CODES
from dpcompile.diagnostics import Diagnostic, Severity
from dpcompile.importing.written import Files
from dpcompile.keypath import KeyPath, pointer
from dpcompile.misnamed import Naming
from dpcompile.trainer import Field
from dpcompile.trainings import PARTS

Kind = Literal["crash", "late", "unread", "inert", "changed", "kept"]
KINDS: tuple[Kind, ...] = ("crash", "late", "unread", "inert", "changed", "kept")
"""In the order of reports: what stops the trainer at once, what stops it later, what it never reads, what has no
effect, what the job says otherwise, what it says as it was."""

_CRASHES = frozenset({"DPC224", "DPC421", "DPC442", "DPC457", "DPC459"})
"""Mistakes that the trainer finds before it encodes anything (train.py:91-150, dataset.py:524, minimax_h3.py:212)."""

_UNREAD = frozenset({"DPC208", "DPC210", "DPC211", "DPC214", "DPC218"})
_INERT = frozenset(
    {"DPC227", "DPC404", "DPC405", "DPC407", "DPC418", "DPC428", "DPC431", "DPC432", "DPC433", "DPC436", "DPC439"}
    | {"DPC450"}
)
_LATE_IN_OPTIMIZER = ("DPC418",)
"""Two ways of one optimizer at once, which it refuses when it is made (optimizers/generic_optim.py:348)."""
_WHEN = {
    "startup": "at once",
    "dataset_init": "when it reads the dataset",
    "model_init": "when it opens the model",
    "cache": "while it encodes the data",
    "post_cache": "after it has encoded the data",
    "post_load": "after it has encoded the data and loaded the model",
    "first_step": "at the first step",
    "epoch_end": "at the end of an epoch",
}
_BEFORE_ENCODING = ("startup", "dataset_init", "model_init")
_FIRST_CHECK = "DPC401"
"""Codes before it are about single values, whose keys say where the trainer reads them."""

# Findings that speak of the job in their remedy, in words of the files.
_HINTS = {
    "DPC428": "Name an evaluation set in eval_datasets, or take out what speaks of one.",
    "DPC219": "Add a [[directory]] with the path of a folder.",
    "DPC449": "Start the trainer with --trust_cache after the first run.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing to say of one key of the rendered files.

    `file` and `line` are those of the key in the trainer's files. `told` is the finding there; there is none
    where nothing is to be mended.
    """

    kind: Kind
    key: KeyPath
    shown: str
    message: str
    hint: str
    file: str
    line: int | None
    told: Diagnostic | None

    @property
    def is_error(self) -> bool:
        return self.told is not None and self.told.severity == "error"

    def to_json(self) -> dict[str, Any]:
        """The form of reports (contract), with the place in the file where it has one."""
        return {
            "kind": self.kind,
            "key": self.shown,
            "message": self.message,
            "hint": self.hint,
            "code": self.told.code if self.told else None,
            "file": self.file,
            "line": self.line,
        }


def entry(
    files: Files,
    kind: Kind,
    key: KeyPath,
    message: str,
    hint: str = "",
    *,
    code: str = "",
    severity: Severity | None = None,
) -> Entry:
    """An entry for a key of the rendered files; with a code it is a finding at the place of the key."""
    file = files.parts().get(str(key[0]), files.train)
    line, column = file.place(key[1:])
    told = None
    if code:
        told = Diagnostic(
            code=code,
            severity=severity or CODES[code].severity,
            path=pointer(key[1:]),
            message=message,
            hint=hint,
            file=file.file,
            line=line,
            column=column,
        )
    shown = files.shown(key)
    return Entry(kind=kind, key=key, shown=shown, message=message, hint=hint, file=file.file, line=line, told=told)


def of_job(found: Diagnostic, files: Files, naming: Naming) -> Entry | None:
    """What a finding in the imported job says of the files it came from; None for a note about the job alone."""
    if found.severity == "info" or found.code == "DPC216":
        return None
    key = _key_of(found.path)
    message, hint = found.message, _HINTS.get(found.code, found.hint)
    if found.code == "DPC428" and "no evaluation set" not in message:
        hint = found.hint
    kind = _kind(found, naming.field(key))
    field = naming.field(key)
    if kind in ("crash", "late") and found.code < _FIRST_CHECK:
        message += _what_then(field, _value_at(files, key))
    return entry(files, kind, key, message, hint, code=found.code, severity=found.severity)


def _kind(found: Diagnostic, field: Field | None) -> Kind:
    if found.code in _UNREAD:
        return "late" if found.path.startswith("/training/optimizer/") else "unread"
    if found.code in _LATE_IN_OPTIMIZER and found.path.startswith("/training/optimizer/"):
        return "late"
    if found.code in _INERT or "has no effect" in found.message:
        return "inert"
    if found.severity == "warning":
        return "kept"
    if found.code < _FIRST_CHECK:
        return "crash" if field is None or _fails_at(field) in _BEFORE_ENCODING else "late"
    return "crash" if found.code in _CRASHES else "late"


def _fails_at(field: Field | None) -> str:
    return str(field.schema.get("x-fails-at", "post_load")) if field is not None else "startup"


def _what_then(field: Field | None, value: object) -> str:
    """What the trainer does with a value that it should not have."""
    if field is not None and field.schema.get("type") == "boolean" and isinstance(value, str):
        return "; the trainer takes any text for true"
    known = field is None or "x-fails-at" in field.schema
    return f"; the trainer would stop {_when(field)}" if known else ""


def _value_at(files: Files, key: KeyPath) -> object:
    file = files.parts().get(str(key[0]))
    node: object = file.value if file else None
    for step in key[1:]:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _when(field: Field | None) -> str:
    return _WHEN.get(_fails_at(field), "later")


def missing(files: Files, key: KeyPath, field: Field, hint: str) -> Entry:
    """A key that the trainer cannot do without, and the files have not."""
    message = f"{key[-1]} is missing: the trainer would stop {_when(field)}"
    kind: Kind = "crash" if _fails_at(field) in _BEFORE_ENCODING else "late"
    return entry(files, kind, key, message, hint, code="DPC202")


def _key_of(path: str) -> KeyPath:
    """The key of the rendered files that a place in an imported job sets; see `fitting.place`."""
    steps: list[str | int] = [int(s) if s.isdigit() else s for s in path.split("/")[1:]]
    match steps:
        case ["training", "dataset" | "directory" as scope, *rest]:
            return ("dataset", "directory", 0, *rest) if scope == "directory" else ("dataset", *rest[:1])
        case ["training", "model" | "adapter" | "optimizer" | "monitoring" as table, *rest]:
            return ("train", table, *rest[:1])
        case ["training", str(name), *_] if name != PARTS:
            return ("train", name)
        case ["dataset", "missing_caption", *_]:
            return ("dataset", "skip_empty_caption")
        case ["dataset", "directories", int(row), str(name), *_]:
            return ("dataset", "directory", row, name)
        case ["dataset", "eval", "sets", int(n), "directories", int(row), str(name), *_]:
            return (f"eval.{n + 1}", "directory", row, name)
        case ["dataset", "eval", "sets", int(n), str(name), *_]:
            return (f"eval.{n + 1}", name)
        case ["dataset", "eval", *_]:
            return ("train", "eval_datasets")
        case ["dataset", *_]:
            return ("dataset", "directory")
        case ["model_type", *_]:
            return ("train", "model", "type")
    return ("train",)
