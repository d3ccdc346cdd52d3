"""The [optimizer] table: which class, and what its constructor takes."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.size import widest_of_lokr
from dpcompile.misfits import sentence
from dpcompile.schema import problems
from dpcompile.similar import did_you_mean
from dpcompile.trainer import CONSUMED_ARGUMENTS, OptimizerType
from dpcompile.wording import clause, listing, quote

_TABLE = ("train", "optimizer")
_TYPE = (*_TABLE, "type")
_ADAPTER = ("train", "adapter")
_GENERIC = "genericoptim"
_MUONS = ("muon", "adamuon", "normuon")
_PROJECTION = ("rank", "proj_type", "update_proj_gap")
_SMALLEST_FOR_MUON = 32


def _chosen(facts: Facts) -> OptimizerType | None:
    name = facts.get(*_TYPE)
    return facts.trainer.optimizer(name) if isinstance(name, str) else None


def _is(facts: Facts, name: str) -> bool:
    kind = _chosen(facts)
    return kind is not None and kind.name == name


def known_type(facts: Facts) -> Iterator[Diagnostic]:
    """An unknown name fails only after the model is loaded (train.py:699-700)."""
    name = facts.get(*_TYPE)
    if name is None or _chosen(facts) is not None:
        return
    entries = facts.trainer.optimizer_entries
    folded = [n for n in entries if n.lower() == str(name).lower()]
    hint = f"Write {quote(folded[0])}: capitals count." if folded else did_you_mean(str(name), entries)
    own = listing((n for n, entry in entries.items() if entry.get("x-builtin")), "and")
    yield facts.at("DPC411", _TYPE, f"there is no optimizer {quote(name)}", hint or f"The trainer's own are {own}.")


def usable_type(facts: Facts) -> Iterator[Diagnostic]:
    """Classes that the trainer's loop cannot drive: closures, wrappers, other arguments (train.py:699-700, 815)."""
    kind = _chosen(facts)
    if kind is not None and kind.unusable:
        why, _, instead = kind.unusable.partition(" Use ")
        text = f"{facts.get(*_TYPE)} cannot work in the trainer: {clause(why)}"
        yield facts.at("DPC414", _TYPE, text, f"Use {instead}" if instead else "Choose another optimizer.")


def type_with_care(facts: Facts) -> Iterator[Diagnostic]:
    """Classes that work, but not as one would think. A preset's choice was made with care."""
    kind = _chosen(facts)
    if kind is None or kind.name == "automagic":
        return  # what automagic ignores is told where it was asked for: schedule.own_rates
    if kind.warning and facts.wrote(*_TYPE):
        why, _, remedy = kind.warning.partition(" Set ")
        hint = f"Set {remedy}" if remedy else "Keep it if that is known and meant; else choose another optimizer."
        yield facts.at("DPC419", _TYPE, f"{facts.get(*_TYPE)}: {clause(why)}", hint)


def arguments(facts: Facts) -> Iterator[Diagnostic]:
    """Every other key goes to the constructor (train.py:666): TypeError after hours of caching, or silence."""
    kind = _chosen(facts)
    if kind is None or kind.unusable:
        return
    for name, setting in facts.table(*_TABLE).items():
        key, argument = (*_TABLE, name), kind.arguments.get(name)
        if name in CONSUMED_ARGUMENTS:
            continue
        if argument is None:
            text = f"{facts.get(*_TYPE)} does not take {name}"
            yield facts.at("DPC412", key, text, _taken(kind, name))
        elif argument.dead:
            text = f"{name} cannot be given to {facts.get(*_TYPE)}: {clause(argument.dead['why'])}"
            yield facts.at("DPC412", key, text, argument.dead.get("instead", "Take it out."))
        else:
            for problem in problems(argument.validator, setting.value):
                text = sentence(problem, name)
                yield facts.at(problem.code, key, text, problem.hint, inside=problem.path)


def _taken(kind: OptimizerType, name: str) -> str:
    known = sorted(n for n, argument in kind.arguments.items() if not argument.dead)
    return did_you_mean(name, known) or f"It takes {listing(known, 'and')}."


