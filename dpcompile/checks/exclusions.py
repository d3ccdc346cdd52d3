"""Settings that take each other's meaning, or have none without another: as the schemas and specs declare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dpcompile.checks.facts import Facts
from dpcompile.checks.sizes import RANGE
from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath
from dpcompile.layers import excluded_keys
from dpcompile.trainer import Scope
from dpcompile.wording import clause, listing, quote

_SIZES = ("dataset", "size_buckets")
_NOT_HERE = frozenset(
    {
        # Both intervals count, each on its own (utils/saver.py:20-44); only the default one gives way.
        ("train", "checkpoint_every_n_epochs"),
        # What it overrides, schedule.overridden tells.
        ("train", "force_constant_lr"),
    }
)


def excluded(facts: Facts) -> Iterator[Diagnostic]:
    """Of two such settings the trainer takes one and is silent about the other; a weaker layer's has gone already."""
    for key, others in excluded_keys(facts.spec, facts.trainer).items():
        if key in _NOT_HERE or not facts.sound(key) or facts.get(*key) in (None, False):
            continue
        for other in others:
            if facts.sound(other) and facts.asked(*other) and not facts.says_nothing(other):
                yield _instead(facts, key, other)


def _instead(facts: Facts, key: KeyPath, other: KeyPath) -> Diagnostic:
    text = f"{key[-1]} takes the place of {other[-1]}, which has no effect beside it"
    hint = "Keep one of them." if facts.wrote(*key) else f"Take {other[-1]} out, or set {key[-1]} to null."
    if facts.inherited(key):
        text = f"{key[-1]} of the training data takes the place of {other[-1]}, which has no effect beside it"
        hint = f"Take {other[-1]} out, or set {key[-1]} to null in the evaluation set."
    if key[-1] == "size_buckets" and facts.spec.media.size_buckets:
        hint = f"Take {other[-1]} out: this model takes sizes of its own only."
    return facts.at("DPC418", other, text, hint)


def excluded_across_tables(facts: Facts) -> Iterator[Diagnostic]:
    """Buckets given as such win over what they could be made from, wherever each stands (utils/dataset.py:459-505)."""
    for name, field in facts.trainer.scopes["directory"].items():
        for other in field.excludes:
            key, lost = facts.in_dataset(name)[0], facts.in_dataset(other)[0]
            if facts.get(*key) in (None, False) or not facts.asked(*lost) or facts.says_nothing(lost):
                continue
            told = len(key) == len(lost) == 2 and facts.part == "dataset"  # above
            told = told or (facts.spec.media.size_buckets is not None and other in RANGE)  # by sizes.fixed_sizes
            if not told and not facts.inherited(lost) and not _counts(facts, lost, unless=name):
                yield _instead(facts, key, lost)


def _counts(facts: Facts, key: KeyPath, *, unless: str = "") -> bool:
    """Whether a dataset setting holds in some directory, or in an evaluation set that has it from the training data.

    It holds nowhere beside the setting `unless`.
    """
    said = facts.setting(*key)
    for view in facts.in_each_directory():
        holds = view.setting(*view.in_dataset(str(key[-1]))[0])
        same = said is not None and holds is not None and holds.origin == said.origin
        if same and not (unless and view.in_dataset(unless)[1]):
            return True
    return False


def replaced_by_directories(facts: Facts) -> Iterator[Diagnostic]:
    """What stands in each directory wins over what is said for all of them (utils/dataset.py:458-484, 731-736)."""
    count = facts.directories
    for name in facts.table("dataset"):
        key, own = ("dataset", name), [("dataset", "directory", n, name) for n in range(count)]
        if not own or not facts.sound(*own) or not facts.wrote(*key):
            continue
        values = [facts.get(*place) for place in own]
        if None not in values and any(value != facts.get(*key) for value in values) and not _counts(facts, key):
            text = f"{name} has no effect: each directory has its own value"
            yield facts.at("DPC439", key, text, "Keep one of them.")


def needs_another(facts: Facts) -> Iterator[Diagnostic]:
    """A [model] key that does something only while another key has a certain value, by its default too."""
    for name, field in facts.spec.fields.items():
        needed, key = field.schema.get("x-only", {}), ("train", "model", name)
        others = [("train", "model", other) for other in needed]
        if not facts.sound(key, *others) or not facts.asked(*key) or facts.says_nothing(key):
            continue
        missing = [f"{o} {quote(v)}" for o, v in needed.items() if facts.in_model(o) != v]
        if missing:
            wanted = listing(missing, "and")
            text = f"{name} does something only with {wanted}; it would be ignored"
            yield facts.at("DPC432", key, text, f"Take {name} out, or set {wanted}.")


def needs_elsewhere(facts: Facts) -> Iterator[Diagnostic]:
    """A [model] key whose values above a limit need another key of the training file to have a certain value."""
    for name, field in facts.spec.fields.items():
        needs, key = field.schema.get("x-needs"), ("train", "model", name)
        others = [("train", other) for other in needs["root"]] if needs else []
        if not needs or not facts.sound(key, *others):
            continue
        value = facts.in_model(name)
        if not isinstance(value, (int, float)) or value <= needs["above"]:
            continue
        for other in others:
            wanted = needs["root"][other[-1]]
            if facts.get(*other) not in (None, wanted):
                text = f"{name} {value:g} needs {other[-1]} {quote(wanted)}: {clause(needs['why'])}"
                hint = f"Set {name} to {needs['above']:g}, or {other[-1]} to {quote(wanted)}."
                yield facts.at("DPC459", key if facts.wrote(*key) else other, text, hint)


