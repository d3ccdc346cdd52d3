"""One trainable model, as its YAML spec describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dpcompile.trainer import SCOPES, Field, Scope, TrainerKeys, make_field

ROOT_SPEC = "base"
"""The spec that every other one extends in the end: the trainer-wide defaults."""

DEFAULT_BLOCKS = ("defaults", "defaults_with_adapter", "defaults_with_eval")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFile:
    """One YAML file, as it was read: well-formed and fitting the schema."""

    file: str
    name: str
    value: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What a model trains on. `frame_rate` is in frames per second, None for image models."""

    images: bool
    videos: bool
    frame_rate: float | None
    pixel_multiple: int
    frame_multiple: int | None
    frame_offset: int
    edit: bool
    masks: bool
    resize_multiple: int | None = None
    """The multiple that media are resized to in the end, where it is not `pixel_multiple`."""
    sound: bool = False
    """Whether the sound of videos is trained. The videos of a micro batch must have some all, or none."""
    largest_side: int | None = None
    """The longest side that the model has positions for, in pixels; None where there is no end to them."""
    size_buckets: tuple[tuple[int, int, int], ...] | None = None
    """The only [width, height, frames] that the model takes; None where any can be trained."""

    def of_files(self) -> dict[str, Any]:
        """What the inspection goes by: the `media` of a plan's inspect step."""
        return {name: value for name, value in asdict(self).items() if name != "size_buckets"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelSpec:
    """A model spec with everything it extends merged in. Compared by identity: a catalogue builds each one once."""

    name: str
    title: str
    aliases: tuple[str, ...]
    toml_type: str
    chain: tuple[SpecFile, ...]
    """The files it is made of, the most general first."""
    merged: Mapping[str, Any]
    media: Media
    fields: Mapping[str, Field]

    @property
    def capabilities(self) -> Mapping[str, Any]:
        return self._part("capabilities")

    @property
    def unread(self) -> Mapping[str, Mapping[str, str]]:
        """`[model]` keys that this type does not act on, with the reason."""
        return self._part("unread")

    @property
    def names(self) -> Mapping[str, str]:
        """Friendly flat names in a job's `training` -> `scope.key`."""
        return self._part("names")

    @property
    def aliases_of_names(self) -> Mapping[str, str]:
        """Names people bring from elsewhere -> friendly name or `scope.key`."""
        return self._part("aliases_of_names")

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        return self._part("presets")

    @property
    def sources(self) -> tuple[Mapping[str, Any], ...]:
        """What must be downloaded."""
        return tuple(self.merged.get("sources", ()))

    @property
    def size(self) -> Mapping[str, Any]:
        """How large the model is, as far as it is known: `$defs/size` of the spec schema, and `zero_lr_freezes`."""
        return {**self._part("size"), "zero_lr_freezes": bool(self.capabilities.get("zero_lr_freezes"))}

    @property
    def job_defaults(self) -> Mapping[str, Any]:
        """Defaults of the job's own fields."""
        defaults: Mapping[str, Any] = self._part("defaults").get("job", {})
        return defaults

    def _part(self, name: str) -> Mapping[str, Any]:
        part: Mapping[str, Any] = self.merged.get(name, {})
        return part


def merge(base: Mapping[str, Any], variant: Mapping[str, Any]) -> dict[str, Any]:
    """`variant` over `base`: maps key by key, everything else replaced, null takes away."""
    result = dict(base)
    for key, value in variant.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            # Also where nothing stands below, so that no null is left over.
            result[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def merge_chain(chain: tuple[SpecFile, ...]) -> dict[str, Any]:
    """All files of a chain as one map. Who a spec is (`name`, `aliases`, `abstract`) is never inherited."""
    own = ("name", "title", "aliases", "abstract", "extends", "trainings")
    result: dict[str, Any] = {}
    for link in chain:
        result = merge({k: v for k, v in result.items() if k not in own}, link.value)
    return result


def make_spec(chain: tuple[SpecFile, ...], trainer: TrainerKeys) -> ModelSpec:
    """A model spec from its chain of files, which must have been found to be in order (`check_spec`)."""
    merged = merge_chain(chain)
    return ModelSpec(
        name=chain[-1].name,
        title=merged["title"],
        aliases=tuple(merged.get("aliases", ())),
        toml_type=merged["toml_type"],
        chain=chain,
        merged=merged,
        media=_media(merged["media"]),
        fields={**trainer.scopes["model"], **model_fields(merged.get("fields", {}))},
    )


def _media(value: Mapping[str, Any]) -> Media:
    rule = value.get("frame_rule") or {}
    return Media(
        images=value["images"],
        videos=value["videos"],
        frame_rate=value.get("frame_rate"),
        pixel_multiple=value["pixel_multiple"],
        frame_multiple=rule.get("multiple"),
        frame_offset=rule.get("offset", 0),
        edit=bool(value.get("edit")),
        masks=bool(value.get("masks")),
        resize_multiple=value.get("resize_multiple"),
        sound=bool(value.get("sound")),
        largest_side=value.get("largest_side"),
        size_buckets=tuple(map(tuple, sizes)) if (sizes := value.get("size_buckets")) else None,
    )


def model_fields(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Field]:
    return {
        name: make_field(name, "model", schema, required=bool(schema.get("required", False)))
        for name, schema in fields.items()
    }


def value_blocks(value: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Scope, Mapping[str, Any]]]:
    """Every table of settings in a spec file: its place, its scope, and the settings."""
    places: list[tuple[tuple[str, ...], Any]] = [((block,), value.get(block, {})) for block in DEFAULT_BLOCKS]
    places += [(("presets", name, "values"), p.get("values", {})) for name, p in value.get("presets", {}).items() if p]
    for place, tables in places:
        for scope in SCOPES:
            if tables and tables.get(scope):
                yield (*place, scope), scope, tables[scope]


def within(scope: Scope) -> str:
    """Where the keys of a scope stand: `in [model]`, `at the top of train.toml` …"""
    name = scope_name(scope)
    return f"in {name}" if name.startswith("[") else f"at {name}"


def scope_name(scope: str) -> str:
    """A scope as people meet it in the TOML files: `[model]`, `the top of train.toml` …"""
    return {
        "root": "the top of train.toml",
        "dataset": "the top of dataset.toml",
        "directory": "[[directory]]",
    }.get(scope, f"[{scope}]")
