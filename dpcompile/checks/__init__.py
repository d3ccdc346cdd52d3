"""Semantic rules: what a job and its spec say together, held against what the trainer does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from dpcompile.checks import (
    adapter,
    batches,
    dataset,
    evaluation,
    exclusions,
    launch,
    losses,
    memory,
    model,
    monitoring,
    noise,
    optimizer,
    output,
    saving,
    schedule,
    sizes,
)
from dpcompile.checks.facts import Facts, PremiseError
from dpcompile.diagnostics import Diagnostic

Check = Callable[[Facts], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (
    *model.CHECKS,
    *noise.CHECKS,
    *losses.CHECKS,
    *adapter.CHECKS,
    *optimizer.CHECKS,
    *schedule.CHECKS,
    *memory.CHECKS,
    *saving.CHECKS,
    *batches.CHECKS,
    *exclusions.CHECKS,
    *dataset.CHECKS,
    *sizes.CHECKS,
    *evaluation.CHECKS,
    *monitoring.CHECKS,
    *launch.CHECKS,
    *output.CHECKS,
)


_OF_DIRECTORIES = frozenset((*dataset.CHECKS, *sizes.CHECKS, *exclusions.CHECKS, model.relative_paths))
"""Checks of settings that each `[[directory]]` may have for itself."""


def run_checks(facts: Facts) -> Iterator[Diagnostic]:
    """Every finding of every check, once. A check that needs a value which is itself wrong says no more."""
    views = tuple(facts.in_each_directory())
    told: set[Diagnostic] = set()
    for check in CHECKS:
        for view in views if check in _OF_DIRECTORIES else (facts,):
            with suppress(PremiseError):
                for found in check(view):
                    if found not in told:
                        told.add(found)
                        yield found
