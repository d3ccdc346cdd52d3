"""Whether a saved model is whole, told from its files: sizes and headers, without PyTorch."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME = re.compile(r"([a-z]+)(\d+)")
_LONGEST_HEADER = 100_000_000
"""The limit of the safetensors format itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """A folder `epochN` or `stepN`."""

    path: Path
    kind: str
    number: int
    fault: str
    """What is wrong with it; empty when it is whole."""
    written: float
    """When its last file was written, in seconds since 1970."""


def model_folder(path: Path) -> ModelFolder:
    """Looks at a folder in which the trainer saved a model."""
    name = _NAME.fullmatch(path.name)
    files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else []
    return ModelFolder(
        path=path,
        kind=name[1] if name else "",
        number=int(name[2]) if name else 0,
        fault=next(_faults(path, files), ""),
        written=max((f.stat().st_mtime for f in files), default=0.0),
    )


def _faults(path: Path, files: list[Path]) -> Iterator[str]:
    if not path.is_dir():
        yield f"{path.name} is not there"
        return
    if (path / "tmp").exists():  # made first and removed last (utils/saver.py:63, 85)
        yield f"{path.name} was still being written"
    weights = [f for f in files if f.suffix == ".safetensors"]
    if not weights:
        yield f"{path.name} holds no .safetensors file"
    for file in weights:
        if fault := safetensors_fault(file):
            yield f"{path.name}/{file.relative_to(path)} {fault}"
    if not any(f.suffix == ".toml" for f in files):  # copied after the weights (utils/saver.py:84, 107)
        yield f"{path.name} holds no copy of the configuration, which is written last"


def safetensors_fault(path: Path) -> str:
    """What is wrong with a safetensors file, or nothing: its header must account for every byte of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return f"is cut off: it has {size} bytes"
        (length,) = struct.unpack("<Q", start)
        if length > min(_LONGEST_HEADER, size - 8):
            return "is cut off or is no safetensors file"
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return "has a header that cannot be read"
    if not isinstance(header, dict):
        return "has a header that cannot be read"
    return _content_fault(header, size - 8 - length)


def _content_fault(header: dict[str, Any], content: int) -> str:
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    try:
        end = max((int(entry["data_offsets"][1]) for entry in tensors.values()), default=0)
    except (KeyError, IndexError, TypeError, ValueError):
        return "has a header that cannot be read"
    if not tensors or end == 0:
        return "holds no weights"
    if end != content:
        return f"is cut off: it should hold {end} bytes of weights, and holds {content}"
    return ""
