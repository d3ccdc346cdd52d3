"""Block swapping, checkpointing and the division over GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic

_SWAP = ("train", "blocks_to_swap")
_CHECKPOINTING = ("train", "activation_checkpointing")
_REENTRANT = ("train", "reentrant_activation_checkpointing")
_METHOD = ("train", "partition_method")
_SPLIT = ("train", "partition_split")
_FIRST_LAYERS = "Give the number of the first layer of each stage but the first"


def swappable(facts: Facts) -> Iterator[Diagnostic]:
    """Both fail after the model is loaded (models/base.py:438-439, models/wan/wan.py:390, models/flux.py:417)."""
    blocks, most = facts.get(*_SWAP), facts.spec.capabilities.get("blocks_to_swap")
    if not blocks:
        return
    if most is None:
        text = f"{facts.spec.title} cannot swap blocks; the trainer would fail after loading the model"
        yield facts.at("DPC424", _SWAP, text, "Take blocks_to_swap out.")
    elif blocks > most:
        text = f"{facts.spec.title} can swap at most {most} blocks, not {blocks}"
        yield facts.at("DPC425", _SWAP, text, f"Use a value up to {most}.")


def swap_conditions(facts: Facts) -> Iterator[Diagnostic]:
    """Only for adapters and undivided models, asserted after caching and model load (train.py:576-578)."""
    if not facts.get(*_SWAP) or facts.spec.capabilities.get("blocks_to_swap") is None:
        return
    if not facts.has_adapter:
        text = "blocks can be swapped only while an adapter is trained"
        yield facts.at("DPC424", _SWAP, text, "Take blocks_to_swap out, or train an adapter.")
    if facts.stages > 1:
        text = f"blocks cannot be swapped with pipeline_stages {facts.stages}: it must be 1"
        yield facts.at("DPC424", _SWAP, text, "Keep one of them.")


def uncached_text_encoder(facts: Facts) -> Iterator[Diagnostic]:
    """With block swapping the text encoder stays on the CPU (train.py:579-583, models/wan/wan.py:379, 443-446)."""
    if facts.get(*_SWAP) and facts.get("train", "model", "cache_text_embeddings") is False:
        text = "with blocks_to_swap the text encoder stays on the CPU, so its embeddings must be cached"
        yield facts.at("DPC424", _SWAP, text, "Take blocks_to_swap or cache_text_embeddings out.")


def swap_for_eval(facts: Facts) -> Iterator[Diagnostic]:
    """There is nothing to switch off without block swapping (train.py:234, 907)."""
    key = ("train", "disable_block_swap_for_eval")
    if facts.evaluates and facts.get(*key) and facts.asked(*key) and not facts.get(*_SWAP):
        text = "disable_block_swap_for_eval has no effect: no blocks are swapped"
        yield facts.at("DPC439", key, text, "Take it out, or set blocks_to_swap.")


def reentrant(facts: Facts) -> Iterator[Diagnostic]:
    """The offloader then takes the one forward pass for the second (utils/offloading.py:297-310): it never swaps."""
    if not facts.get(*_REENTRANT) or facts.get(*_CHECKPOINTING):
        return
    if facts.get(*_SWAP):
        text = "reentrant checkpointing without activation_checkpointing breaks block swapping at the first step"
        yield facts.at("DPC435", _REENTRANT, text, "Set activation_checkpointing true as well.")
    elif facts.asked(*_REENTRANT):
        text = "reentrant_activation_checkpointing has no effect without activation_checkpointing"
        yield facts.at("DPC439", _REENTRANT, text, "Set activation_checkpointing true, or take it out.")


def always_reentrant(facts: Facts) -> Iterator[Diagnostic]:
    """The method named unsloth switches it on, whatever is set (train.py:100-101)."""
    off = facts.get(*_REENTRANT) is False and facts.wrote(*_REENTRANT)
    if off and facts.get(*_CHECKPOINTING) == "unsloth":
        text = 'reentrant_activation_checkpointing has no effect: "unsloth" always is reentrant'
        yield facts.at("DPC439", _REENTRANT, text, "Take it out.")


def stages(facts: Facts) -> Iterator[Diagnostic]:
    """The GPUs must be divisible among the stages when the pipeline is built (train.py:605-616)."""
    gpus, count = facts.gpus, facts.stages
    if gpus % count:
        text = f"{gpus} GPU{'s' if gpus > 1 else ''} cannot be divided into {count} pipeline stages"
        hint = "Set launch.num_gpus to a multiple of pipeline_stages."
        yield facts.at("DPC426", ("train", "pipeline_stages"), text, hint)


def manual_split(facts: Facts) -> Iterator[Diagnostic]:
    """The manual method wants one cut between each two stages; its default is unusable (utils/pipeline.py:17-25)."""
    if facts.get(*_METHOD) != "manual":
        return
    split, count, layers = facts.get(*_SPLIT), facts.stages, facts.spec.capabilities.get("layers")
    first_layers = f"{_FIRST_LAYERS}, at most {layers - 1}." if layers else f"{_FIRST_LAYERS}."
    cuts = "one layer number" if count == 2 else f"{count - 1} rising layer numbers"
    if split is None:
        text = 'partition_method "manual" needs partition_split, which says where the layers are cut'
        hint = first_layers if count > 1 else "Take partition_method out: there is only one stage."
        yield facts.at("DPC427", _METHOD, text, hint)
    elif len(split) != count - 1 or sorted(set(split)) != list(split):
        text, hint = f"partition_split needs {cuts} for {count} stages", first_layers
        if count == 1:
            text = "partition_split says where the layers are cut, and a single stage is not cut"
            hint = "Take partition_split and partition_method out, or set pipeline_stages."
        yield facts.at("DPC427", _SPLIT, text, hint)
    elif layers and max(split, default=0) >= layers:
        text = f"partition_split goes up to {split[-1]}, and {facts.spec.title} has {layers} layers, numbered from 0: "
        text += "a stage would get none"
        yield facts.at("DPC427", _SPLIT, text, first_layers)


def unused_split(facts: Facts) -> Iterator[Diagnostic]:
    """Every other method works the cuts out by itself (utils/pipeline.py:17, 52-53)."""
    if facts.asked(*_SPLIT) and facts.get(*_METHOD) != "manual":
        text = 'partition_split has no effect: it is read only with partition_method "manual"'
        yield facts.at("DPC439", _SPLIT, text, 'Set partition_method "manual", or take it out.')


CHECKS = (
    swappable,
    swap_conditions,
    uncached_text_encoder,
    swap_for_eval,
    reentrant,
    always_reentrant,
    stages,
    manual_split,
    unused_split,
)
