"""The job's `training`: each name goes to the one place where the trainer reads it, or is named as an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dpcompile import passthrough
from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.job import secret_by_set
from dpcompile.keypath import KeyPath, pointer
from dpcompile.misfits import sentence, what_to_do
from dpcompile.misnamed import Naming, explain_unknown, explain_unknown_in, instead_of_table
from dpcompile.resolve import Assignment, Layer, Origin
from dpcompile.schema import problems
from dpcompile.secrecy import PLACEHOLDER
from dpcompile.spec import ModelSpec, scope_name, within
from dpcompile.trainer import SCOPES, Field, Scope
from dpcompile.values import is_number, settled
from dpcompile.wording import clause, kind, listing, quote

WRAPPED = frozenset({"resolution"})
"""Friendly names of lists that also take one bare value."""

ALPHA_NAMES = frozenset({"alpha", "lora_alpha", "network_alpha", "linear_alpha"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """A LoRA alpha someone asked for. The trainer has none: it is always the rank (train.py:118-122)."""

    name: str
    value: object
    file: str
    pointer: str


@dataclass(slots=True, kw_only=True)
class Routed:
    """What became of a `training` object. `broken` are keys whose value could not be used."""

    assignments: list[Assignment] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    alphas: list[Alpha] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """Name of a secret -> its pointer in the job."""

    def add(self, other: Routed) -> None:
        """Takes in what became of something else."""
        self.assignments += other.assignments
        self.diagnostics += other.diagnostics
        self.broken |= other.broken
        self.alphas += other.alphas
        self.secrets |= other.secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One name in `training` and where it stands."""

    layer: Layer
    file: str
    place: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        return self.place[-1]

    @property
    def pointer(self) -> str:
        return pointer(self.place)

    def origin(self) -> Origin:
        return Origin(layer=self.layer, file=self.file, pointer=self.pointer)


def key_paths(scope: str, name: str, directories: int) -> list[KeyPath]:
    """Where a key of a scope (or of any table of train.toml) stands in the rendered files.

    A `[[directory]]` key stands in each directory.
    """
    match scope:
        case "root":
            return [("train", name)]
        case "dataset":
            return [("dataset", name)]
        case "directory":
            return [("dataset", "directory", n, name) for n in range(directories)]
    return [("train", scope, name)]


