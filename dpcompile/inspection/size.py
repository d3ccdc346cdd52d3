"""How large a model is: what an adapter for it holds, and what the trainer's cache keeps of each file and caption."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isqrt
from typing import Any

DTYPE_BYTES: Mapping[str, int] = {
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8": 1,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
"""Bytes of one number, by the trainer's names (utils/common.py:14-21)."""

Shapes = tuple[tuple[int, int, int], ...]
"""Linear layers: numbers in, numbers out, how many such layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """What the cache keeps of an image or clip at one size, beside which `more` bytes are kept whatever the size."""

    channels: int
    pixels: int
    frames: int
    bytes: int | None = None
    """Of each number; None where it is in model.dtype."""
    more: int = 0

    def size(self, width: int, height: int, frames: int, each: int) -> int:
        """Bytes for media of this size in pixels and of so many frames; `each` are those of a number of model.dtype."""
        cells = (width // self.pixels) * (height // self.pixels) * ((frames - 1) // self.frames + 1)
        return self.channels * cells * (self.bytes or each) + self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What the cache keeps of a caption: `bytes`, and `token_bytes` for each of its tokens."""

    bytes: int = 0
    token_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """What a model spec says of sizes; what it does not say is not known."""

    parameters: int | None = None
    """Numbers that a full fine-tune trains and saves."""
    adapted: Shapes = ()
    """The linear layers that an adapter covers."""
    parts: tuple[tuple[str, Shapes], ...] = ()
    """A learning rate in [model], and those of the layers that it is for."""
    saved_beside: int = 0
    """Bytes of what is saved with a full fine-tune without being trained."""
    buffers: int = 0
    """Numbers of model.dtype that every checkpoint holds although they are not trained."""
    zero_lr_freezes: bool = False
    """Whether a part with a learning rate of 0 is left out of what is trained and saved."""
    latent: Latent | None = None
    caption: Caption | None = None


def size_from(value: Mapping[str, Any] | None) -> ModelSize:
    """The sizes in a model spec, or in a plan."""
    given = value or {}
    latent, caption = given.get("latent"), given.get("caption")
    return ModelSize(
        parameters=given.get("parameters"),
        adapted=_shapes(given.get("adapted")),
        parts=tuple((rate, _shapes(shapes)) for rate, shapes in (given.get("parts") or {}).items()),
        saved_beside=given.get("saved_beside") or 0,
        buffers=given.get("buffers") or 0,
        zero_lr_freezes=bool(given.get("zero_lr_freezes")),
        latent=None if latent is None else Latent(**latent),
        caption=None if caption is None else Caption(**caption),
    )


def agreed(sizes: Sequence[ModelSize]) -> ModelSize:
    """What several models, at least one, have in common."""
    common: dict[str, Any] = {}
    for name in (field.name for field in fields(ModelSize)):
        values = {getattr(size, name) for size in sizes}
        if len(values) == 1:
            common[name] = values.pop()
    return ModelSize(**common)


def _shapes(value: Sequence[Sequence[int]] | None) -> Shapes:
    return tuple((wide, high, count) for wide, high, count in value or ())


def adapter_parameters(size: ModelSize, adapter: Mapping[str, Any], frozen: Collection[str] = ()) -> int | None:
    """How many numbers of an adapter are saved; None where it is not known (models/base.py:272-304).

    `frozen` are the rates of parts that are not trained, and therefore not saved (utils/saver.py:68-70).
    """
    parts = dict(size.parts)
    if not size.adapted or adapter.get("exclude_modules") or not set(frozen) <= set(parts):
        return None
    whole, less = _numbers(size.adapted, adapter), [_numbers(parts[rate], adapter) or 0 for rate in frozen]
    return None if whole is None else whole - sum(less)


def _numbers(shapes: Shapes, adapter: Mapping[str, Any]) -> int | None:
    kind, rank, factor = adapter.get("type"), adapter.get("rank"), adapter.get("decompose_factor", -1)
    if not isinstance(rank, int) or not isinstance(factor, int):
        return None
    if kind == "lora":
        return sum(count * rank * (wide + high) for wide, high, count in shapes)
    if kind == "lokr":
        layers = ((_lokr(wide, high, rank, factor), count) for wide, high, count in shapes)
        return sum(count * rows * columns for matrices, count in layers for rows, columns in matrices)
    return None


def widest_of_lokr(shapes: Sequence[Sequence[int]], rank: int, factor: int) -> int:
    """The smaller side of that matrix of a LoKr whose smaller side is largest; 0 where no layer is known."""
    matrices = (matrix for wide, high, _count in shapes for matrix in _lokr(wide, high, rank, factor))
    return max(map(min, matrices), default=0)


def _lokr(wide: int, high: int, rank: int, factor: int) -> Sequence[tuple[int, int]]:
    """The matrices of a LoKr layer: a small one whole, and a large one as two thin ones where that is less (PEFT)."""
    (small_in, large_in), (small_out, large_out) = _factors(wide, factor), _factors(high, factor)
    thin = rank < max(large_in, large_out) / 2
    large = ((large_out, rank), (rank, large_in)) if thin else ((large_out, large_in),)
    return ((small_out, small_in), *large)


def _factors(number: int, factor: int) -> tuple[int, int]:
    """Two factors of a number: `factor` and its counterpart, or else the most alike up to it, the smaller one first."""
    if factor > 0 and number % factor == 0:
        return factor, number // factor
    most = min(factor, isqrt(number)) if factor > 0 else isqrt(number)
    small = next(one for one in range(most, 0, -1) if number % one == 0)
    return small, number // small
