"""The files of model specs: shipped ones read when asked for, those of the user's own folders all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.documents import parse_yaml
from dpcompile.keypath import pointer
from dpcompile.locate import locate
from dpcompile.misfits import Problem
from dpcompile.schema import problems
from dpcompile.spec import SpecFile
from dpcompile.wording import quote, spoken

_Read = tuple[SpecFile | None, tuple[Diagnostic, ...]]


class SpecFiles:
    """Every spec file that there is, by the name of its spec.

    A shipped file is named like its spec, so that it is found without being read, and it is not checked
    against the schema: that is done when dpcompile is tested, not each time a job is compiled.
    """

    def __init__(self, shipped: Path, folders: Sequence[Path], validator: Callable[[], Any]) -> None:
        """`validator` gives that of one spec file; it is asked only when there is a file of the user's own."""
        self._folder = shipped
        self._folders = tuple(folders)
        self._validator = validator
        self._files: dict[Path, _Read] = {}

    @cached_property
    def shipped(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self._folder.rglob("*.yaml"))}

    @cached_property
    def own(self) -> dict[str, SpecFile]:
        return {read.name: read for path in self._own_paths for read in [self.read(path)[0]] if read}

    @cached_property
    def _own_paths(self) -> tuple[Path, ...]:
        shipped = {path.resolve() for path in self.shipped.values()}
        found = [p for folder in self._folders for p in folder.rglob("*") if p.suffix.lower() in (".yaml", ".yml")]
        # A folder may be given twice, or lie in another, and each file counts once.
        return tuple(sorted({p.resolve(): p for p in reversed(found) if p.resolve() not in shipped}.values()))

    def names(self) -> tuple[str, ...]:
        """The names of all specs, abstract ones too."""
        return tuple(sorted({*self.shipped, *self.own}))

    def named(self, name: str) -> _Read:
        """The file of the spec with this name, and what is wrong with it; none and nothing when there is none."""
        if name in self.shipped:
            return self.read(self.shipped[name])
        own = self.own.get(name)
        return own, ()

    def read(self, path: Path) -> _Read:
        """A file, read once, and what is wrong with it by itself."""
        if path not in self._files:
            self._files[path] = self._read_file(path)
        return self._files[path]

    def _read_file(self, path: Path) -> _Read:
        shown = self._shown(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            text = f"the model spec cannot be read: {error.strerror}"
            return None, (finding("DPC301", "", text, file=shown),)
        document, found = parse_yaml(data, file=shown)
        if document is None or has_errors(found):
            return None, found
        value = document.value
        wrong = () if self._is_shipped(path) else self._misfits(value, shown)
        if wrong or not isinstance(value, dict):
            return None, wrong
        return SpecFile(file=shown, name=str(value["name"]), value=value, text=document.text or ""), found

    def _misfits(self, value: object, shown: str) -> tuple[Diagnostic, ...]:
        return tuple(
            finding("DPC302", pointer(p.path), f"{_subject(p)}{p.message}", p.hint, file=shown)
            for p in problems(self._validator(), value)
        )

    def _is_shipped(self, path: Path) -> bool:
        return path.is_relative_to(self._folder)

    def _shown(self, path: Path) -> str:
        """The name users see: below `model_specs/` for shipped specs, so that it is the same on every machine."""
        if self._is_shipped(path):
            return f"model_specs/{path.relative_to(self._folder).as_posix()}"
        return path.as_posix()

    def folder_problems(self) -> Iterator[Diagnostic]:
        """Folders of the user's that are none."""
        for folder in self._folders:
            if not folder.is_dir():
                text = "is not a folder" if folder.exists() else "does not exist"
                yield finding(
                    "DPC308",
                    "",
                    f"the specs folder {text}",
                    "Check --specs and DPCOMPILE_SPECS.",
                    file=str(folder),
                )

    def own_problems(self) -> Iterator[Diagnostic]:
        """What is wrong with each of the user's own files by itself, and names and aliases that two specs have."""
        first: dict[str, SpecFile] = {}
        for path in self._own_paths:
            read, found = self.read(path)
            yield from found
            if read is None:
                continue
            taken = self._shown(self.shipped[read.name]) if read.name in self.shipped else None
            taken = taken or (first[read.name].file if read.name in first else None)
            if taken:
                hint = f"Choose another name; `extends: {read.name}` builds on the existing one."
                yield finding(
                    "DPC303",
                    "/name",
                    f"the name {quote(read.name)} is taken by {taken}",
                    hint,
                    file=read.file,
                )
            first.setdefault(read.name, read)
        yield from self._doubled_aliases(first)

    def _doubled_aliases(self, own: Mapping[str, SpecFile]) -> Iterator[Diagnostic]:
        """Aliases that another spec has too, as a name or an alias: a job that uses one would get either."""
        if not any(file.value.get("aliases") for file in own.values()):
            return
        shipped = (self.read(path)[0] for path in self.shipped.values())
        owners = {word: f for f in shipped if f for word in (f.name, *f.value.get("aliases", ()))}
        owners |= {name: file for name, file in own.items() if name not in owners}
        for file in own.values():
            for n, alias in enumerate(file.value.get("aliases", ())):
                other = owners.setdefault(alias, file)
                if other.file != file.file:
                    text = f"the alias {quote(alias)} is taken by {other.file}"
                    yield finding("DPC303", pointer(("aliases", n)), text, "Choose another.", file=file.file)

    def text_of(self, file: str) -> str | None:
        """The text of a spec file that was read, by the name findings give it."""
        path = next((path for path in self._files if self._shown(path) == file), None)
        try:
            return path.read_text("utf-8") if path is not None else None
        except (OSError, UnicodeDecodeError):
            return None

    def placed(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Findings in spec files with their line and column."""
        return tuple(self._place(found) for found in diagnostics)

    def _place(self, found: Diagnostic) -> Diagnostic:
        text = self.text_of(found.file or "") if found.line is None else None
        place = locate(text, found.path, yaml=True) if text is not None else None
        return found if place is None else replace(found, line=place[0], column=place[1])


def _subject(problem: Problem) -> str:
    """What a problem is about, unless its message says so."""
    said = problem.code in ("DPC201", "DPC202") or not problem.path
    return "" if said else f"{spoken(problem.path)} "
