"""What dpcompile expects the trainer to read: from the schemas, and from the fields of the model specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.spec import ModelSpec
from dpcompile.trainer import CONSUMED_ARGUMENTS, Field, TrainerKeys

TYPES = frozenset(
    {
        *("anima", "auraflow", "chroma", "cosmos", "cosmos_predict2", "ernie_image", "flux", "flux2", "hidream"),
        *("hunyuan-video", "hunyuan_image", "hunyuan_video_15", "ideogram4", "krea2", "ltx-video", "ltx2"),
        *("lumina_2", "minimax_h3", "omnigen2", "qwen_image", "sd3", "sdxl", "wan", "z_image"),
    }
)
"""The model types at the commit of the schemas (train.py:312-382): one of them without a spec is no news."""

NAMED_NOWHERE = frozenset({"seed", "pseudo_huber_c", "image_eval_micro_batch_size_per_gpu"})
"""Dead keys of train.toml that the code does not even name at that commit; other dead keys are read without effect."""

_TABLES = {
    "model": "train.py:106",
    "adapter": "train.py:115",
    "optimizer": "train.py:422",
    "monitoring": "train.py:561",
}
"""The tables of train.toml, and where the code first looks for each."""


class Reading(Enum):
    """Whether the trainer's code is expected to look for a key."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that dpcompile knows, and where it was read when it was described."""

    reading: Reading
    source: str = ""


Keys = Mapping[str, Mapping[str, Key]]
"""Scope -> key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownType:
    """A model type with specs: their files, and what they say about the keys of `[model]` and the tables in it."""

    files: tuple[str, ...]
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a checkout is compared with."""

    commit: str
    types: Mapping[str, KnownType]
    listed: frozenset[str]
    """Model types that are no news, though they may have no spec."""
    keys: Keys
    """All scopes but `[model]` and the tables in it."""
    optimizers: frozenset[str]


def load_known(catalogue: Catalogue) -> Known:
    """What the schemas and all specs of a catalogue say; a spec that is broken says nothing."""
    trainer = catalogue.trainer
    by_type: dict[str, list[ModelSpec]] = {}
    for _, spec, _ in catalogue.all():
        if spec is not None:
            by_type.setdefault(spec.toml_type, []).append(spec)
    return Known(
        commit=trainer.commit,
        types={name: _known_type(specs) for name, specs in by_type.items()},
        listed=TYPES,
        keys=_trainer_keys(trainer),
        optimizers=frozenset(n for n, entry in trainer.optimizer_entries.items() if entry.get("x-builtin")),
    )


def _trainer_keys(trainer: TrainerKeys) -> Keys:
    found: dict[str, dict[str, Key]] = {}
    for scope, fields in trainer.scopes.items():
        if scope != "model":
            _add(found, scope, fields.values())
    found["root"] |= {name: Key(reading=Reading.YES, source=source) for name, source in _TABLES.items()}
    # All other keys of [optimizer] are handed on to the class of the optimizer, whatever they are.
    passed_on = {*found["optimizer"], *trainer.definitions["optimizer_arguments"]} - CONSUMED_ARGUMENTS
    found["optimizer"] |= {name: Key(reading=Reading.MAYBE) for name in passed_on}
    return found


def _known_type(specs: list[ModelSpec]) -> KnownType:
    found: dict[str, dict[str, Key]] = {"model": {}}
    # What one of the specs takes is read, whatever the others say about it.
    for spec in specs:
        found["model"] |= {name: Key(reading=Reading.NO) for name in spec.unread}
    for spec in specs:
        _add(found, "model", spec.fields.values())
    return KnownType(files=tuple(sorted(spec.chain[-1].file for spec in specs)), keys=found)


def _add(found: dict[str, dict[str, Key]], scope: str, fields: Iterable[Field]) -> None:
    keys = found.setdefault(scope, {})
    for field in fields:
        keys[field.name] = Key(reading=_reading(field), source=str(field.schema.get("x-source", "")))
        # The tables of `directory` have a scope of their own.
        if not field.dead and (scope, field.name) != ("dataset", "directory"):
            _add_tables(found, _below(scope, field.name), field.schema, keys[field.name].source)


def _reading(field: Field) -> Reading:
    if not field.dead:
        return Reading.YES
    return Reading.NO if field.name in NAMED_NOWHERE else Reading.MAYBE


def _add_tables(found: dict[str, dict[str, Key]], scope: str, schema: Mapping[str, Any], source: str) -> None:
    """The keys of a table, or of the tables in a list, that stands as a value in another table."""
    while "items" in schema and isinstance(schema["items"], Mapping):
        schema, scope = schema["items"], f"{scope}[]"
    for name, below in schema.get("properties", {}).items():
        known = Key(reading=Reading.YES, source=str(below.get("x-source", source)))
        found.setdefault(scope, {})[name] = known
        _add_tables(found, f"{scope}.{name}", below, known.source)


def _below(scope: str, name: str) -> str:
    start = {"root": "", "directory": "dataset.directory[]."}.get(scope, f"{scope}.")
    return start + name
