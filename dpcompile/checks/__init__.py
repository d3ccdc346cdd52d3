"""Semantic rules: what a job and its spec say together, held against what the trainer does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from dpcompile.checks import (
    adapter,
    dataset,
    evaluation,
    exclusions,
    launch,
    memory,
    model,
    monitoring,
    optimizer,
    output,
    saving,
    schedule,
)
from dpcompile.checks.facts import Facts, PremiseError
from dpcompile.diagnostics import Diagnostic

Check = Callable[[Facts], Iterator[Diagnostic]]

CHECKS: tuple[Check, ...] = (
    *model.CHECKS,
    *adapter.CHECKS,
    *optimizer.CHECKS,
    *schedule.CHECKS,
    *memory.CHECKS,
    *saving.CHECKS,
    *exclusions.CHECKS,
    *dataset.CHECKS,
    *evaluation.CHECKS,
    *monitoring.CHECKS,
    *launch.CHECKS,
    *output.CHECKS,
)


def run_checks(facts: Facts) -> Iterator[Diagnostic]:
    """Every finding of every check. A check that needs a value which is itself wrong says no more."""
    for check in CHECKS:
        with suppress(PremiseError):
            yield from check(facts)
