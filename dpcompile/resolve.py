"""Layers of settings -> one resolved config in which every value knows where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dpcompile.keypath import KeyPath
from dpcompile.trainer import CONSUMED_ARGUMENTS, TrainerKeys

Layer = Literal["defaults", "spec", "preset", "job", "set", "derived"]
PRECEDENCE: tuple[Layer, ...] = ("defaults", "spec", "preset", "job", "set", "derived")
"""Weakest first. `derived` holds only what dpcompile makes itself: paths and names that no other layer may set."""


_RANKS = {layer: rank for rank, layer in enumerate(PRECEDENCE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from: a layer, and a place in a file where there is one."""

    layer: Layer
    file: str | None
    pointer: str

    def to_json(self) -> dict[str, Any]:
        return {"layer": self.layer, "file": self.file, "pointer": self.pointer}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One statement of one layer: this key has this value, or (`removed`) no value at all.

    Removing a table (`("train", "adapter")`) removes every key in it.
    """

    key: KeyPath
    value: Any
    origin: Origin
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value, its origin, and the weaker statements it shadowed, the strongest of those first."""

    value: Any
    origin: Origin
    shadowed: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A weaker layer's value that went because it does not fit a stronger layer's choice."""

    assignment: Assignment
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """All settings after layering, by the place they have in the rendered files."""

    settings: Mapping[KeyPath, Setting]
    dropped: tuple[Dropped, ...] = ()
    _tables: dict[KeyPath, dict[str | int, Setting]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        tables: dict[KeyPath, dict[str | int, Setting]] = {}
        for key, setting in self.settings.items():
            tables.setdefault(key[:-1], {})[key[-1]] = setting
        object.__setattr__(self, "_tables", tables)

    def get(self, *key: str | int) -> Any:
        """The value at a key, None when nothing is set."""
        setting = self.settings.get(key)
        return None if setting is None else setting.value

    def table(self, *prefix: str | int) -> Mapping[str | int, Setting]:
        """The settings directly below a table."""
        return self._tables.get(prefix, {})

    def has_table(self, *prefix: str | int) -> bool:
        """Whether anything stands below a table."""
        depth = len(prefix)
        return any(table[:depth] == prefix for table in self._tables)


def _strength(said: Assignment) -> int:
    return _RANKS[said.origin.layer]


def layered(assignments: Iterable[Assignment]) -> dict[KeyPath, Setting]:
    """The strongest statement for each key, with what it shadowed. Assignments come in order of PRECEDENCE."""
    settings: dict[KeyPath, Setting] = {}
    for said in sorted(assignments, key=_strength):
        if said.removed:
            for key in [k for k in settings if k[: len(said.key)] == said.key]:
                del settings[key]
            continue
        before = settings.get(said.key)
        shadowed = () if before is None else (_as_assignment(said.key, before), *before.shadowed)
        settings[said.key] = Setting(value=said.value, origin=said.origin, shadowed=shadowed)
    return settings


def _as_assignment(key: KeyPath, setting: Setting) -> Assignment:
    return Assignment(key=key, value=setting.value, origin=setting.origin)


def has_adapter(assignments: Sequence[Assignment]) -> bool:
    """Whether an adapter is trained, once the strongest layer that speaks of it has spoken."""
    verdict = False
    for said in sorted(assignments, key=_strength):
        if said.key[:2] == ("train", "adapter"):
            verdict = not said.removed if len(said.key) == 2 or not said.removed else verdict
    return verdict


def resolve(
    assignments: Sequence[Assignment], trainer: TrainerKeys, excludes: Mapping[KeyPath, tuple[KeyPath, ...]]
) -> ResolvedConfig:
    """All layers as one config; weaker values that do not fit a stronger layer's choice go with it.

    `excludes` maps a key to those that lose their meaning when it is set.
    """
    settings = layered(assignments)
    settings |= dict(_following(settings))
    dropped: list[Dropped] = []
    misfits = (
        *_misfit_arguments(settings, trainer),
        *_misfit_adapter_keys(settings, trainer),
        *_excluded(settings, excludes),
        *_narrower(settings),
    )
    for key, why in misfits:
        if key in settings:
            dropped.append(Dropped(assignment=_as_assignment(key, settings.pop(key)), why=why))
    return ResolvedConfig(settings=settings, dropped=tuple(dropped))


def _is_default(setting: Setting) -> bool:
    return setting.origin.layer in ("defaults", "spec")


def _weaker(setting: Setting, than: Setting) -> bool:
    return _RANKS[setting.origin.layer] < _RANKS[than.origin.layer]


def _misfit_arguments(settings: Mapping[KeyPath, Setting], trainer: TrainerKeys) -> Iterator[tuple[KeyPath, str]]:
    """Weaker layers' optimizer arguments that the chosen optimizer does not take (`betas` with SGD)."""
    chosen = settings.get(("train", "optimizer", "type"))
    kind = trainer.optimizer(chosen.value) if chosen and isinstance(chosen.value, str) else None
    if chosen is None or kind is None:
        return
    for key, setting in settings.items():
        if len(key) != 3 or key[:2] != ("train", "optimizer") or key[2] in CONSUMED_ARGUMENTS:
            continue
        if not _weaker(setting, chosen):
            continue
        argument = kind.arguments.get(str(key[2]))
        if argument is None:
            yield key, f"{kind.name} does not take it"
        elif not argument.validator.is_valid(setting.value):
            yield key, f"{kind.name} takes another kind of value"


