"""Finding model specs by name: shipped ones lazily, the user's own folders whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.documents import parse_yaml
from dpcompile.keypath import pointer
from dpcompile.locate import locate
from dpcompile.resources import DataDirs
from dpcompile.schema import Problem, problems, strict_validator
from dpcompile.similar import did_you_mean
from dpcompile.spec import ROOT_SPEC, ModelSpec, SpecFile, make_spec
from dpcompile.trainer import TrainerKeys, load_trainer
from dpcompile.wording import listing, quote

_Found = tuple[ModelSpec | None, tuple[Diagnostic, ...]]


class Catalogue:
    """All model specs of the shipped folder and of the user's own.

    A shipped spec is read when it is asked for: its file is named like the model. The user's folders
    are read at once, so that a broken or doubled spec is told whatever the job asks for.
    """

    def __init__(self, dirs: DataDirs | None = None, folders: Sequence[Path] = ()) -> None:
        self.dirs = dirs or DataDirs.default()
        self.folders = tuple(folders)
        self._files: dict[Path, tuple[SpecFile | None, tuple[Diagnostic, ...]]] = {}
        self._specs: dict[str, _Found] = {}

    @cached_property
    def trainer(self) -> TrainerKeys:
        return load_trainer(self.dirs)

    @cached_property
    def _schema(self) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = json.loads((self.dirs.schemas / "model_spec.schema.json").read_text("utf-8"))
        return schema

    @cached_property
    def _validator(self) -> Any:
        return strict_validator(self._schema)

    @cached_property
    def _complete(self) -> Any:
        return strict_validator({"$ref": "#/$defs/complete", "$defs": self._schema["$defs"]})

    @cached_property
    def _job_defaults(self) -> Any:
        from dpcompile.speccheck import job_defaults_schema  # only for specs that are not shipped

        return strict_validator(
            job_defaults_schema(json.loads((self.dirs.schemas / "job.schema.json").read_text("utf-8")))
        )

    @cached_property
    def _shipped(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self.dirs.specs.rglob("*.yaml"))}

    @cached_property
    def _own(self) -> dict[str, SpecFile]:
        return {read.name: read for path in self._own_paths for read in [self._read(path)[0]] if read}

    @cached_property
    def _own_paths(self) -> tuple[Path, ...]:
        shipped = {path.resolve() for path in self._shipped.values()}
        found = [p for folder in self.folders for p in folder.rglob("*") if p.suffix.lower() in (".yaml", ".yml")]
        # A folder may be given twice, or lie in another, and each file counts once.
        return tuple(sorted({p.resolve(): p for p in reversed(found) if p.resolve() not in shipped}.values()))

    def problems(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the user's own spec folders, whatever a job asks for."""
        # What is wrong with a spec that others extend is found with each of them.
        return self.placed(tuple(dict.fromkeys((*self._folder_problems(), *self._own_problems()))))

    def _folder_problems(self) -> Iterator[Diagnostic]:
        for folder in self.folders:
            if not folder.is_dir():
                text = "is not a folder" if folder.exists() else "does not exist"
                yield finding(
                    "DPC308",
                    "",
                    f"the specs folder {text}",
                    "Check --specs and DPCOMPILE_SPECS.",
                    file=str(folder),
                )

    def _own_problems(self) -> Iterator[Diagnostic]:
        first: dict[str, SpecFile] = {}
        for path in self._own_paths:
            read, found = self._read(path)
            yield from found
            if read is None:
                continue
            taken = self._shown(self._shipped[read.name]) if read.name in self._shipped else None
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
        for name, file in first.items():
            if name not in self._shipped and not file.value.get("abstract"):
                yield from self.load(name)[1]

    def _doubled_aliases(self, own: Mapping[str, SpecFile]) -> Iterator[Diagnostic]:
        """Aliases that another spec has too, as a name or an alias: a job that uses one would get either."""
        if not any(file.value.get("aliases") for file in own.values()):
            return
        shipped = (self._read(path)[0] for path in self._shipped.values())
        owners = {word: f for f in shipped if f for word in (f.name, *f.value.get("aliases", ()))}
        owners |= {name: file for name, file in own.items() if name not in owners}
        for file in own.values():
            for n, alias in enumerate(file.value.get("aliases", ())):
                other = owners.setdefault(alias, file)
                if other.file != file.file:
                    text = f"the alias {quote(alias)} is taken by {other.file}"
                    yield finding("DPC303", pointer(("aliases", n)), text, "Choose another.", file=file.file)

    def names(self) -> tuple[str, ...]:
        """The names of all specs, abstract ones too."""
        return tuple(sorted({*self._shipped, *self._own}))

    def all(self) -> Iterator[tuple[str, ModelSpec | None, tuple[Diagnostic, ...]]]:
        """Every model that can be trained, or what is wrong with its spec."""
        for name in self.names():
            file = self._file(name)
            if file is None or not file.value.get("abstract"):
                yield (name, *self.load(name))

    def find(self, name: str) -> ModelSpec | None:
        """The model with this name or alias; None if there is none or its spec is broken (`load` says why)."""
        spec = self.load(name)[0] if name in self.names() else None
        if spec is None and name not in self.names():
            spec = next((s for _, s, _ in self.all() if s and name.lower() in (*s.aliases, s.name.lower())), None)
        return spec

    def _broken_trainings(self, leaf: SpecFile) -> Iterator[Diagnostic]:
        """Trainings that are no models of their own."""
        for name, part in leaf.value.get("trainings", {}).items():
            file = self._file(part)
            if file is None or file.value.get("abstract") or file.value.get("trainings"):
                text = f"the training {quote(name)} names {quote(part)}, which is not one model that can be trained"
                hint = f"{did_you_mean(part, self.names())} Name a spec that has no trainings itself.".strip()
                yield finding("DPC304", pointer(("trainings", name)), text, hint, file=leaf.file)

    def trainings(self, spec: ModelSpec) -> dict[str, ModelSpec]:
        """The trainings that a job for this model means: name -> spec; one without a name for most models."""
        parts = {name: self.load(part)[0] for name, part in spec.merged.get("trainings", {}).items()}
        return {name: part for name, part in parts.items() if part} or {"": spec}

    def unknown_model(self, name: str) -> tuple[str, str]:
        """Message and hint for a name that `find` does not know, or that is an abstract spec's."""
        specs = [spec for _, spec, _ in self.all() if spec]
        known = [n for spec in specs for n in (spec.name, *spec.aliases)]
        names = listing((spec.name for spec in specs), "and")
        if name in self.names():
            built = [s.name for s in specs if any(link.name == name for link in s.chain)]
            text = f"{quote(name)} is only there for other specs to extend; it cannot be trained"
            return text, f"Models that extend it: {listing(built, 'and')}." if built else f"Models: {names}."
        close = did_you_mean(name, known)
        return f"there is no model {quote(name)}", f"{close} Models: {names}.".strip()

    def load(self, name: str) -> _Found:
        """The model spec of this name with all it extends, and the findings of its files.

        There is none for an abstract spec, and nothing wrong with it. Raises KeyError when no spec has this name.
        """
        if name not in self._specs:
            spec, found = self._build(name)
            self._specs[name] = spec, self.placed(found)
        return self._specs[name]

    def _build(self, name: str) -> _Found:
        chain, found = self._chain(name)
        if has_errors(found):
            return None, tuple(found)
        if not chain:
            raise KeyError(name)
        if chain[-1].value.get("abstract"):
            return None, ()
        if all(link.name in self._shipped for link in chain):
            return make_spec(tuple(chain), self.trainer), tuple(found)
        from dpcompile.speccheck import check_spec  # only for specs that are not shipped

        more = check_spec(tuple(chain), self.trainer, self._complete, self._job_defaults)
        more = (*more, *self._broken_trainings(chain[-1]))
        spec = None if has_errors(more) else make_spec(tuple(chain), self.trainer)
        return spec, (*found, *more)

    def _chain(self, name: str) -> tuple[list[SpecFile], list[Diagnostic]]:
        """The spec file of `name` and those it extends, the most general first."""
        chain: list[SpecFile] = []
        found: list[Diagnostic] = []
        wanted: str | None = name
        while wanted is not None:
            if any(link.name == wanted for link in chain):
                text = f"the spec extends itself: {' -> '.join([*(c.name for c in chain), wanted])}"
                found.append(finding("DPC304", "/extends", text, "Break the circle.", file=chain[-1].file))
                break
            read, problems_of_file = self._read_named(wanted)
            found += problems_of_file
            if read is None:
                if chain and not problems_of_file:
                    text = f"there is no model spec {quote(wanted)} to extend"
                    found.append(
                        finding(
                            "DPC304",
                            "/extends",
                            text,
                            did_you_mean(wanted, self.names()),
                            file=chain[-1].file,
                        )
                    )
                break
            chain.append(read)
            wanted = read.value.get("extends") or (None if read.name == ROOT_SPEC else ROOT_SPEC)
        return chain[::-1], found

    def _file(self, name: str) -> SpecFile | None:
        return self._read_named(name)[0]

    def _read_named(self, name: str) -> tuple[SpecFile | None, tuple[Diagnostic, ...]]:
        if name in self._shipped:
            return self._read(self._shipped[name])
        own = self._own.get(name)
        return own, ()

    def _read(self, path: Path) -> tuple[SpecFile | None, tuple[Diagnostic, ...]]:
        if path not in self._files:
            self._files[path] = self._read_file(path)
        return self._files[path]

    def _read_file(self, path: Path) -> tuple[SpecFile | None, tuple[Diagnostic, ...]]:
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
            for p in problems(self._validator, value)
        )

    def _is_shipped(self, path: Path) -> bool:
        """Shipped specs are checked when dpcompile is tested, not each time a job is compiled."""
        return path.is_relative_to(self.dirs.specs)

    def _shown(self, path: Path) -> str:
        """The name users see: below `model_specs/` for shipped specs, so that it is the same on every machine."""
        if self._is_shipped(path):
            return f"model_specs/{path.relative_to(self.dirs.specs).as_posix()}"
        return path.as_posix()

    def foreign_keys(self) -> Mapping[str, Any]:
        """Settings of other trainers: name -> `of` and `remedy`. Read only when a name is not understood."""
        document, _ = parse_yaml((self.dirs.schemas / "foreign_keys.yaml").read_bytes(), file="foreign_keys.yaml")
        return document.value if document and isinstance(document.value, dict) else {}

    def model_keys(self) -> Mapping[str, set[str]]:
        """`[model]` key -> the model types that read it. Reads every spec: only when a name is not understood."""
        keys: dict[str, set[str]] = {}
        for _, spec, _ in self.all():
            for name in spec.fields if spec else ():
                keys.setdefault(name, set()).add(spec.toml_type if spec else "")
        return keys

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
    return "" if said else f"{'.'.join(str(p) for p in problem.path)} "
