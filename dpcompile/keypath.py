"""Where a value stands: JSON Pointers into documents, dotted key paths into rendered files."""

from __future__ import annotations

from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
"""A place in a tree, outermost first: `("train", "optimizer", "lr")`."""


def pointer(segments: Iterable[str | int]) -> str:
    """The JSON Pointer (RFC 6901) of a place: `("a/b", 0)` -> `/a~1b/0`; the root is `""`."""
    return "".join("/" + str(s).replace("~", "~0").replace("/", "~1") for s in segments)


def parse_pointer(text: str) -> tuple[str, ...]:
    """The segments of a JSON Pointer, all as strings.

    Raises ValueError when `text` is neither empty nor starts with `/`.
    """
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError(f"not a JSON Pointer: {text!r}")
    return tuple(s.replace("~1", "/").replace("~0", "~") for s in text[1:].split("/"))


def dotted(path: Iterable[str | int]) -> str:
    """The form people read and type: `train.optimizer.lr`, `dataset.directory.0.path`."""
    return ".".join(str(s) for s in path)
