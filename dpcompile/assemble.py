"""One job and one model -> its resolved config: every layer collected, folded, and completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dpcompile import passthrough
from dpcompile.clashes import conflicts, contested
from dpcompile.codes import finding
from dpcompile.dataplan import DataFolder
from dpcompile.diagnostics import Diagnostic
from dpcompile.folders import Folders
from dpcompile.inplace import Directory, eval_sets, trained_in_place
from dpcompile.job import JobInput
from dpcompile.keypath import KeyPath
from dpcompile.layers import (
    DERIVED,
    derived_assignments,
    directory_count,
    eval_settings,
    excluded_keys,
    job_field_assignments,
    spec_assignments,
    without_conditional,
)
from dpcompile.misnamed import Naming
from dpcompile.resolve import Assignment, Layer, ResolvedConfig, Setting, has_adapter, layered, resolve
from dpcompile.routing import Alpha, Routed, Router, key_paths
from dpcompile.secrecy import WANDB_KEY
from dpcompile.spec import ModelSpec, merge
from dpcompile.trainer import Field, Scope, TrainerKeys
from dpcompile.trainings import ONLY, PARTS, Part, check_parts, split_training
from dpcompile.values import identical

_LAST = 10_000  # behind every key that is known
OWN_SECTIONS = ("dataset", "captioning", "launch", "output", "preset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The config, the job's own fields with defaults, and what was found on the way."""

    config: ResolvedConfig
    settings: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[KeyPath]
    secrets: Mapping[str, str]
    """Name of a secret in `training` -> its pointer in the job."""


def own_settings(job: JobInput, spec: ModelSpec) -> dict[str, Any]:
    """The job's own fields over the spec's defaults for them."""
    said = {k: v for k, v in job.value.items() if k in OWN_SECTIONS}
    return merge(spec.job_defaults, said)


def route_training(job: JobInput, naming: Naming, directories: int, part: Part) -> Routed:
    """Every `training` of the job and of `--set`, routed."""
    router = Router(naming, lambda scope, name: key_paths(scope, name, directories))
    total = Routed()
    for layer, file, place, training in job.training_layers:
        name: Layer = "set" if layer == "set" else "job"
        common, own = split_training(training, part)
        routed = router.route(name, file, place, common)
        if own is not None:
            _take_over(routed, router.route(name, file, (*place, PARTS, part.name), own))
        routed.diagnostics += check_parts(training, part, file, place)
        total.add(routed)
    return total


def route_in_place(job: JobInput, naming: Naming) -> Routed:
    """The settings of folders that are trained in place, and of evaluation sets of them."""
    total = Routed()

    def route(field: Sequence[str | int], scope: Scope, values: Mapping[str, Any], table: KeyPath) -> None:
        router = Router(naming, lambda _scope, name: [(*table, name)])
        for name, value in values.items():
            file, _where = job.place((*field, name))
            layer: Layer = "job" if file == job.file else "set"
            place = tuple(map(str, (*(job.prefix if layer == "job" else ()), *field)))
            total.add(router.route_table(layer, file, place, scope, {name: value}))

    def route_directories(directories: Sequence[Directory], part: str) -> None:
        for n, folder in enumerate(directories):
            route(folder.field, "directory", folder.settings, (part, "directory", n))

    route_directories(trained_in_place(job), "dataset")
    for each in eval_sets(job):
        route(each.field, "dataset", each.settings, (each.part,))
        route_directories(each.directories, each.part)
    return total


def _take_over(routed: Routed, own: Routed) -> None:
    """What is said of one training alone takes the place of what is said of all."""
    keys = {said.key for said in own.assignments}
    routed.assignments = [said for said in routed.assignments if said.key not in keys]
    routed.add(own)


