"""Files that hold the same bytes."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from dpcompile.inspection.media import Probe

_PIECE = 1 << 18  # bytes at either end that are compared


def duplicates(folder: Path, probes: Mapping[str, Probe]) -> tuple[tuple[str, ...], ...]:
    """Groups of equal files. Only files of one length and one size in pixels are read, and only at both ends."""
    alike: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for path, probe in probes.items():
        if not probe.error:
            alike[probe.size, probe.width, probe.height].append(path)
    groups: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for (size, _width, _height), paths in alike.items():
        if len(paths) > 1:
            for path in paths:
                if (digest := _digest(folder / path, size)) is not None:
                    groups[size, digest].append(path)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _digest(path: Path, size: int) -> bytes | None:
    """None for members of tar files, and for what has gone meanwhile."""
    try:
        with path.open("rb") as file:
            content = file.read(_PIECE)
            if size > _PIECE:
                file.seek(max(_PIECE, size - _PIECE), os.SEEK_SET)
                content += file.read(_PIECE)
    except OSError:
        return None
    return hashlib.blake2b(content, digest_size=16).digest()
