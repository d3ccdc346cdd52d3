"""Names that look alike: which of the known ones was meant, at a cost that large inputs can bear."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from dpcompile.wording import listing, quote

_LONGEST = 100  # characters; difflib takes time that grows with the square of the length
_COMPARED = 12  # of the known names, those that share most pairs of letters


def similar(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that look like `word`, the likeliest first."""
    import difflib  # only when something was misspelt

    word = word[:_LONGEST]
    return difflib.get_close_matches(word, _nearest(word, tuple(known)), n=3, cutoff=0.7)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean "rank"?` or nothing."""
    names = similar(word, known)
    return f"Did you mean {listing(quote(n) for n in names)}?" if names else ""


def _nearest(word: str, known: tuple[str, ...]) -> list[str]:
    """The few known names that are worth a closer look: difflib needs a millisecond for some hundred."""
    if len(known) <= _COMPARED:
        return list(known)
    index = _by_pair(known)
    shared = Counter(name for pair in _pairs(word) for name in index.get(pair, ()))
    return sorted(shared, key=lambda name: (-shared[name], abs(len(name) - len(word)), name))[:_COMPARED]


@lru_cache(maxsize=32)
def _by_pair(known: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    index: dict[str, dict[str, None]] = {}
    for name in known:
        for pair in _pairs(name[:_LONGEST]):
            index.setdefault(pair, {})[name] = None
    return {pair: tuple(names) for pair, names in index.items()}


def _pairs(word: str) -> set[str]:
    """Pairs of letters that are neighbours, or would be without the one between: so two letters may be swapped."""
    return {*map("".join, itertools.pairwise(word)), *map("".join, zip(word, word[2:], strict=False))}
