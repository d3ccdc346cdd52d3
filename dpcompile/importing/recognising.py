"""Whose config a file is: the trainer's own, which of its two kinds, or another trainer's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

What = Literal["train", "dataset", "other", "job", "unknown"]

_TRAIN = (
    "output_dir",
    "epochs",
    "micro_batch_size_per_gpu",
    "pipeline_stages",
    "gradient_accumulation_steps",
    "optimizer",
)
_DATASET = ("directory", "resolutions", "enable_ar_bucket", "num_ar_buckets", "frame_buckets", "ar_buckets")
_SIGNS: Mapping[str, tuple[str, ...]] = {
    "kohya sd-scripts": (
        "pretrained_model_name_or_path",
        "network_module",
        "train_data_dir",
        "image_dir",
        "class_tokens",
        "subsets",
        "additional_network_arguments",
        "training_arguments",
    ),
    "musubi-tuner": (
        "image_directory",
        "video_directory",
        "image_jsonl_file",
        "video_jsonl_file",
        "cache_directory",
        "dit",
        "target_frames",
    ),
    "ai-toolkit": ("process", "extension", "folder_path", "trigger_word", "datasets", "sample_every"),
    "SimpleTuner": ("data_backend_config", "instance_data_dir", "caption_strategy", "model_family", "lora_type"),
    "OneTrainer": ("__version", "training_method", "base_model_name", "concept_file_name", "output_model_format"),
    "axolotl": ("base_model", "sequence_len", "adapter", "micro_batch_size", "datasets"),
}
"""Keys that tell a trainer's configs. Few that diffusion-pipe has too, and never those alone."""

_FEW = 2
_ENOUGH = 3
"""One key that tells a trainer is two; another one of it settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a file is; `trainer` names the other trainer it is for."""

    kind: What
    trainer: str = ""


def recognise(tree: Any, foreign: Mapping[str, Any]) -> Recognised:
    """What a decoded TOML, JSON or YAML file is. `foreign` are the keys of other trainers, with theirs."""
    if not isinstance(tree, Mapping):
        return Recognised(kind="unknown")
    if "model_type" in tree and isinstance(tree.get("dataset"), Mapping):
        return Recognised(kind="job")
    if isinstance(tree.get("model"), Mapping) and "type" in tree["model"]:
        return Recognised(kind="train")
    ours = max(sum(name in tree for name in names) for names in (_TRAIN, _DATASET))
    trainer, count = _likeliest(set(_names(tree)), foreign)
    if count >= _ENOUGH and count > ours:
        return Recognised(kind="other", trainer=trainer)
    if sum(name in tree for name in _TRAIN) >= _FEW or isinstance(tree.get("model"), Mapping):
        return Recognised(kind="train")
    return Recognised(kind="dataset" if any(name in tree for name in _DATASET) else "unknown")


def _likeliest(names: set[str], foreign: Mapping[str, Any]) -> tuple[str, int]:
    counts = Counter({trainer: len(names & set(signs)) * 2 for trainer, signs in _SIGNS.items()})
    for name in names:
        for trainer in foreign[name]["of"] if name in foreign else ():
            if trainer in _SIGNS:
                counts[trainer] += 1
    return counts.most_common(1)[0]


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield str(key).removeprefix("--")
            yield from _names(value)
    elif isinstance(node, list):
        for item in node:
            yield from _names(item)