def assemble(
    job: JobInput, naming: Naming, folders: Folders, data: Sequence[DataFolder], part: Part = ONLY
) -> Assembled:
    """The resolved config of one training of a job, from the weakest layer to the strongest."""
    spec, trainer = naming.spec, naming.trainer
    # Without usable data, which is told elsewhere, `[[directory]]` is still looked at, as if there were one.
    directories = max(1, directory_count(job, data))
    evaluated = any(folder.role == "eval" for folder in data) or bool(eval_sets(job))
    settings = own_settings(job, spec)
    routed = route_training(job, naming, directories, part)
    routed.add(route_in_place(job, naming))
    said = [*job_field_assignments(job, spec, settings, data), *routed.assignments]
    found = [*routed.diagnostics]
    broken = set(routed.broken)
    for layer in ("job", "set"):
        spoken = [a for a in said if a.origin.layer == layer]
        found += conflicts(spoken)
        broken |= contested(spoken)
    # What a job takes away is gone, wherever in it that stands; that the job also sets it was told just now.
    said.sort(key=lambda assignment: assignment.removed)
    layers = [*spec_assignments(spec, settings.get("preset"), folders, directories), *said]
    layers += derived_assignments(spec, folders.of_part(part.name), data, job)
    present = list(without_conditional(layers, adapter=has_adapter(layers), evaluation=evaluated))
    config = resolve(present, trainer, excluded_keys(spec, trainer))
    config = _complete(config, naming.scopes, [said.key for said in routed.assignments if said.removed])
    found += passthrough.collisions(config, routed.assignments)
    found += [d for alpha in routed.alphas for d in _check_alpha(alpha, config)]
    return Assembled(
        config=config,
        settings=_with_caption_policy(settings, job, config),
        diagnostics=tuple(found),
        broken=frozenset(broken),
        secrets=routed.secrets,
    )


def _complete(
    config: ResolvedConfig, scopes: Mapping[Scope, Mapping[str, Field]], removed: Sequence[KeyPath]
) -> ResolvedConfig:
    """What follows from other settings: the wandb placeholder, the evaluation sets' buckets; in a fixed order."""
    extra: list[Assignment] = []
    if config.get("train", "monitoring", "enable_wandb"):
        # The trainer demands the key in the file (train.py:563); an empty one makes wandb take WANDB_API_KEY.
        extra.append(Assignment(key=("train", "monitoring", WANDB_KEY), value="", origin=DERIVED))
    extra += eval_settings(config.settings, removed)
    settings = {**layered(extra), **config.settings}
    return replace(config, settings=dict(sorted(settings.items(), key=_order(scopes))))


def _order(scopes: Mapping[Scope, Mapping[str, Field]]) -> Any:
    """Sorts settings as the schemas list their keys, unknown ones last: the job's own order must not show."""
    ranks = {scope: {name: n for n, name in enumerate(fields)} for scope, fields in scopes.items()}
    tables = {"": 0, "model": 1, "adapter": 2, "optimizer": 3, "monitoring": 4, "directory": 5}
    files = {"train": 0, "dataset": 1, "eval": 2}

    def key(item: tuple[KeyPath, Setting]) -> tuple[Any, ...]:
        path = item[0]
        table = str(path[1]) if len(path) > 2 else ""
        scope = table or ("root" if path[0] == "train" else "dataset")
        rank = ranks.get(scope, {}).get(str(path[-1]), _LAST)  # type: ignore[call-overload]
        number = path[2] if len(path) == 4 else 0
        file, _, number_of_file = str(path[0]).partition(".")
        return files[file], int(number_of_file or 0), tables.get(table, len(tables)), table, number, rank, str(path[-1])

    return key


def _check_alpha(alpha: Alpha, config: ResolvedConfig) -> list[Diagnostic]:
    """The trainer's alpha is always the rank, and it refuses to be told (train.py:118-122)."""
    rank = config.get("train", "adapter", "rank")
    if rank is not None and identical(alpha.value, rank):
        text = f"{alpha.name} is not written: the trainer always uses alpha = rank, as asked here"
        return [finding("DPC215", alpha.pointer, text, "Take it out.", file=alpha.file)]
    text = f"{alpha.name} cannot be set: the trainer always uses alpha = rank" + (f" = {rank}" if rank else "")
    hint = "Take it out. To train as with a smaller alpha, lower the learning rate."
    return [finding("DPC224", alpha.pointer, text, hint, file=alpha.file)]


def _with_caption_policy(settings: dict[str, Any], job: JobInput, config: ResolvedConfig) -> dict[str, Any]:
    """`skip_empty_caption`, said in the trainer's own words, is as good as `dataset.missing_caption`."""
    skip = config.settings.get(("dataset", "skip_empty_caption"))
    said_here = skip is not None and skip.origin.layer in ("job", "set", "preset")
    if skip is None or not said_here or job.said(("dataset", "missing_caption")):
        return settings
    return merge(settings, {"dataset": {"missing_caption": "skip" if skip.value else "empty"}})


@lru_cache(maxsize=512)
def training_names(spec: ModelSpec | None, trainer: TrainerKeys) -> frozenset[str]:
    """Names that belong into `training`, to recognise them where they stand outside."""
    names = {n for scope in ("root", "adapter", "optimizer") for n in trainer.scopes[scope]}
    if spec is not None:
        names |= set(spec.names) | set(spec.aliases_of_names) | set(spec.fields)
    return frozenset(names)
