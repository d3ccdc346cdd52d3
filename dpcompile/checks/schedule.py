"""The learning rate over time."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.wording import listing

_COSINE_END = 1e-6
_AUTOMAGIC_LIMIT = 1e-3
_RATE = ("train", "optimizer", "lr")
_SCHEDULER = ("train", "lr_scheduler")
_WARMUP = ("train", "warmup_steps")
_CONSTANT = ("train", "force_constant_lr")


def _rates(facts: Facts) -> Iterator[tuple[KeyPath, float]]:
    """The learning rate, and those that a model has for its parts."""
    parts = [("train", "model", name) for name in facts.spec.fields if name.endswith("_lr")]
    for key in (_RATE, *parts):
        rate = facts.get(*key)
        if rate is None or (rate == 0 and key != _RATE and facts.spec.capabilities.get("zero_lr_freezes")):
            continue  # a part that is not trained has no rate
        yield key, rate


def _keeps_own_rates(facts: Facts) -> bool:
    """Whether the optimizer has a rate for each weight (optimizers/automagic.py:281-295, generic_optim.py:407-409)."""
    name = facts.get("train", "optimizer", "type")
    kind = facts.trainer.optimizer(name) if isinstance(name, str) else None
    if kind is None:
        return False
    return kind.name == "automagic" or bool(
        kind.name == "genericoptim" and facts.get("train", "optimizer", "automagic")
    )


def cosine_end(facts: Facts) -> Iterator[Diagnostic]:
    """The cosine schedule ends at 1e-6, whatever the rate it starts with (train.py:855)."""
    if facts.get(*_SCHEDULER) != "cosine" or facts.get(*_CONSTANT) is not None or _keeps_own_rates(facts):
        return
    for key, rate in _rates(facts):
        if rate <= _COSINE_END:
            course = "rise instead of fall" if rate < _COSINE_END else "never change"
            text = f"the cosine schedule ends at 1e-6, so {key[-1]} {rate:g} would {course}"
            place = key if facts.asked(*key) else _SCHEDULER
            yield facts.at("DPC440", place, text, 'Use a higher rate, or lr_scheduler "constant".')


def automagic_start(facts: Facts) -> Iterator[Diagnostic]:
    """A start above 1e-3 is replaced by 1e-6, with a line of output only (optimizers/automagic.py:50-52)."""
    name, rate = facts.get("train", "optimizer", "type"), facts.get(*_RATE)
    if isinstance(name, str) and name.lower() == "automagic" and rate is not None and rate > _AUTOMAGIC_LIMIT:
        text = f"automagic starts at 1e-6 when it is given a rate above 1e-3, as {rate:g} is"
        yield facts.at("DPC440", _RATE, text, "Give a rate of at most 1e-3.")


def horizon(facts: Facts) -> Iterator[Diagnostic]:
    """Schedules are laid over epochs; max_steps does not shorten them (train.py:853-855)."""
    scheduler, most = facts.get(*_SCHEDULER), facts.get("train", "max_steps")
    if scheduler not in ("linear", "cosine") or most is None or _keeps_own_rates(facts):
        return
    text = f"the {scheduler} schedule is laid over all epochs; if max_steps {most} ends the run before, "
    text += "the rate has not fallen all the way"
    hint = "Leave max_steps out, and set epochs to what you really want to train."
    yield facts.at("DPC420", _SCHEDULER, text, hint)


def endless_warmup(facts: Facts) -> Iterator[Diagnostic]:
    """The warm-up is as long as it was set, however short the run is (train.py:858-861, 961)."""
    warmup, most = facts.get(*_WARMUP), facts.get("train", "max_steps")
    if not warmup or most is None or most > warmup:
        return
    if facts.get(*_CONSTANT) is None and not _keeps_own_rates(facts):
        text = f"the run ends after {most} steps, before the warm-up of {warmup} steps is over"
        place = _WARMUP if facts.wrote(*_WARMUP) else ("train", "max_steps")
        yield facts.at("DPC420", place, text, "Set warmup_steps to a small part of max_steps.")


def own_rates(facts: Facts) -> Iterator[Diagnostic]:
    """Nothing that acts on the rates of parameter groups reaches such optimizers (optimizers/automagic.py:281-295)."""
    if not _keeps_own_rates(facts):
        return
    for key in (_SCHEDULER, _WARMUP, _CONSTANT):
        value = facts.get(*key)
        if value in (None, 0, "constant") or not facts.asked(*key):
            continue
        text = f"automagic keeps a rate of its own for each weight: {key[-1]} has no effect"
        yield facts.at("DPC420", key, text, f"Take {key[-1]} out.")


def overridden(facts: Facts) -> Iterator[Diagnostic]:
    """force_constant_lr sets the rate of every parameter group and drops schedule and warm-up (train.py:893-896)."""
    constant = facts.get(*_CONSTANT)
    if constant is None or _keeps_own_rates(facts):
        return
    # That it overrides learning_rate is what it is there for.
    lost = [str(key[-1]) for key, rate in _rates(facts) if key != _RATE and rate != constant]
    lost += ["lr_scheduler"] if facts.get(*_SCHEDULER) not in (None, "constant") else []
    lost += ["warmup_steps"] if facts.get(*_WARMUP) and facts.asked(*_WARMUP) else []
    if lost:
        text = f"force_constant_lr overrides {listing(lost, 'and')}"
        yield facts.at("DPC433", _CONSTANT, text, f"Take {listing(lost, 'and')} out, or force_constant_lr.")


CHECKS = (
    cosine_end,
    automagic_start,
    horizon,
    endless_warmup,
    own_rates,
    overridden,
)
