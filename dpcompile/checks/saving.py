"""Models that are written to disk."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.batches import step_examples
from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.wording import listing

_SAVES = ("save_every_n_epochs", "save_every_n_steps", "save_every_n_examples")


def saves_something(facts: Facts) -> Iterator[Diagnostic]:
    """The trainer insists on one of three keys (train.py:95)."""
    keys = [("train", name) for name in _SAVES]
    if all(facts.get(*key) is None for key in keys):
        text = "nothing says how often the model is saved, and the trainer refuses to start without it"
        yield facts.at_null("DPC421", keys[0], text, "Set save_every_n_epochs; the last epoch is saved in any case.")


def shorter_than_a_step(facts: Facts) -> Iterator[Diagnostic]:
    """Examples are divided by those of a step; zero steps is a division by zero (train.py:643-645, saver.py:165)."""
    examples, step = facts.get("train", "save_every_n_examples"), step_examples(facts)
    if examples is not None and examples < step:
        text = f"save_every_n_examples {examples} is less than the {step} examples of one step: "
        text += "the run would fail after its first step"
        yield facts.at("DPC438", ("train", "save_every_n_examples"), text, f"Use {step} or more.")


def incomplete_fine_tune(facts: Facts) -> Iterator[Diagnostic]:
    """What no layer of the pipeline holds is neither trained nor saved (utils/saver.py:98)."""
    lacks = facts.spec.merged.get("saved_format", {}).get("full_lacks")
    if lacks and not facts.has_adapter:
        text = f"a full fine-tune of {facts.spec.title} is saved without {listing(lacks, 'and')}, which are not trained"
        text += ": programs that load it do without them, or make them up"
        hint = "Before you use it, copy them from the file of diffusion_model into model.safetensors."
        yield facts.at_null("DPC460", ("train", "adapter"), text, hint)


CHECKS = (
    saves_something,
    shorter_than_a_step,
    incomplete_fine_tune,
)
