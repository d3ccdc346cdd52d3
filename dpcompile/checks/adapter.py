"""What is trained: an adapter of some kind, or the whole model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.wording import listing, quote

_KINDS = {"lora": "LoRA", "lokr": "LoKr"}
_TYPE = ("train", "adapter", "type")
_EXISTING = ("train", "adapter", "init_from_existing")
_WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


def supported_kind(facts: Facts) -> Iterator[Diagnostic]:
    """Some fail at the first save (models/flux.py:236), some as soon as the model is loaded (models/sdxl.py:458)."""
    kind = facts.get(*_TYPE)
    can = facts.spec.capabilities
    if kind not in _KINDS or can.get(kind, False):
        return
    others = [quote(k) for k in _KINDS if can.get(k)]
    text = f"{facts.spec.title} cannot train a {_KINDS[kind]}; the trainer would fail late"
    hint = f"Use adapter type {listing(others)}." if others else "Set adapter to null to train the whole model."
    yield facts.at("DPC401", _TYPE, text, hint)


def full_finetune(facts: Facts) -> Iterator[Diagnostic]:
    """Some types cannot save a model (models/base.py:394-395), others fail before the first step (train.py:796)."""
    if not facts.has_adapter and not facts.spec.capabilities.get("full_finetune", False):
        text = f"{facts.spec.title} can only be trained with an adapter: "
        text += "a full fine-tune would fail after encoding the data, at the latest at its first save"
        yield facts.at_null("DPC402", ("train", "adapter"), text, 'Take "adapter": null out.')


def float8_full_finetune(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing keeps the trainer from training float8 weights themselves (models/wan/wan.py:216, models/base.py:664)."""
    if facts.has_adapter:
        return
    for name in ("transformer_dtype", "diffusion_model_dtype"):
        dtype = facts.get("train", "model", name)
        if isinstance(dtype, str) and dtype.startswith("float8"):
            text = f"{name} {dtype} without an adapter: the float8 weights themselves would be trained"
            hint = f"Take {name} out for a full fine-tune, or train an adapter."
            yield facts.at("DPC403", ("train", "model", name), text, hint)


def options_of_other_kind(facts: Facts) -> Iterator[Diagnostic]:
    """Options of the other adapter type are ignored in silence (train.py:127-131, models/base.py:276-293)."""
    kind = facts.get(*_TYPE)
    for name, setting in facts.table("train", "adapter").items():
        field = facts.trainer.scopes["adapter"].get(name)
        only = field.schema.get("x-only", {}).get("type") if field else None
        if field is None or only is None or kind in (only, None):
            continue
        if setting.value == field.schema.get("default"):
            continue  # it asks for what happens anyway
        text = f"{name} is an option of {_KINDS[only]} adapters; a {_KINDS[kind]} ignores it"
        yield facts.at("DPC404", ("train", "adapter", name), text, f"Take it out, or set adapter type {quote(only)}.")


def options_of_other_models(facts: Facts) -> Iterator[Diagnostic]:
    """Few types read fuse_adapters (models/flux.py:197), and not all exclude_modules (models/sdxl.py:450-456)."""
    for name in facts.table("train", "adapter"):
        field = facts.trainer.scopes["adapter"].get(name)
        if field is None:
            continue
        only, without = field.schema.get("x-models"), field.schema.get("x-not-models", ())
        kind = facts.spec.toml_type
        if kind not in without and (only is None or kind in only):
            continue
        hint = "Take it out."
        if name == "fuse_adapters" and "merge_adapters" in facts.spec.fields:
            hint = "Use model.merge_adapters: a list of LoRA files."
        yield facts.at("DPC405", ("train", "adapter", name), f"{facts.spec.title} never reads {name}", hint)


def lokr_from_existing(facts: Facts) -> Iterator[Diagnostic]:
    """The names in a LoKr file are not mapped back to those of the model (models/base.py:378-386)."""
    if facts.get(*_EXISTING) is not None and facts.get(*_TYPE) == "lokr":
        text = "a LoKr adapter cannot start from an existing one: the trainer cannot map its names back"
        yield facts.at("DPC406", _EXISTING, text, "Take init_from_existing out, or go on with launch.resume.")


def existing_place(facts: Facts) -> Iterator[Diagnostic]:
    """Most types look for one file in a folder (models/base.py:370-374), few take the file too (models/flux.py:240)."""
    path = facts.get(*_EXISTING)
    if path is None:
        return
    if not path:
        # Present but empty: flux and sdxl then make no adapter at all (models/flux.py:225, train.py:534).
        yield facts.at("DPC408", _EXISTING, "init_from_existing is empty", "Name a folder, or take it out.")
        return
    place, files = PurePosixPath(path), facts.spec.capabilities.get("init_from_file", False)
    suffix = place.suffix.lower()
    if suffix not in _WEIGHT_FILES or (files and suffix == ".safetensors"):
        return
    wanted = "a .safetensors file or a folder with one" if files else "the folder that holds the one file"
    text = f"init_from_existing {quote(path)} is a file, where {facts.spec.title} wants {wanted}"
    folder = f"Write {quote(str(place.parent))}" if place.is_absolute() else "Write the folder's path"
    yield facts.at("DPC408", _EXISTING, text, f"{folder}; it must hold exactly one .safetensors file.")


def settings_of_existing(facts: Facts) -> Iterator[Diagnostic]:
    """Some types build the adapter from the file alone (models/flux.py:225-227, models/sdxl.py:431-433)."""
    if facts.get(*_EXISTING) is None or not facts.spec.capabilities.get("init_replaces_adapter", False):
        return
    own = [n for n in ("rank", "dtype", "dropout", "exclude_modules") if facts.wrote("train", "adapter", n)]
    if own:
        text = f"with init_from_existing, {facts.spec.title} takes {listing(own, 'and')} from the existing file"
        yield facts.at("DPC407", _EXISTING, text, f"Take {listing(own, 'and')} out.")


CHECKS = (
    supported_kind,
    full_finetune,
    float8_full_finetune,
    options_of_other_kind,
    options_of_other_models,
    lokr_from_existing,
    existing_place,
    settings_of_existing,
)
