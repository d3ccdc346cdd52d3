"""The findings of an audit, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dpcompile.audit.record import Place
from dpcompile.spec import scope_name
from dpcompile.wording import listing, quote

Kind = Literal[
    "unreadable",
    "new_type",
    "no_spec",
    "gone_type",
    "new_key",
    "moved_key",
    "gone_key",
    "new_optimizer",
    "gone_optimizer",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_TRAIN_SCHEMA = "schemas/diffusion_pipe.train.schema.json"
_DATASET_SCHEMA = "schemas/diffusion_pipe.dataset.schema.json"
_WITHHELD = "So nothing is said about keys and optimizers that may be gone."
_NEW_MODEL = 'Write its model spec: see "When upstream gains a model" in CONTRIBUTING.md.'
_MANY = 3
"""More model types than that are told by those that are left out, where these are fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. `types` are the model types it is about, none where it is not about single ones.

    `file` is a file of the checkout; `line` is None where nothing is left to point at.
    """

    kind: Kind
    scope: str
    name: str
    types: tuple[str, ...] = ()
    file: str
    line: int | None
    message: str
    hint: str

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "scope": self.scope,
            "name": self.name,
            "types": list(self.types),
            "file": self.file,
            "line": self.line,
            "message": self.message,
            "hint": self.hint,
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By kind, then by place."""
    return tuple(sorted(findings, key=lambda f: (KINDS.index(f.kind), f.file, f.line or 0, f.scope, f.name)))


def unreadable(file: str, line: int | None, message: str) -> Finding:
    return Finding(kind="unreadable", scope="", name=file, file=file, line=line, message=message, hint=_WITHHELD)


def unknown_type(name: str, place: Place, served_by: str, keys: Iterable[str], *, new: bool) -> Finding:
    """A model type without a spec; `new` is one that dpcompile has never heard of."""
    what = f"the model type {quote(name)} is new" if new else f"no spec yet for the model type {quote(name)}"
    reads = f"; in [model] it reads {listing(keys, 'and')}" if keys else ""
    return Finding(
        kind="new_type" if new else "no_spec",
        scope="model",
        name=name,
        types=(name,),
        file=place.file,
        line=place.line,
        message=f"{what}: {served_by}{reads}",
        hint=_NEW_MODEL,
    )


def gone_type(name: str, near: Place, specs: Iterable[str]) -> Finding:
    """`near` is where model types are chosen."""
    files = listing(specs, "and")
    return Finding(
        kind="gone_type",
        scope="model",
        name=name,
        types=(name,),
        file=near.file,
        line=near.line,
        message=f"the model type {quote(name)} is not chosen any more" + (f"; specs: {files}" if files else ""),
        hint="Take its specs out, or say in their notes which commit they need.",
    )


def new_key(scope: str, name: str, place: Place, types: Iterable[str], among: Iterable[str]) -> Finding:
    """`among` are all model types that could have it."""
    if is_model(scope):
        hint = "Add it to `fields` of the specs, or to `unread` with the reason if it has no effect."
    else:
        hint = f"Describe it in {_schema_of(scope)}."
    return Finding(
        kind="new_key",
        scope=scope,
        name=name,
        types=tuple(sorted(types)),
        file=place.file,
        line=place.line,
        message=f"{quote(name)} is now read {_in(scope)}{_for(types, among)}",
        hint=hint,
    )


def gone_key(
    scope: str,
    name: str,
    near: tuple[str, int | None],
    before: str,
    types: Iterable[str] = (),
    among: Iterable[str] = (),
) -> Finding:
    """`before` says where the key was read; `near` is the file and line where to look now."""
    if is_model(scope):
        hint = "Take it out of `fields` of the specs, or name it in `unread` with the reason."
    else:
        hint = f"Take it out of {_schema_of(scope)}, or mark it there with x-dead."
    return Finding(
        kind="gone_key",
        scope=scope,
        name=name,
        types=tuple(sorted(types)),
        file=near[0],
        line=near[1],
        message=f"{quote(name)} is no longer read {_in(scope)}{_for(types, among)}; it was {before}",
        hint=hint,
    )


def moved_key(lost: Finding, place: Finding) -> Finding:
    """One finding for a key that is gone in one scope and new in another."""
    types = lost.types or place.types
    text = f"{quote(lost.name)} has moved from {_words(lost.scope)} to {_words(place.scope)}"
    return Finding(
        kind="moved_key",
        scope=place.scope,
        name=place.name,
        types=types,
        file=place.file,
        line=place.line,
        message=text + _for(types, ()),
        hint="Move its description, and look for it in the defaults and presets of the specs.",
    )


def new_optimizer(name: str, place: Place) -> Finding:
    return Finding(
        kind="new_optimizer",
        scope="optimizer",
        name=name,
        file=place.file,
        line=place.line,
        message=f"{quote(name)} is now an optimizer that the trainer knows by itself",
        hint=f"Describe it in $defs.optimizers of {_TRAIN_SCHEMA}, with x-builtin.",
    )


def gone_optimizer(name: str, near: Place | None) -> Finding:
    return Finding(
        kind="gone_optimizer",
        scope="optimizer",
        name=name,
        file=near.file if near else "train.py",
        line=near.line if near else None,
        message=f"{quote(name)} is no longer an optimizer that the trainer knows by itself",
        hint=f"Take it out of $defs.optimizers in {_TRAIN_SCHEMA}, or drop its x-builtin.",
    )


def is_model(scope: str) -> bool:
    """Whether a scope is `[model]` or a table in it: there each model type has its own keys."""
    return scope == "model" or scope.startswith("model.")


def parent(scope: str) -> tuple[str, str]:
    """The scope and key at which a table stands: `model.text_encoders[]` -> `model`, `text_encoders`."""
    above, _, name = scope.rpartition(".")
    return {"": "root", "dataset.directory[]": "directory"}.get(above, above), name.removesuffix("[]")


def _schema_of(scope: str) -> str:
    return _DATASET_SCHEMA if scope.partition(".")[0] in ("dataset", "directory") else _TRAIN_SCHEMA


def _words(scope: str) -> str:
    """A scope as people meet it: `[adapter]`, `the top of train.toml`, `the tables of [model] text_encoders`."""
    if not scope.endswith("[]"):
        return scope_name(scope)
    above, name = parent(scope)
    return f"the tables of {name}" if above == "root" else f"the tables of {_words(above)} {name}"


def _in(scope: str) -> str:
    words = _words(scope)
    return f"at {words}" if words.startswith("the top") else f"in {words}"


def _for(types: Iterable[str], among: Iterable[str]) -> str:
    named, others = sorted(types), sorted(set(among) - set(types))
    if len(named) > _MANY and not others:
        return " for every model type"
    if len(named) > _MANY and len(others) <= _MANY:
        return f" for every model type but {listing(others, 'and')}"
    return f" for {listing(named, 'and')}" if named else ""