def _misfit_adapter_keys(settings: Mapping[KeyPath, Setting], trainer: TrainerKeys) -> Iterator[tuple[KeyPath, str]]:
    """Weaker layers' adapter keys that belong to the other adapter type."""
    chosen = settings.get(("train", "adapter", "type"))
    if chosen is None:
        return
    for name, known in trainer.scopes["adapter"].items():
        only = known.schema.get("x-only", {}).get("type")
        setting = settings.get(("train", "adapter", name))
        if only and only != chosen.value and setting and _weaker(setting, chosen):
            yield ("train", "adapter", name), f"{chosen.value} adapters do not have it"


def _excluded(
    settings: Mapping[KeyPath, Setting], excludes: Mapping[KeyPath, tuple[KeyPath, ...]]
) -> Iterator[tuple[KeyPath, str]]:
    """Weaker layers' values that another setting makes meaningless (`flux_shift` when `shift` is set).

    And the other way round in [model]: whoever sets `flux_shift` true means it, whatever `shift` the spec begins with.
    """
    for key, others in excludes.items():
        setting = settings.get(key)
        if setting is None:
            continue
        for other in others:
            lost = settings.get(other)
            if lost is None:
                continue
            if _weaker(lost, setting):
                yield other, f"{key[-1]} takes its place"
            elif key[:2] == ("train", "model") and _is_default(setting) and lost.value not in (None, False):
                yield key, f"{other[-1]} would have no effect beside it"


def _following(settings: Mapping[KeyPath, Setting]) -> Iterator[tuple[KeyPath, Setting]]:
    """What a weaker layer says in both places, of the dataset and of each `[[directory]]`, is needed in both.

    So a stronger layer that speaks of the dataset speaks of them all (models/cosmos.py:176-183 wants it so).
    """
    for key, narrow in settings.items():
        wide = settings.get((key[0], key[-1])) if key[1] == "directory" and len(key) == 4 else None
        if wide is None or not _weaker(narrow, wide):
            continue
        if any(said.origin.layer == narrow.origin.layer for said in wide.shadowed):
            before = (_as_assignment(key, narrow), *narrow.shadowed)
            yield key, Setting(value=wide.value, origin=wide.origin, shadowed=before)


def _narrower(settings: Mapping[KeyPath, Setting]) -> Iterator[tuple[KeyPath, str]]:
    """Weaker layers' values for one `[[directory]]` where a stronger layer speaks for the whole dataset."""
    for key, setting in settings.items():
        wide = settings.get((key[0], key[-1])) if key[1] == "directory" and len(key) == 4 else None
        if wide is not None and _weaker(setting, wide):
            yield key, "it is set for the whole dataset"
