"""What checks look at, and how they say where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.codes import finding
from dpcompile.dataplan import DataFolder, MediaKind, wanted_kinds
from dpcompile.diagnostics import Diagnostic
from dpcompile.inplace import FETCHED_EVAL, Directory, DirectorySet, eval_sets, trained_in_place
from dpcompile.job import JobInput
from dpcompile.keypath import KeyPath, pointer
from dpcompile.layers import directory_count
from dpcompile.overrides import SET_FILE
from dpcompile.resolve import ResolvedConfig, Setting
from dpcompile.spec import ModelSpec
from dpcompile.trainer import Field, TrainerKeys, scope_of

_KINDS: tuple[MediaKind, ...] = ("images", "videos")
_LARGEST = 2**63
"""No number the trainer can be given is larger: it would not survive arithmetic, nor TOML."""


class PremiseError(Exception):
    """A check asked for a value that nothing can be built upon: wrong and reported, too large, or passed through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One job, as the checks see it. `settings` are the job's own fields with their defaults."""

    config: ResolvedConfig
    spec: ModelSpec
    trainer: TrainerKeys
    job: JobInput
    settings: Mapping[str, Any]
    data: tuple[DataFolder, ...]
    broken: frozenset[KeyPath]
    """Keys that nothing can be built upon: those that were found to be wrong, and those of `unfit`."""
    secrets: Mapping[str, str]
    """Name of a secret in `training` -> its pointer in the job."""
    part: str = "dataset"
    row: int = 0
    """The dataset file and the `[[directory]]` in it that `in_dataset` speaks of."""

    @property
    def directories(self) -> int:
        """How many folders are trained."""
        return directory_count(self.job, self.data)

    def in_each_directory(self) -> Iterator[Facts]:
        """The same facts for each `[[directory]]` whose settings may be its own."""
        for row in range(max(1, len(trained_in_place(self.job)))):
            yield replace(self, part="dataset", row=row)
        if any(folder.role == "eval" for folder in self.data):
            yield replace(self, part=FETCHED_EVAL, row=0)  # all of them have the same
        for each in eval_sets(self.job):
            for row in range(len(each.directories)):
                yield replace(self, part=each.part, row=row)

    # What is set

    def setting(self, *key: str | int) -> Setting | None:
        """The setting at a key. Raises PremiseError when what stands there cannot be built upon."""
        if key in self.broken:
            raise PremiseError(key)
        return self.config.settings.get(key)

    def get(self, *key: str | int) -> Any:
        """The value at a key, None when nothing is set. Raises PremiseError like `setting`."""
        setting = self.setting(*key)
        return None if setting is None else setting.value

    def table(self, *prefix: str | int) -> dict[str, Setting]:
        """The settings directly below a table, without those that cannot be built upon."""
        return {
            str(name): setting
            for name, setting in self.config.table(*prefix).items()
            if (*prefix, name) not in self.broken
        }

    def sound(self, *keys: KeyPath) -> bool:
        """Whether all these keys can be built upon. For loops, where one bad key must not silence the check."""
        try:
            for key in keys:
                self.setting(*key)
        except PremiseError:
            return False
        return True

    def asked(self, *key: str | int) -> bool:
        """Whether the user set this key: in the job, by --set, or by choosing a preset."""
        setting = self.setting(*key)
        return setting is not None and setting.origin.layer in ("job", "set", "preset")

    def wrote(self, *key: str | int) -> bool:
        """Whether the user set this key in so many words: in the job or by --set."""
        setting = self.setting(*key)
        return setting is not None and setting.origin.layer in ("job", "set")

    def in_dataset(self, name: str) -> tuple[KeyPath, Any]:
        """The key and value by which a dataset setting holds: a directory's own wins (utils/dataset.py:458-484)."""
        own: KeyPath = (self.part, "directory", self.row, name)
        value = self.get(*own)
        return (own, value) if value is not None else ((self.part, name), self.get(self.part, name))

    def inherited(self, key: KeyPath) -> bool:
        """Whether an evaluation set has a setting from the training data only."""
        table: KeyPath = ("dataset",) if len(key) == 2 else ("dataset", "directory", 0)
        own, source = self.setting(*key), self.setting(*table, key[-1])
        return key[0] != "dataset" and own is not None and source is not None and own.origin == source.origin

    def in_model(self, name: str) -> Any:
        """The value of a `[model]` key, the trainer's own default where nothing sets it."""
        value, field = self.get("train", "model", name), self.spec.fields.get(name)
        return field.schema.get("default") if value is None and field is not None else value

    def field(self, key: KeyPath) -> Field | None:
        """What is known about a key of the rendered files."""
        scope = scope_of(key)
        fields = self.spec.fields if scope == "model" else self.trainer.scopes[scope]
        return fields.get(str(key[-1]))

    def says_nothing(self, key: KeyPath) -> bool:
        """Whether what is set asks for no more than what the trainer does without it."""
        value, field = self.get(*key), self.field(key)
        return value in (None, False) or (field is not None and value == field.schema.get("default"))

    # What follows from it

    @property
    def has_adapter(self) -> bool:
        return self.config.has_table("train", "adapter")

    @property
    def gpus(self) -> int:
        """All GPUs of the run: `num_gpus` on each host."""
        launch = self.settings["launch"]
        if _too_large(launch["num_gpus"]):
            raise PremiseError("launch.num_gpus")
        return int(launch["num_gpus"]) * max(1, len(launch.get("hosts") or ()))

    @property
    def stages(self) -> int:
        return int(self.get("train", "pipeline_stages") or 1)

    @property
    def kinds(self) -> tuple[MediaKind, ...]:
        """The kinds of media that are trained, whether or not their addresses are in order.

        None where folders are trained in place: what is in them shows on the machine that has them.
        """
        return wanted_kinds(self.job)

    @property
    def eval_kinds(self) -> tuple[MediaKind, ...]:
        """The kinds of media that are evaluated."""
        if self.job.get("dataset", "eval", "fraction") is not None:
            return self.kinds
        return tuple(kind for kind in _KINDS if self.job.get("dataset", "eval", f"{kind}_url"))

    @property
    def evaluates(self) -> bool:
        """Whether there is an evaluation set."""
        return bool(self.eval_kinds) or bool(eval_sets(self.job))

    def may_have(self, kind: MediaKind) -> bool:
        """Whether such media may be among the job's."""
        return kind in self.all_kinds or bool(trained_in_place(self.job))

    @property
    def all_kinds(self) -> tuple[MediaKind, ...]:
        return tuple(kind for kind in _KINDS if kind in (*self.kinds, *self.eval_kinds))

    # Where it was said

    def at(self, code: str, key: KeyPath, message: str, hint: str = "", *, inside: KeyPath = ()) -> Diagnostic:
        """A finding at the place that set a key; at `preset` or `model_type` where the user did not.

        `inside` is a place within the value.
        """
        setting = self.config.settings.get(key)
        if setting is not None and setting.origin.layer in ("job", "set"):
            origin = setting.origin
            return finding(code, origin.pointer + pointer(inside), message, hint, file=origin.file)
        if setting is not None and setting.origin.layer == "preset":
            return self.in_job(code, ("preset",), message, hint)
        return self.in_job(code, ("model_type",), message, hint)

    def at_null(
        self, code: str, key: KeyPath, message: str, hint: str = "", *, otherwise: KeyPath | None = None
    ) -> Diagnostic:
        """A finding at the null that took a key away.

        If no null did, at the place that set the key `otherwise`, else at the table or at `training`.
        """
        if place := self._null_in_place(key):
            return self.in_job(code, place, message, hint)
        scope, name = scope_of(key), str(key[-1])
        for _layer, file, above, training in reversed(self.job.training_layers):
            for path in self._spellings(scope, name):
                if _is_null(training, path):
                    return finding(code, pointer((*above, *path)), message, hint, file=file)
        if otherwise is not None:
            return self.at(code, otherwise, message, hint)
        own = self._set_of(key)
        return self.in_job(code, own.field if own else ("training", scope), message, hint)

    def _null_in_place(self, key: KeyPath) -> tuple[str | int, ...]:
        """Where a folder that is trained in place, or an evaluation set, takes a key away; empty if none does."""
        own = self._set_of(key)
        rows = own.directories if own else trained_in_place(self.job) if key[0] == "dataset" else ()
        tables: list[Directory | DirectorySet] = [rows[int(key[2])]] if len(key) == 4 and rows else []
        tables += [own] if own else []
        name = str(key[-1])
        return next(((*t.field, name) for t in tables if t.settings.get(name, "") is None), ())

    def _set_of(self, key: KeyPath) -> DirectorySet | None:
        """The evaluation set that a key belongs to."""
        return next((each for each in eval_sets(self.job) if each.part == key[0]), None)

    def _spellings(self, scope: str, name: str) -> Iterator[tuple[str, ...]]:
        """Every way to write a key in `training`; the table alone comes last."""
        target = f"{scope}.{name}"
        friendly = [word for word, meant in self.spec.names.items() if meant == target]
        aliases = [a for a, meant in self.spec.aliases_of_names.items() if meant in (*friendly, target)]
        yield from ((word,) for word in (*friendly, *aliases, name))
        if scope != "root":
            yield (scope, name)
            yield (scope,)

    def in_job(self, code: str, path: tuple[str | int, ...], message: str, hint: str = "") -> Diagnostic:
        """A finding at a field of the job, or at the nearest field above it that is there."""
        while path and not self.there(path):
            path = path[:-1]
        file, where = self.job.place(path or ("model_type",))
        return finding(code, where, message, hint, file=file)

    def there(self, path: tuple[str | int, ...]) -> bool:
        """Whether something stands at a place of the job, or of --set."""
        return self.job.said(path) or self.job.place(path)[0] == SET_FILE


def unfit(config: ResolvedConfig) -> frozenset[KeyPath]:
    """The keys with a value that no check can build upon, although it was not found to be wrong."""
    settings = config.settings.items()
    return frozenset(key for key, each in settings if _passed_through(each) or _too_large(each.value))


def _too_large(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return abs(value) >= _LARGEST
    return isinstance(value, list) and any(map(_too_large, value))


def _passed_through(setting: Setting) -> bool:
    """Whether a value was sent by `training.passthrough`: it may be anything at all."""
    return setting.origin.layer in ("job", "set") and "/training/passthrough/" in setting.origin.pointer


def _is_null(training: Any, path: tuple[str, ...]) -> bool:
    node = training
    for part in path[:-1]:
        node = node.get(part) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and path[-1] in node and node[path[-1]] is None
