"""The Python files of a trainer's checkout as syntax trees."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

MAIN = "train"
"""The module that is started: train.py."""
FOLDERS = ("utils", "models", "optimizers")
"""Where else the trainer's own code lies. Its submodules, tools and tests never see the configuration."""
_NEEDED = ("utils", "models")
_MAX_BYTES = 4_000_000
"""The largest file of the trainer has 70,000."""


class NotACheckout(Exception):
    """The folder is not a checkout of the trainer; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A file that could not be followed, or not to its end."""

    file: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file: its name below the checkout, and its syntax tree."""

    name: str
    file: str
    package: str
    """The package that relative imports start from."""
    tree: ast.Module


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """All modules that can see the configuration, by dotted name, and the files that cannot be read."""

    modules: Mapping[str, Module]
    faults: tuple[Fault, ...]


def read_checkout(root: Path) -> Checkout:
    """Reads and parses train.py and all Python files below `FOLDERS`.

    Raises NotACheckout when the folder cannot be one.
    """
    _check(root)
    modules: dict[str, Module] = {}
    faults: list[Fault] = []
    for path in _files(root):
        read = _parse(path, path.relative_to(root).as_posix())
        if isinstance(read, Fault):
            faults.append(read)
        else:
            modules[read.name] = read
    return Checkout(modules=MappingProxyType(modules), faults=tuple(faults))


def _check(root: Path) -> None:
    try:
        if not root.is_dir():
            raise NotACheckout("it is not a folder" if root.exists() else "there is no such folder")
        if not (root / "train.py").is_file():
            raise NotACheckout("it is not a checkout of diffusion-pipe: there is no train.py in it")
        missing = [name for name in _NEEDED if not (root / name).is_dir()]
    except (OSError, ValueError) as error:
        raise NotACheckout(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if missing:
        raise NotACheckout(f"it is not a checkout of diffusion-pipe: there is no folder {missing[0]} in it")


def _files(root: Path) -> Iterator[Path]:
    yield root / "train.py"
    for folder in FOLDERS:
        # Links to folders are not followed: they may lead round in a circle, or out of the checkout.
        for place, below, names in os.walk(root / folder):
            below.sort()
            yield from (Path(place, name) for name in sorted(names) if name.endswith(".py"))


def _parse(path: Path, file: str) -> Module | Fault:
    try:
        if not path.is_file():  # a broken link, or a pipe that would never end
            return Fault(file=file, line=None, message="it is not a regular file")
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        return Fault(file=file, line=None, message=f"it cannot be read: {error.strerror or error}")
    if len(data) > _MAX_BYTES:
        return Fault(file=file, line=None, message=f"it is larger than {_MAX_BYTES:,} bytes")
    if b"\0" in data:
        return Fault(file=file, line=None, message="it is not text")
    try:
        with warnings.catch_warnings():
            # A bad escape in a string of the trainer is not ours to tell.
            warnings.simplefilter("ignore")
            tree = ast.parse(data, filename=file)
    except SyntaxError as error:
        return Fault(file=file, line=error.lineno, message=f"it is not Python that can be parsed here: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Fault(file=file, line=None, message=f"it cannot be parsed: {str(error) or type(error).__name__}")
    return _module(file, tree)


def _module(file: str, tree: ast.Module) -> Module:
    parts = file.removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    package = parts if is_package else parts[:-1]
    return Module(name=".".join(parts), file=file, package=".".join(package), tree=tree)
