"""Finding model specs by name: shipped ones lazily, the user's own folders whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.documents import parse_yaml
from dpcompile.keypath import pointer
from dpcompile.resources import DataDirs
from dpcompile.schema import strict_validator
from dpcompile.similar import did_you_mean, similar
from dpcompile.spec import ROOT_SPEC, ModelSpec, SpecFile, make_spec
from dpcompile.specfiles import SpecFiles
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
        self._files = SpecFiles(self.dirs.specs, self.folders, lambda: self._validator)
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

    def problems(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the user's own spec folders, whatever a job asks for."""
        # What is wrong with a spec that others extend is found with each of them.
        return self._files.placed(tuple(dict.fromkeys((*self._files.folder_problems(), *self._own_problems()))))

    def _own_problems(self) -> Iterator[Diagnostic]:
        yield from self._files.own_problems()
        for name, file in self._files.own.items():
            if name not in self._files.shipped and not file.value.get("abstract"):
                yield from self.load(name)[1]

    def names(self) -> tuple[str, ...]:
        """The names of all specs, abstract ones too."""
        return self._files.names()

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
        owners = {n: spec.name for spec in specs for n in (spec.name, *spec.aliases)}
        names = listing((spec.name for spec in specs), "and")
        if name in self.names():
            built = [s.name for s in specs if any(link.name == name for link in s.chain)]
            text = f"{quote(name)} is only there for other specs to extend; it cannot be trained"
            return text, f"Models that extend it: {listing(built, 'and')}." if built else f"Models: {names}."
        # Of several names of one model the likeliest is enough.
        firsts = {owners[n]: n for n in reversed(similar(name, owners))}
        close = did_you_mean(name, firsts.values())
        rest = f"`dpcompile models` lists all {len(specs)}." if close else f"Models: {names}."
        return f"there is no model {quote(name)}", f"{close} {rest}".strip()

    def load(self, name: str) -> _Found:
        """The model spec of this name with all it extends, and the findings of its files.

        There is none for an abstract spec, and nothing wrong with it. Raises KeyError when no spec has this name.
        """
        if name not in self._specs:
            spec, found = self._build(name)
            self._specs[name] = spec, self._files.placed(found)
        return self._specs[name]

    def _build(self, name: str) -> _Found:
        chain, found = self._chain(name)
        if has_errors(found):
            return None, tuple(found)
        if not chain:
            raise KeyError(name)
        if chain[-1].value.get("abstract"):
            return None, ()
        if all(link.name in self._files.shipped for link in chain):
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
            read, problems_of_file = self._files.named(wanted)
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
        return self._files.named(name)[0]

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
        return self._files.text_of(file)