class Router:
    """Routes the `training` of one layer for one model."""

    def __init__(self, naming: Naming, places: Callable[[str, str], list[KeyPath]]) -> None:
        """`places` says where a key of a scope stands in the rendered files."""
        self.naming, self.places = naming, places
        self.spec, self.trainer, self.scopes = naming.spec, naming.trainer, naming.scopes

    def route(self, layer: Layer, file: str, place: tuple[str, ...], training: Any) -> Routed:
        """All of a `training` object."""
        routed = Routed()
        if not isinstance(training, Mapping):
            if layer != "job":  # the schema of the job has told it there
                text = f"training must be an object, but is {kind(training)}"
                routed.diagnostics.append(finding("DPC203", pointer(place), text, file=file))
            return routed
        for name, value in training.items():
            entry = _Entry(layer=layer, file=file, place=(*place, name), value=value)
            if name == "passthrough":
                self._passthrough(entry, routed)
            elif name in SCOPES and name != "root":
                self._table(name, entry, routed)
            else:
                self._flat(entry, routed)
        return routed

    def route_table(
        self, layer: Layer, file: str, place: tuple[str, ...], scope: Scope, values: Mapping[str, Any]
    ) -> Routed:
        """The keys of one table, which stand at `place` in the job."""
        routed = Routed()
        for name, value in values.items():
            self._in_scope(scope, _Entry(layer=layer, file=file, place=(*place, name), value=value), routed)
        return routed

    def _table(self, scope: Scope, entry: _Entry, routed: Routed) -> None:
        if entry.value is None and scope in ("adapter", "monitoring"):
            routed.assignments.append(Assignment(key=("train", scope), value=None, origin=entry.origin(), removed=True))
            return
        if not isinstance(entry.value, Mapping):
            text = f"{entry.name} must be an object, the keys {within(scope)}, but is {kind(entry.value)}"
            hint = instead_of_table(self.spec, scope, entry.value)
            code = "DPC203"
            if entry.value is None and scope in ("model", "optimizer"):
                code, hint = "DPC230", "Take the null out."
                text = f"the trainer needs {scope_name(scope)}: the table cannot be taken away as a whole"
            routed.diagnostics.append(finding(code, entry.pointer, text, hint, file=entry.file))
            return
        for name, value in entry.value.items():
            inner = _Entry(layer=entry.layer, file=entry.file, place=(*entry.place, name), value=value)
            self._in_scope(scope, inner, routed)

    def _flat(self, entry: _Entry, routed: Routed) -> None:
        name = entry.name
        if name in ALPHA_NAMES:
            self._alpha(entry, routed)
            return
        target = self.spec.names.get(name)
        if target is None and name in self.spec.aliases_of_names:
            friendly = self.spec.aliases_of_names[name]
            target = self.spec.names.get(friendly, friendly)
            word = friendly.removeprefix("root.")
            text = f"{name} is read as {word}" + ("" if friendly == target else f", {target} in the TOML files")
            routed.diagnostics.append(finding("DPC215", entry.pointer, text, f"Write {word}.", file=entry.file))
        if target is not None:
            scope, _, key = target.partition(".")
            self._assign(scope, key, entry, routed)  # type: ignore[arg-type]
            return
        homes = self._homes(name)
        if len(homes) > 1:
            text = f"{quote(name)} could mean {listing(f'{h}.{name}' for h in homes)}"
            hint = f"Say which: {self._table_examples(homes, name)}."
            routed.diagnostics.append(finding("DPC209", entry.pointer, text, hint, file=entry.file))
        elif homes:
            self._in_scope(homes[0], entry, routed)
        elif self.trainer.takes_argument(name):
            self._in_scope("optimizer", entry, routed)
        else:
            routed.diagnostics.append(explain_unknown(self.naming, name, entry.pointer, entry.file))

    def _table_examples(self, homes: Sequence[Scope], name: str) -> str:
        friendly = {target: word for word, target in self.spec.names.items()}
        return listing(friendly.get(f"{home}.{name}", f'"{home}": {{"{name}": …}}') for home in homes)

    def _homes(self, name: str) -> list[Scope]:
        """The scopes with a key of this name; `[[directory]]` and what dpcompile makes only for want of others."""
        homes: list[Scope] = [scope for scope in SCOPES if scope != "directory" and name in self.scopes[scope]]
        if not homes and name in self.scopes["directory"]:
            homes = ["directory"]
        return [scope for scope in homes if not self.scopes[scope][name].owned] or homes

    def _in_scope(self, scope: Scope, entry: _Entry, routed: Routed) -> None:
        """A key inside a table."""
        known = entry.name in self.scopes[scope]
        if scope == "model" and entry.name in self.spec.unread:
            routed.diagnostics.append(self._unread(entry))
        elif scope == "adapter" and entry.name in ALPHA_NAMES:
            self._alpha(entry, routed)
        elif known or (scope == "optimizer" and self.trainer.takes_argument(entry.name)):
            self._assign(scope, entry.name, entry, routed)
        elif scope == "optimizer" and entry.value is not None and self._belongs_nowhere(entry.name):
            self._assign(scope, entry.name, entry, routed)  # whether the class takes it is a check of its own
        else:
            routed.diagnostics.append(explain_unknown_in(self.naming, scope, entry.name, entry.pointer, entry.file))

    def _belongs_nowhere(self, name: str) -> bool:
        return not self._homes(name) and name not in self.spec.names

    def _unread(self, entry: _Entry) -> Diagnostic:
        reason = self.spec.unread[entry.name]
        instead, why = reason.get("instead", ""), clause(reason.get("why", ""))
        text = f"the trainer does not act on [model] {entry.name} for {self.spec.title}: {why}"
        return finding("DPC218", entry.pointer, text, f"Use {instead}." if instead else "Take it out.", file=entry.file)

    def _alpha(self, entry: _Entry, routed: Routed) -> None:
        if entry.value is not None:
            routed.alphas.append(Alpha(name=entry.name, value=entry.value, file=entry.file, pointer=entry.pointer))

    def _assign(self, scope: Scope, key: str, entry: _Entry, routed: Routed) -> None:
        """A key that the trainer reads gets a value, if the value fits."""
        known = self.scopes[scope].get(key)
        stop = _not_for_jobs(known, key, scope, entry, self.spec)
        if stop is not None:
            routed.diagnostics.append(stop)
            return
        value = [entry.value] if entry.name in WRAPPED and is_number(entry.value) else entry.value
        paths = self.places(scope, key)
        if value is None:
            for path in paths:
                routed.assignments.append(Assignment(key=path, value=None, origin=entry.origin(), removed=True))
            return
        if known is not None and self._misfit(known, entry, value, routed):
            routed.broken.update(paths)
            return
        if known is not None and known.secret:
            self._secret(key, entry, routed)
            return
        for path in paths:
            routed.assignments.append(
                Assignment(key=path, value=settled(value, known.schema if known else {}), origin=entry.origin())
            )

    def _secret(self, key: str, entry: _Entry, routed: Routed) -> None:
        """A secret stays where it is: the plan says where, and the worker hands it over."""
        if entry.value in ("", PLACEHOLDER):
            text = f"{entry.name} is {'empty' if entry.value == '' else 'a placeholder'} and counts as not set"
            routed.diagnostics.append(
                finding("DPC229", entry.pointer, text, "Take it out, or fill it in.", file=entry.file)
            )
        elif entry.layer == "set":
            routed.diagnostics.append(secret_by_set(entry.pointer, entry.name))
        else:
            routed.secrets[key] = entry.pointer

    def _misfit(self, known: Field, entry: _Entry, value: Any, routed: Routed) -> bool:
        found = list(problems(known.validator, value, show_values=not known.secret))
        for problem in found:
            inside = problem.path if value is entry.value else ()
            text = sentence(replace(problem, path=inside), entry.name)
            hint, where = what_to_do(problem, known.schema), entry.pointer + pointer(inside)
            routed.diagnostics.append(finding(problem.code, where, text, hint, file=entry.file))
        return bool(found)

    def _passthrough(self, entry: _Entry, routed: Routed) -> None:
        if not isinstance(entry.value, Mapping) and entry.layer == "job":
            return  # the schema of the job has told it
        routed.diagnostics += passthrough.check_shape(entry.value, entry.pointer, entry.file)
        for table, keys in entry.value.items() if isinstance(entry.value, Mapping) else ():
            for name, value in keys.items() if isinstance(keys, Mapping) else ():
                self._pass_one(table, replace(entry, place=(*entry.place, table, name), value=value), routed)

    def _pass_one(self, table: str, entry: _Entry, routed: Routed) -> None:
        stop = passthrough.refusal(self.scopes, table, entry.name, entry.value, entry.pointer, entry.file)
        if stop is not None:
            routed.diagnostics.append(stop)
            return
        routed.diagnostics.append(passthrough.notice(self.scopes, table, entry.name, entry.pointer, entry.file))
        for path in self.places(table, entry.name):
            routed.assignments.append(Assignment(key=path, value=settled(entry.value, {}), origin=entry.origin()))


def _not_for_jobs(known: Field | None, key: str, scope: Scope, entry: _Entry, spec: ModelSpec) -> Diagnostic | None:
    """Why a key cannot be set by a job at all."""
    if known is None:
        return None
    if scope == "model" and key == "type" and entry.value == spec.toml_type:
        return None
    if known.owned:
        text = f"{entry.name} cannot be set by a job: dpcompile makes it"
        return finding("DPC213", entry.pointer, text, f"Take it out. {known.owned}", file=entry.file)
    if known.dead:
        text = f"{entry.name} cannot be used: {clause(known.dead['why'])}"
        return finding("DPC218", entry.pointer, text, known.dead["instead"], file=entry.file)
    if known.required and entry.value is None:
        text = f"null takes {entry.name} away, but the trainer needs {key} {within(scope)}"
        return finding("DPC230", entry.pointer, text, "Give it a value, or take the null out.", file=entry.file)
    return None