def required_arguments(facts: Facts) -> Iterator[Diagnostic]:
    """Arguments without a default, and a learning rate where parameter groups must have one.

    gradient_release reads it from each group (train.py:745), cosmos_predict2 writes it there (cosmos_predict2.py:481).
    """
    kind = _chosen(facts)
    if kind is None or kind.unusable:
        return
    needed = dict.fromkeys(kind.required, str(facts.get(*_TYPE)))
    if facts.spec.capabilities.get("needs_lr", False):
        needed.setdefault("lr", facts.spec.title)
    if facts.get(*_TABLE, "gradient_release"):
        needed.setdefault("lr", "gradient_release")
    for name, who in needed.items():
        key = (*_TABLE, name)
        if key not in facts.broken and facts.config.get(*key) is None:
            text, hint = f"{who} needs {name}", f"Set optimizer.{name}."
            yield facts.at_null("DPC413", key, text, hint, otherwise=_TYPE)


def rates_of_parts(facts: Facts) -> Iterator[Diagnostic]:
    """A rate for each part leaves nothing for the optimizer's own (models/sdxl.py:615-630)."""
    parts = facts.spec.capabilities.get("rates_of_parts", ())
    if parts and facts.asked(*_TABLE, "lr") and all(facts.in_model(name) is not None for name in parts):
        text = f"lr has no effect: {listing(parts, 'and')} set the rate of all that is trained"
        yield facts.at("DPC439", (*_TABLE, "lr"), text, "Take it out, or one of the others that is to follow it.")


def gradient_release(facts: Facts) -> Iterator[Diagnostic]:
    """It reads `lr` from every parameter group, and wants one GPU per stage (train.py:713-716, 740-746)."""
    key = (*_TABLE, "gradient_release")
    if not facts.get(*key):
        return
    if not facts.spec.capabilities.get("gradient_release", False):
        text = f"gradient_release fails for {facts.spec.title} after the model is loaded (KeyError: lr)"
        yield facts.at("DPC415", key, text, "Take it out.")
    elif facts.gpus != facts.stages:
        text = "gradient_release needs one pipeline stage for each GPU"
        text += f", but pipeline_stages is {facts.stages} and the number of GPUs {facts.gpus}"
        yield facts.at("DPC415", key, text, "Take it out, or set pipeline_stages to the number of GPUs.")
    elif facts.spec.capabilities.get("zero_lr_freezes"):
        # Frozen weights are among those it hooks on to (train.py:755-756; models/cosmos_predict2.py:497-500).
        rates = [*(("train", "model", name) for name in facts.spec.fields if name.endswith("_lr")), (*_TABLE, "lr")]
        for rate in (rate for rate in rates if facts.get(*rate) == 0):
            text = f"gradient_release fails beside {rate[-1]} 0, which leaves weights untrained"
            hint = f"Take gradient_release out, or give {rate[-1]} a rate above 0."
            if rate[-1] != "lr":
                hint = f"{hint[:-1]}, or set it to null, so that those weights are trained at lr."
            yield facts.at("DPC415", key, text, hint)


def clipping_beside_release(facts: Facts) -> Iterator[Diagnostic]:
    """No gradient is left to clip at the end of a step, so it is set to 0 (train.py:426-427)."""
    key = ("train", "gradient_clipping")
    if facts.asked(*key) and facts.get(*key) and facts.get(*_TABLE, "gradient_release"):
        text = "gradient_clipping has no effect beside gradient_release: nothing is clipped"
        yield facts.at("DPC439", key, text, "Take it out, or gradient_release.")


