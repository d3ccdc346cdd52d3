"""The [model] table: whether the model can be trained, number formats, paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.trainer import Field
from dpcompile.values import paths_in
from dpcompile.wording import clause, quote

_DTYPE = ("train", "model", "dtype")
_ADAPTER_DTYPE = ("train", "adapter", "dtype")


def trainable(facts: Facts) -> Iterator[Diagnostic]:
    """Models that the trainer offers and whose training breaks off in its own code."""
    if why := facts.spec.capabilities.get("fails"):
        text = f"no training of {facts.spec.title} gets on with the trainer as it is: {clause(why)}"
        hint = "Choose another model. With a trainer in which that is mended, use a spec of your own that extends "
        hint += f"{facts.spec.name} and says capabilities: {{fails: null}}."
        yield facts.in_job("DPC462", ("model_type",), text, hint)


def float16(facts: Facts) -> Iterator[Diagnostic]:
    """No loss scaler is configured (train.py:423-429), so small gradients of float16 weights vanish."""
    trained = () if facts.has_adapter else ("transformer_dtype", "diffusion_model_dtype")
    for key in (_DTYPE, _ADAPTER_DTYPE, *(("train", "model", name) for name in trained if name in facts.spec.fields)):
        if facts.sound(key) and facts.get(*key) == "float16":
            text = f"{key[1]}.{key[2]} float16 is trained without loss scaling: small gradients become zero in silence"
            yield facts.at("DPC423", key, text, 'Use "bfloat16".')


def float8_base(facts: Facts) -> Iterator[Diagnostic]:
    """model.dtype is what the VAE and autocast compute in too; neither can in float8 (train.py:287, wan.py:199-201)."""
    dtype = facts.get(*_DTYPE)
    if not isinstance(dtype, str) or not dtype.startswith("float8"):
        return
    name = next((n for n in ("transformer_dtype", "diffusion_model_dtype") if n in facts.spec.fields), "")
    hint = 'Use "bfloat16".'
    if facts.spec.capabilities.get("float8") and name:
        hint = f'Use "bfloat16", and {name} {quote(dtype)} to keep the weights of the model small.'
    text = f"dtype {dtype}: everything would be computed in it, which works for stored weights only"
    yield facts.at("DPC429", _DTYPE, text, hint)


def float8_adapter(facts: Facts) -> Iterator[Diagnostic]:
    """The trained weights are cast to it (models/base.py:302-303), and no optimizer steps float8 weights."""
    dtype = facts.get(*_ADAPTER_DTYPE)
    if isinstance(dtype, str) and dtype.startswith("float8"):
        text = f"adapter.dtype {dtype}: weights that are trained cannot be float8"
        yield facts.at("DPC429", _ADAPTER_DTYPE, text, 'Use "bfloat16".')


def relative_paths(facts: Facts) -> Iterator[Diagnostic]:
    """A relative path is looked up below the trainer's folder, where the worker starts it."""
    tables: tuple[tuple[KeyPath, Mapping[str, Field]], ...] = (
        (("train", "model"), facts.spec.fields),
        (("train", "adapter"), facts.trainer.scopes["adapter"]),
        ((facts.part, "directory", facts.row), facts.trainer.scopes["directory"]),
    )
    for prefix, fields in tables:
        for name in facts.table(*prefix):
            key = (*prefix, name)
            if name not in fields or not facts.wrote(*key):
                continue
            for inside, path, _schema in paths_in(facts.get(*key), fields[name].schema):
                if path and not path.startswith("/"):
                    text = f"{name} {quote(path)} is relative: the trainer will look for it below its own folder"
                    hint = "Write the whole path, as it is on the machine that trains."
                    yield facts.at("DPC434", key, text, hint, inside=inside)


CHECKS = (
    trainable,
    float16,
    float8_base,
    float8_adapter,
    relative_paths,
)