def discouraged(facts: Facts) -> Iterator[Diagnostic]:
    """Values that the trainer takes, and that its author found to work badly for this model."""
    for name, field in facts.spec.fields.items():
        poor, key = field.schema.get("x-discouraged", {}), ("train", "model", name)
        if poor and facts.sound(key) and facts.wrote(*key) and facts.get(*key) in poor:
            text = f"{name} {quote(facts.get(*key))} works badly for {facts.spec.title}: {poor[facts.get(*key)]}"
            yield facts.at("DPC458", key, text, f"Use another {name}, or take it out.")


def required_keys(facts: Facts) -> Iterator[Diagnostic]:
    """Keys the trainer cannot do without, taken away by a preset or with a whole table (train.py:106-124, 655)."""
    scopes: list[Scope] = ["root", "model", "optimizer"]
    scopes += ["adapter"] if facts.has_adapter and not _removed_beside(facts, "adapter") else []
    for scope in scopes:
        fields = facts.spec.fields if scope == "model" else facts.trainer.scopes[scope]
        for name, field in fields.items():
            key = ("train", name) if scope == "root" else ("train", scope, name)
            is_table = scope == "root" and name in facts.trainer.scopes
            if field.required and not is_table and key not in facts.broken and facts.config.get(*key) is None:
                where = "" if scope == "root" else f"[{scope}] "
                text = f"the trainer needs {where}{name}, and nothing sets it"
                yield facts.at_null("DPC230", key, text, field.meaning)


def _removed_beside(facts: Facts, table: str) -> bool:
    """Whether one layer both takes a table away and sets keys of it, which is told where layers are read."""
    nulls = {
        layer
        for layer, _file, _place, training in facts.job.training_layers
        if isinstance(training, Mapping) and table in training and training[table] is None
    }
    return any(setting.origin.layer in nulls for setting in facts.config.table("train", table).values())


def required_unless(facts: Facts) -> Iterator[Diagnostic]:
    """A [model] key that the trainer needs unless all of some others are set (KeyError while it loads)."""
    for name, field in facts.spec.fields.items():
        others, key = field.schema.get("x-required-unless", ()), ("train", "model", name)
        if not others or not facts.sound(key) or facts.get(*key) is not None:
            continue
        missing = [other for other in others if facts.get("train", "model", other) is None]
        if missing:
            text = f"{facts.spec.title} needs {name} as long as {listing(missing, 'and')} "
            text += "is not set" if len(missing) == 1 else "are not set"
            yield facts.at_null("DPC230", key, text, f"Set {name}, or all of {listing(others, 'and')}.")


def required_sizes(facts: Facts) -> Iterator[Diagnostic]:
    """Sizes of the whole dataset, which are asked for even where each directory has its own (dataset.py:469, 502-504).

    Only size_buckets do without; and the range of shapes is not asked for where shapes are listed, or are squares.
    """
    if facts.in_dataset("size_buckets")[1] is not None or facts.spec.media.size_buckets:
        return
    needed = ["resolutions"]
    if facts.in_dataset("enable_ar_bucket")[1] and not facts.in_dataset("ar_buckets")[1]:
        needed += ["min_ar", "max_ar", "num_ar_buckets"]
    file, hint = "dataset file", "Set dataset.{}, or leave the default as it is."
    if facts.part != "dataset":
        file, hint = "file of the evaluation set", "Set {} in the evaluation set."
        told = facts.sound(_SIZES) and facts.get(*_SIZES) is None  # of the training data
        needed = [name for name in needed if not told or facts.config.get("dataset", name) is not None]
    for name in needed:
        key = (facts.part, name)
        if facts.sound(key) and facts.get(*key) is None:
            text = f"the trainer needs {name} at the top of the {file}, and nothing sets it"
            yield facts.at_null("DPC230", key, text, hint.format(name))


def expected(facts: Facts) -> Iterator[Diagnostic]:
    """A [model] key without which the trainer runs, though it is hardly ever meant to."""
    files = facts.spec.merged.get("paths", {})
    for name, field in facts.spec.fields.items():
        why, key = field.schema.get("x-expected"), ("train", "model", name)
        others = [("train", "model", other) for other in files if other != name]
        if not why or not facts.sound(key, *others):
            continue
        value, gone = facts.get(*key), facts.setting(*key) is None
        if value and value != field.schema.get("default"):
            continue  # the trainer's own default says no more than leaving it out
        if any(facts.wrote(*other) for other in others):
            continue  # with files of one's own it may be another model
        state = "taken away" if gone else "empty" if value in ("", [], {}) else quote(value)
        text = f"{name} is {state}: {clause(why)}"
        hint = f"Take {name} out of the job, to leave it as the model spec has it."
        yield facts.at_null("DPC437", key, text, hint) if gone else facts.at("DPC437", key, text, hint)


CHECKS = (
    excluded,
    excluded_across_tables,
    replaced_by_directories,
    needs_another,
    needs_elsewhere,
    discouraged,
    required_keys,
    required_unless,
    required_sizes,
    expected,
)