def half_life(facts: Facts) -> Iterator[Diagnostic]:
    """beta2_half_life replaces the second of exactly two betas (train.py:658-663)."""
    key, kind = (*_TABLE, "beta2_half_life"), _chosen(facts)
    if facts.get(*key) is None or kind is None:
        return
    betas = facts.get(*_TABLE, "betas")
    if "betas" not in kind.arguments:
        text = f"beta2_half_life needs betas, which {facts.get(*_TYPE)} does not take"
        yield facts.at("DPC416", key, text, "Take it out, or choose another optimizer.")
    elif betas is None:
        text = "beta2_half_life needs betas: it replaces the second one"
        yield facts.at("DPC416", key, text, "Set optimizer.betas too.")
    elif len(betas) != 2:
        text = f"beta2_half_life needs two betas, but there are {len(betas)}"
        yield facts.at("DPC416", key, text, "Take it out, or give two betas.")


def muon_on_small_rank(facts: Facts) -> Iterator[Diagnostic]:
    """Matrices whose smaller side is below 32 are stepped by Adam (optimizers/generic_optim.py:417-420)."""
    rank, kind = facts.get(*_ADAPTER, "rank"), facts.get(*_ADAPTER, "type")
    if rank is None or rank >= _SMALLEST_FOR_MUON or not _is(facts, _GENERIC):
        return
    which, hint = f"a LoRA of rank {rank}", "Use a rank of 32 or more, or another optimizer."
    if kind == "lokr":
        factor = facts.get(*_ADAPTER, "decompose_factor") or -1  # the trainer's default (train.py:131)
        widest = widest_of_lokr(facts.spec.size.get("adapted") or (), rank, factor)
        if not 0 < widest < _SMALLEST_FOR_MUON:
            return
        which = f"a LoKr of rank {rank} and decompose_factor {factor}"
        hint = "Use a rank or a decompose_factor of 32 or more, or another optimizer."
    elif kind != "lora":
        return
    for name in _MUONS:
        if facts.get(*_TABLE, name):
            text = f"{name} never runs on {which}: matrices below 32 are stepped by Adam"
            yield facts.at("DPC436", (*_TABLE, name), text, hint)


def one_muon(facts: Facts) -> Iterator[Diagnostic]:
    """Two of them at once are refused after the model is loaded (optimizers/generic_optim.py:349)."""
    chosen = [name for name in _MUONS if facts.get(*_TABLE, name)]
    if _is(facts, _GENERIC) and len(chosen) > 1:
        text = f"{listing(chosen, 'and')} exclude each other"
        yield facts.at("DPC418", (*_TABLE, chosen[-1]), text, "Keep one of them.")


def projection(facts: Facts) -> Iterator[Diagnostic]:
    """rank, proj_type and update_proj_gap come together, "sm" needs them (optimizers/generic_optim.py:623-639)."""
    if not _is(facts, _GENERIC):
        return
    given = [name for name in _PROJECTION if facts.get(*_TABLE, name) is not None]
    missing = [name for name in _PROJECTION if name not in given]
    wanted_by = [(*_TABLE, name) for name in given]
    if facts.get(*_TABLE, "momentum_type") == "sm":
        wanted_by.append((*_TABLE, "momentum_type"))
    if wanted_by and missing:
        text = f"{wanted_by[-1][-1]} needs {listing(missing, 'and')} too"
        yield facts.at("DPC413", wanted_by[-1], text, "Momentum in a subspace takes all three, or none.")


def projection_of_parts(facts: Facts) -> Iterator[Diagnostic]:
    """They are taken out for the first of several parameter groups (train.py:778-780; models/sdxl.py:604-630)."""
    parts = any(name.endswith("_lr") for name in facts.spec.fields)
    given = [name for name in _PROJECTION if facts.get(*_TABLE, name) is not None]
    if parts and _is(facts, _GENERIC) and len(given) == len(_PROJECTION):
        text = f"{listing(given, 'and')} reach only the first part of {facts.spec.title} that is trained"
        yield facts.at("DPC419", (*_TABLE, "rank"), text, "Keep them if that is known and meant.")


CHECKS = (
    known_type,
    usable_type,
    type_with_care,
    arguments,
    required_arguments,
    rates_of_parts,
    gradient_release,
    clipping_beside_release,
    half_life,
    muon_on_small_rank,
    one_muon,
    projection,
    projection_of_parts,
)
