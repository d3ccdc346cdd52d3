"""How far a step is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def progress_words(data: Mapping[str, Any]) -> str:
    """`3 of 10 files`."""
    done, total, unit = data.get("done"), data.get("total"), data.get("unit") or ""
    if unit == "bytes":
        done, total, unit = _size(done), _size(total), ""
    return f"{done}{f' of {total}' if total is not None else ''} {unit}".strip()


def _size(value: Any) -> str | None:
    if not isinstance(value, (int, float)):
        return None
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit has no end")


def training_words(data: Mapping[str, Any]) -> str:
    """`caching`, or `epoch 2, step 120 of 400, loss 0.0812, 1.5 samples/s, 6 min left`."""
    parts = []
    if data.get("epoch") is not None:
        parts.append(f"epoch {data['epoch']}")
    if data.get("step") is not None:
        total = data.get("total_steps")
        parts.append(f"step {data['step']}{f' of {total}' if total is not None else ''}")
    if data.get("loss") is not None:
        loss = data["loss"]
        parts.append(f"loss {loss:.4g}" if isinstance(loss, float) else f"loss {loss}")
    if data.get("samples_per_second") is not None:
        parts.append(f"{data['samples_per_second']} samples/s")
    if data.get("eta_seconds") is not None:
        parts.append(f"{duration(data['eta_seconds'])} left")
    return ", ".join(parts) or str(data.get("phase") or "")


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
