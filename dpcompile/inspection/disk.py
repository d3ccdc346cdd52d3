"""What a run writes to the disk: models, checkpoints, and the trainer's cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.inspection.dataset import DatasetReport, Directory
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.schedule import Schedule
from dpcompile.inspection.size import DTYPE_BYTES, Caption, ModelSize, adapter_parameters

_MASK_BYTES = 2
"""Of each pixel of a mask: float16 (models/base.py:187)."""
_ITEM_BYTES = 2000
"""What torch.save adds to each item of the cache (utils/cache.py:109-133)."""
_NOT_KEPT = Caption()
"""Where the text encoders are trained or run at each step, nothing is kept of captions."""
_OTHER_STATES = ("momentum_type", "second_moment_type", "muon", "adamuon", "normuon", "automagic", "rank")
_TOKEN_LETTERS = 4
"""Letters of English text that make a token, on the average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """Bytes that a run takes, None where the model's size is not known. The trainer deletes nothing of it."""

    models: int
    model: int | None
    """Each saved model."""
    checkpoints: int
    """Those that are certain to be written."""
    checkpoint: int | None
    """Each checkpoint; without what the optimizer keeps where `checkpoint_is_least`."""
    checkpoint_is_least: bool
    """Whether it is not known what the optimizer keeps."""
    cache: int | None
    """What the trainer keeps of the encoded media and captions."""

    @property
    def written(self) -> int | None:
        """By all models and checkpoints that are certain to be written."""
        if self.model is None or self.checkpoint is None:
            return None
        return self.models * self.model + self.checkpoints * self.checkpoint


def disk_use(
    facts: ModelFacts, train: Mapping[str, Any], course: Schedule, reports: Iterable[DatasetReport]
) -> DiskUse:
    """What the run of a training file takes."""
    size, each = facts.size, _number_bytes(train)
    numbers, kept = _trained_numbers(size, train), optimizer_bytes(train, each)
    model = checkpoint = None
    if numbers is not None:
        # A saved model is its numbers and hardly anything else. `save_dtype` is for it alone (utils/saver.py:74, 99).
        model = numbers * DTYPE_BYTES.get(str(train.get("save_dtype")), each)
        model += 0 if _table(train, "adapter") else size.saved_beside
        checkpoint = numbers * (each + (kept or 0)) + size.buffers * _model_bytes(train)
    return DiskUse(
        models=len(course.saves),
        model=model,
        checkpoints=len(course.checkpoints),
        checkpoint=checkpoint,
        checkpoint_is_least=kept is None,
        cache=_cache(facts, train, reports),
    )


def _trained_numbers(size: ModelSize, train: Mapping[str, Any]) -> int | None:
    """What is trained and saved; None where it is not known."""
    adapter, model = _table(train, "adapter"), _table(train, "model")
    frozen = [key for key, rate in model.items() if key.endswith("_lr") and rate == 0] if size.zero_lr_freezes else []
    if adapter:
        return adapter_parameters(size, adapter, frozen)
    return None if frozen else size.parameters


def _model_bytes(train: Mapping[str, Any]) -> int:
    return DTYPE_BYTES.get(str(_table(train, "model").get("dtype")), 2)


def _number_bytes(train: Mapping[str, Any]) -> int:
    """Bytes of each trained number (train.py:106-126, models/base.py:296-298)."""
    model, adapter = _table(train, "model"), _table(train, "adapter")
    own = [adapter.get("dtype")] if adapter else [model.get("transformer_dtype"), model.get("diffusion_model_dtype")]
    return next((DTYPE_BYTES[str(name)] for name in [*own, model.get("dtype")] if str(name) in DTYPE_BYTES), 2)


def optimizer_bytes(train: Mapping[str, Any], each: int) -> int | None:
    """Bytes that the optimizer keeps for each trained number of `each` bytes, None where it is not known.

    A checkpoint has them beside the trained numbers. There is no ZeRO, so they are in the numbers' own type, and
    frozen weights are left out (train.py:423-429, 650-694; utils/saver.py:115-125).
    """
    optimizer = _table(train, "optimizer")
    # What a sum in 16 bits has no room for is kept beside it.
    rest = each if each == 2 else 0
    summed = rest if optimizer.get("kahan_sum") is not False else 0
    kept = {
        "adamw": 2 * each,
        "offload": 2 * each,
        "adamw_optimi": 2 * each + summed,
        "stableadamw": 2 * each + summed,
        "adamw8bit": 2,
        "adamw8bitkahan": 2 + each,
        "automagic": 2 + rest,
        "sgd": each if optimizer.get("momentum") else 0,
        "lion": each,
        "prodigy": 4 * each,
        "schedulefreeadamw": 2 * each,
    }
    name = str(optimizer.get("type")).lower()
    if name == "genericoptim" and not any(key in optimizer for key in _OTHER_STATES):
        return 2 * each + rest
    return kept.get(name)


def _cache(facts: ModelFacts, train: Mapping[str, Any], reports: Iterable[DatasetReport]) -> int | None:
    """Each file at each of its sizes, and each of its captions once (utils/dataset.py:178-200, 232-243, 439-448)."""
    latent, caption = facts.size.latent, facts.size.caption
    if latent is None or caption is None:
        return None
    total = 0
    for directory in (each for report in reports for each in report.directories):
        for (key, masked), files in _encoded(directory).items():
            width, height = facts.sides(key.width, key.height)
            each = latent.size(width, height, facts.length(key.frames), _model_bytes(train))
            each *= 2 if directory.rules.control_path else 1
            total += files * (each + masked * width * height * _MASK_BYTES + _ITEM_BYTES)
        if caption != _NOT_KEPT and _table(train, "model").get("cache_text_embeddings", True):
            total += sum(_caption_bytes(caption, verdict) for verdict in directory.trained)
    return total


def _caption_bytes(caption: Caption, verdict: Verdict) -> int:
    """Of all captions of a file, which may be more than were written: with shuffled tags."""
    each = verdict.item.captions.letters / (verdict.item.captions.count or 1)
    tokens = round(each / _TOKEN_LETTERS)
    return verdict.captions * (caption.bytes + tokens * caption.token_bytes + _ITEM_BYTES)


def _encoded(directory: Directory) -> Counter[Any]:
    """How many files are encoded for each bucket, with a mask and without."""
    return Counter((key, bool(v.item.mask)) for v in directory.trained for key in v.buckets)


def _table(train: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = train.get(name)
    return table if isinstance(table, Mapping) else {}


def disk_json(disk: DiskUse | None) -> dict[str, int | None]:
    """The JSON form, in bytes; null where it is not known."""
    return {
        "models": disk.models if disk else 0,
        "model": disk.model if disk else None,
        "checkpoints": disk.checkpoints if disk else 0,
        "checkpoint": disk.checkpoint if disk else None,
        "checkpoint_is_least": bool(disk and disk.checkpoint_is_least),
        "written": disk.written if disk else None,
        "cache": disk.cache if disk else None,
    }
