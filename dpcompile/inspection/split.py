"""Which files of a training folder become the evaluation set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from dpcompile.inspection.extensions import looks_like_media


def chosen_stems(names: Iterable[str], fraction: float) -> frozenset[str]:
    """Stems of the files to split off: `fraction` of them, at least one, and never all.

    Chosen by the hash of their stems, so the same files are chosen at each time and on any machine. Files that
    share a stem share captions and masks, and stay together.
    """
    stems = {PurePosixPath(name).stem for name in names if looks_like_media(name)}
    count = min(max(1, round(len(stems) * fraction)), len(stems) - 1)
    return frozenset(sorted(stems, key=_order)[: max(0, count)])


def _order(stem: str) -> tuple[bytes, str]:
    return hashlib.sha256(stem.encode("utf-8", "surrogateescape")).digest(), stem
