"""What checks of a folder are given, and the form of what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dpcompile.diagnostics import Severity
from dpcompile.inspection.dataset import Directory, MissingCaption
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.wordlists import some

_WORKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the job asks of its data, and what the machine that trains has."""

    missing_caption: MissingCaption = "skip"
    of_job: bool = False
    """Whether it is a job that asks, and not a file of the trainer."""
    trigger: str | None = None
    memory: int | None = None
    """Bytes of memory of the machine; None if it is not known."""
    workers: int = _WORKERS
    """Processes that the trainer prepares media with (utils/dataset.py:34)."""


Said = tuple[str, str, str, Severity | None]
"""Code, message, hint and severity; None for the code's own."""
Check = Callable[[Directory, ModelFacts, Wishes], Iterable[Said]]


def names(verdicts: Iterable[Verdict]) -> str:
    """The first few of these files."""
    return some(verdict.item.path for verdict in verdicts)


def what(verdicts: list[Verdict]) -> str:
    """`a.png`, or `12 files (a.png, b.png, c.png and 9 more)`."""
    return verdicts[0].item.path if len(verdicts) == 1 else f"{len(verdicts)} files ({names(verdicts)})"
