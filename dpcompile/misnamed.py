"""Names in `training` that no route fits: where they belong, whose they are, or what was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.similar import did_you_mean
from dpcompile.spec import ModelSpec, within
from dpcompile.trainer import SCOPES, Field, Scope, TrainerKeys, scope_of
from dpcompile.wording import clause, listing, quote

PASSTHROUGH_REMEDY = "If a newer trainer reads it, send it with passthrough."


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """All names that could have been meant. `others` gives the `[model]` keys of the other specs, on demand."""

    spec: ModelSpec
    trainer: TrainerKeys
    foreign: Callable[[], Mapping[str, Any]]
    others: Callable[[], Mapping[str, set[str]]]
    job_fields: Mapping[str, str]
    """Names of the job's own fields -> their place in the job."""

    @property
    def scopes(self) -> Mapping[Scope, Mapping[str, Field]]:
        return {**self.trainer.scopes, "model": self.spec.fields}

    def field(self, key: KeyPath) -> Field | None:
        """What is known of a key of the rendered files."""
        return self.scopes[scope_of(key)].get(str(key[-1]))

    def known_names(self) -> set[str]:
        names = {n for scope in SCOPES for n, f in self.scopes[scope].items() if not f.owned and not f.dead}
        return names | set(self.spec.names) | set(self.spec.aliases_of_names)


_PARTS = "parts"
_TABLE_HINTS: Mapping[str, str] = {
    "dataset": "dpcompile writes the path of the dataset file itself.",
    "directory": "It holds for every folder; settings of one folder stand in dataset.directories of the job.",
}
_NO_ADAPTER = ("", "null", "none", "no", "false", "full")


def instead_of_table(spec: ModelSpec, scope: Scope, value: object) -> str:
    """What to write where something stands that is no table."""
    if scope == "adapter" and isinstance(value, str) and value.strip().lower() in _NO_ADAPTER:
        return "For a full fine-tune write null, without quotes."
    if isinstance(value, str) and f"{scope}_type" in spec.names:
        return f'Write "{scope}_type": {quote(value)}.'
    return _TABLE_HINTS.get(scope, "")


def explain_unknown(naming: Naming, name: str, pointer: str, file: str) -> Diagnostic:
    """A flat name in `training` that the trainer reads nowhere."""
    if name == _PARTS:  # of a model with several trainings they have been taken out before
        text = f'"{_PARTS}" is for models that are trained in parts; {naming.spec.title} is trained as one'
        return finding("DPC232", pointer, text, "Write its settings directly in training.", file=file)
    return (
        _of_job(naming, name, pointer, file)
        or _of_other_model(naming, name, pointer, file)
        or _foreign(naming, name, pointer, file)
        or _unknown(naming, name, pointer, file, "training")
    )


def explain_unknown_in(naming: Naming, scope: Scope, name: str, pointer: str, file: str) -> Diagnostic:
    """A key that the trainer does not read in this table."""
    target = naming.spec.names.get(name)
    if target is not None and target.startswith(f"{scope}."):
        key = target.partition(".")[2]
        text = f"{quote(name)} is a friendly name; inside {scope} the trainer's own name is {key}"
        return finding(
            "DPC210",
            pointer,
            text,
            f"Write {quote(key)} here, or {quote(name)} directly in training.",
            file=file,
        )
    homes = [s for s in SCOPES if s != scope and name in naming.scopes[s] and not naming.scopes[s][name].dead]
    homes = [s for s in homes if not naming.scopes[s][name].owned] or homes
    if target is None and homes:
        return _wrong_table(scope, name, homes, pointer, file)
    if target is not None:
        text = f"{quote(name)} is not read {within(scope)}; it sets {target}"
        return finding("DPC210", pointer, text, f"Write {quote(name)} directly in training.", file=file)
    if scope == "model":
        other = _of_other_model(naming, name, pointer, file)
        if other is not None:
            return other
    return _foreign(naming, name, pointer, file) or _unknown(naming, name, pointer, file, scope)


def _wrong_table(scope: Scope, name: str, homes: list[Scope], pointer: str, file: str) -> Diagnostic:
    where = listing(within(home) for home in homes)
    text = f"{quote(name)} is not read {within(scope)}; the trainer reads it {where}"
    hint = f"Write {quote(name)} directly in training."
    if homes != ["root"]:
        tables = listing(f'"{home}": {{"{name}": …}}' for home in homes)
        hint = f"Write {tables}" + (f", or {quote(name)} directly in training." if len(homes) == 1 else ".")
    return finding("DPC210", pointer, text, hint, file=file)


def _of_other_model(naming: Naming, name: str, pointer: str, file: str) -> Diagnostic | None:
    if name in naming.spec.unread:
        reason = naming.spec.unread[name]
        instead = f"Use {reason['instead']}." if reason.get("instead") else "Take it out."
        text = f"the trainer does not act on {name} for {naming.spec.title}: {clause(reason.get('why', ''))}"
        return finding("DPC218", pointer, text, instead, file=file)
    types = sorted(naming.others().get(name, ()))
    if not types:
        return None
    text = f"{quote(name)} is a [model] key of {listing(types, 'and')}; {naming.spec.toml_type} does not read it"
    return finding("DPC211", pointer, text, _model_names(naming, name), file=file)


def _model_names(naming: Naming, name: str) -> str:
    close = did_you_mean(name, (n for n, f in naming.spec.fields.items() if not f.owned))
    return close or f"Take it out, or see `dpcompile models {naming.spec.name}` for what the model takes."


def _of_job(naming: Naming, name: str, pointer: str, file: str) -> Diagnostic | None:
    place = naming.job_fields.get(name)
    if place is None:
        return None
    text = f"{quote(name)} is no setting of the trainer but a field of the job"
    return finding("DPC210", pointer, text, f"Write it outside training: {place}.", file=file)


def _foreign(naming: Naming, name: str, pointer: str, file: str) -> Diagnostic | None:
    entry = naming.foreign().get(name)
    if entry is None:
        return None
    of = listing(entry["of"], "and")
    text = f"{quote(name)} is a setting of {of}, which the trainer does not read"
    return finding("DPC214", pointer, text, entry["remedy"], file=file)


def _unknown(naming: Naming, name: str, pointer: str, file: str, where: str) -> Diagnostic:
    known: Iterable[str] = naming.known_names()
    if where in SCOPES:
        known = [n for n, f in naming.scopes[where].items() if not f.owned and not f.dead]
    meant = did_you_mean(name, known)
    text = f"the trainer reads no setting named {quote(name)}" + ("" if where == "training" else f" in {where}")
    return finding("DPC208", pointer, text, f"{meant} {PASSTHROUGH_REMEDY}".strip(), file=file)
