"""Settings of the trainer's files that it never reads: where they would have to stand, or whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpcompile.importing.written import Written
from dpcompile.misnamed import Naming
from dpcompile.similar import did_you_mean
from dpcompile.spec import scope_name, within
from dpcompile.trainer import SCOPES, Scope
from dpcompile.wording import clause, listing, quote

Told = tuple[str, str, str]
"""Code, message and hint."""


def is_read(said: Written, naming: Naming) -> bool:
    """Whether the trainer reads a setting where it stands, and acts on it."""
    if said.scope is None or (said.scope == "model" and said.name in naming.spec.unread):
        return False
    known = naming.scopes[said.scope].get(said.name)
    if known is None:
        return said.scope == "optimizer"  # all that stands there is handed to the class (train.py:666-700)
    return not known.dead


def explain(said: Written, naming: Naming, files: Sequence[Written]) -> Told | None:
    """Why the trainer does not read a setting, or does not act on it; None for one that it reads.

    `files` are all settings of the files, to name the value that has been in force instead.
    """
    if is_read(said, naming):
        return None
    if said.scope == "model" and said.name in naming.spec.unread:
        return _not_acted_on(said, naming.spec.unread[said.name])
    known = naming.scopes[said.scope].get(said.name) if said.scope is not None else None
    if known is not None:
        return _not_acted_on(said, known.dead)
    return _misplaced(said, naming, files) or _of_others(said, naming) or _unknown(said, naming)


def _not_acted_on(said: Written, reason: Mapping[str, str]) -> Told:
    instead = reason.get("instead", "")
    if instead and not instead.endswith("."):
        instead = f"Use {instead}."
    text = f"the trainer does not act on {said.name}: {clause(reason.get('why', ''))}"
    return "DPC218", text, instead or "Take it out."


def _misplaced(said: Written, naming: Naming, files: Sequence[Written]) -> Told | None:
    """A name that the trainer reads in another table, under the same name or its own one."""
    if said.scope is None and said.name in _EVERYWHERE:
        return _whole_table(said)
    homes: list[tuple[Scope, str]] = [
        (scope, said.name)
        for scope in SCOPES
        if scope != said.scope and said.name in naming.scopes[scope] and not naming.scopes[scope][said.name].dead
    ]
    friendly = naming.spec.aliases_of_names.get(said.name, said.name)
    target = naming.spec.names.get(friendly, friendly)
    if not homes and "." in target:
        scope, _, name = target.partition(".")
        homes = [(s, name) for s in SCOPES if s == scope]
    if not homes and naming.trainer.takes_argument(said.name):
        homes = [("optimizer", said.name)]
    homes = _nearest(homes, said)
    if not homes:
        return None
    scope, name = homes[0]
    other = f"it reads it {listing(within(scope) for scope, _ in homes)}"
    if name != said.name:
        other = f"the trainer's own name is {name}, {within(scope)}"
    text = f"the trainer does not read {said.name} {_within(said)}; {other}. {_in_force(homes, naming, files)}"
    owned = name in naming.scopes[scope] and naming.scopes[scope][name].owned
    in_job = "" if owned else f" In a job it is {_in_job(scope, name)}."
    return "DPC210", text, _move(said, scope, name) + in_job


_EVERYWHERE = ("type", "name", "path", "dtype", "lr", "paths", "config")
"""Names so common that one in a table of its own means nothing of the trainer's."""


def _whole_table(said: Written) -> Told | None:
    """Tables that people make of what the trainer reads as one key, or elsewhere."""
    table = str(said.path[0])
    if table in ("scheduler", "lr_scheduler") and said.name == "type":
        text = f"the trainer knows no table [{table}]; the schedule is one key at the top of train.toml"
        return "DPC210", text, f"Write lr_scheduler = {quote(said.value)} there. In a job it is training.lr_scheduler."
    if said.part == "train" and table == "directory":
        text = "the trainer looks for [[directory]] in the dataset file only"
        return "DPC210", text, "Move it there, and name that file by dataset."
    if said.part != "train" and table == "datasets":
        text = "the trainer knows no [[datasets]]: the folders of a dataset file are [[directory]]"
        return "DPC210", text, "Write [[directory]] for each folder."
    return None


def _nearest(homes: list[tuple[Scope, str]], said: Written) -> list[tuple[Scope, str]]:
    """Those of the same file, if there are any; a key of a directory may stand at the top of its file too."""
    of_dataset = ("dataset", "directory")
    same = [home for home in homes if (home[0] in of_dataset) == (said.part != "train")]
    return same or homes


def _within(said: Written) -> str:
    return f"in {said.where}" if said.where.startswith("[") else f"at {said.where}"


def _move(said: Written, scope: Scope, name: str) -> str:
    if name == said.name:
        return f"Move it to {scope_name(scope)}."
    return f"Write {name} {within(scope)} instead."


def _in_job(scope: Scope, name: str) -> str:
    return f"training.{name}" if scope == "root" else f"training.{scope}.{name}"


def _in_force(homes: list[tuple[Scope, str]], naming: Naming, files: Sequence[Written]) -> str:
    """The value that has been trained with."""
    for scope, name in homes:
        for other in files:
            if (other.scope, other.name) == (scope, name):
                return f"What counted is the {quote(other.value)} that stands there"
    scope, name = homes[0]
    default = naming.scopes[scope][name].schema.get("default") if name in naming.scopes[scope] else None
    if default is None:
        return "What counted is that it is not set there"
    return f"What counted is the trainer's default, {quote(default)}"


def _of_others(said: Written, naming: Naming) -> Told | None:
    """A key of another model type, or of another trainer."""
    types = sorted(naming.others().get(said.name, ()))
    if types and said.part == "train":
        spec = naming.spec
        text = f"{said.name} is a [model] key of {listing(types, 'and')}; {spec.toml_type} does not read it"
        close = did_you_mean(said.name, (n for n, f in spec.fields.items() if not f.owned))
        return "DPC211", text, close or f"Take it out; `dpcompile models {spec.name}` shows what the model takes."
    entry = naming.foreign().get(said.name)
    if entry is None:
        return None
    text = f"{said.name} is a setting of {listing(entry['of'], 'and')}, which the trainer does not read"
    return "DPC214", text, entry["remedy"]


def _unknown(said: Written, naming: Naming) -> Told:
    if said.scope is None:
        text = f"the trainer knows no table {said.where}, and reads no setting named {quote(said.name)}"
        known = naming.known_names()
    else:
        text = f"the trainer reads no setting named {quote(said.name)} {_within(said)}"
        known = {n for n, f in naming.scopes[said.scope].items() if not f.owned and not f.dead}
    meant = did_you_mean(said.name, sorted(known))
    return "DPC208", text, f"{meant} Take it out, or send it with passthrough if your trainer reads it.".strip()
