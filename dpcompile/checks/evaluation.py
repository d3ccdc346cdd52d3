"""Evaluation while training."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.batches import step_examples
from dpcompile.checks.facts import Facts
from dpcompile.dataplan import check_eval
from dpcompile.diagnostics import Diagnostic
from dpcompile.wording import listing

_OCCASIONS = ("eval_every_n_epochs", "eval_every_n_steps", "eval_every_n_examples", "eval_before_first_step")
_EXAMPLES = ("train", "eval_every_n_examples")


def without_a_set(facts: Facts) -> Iterator[Diagnostic]:
    """Without eval_datasets nothing is evaluated (train.py:231, 436): the commonest inert setting of all."""
    if facts.evaluates:
        return
    about = [n for n in facts.table("train") if n.startswith("eval_") or n == "disable_block_swap_for_eval"]
    # Switched off, it asks for what happens anyway.
    asked = [name for name in about if facts.asked("train", name) and facts.get("train", name)]
    if asked:
        text = f"{listing(asked, 'and')} {'has' if len(asked) == 1 else 'have'} no effect: there is no evaluation set"
        hint = f'Add "eval": {{"fraction": 0.05}} to dataset, or take {"it" if len(asked) == 1 else "them"} out.'
        yield facts.at("DPC428", ("train", asked[0]), text, hint)


def without_an_occasion(facts: Facts) -> Iterator[Diagnostic]:
    """An evaluation set that no interval and no first step asks for is encoded in vain (train.py:908, 945)."""
    first = facts.get("train", "eval_before_first_step")
    if facts.evaluates and first is False and not any(facts.get("train", name) for name in _OCCASIONS):
        text = "the evaluation set is never used: every eval_every_n_... is off, and eval_before_first_step too"
        hint = "Set eval_every_n_epochs, or take dataset.eval out."
        yield facts.in_job("DPC428", ("dataset", "eval"), text, hint)


def shorter_than_a_step(facts: Facts) -> Iterator[Diagnostic]:
    """Examples are divided by those of a step; zero steps means never (train.py:646-648, 945)."""
    examples, step = facts.get(*_EXAMPLES), step_examples(facts)
    if facts.evaluates and examples and examples < step:
        text = f"eval_every_n_examples {examples} is less than the {step} examples of one step: it means never"
        yield facts.at("DPC428", _EXAMPLES, text, f"Use {step} or more.")


def one_way(facts: Facts) -> Iterator[Diagnostic]:
    """An evaluation set is fetched or split off, not both."""
    yield from check_eval(facts.job)


CHECKS = (without_a_set, without_an_occasion, shorter_than_a_step, one_way)
