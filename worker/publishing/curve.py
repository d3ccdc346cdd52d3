"""The loss curve: read from what the training left, thinned, smoothed and drawn as a small picture."""

from __future__ import annotations

import csv
import itertools
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 720, 260
"""Size of the picture in pixels."""
_MARGIN = 8
_PAPER, _GRID, _FAINT, _INK = b"\xff\xff\xff", b"\xe4\xe4\xe4", b"\xc3\xd3\xec", b"\x1f\x5f\xbf"
_ROWS = 10
_SHORTEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The loss after an optimizer step."""

    step: int
    loss: float


def read_curve(path: Path) -> list[Point]:
    """The points of a CSV file with the columns `step` and `loss`; lines that are no point are left out.

    Raises OSError when it cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return list(_points(csv.DictReader(file)))


def _points(rows: csv.DictReader[str]) -> Iterator[Point]:
    for row in rows:
        try:
            point = Point(step=int(row["step"]), loss=float(row["loss"]))
        except (KeyError, TypeError, ValueError):
            continue  # the last line of a run that was killed
        if math.isfinite(point.loss):
            yield point


def smoothed(points: Sequence[Point]) -> list[Point]:
    """Each point as the mean of those around it: single steps jump with the noise level that was drawn."""
    reach = max(len(points) // 50, 1)
    sums = [0.0]
    for point in points:
        sums.append(sums[-1] + point.loss)
    spans = [(max(n - reach, 0), min(n + reach + 1, len(points))) for n in range(len(points))]
    return [
        Point(step=p.step, loss=(sums[last] - sums[first]) / (last - first))
        for p, (first, last) in zip(points, spans, strict=True)
    ]


def sampled(points: Sequence[Point], rows: int = _ROWS) -> list[Point]:
    """At most `rows` points, evenly spaced, the first and the last among them."""
    if len(points) <= rows:
        return list(points)
    return [points[round(n * (len(points) - 1) / (rows - 1))] for n in range(rows)]


def picture(points: Sequence[Point]) -> bytes | None:
    """A PNG of the curve, the single steps faint behind the mean; None when there is nothing to draw."""
    if len(points) < _SHORTEST:
        return None
    low, high = min(p.loss for p in points), max(p.loss for p in points)
    canvas = [bytearray(_PAPER * WIDTH) for _ in range(HEIGHT)]
    for quarter in range(5):
        y = _MARGIN + quarter * (HEIGHT - 2 * _MARGIN - 1) // 4
        canvas[y][:] = _GRID * WIDTH
    for series, colour, thick in ((points, _FAINT, 0), (smoothed(points), _INK, 1)):
        _draw(canvas, _places(series, low, high), colour, thick)
    return _png(canvas)


def _places(points: Sequence[Point], low: float, high: float) -> list[tuple[int, int]]:
    """Where the points stand in the picture, in pixels from the upper left."""
    first, last = points[0].step, points[-1].step
    wide, tall = WIDTH - 2 * _MARGIN - 1, HEIGHT - 2 * _MARGIN - 1
    across, up = max(last - first, 1), (high - low) or 1.0
    return [
        (_MARGIN + round((p.step - first) / across * wide), _MARGIN + round((high - p.loss) / up * tall))
        for p in sorted(points, key=lambda p: p.step)
        if first <= p.step <= last
    ]


def _draw(canvas: list[bytearray], places: Sequence[tuple[int, int]], colour: bytes, thick: int) -> None:
    for (x0, y0), (x1, y1) in itertools.pairwise(places):
        length = max(abs(x1 - x0), abs(y1 - y0), 1)
        for n in range(length + 1):
            x, y = x0 + round(n * (x1 - x0) / length), y0 + round(n * (y1 - y0) / length)
            for row in range(y, min(y + thick, HEIGHT - 1) + 1):
                canvas[row][3 * x : 3 * x + 3] = colour


def _png(canvas: Sequence[bytearray]) -> bytes:
    """The rows of red, green and blue as a PNG file."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in canvas), 9)
    pieces = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in pieces)
    return b"\x89PNG\r\n\x1a\n" + body
