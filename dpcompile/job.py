"""The job: one request, unwrapped from its envelope, with `--set` laid over it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import Document
from dpcompile.keypath import pointer
from dpcompile.misfits import Problem
from dpcompile.overrides import SET_FILE, parse_sets
from dpcompile.resources import DataDirs
from dpcompile.schema import inlined, problems, strict_validator
from dpcompile.secrecy import LOCATION_FIELDS, PLACEHOLDER, SECRET_FIELDS, is_signed
from dpcompile.wording import kind, quote, spoken

PRESET_FILE = "--preset"
MAX_KEYS = 300
"""Of one object in a job: several times what a job with every setting of the trainer has."""
ENVELOPE_KEYS = {
    "webhook": "the address RunPod calls when the job is done",
    "policy": "RunPod's limits for the job",
    "s3Config": "RunPod's own storage settings",
}
"""Keys beside `id` and `input` that RunPod itself reads (its endpoint documentation)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInput:
    """The job as the user wrote it. `value` is the job with `--set` laid over all but `training`."""

    value: Mapping[str, Any]
    file: str
    prefix: tuple[str, ...]
    """Where the job stands in its document: `("input",)` inside an envelope."""
    overrides: Mapping[str, Any]
    """What `--set` and `--preset` say, as a tree of the job's shape."""
    preset_option: bool
    envelope_id: str | None

    def place(self, path: Sequence[str | int]) -> tuple[str, str]:
        """File and pointer of a place in the job, in `--set` if that is where all of it was said."""
        if self.preset_option and tuple(path) == ("preset",):
            return PRESET_FILE, ""
        over, whole = _at(self.overrides, path), _at(self.value, path)
        partly = isinstance(over, dict) and isinstance(whole, dict) and over.keys() != whole.keys()
        if not path or over is _NOTHING or partly:
            return self.file, pointer((*self.prefix, *path))
        return SET_FILE, pointer(path)

    def said(self, path: Sequence[str | int]) -> bool:
        """Whether the user wrote something at this place."""
        return _at(self.value, path) is not _NOTHING

    def get(self, *path: str) -> Any:
        """The value at a place, None when nothing stands there or an empty string does."""
        node: Any = self.value
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        return None if node == "" else node

    @property
    def training_layers(self) -> tuple[tuple[str, str, tuple[str, ...], Any], ...]:
        """(layer, file, place, training) of the job and of `--set`, the weaker first."""
        layers = []
        if "training" in self.value:
            layers.append(("job", self.file, (*self.prefix, "training"), self.value["training"]))
        if "training" in self.overrides:
            layers.append(("set", SET_FILE, ("training",), self.overrides["training"]))
        return tuple(layers)


_NOTHING = object()


def _at(node: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        element = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if not element and not (isinstance(node, dict) and part in node):
            return _NOTHING
        node = node[part]
    return node


def read_job(
    document: Document, sets: Sequence[str], preset: str | None, dirs: DataDirs
) -> tuple[JobInput | None, tuple[Diagnostic, ...]]:
    """The job inside a document, with `KEY=VALUE` texts and a preset laid over it."""
    if crowded := _crowded(document.value):
        text = f"an object with {crowded} keys; no part of a job has more than {MAX_KEYS}"
        return None, (finding("DPC109", "", text, file=document.file),)
    inner, prefix, found = _unwrap(document.value, document.file)
    overrides, more = parse_sets(sets, tuple(job_schema(dirs)["properties"]))
    found = [*found, *more]
    if preset is not None:
        if overrides.get("preset", preset) != preset:
            text = f"--set names another preset than {PRESET_FILE}"
            found.append(finding("DPC223", "/preset", text, "Name it once.", file=SET_FILE))
        overrides["preset"] = preset
    if not isinstance(inner, dict):
        text = f"input must be an object, the job, but is {kind(inner)}"
        hint = "Give the object itself, encoded once." if isinstance(inner, str) else ""
        found.append(finding("DPC203", "/input", text, hint, file=document.file))
        return None, tuple(found)
    envelope_id = document.value.get("id") if prefix else None
    if envelope_id is not None and not isinstance(envelope_id, str):
        text = f"id must be text in quotes, but is {kind(envelope_id)}"
        found.append(finding("DPC203", "/id", text, file=document.file))
        envelope_id = None
    value = _overlay(inner, {k: v for k, v in overrides.items() if k != "training"})
    return (
        JobInput(
            value=value,
            file=document.file,
            prefix=prefix,
            overrides=overrides,
            preset_option=preset is not None,
            envelope_id=envelope_id,
        ),
        tuple(found),
    )


def _crowded(value: dict[str, Any]) -> int:
    """The keys of an object that has too many to be meant, 0 if there is none.

    Each unknown key is looked for among those that are known, so their number bounds the time that takes.
    """
    stack: list[Any] = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if len(node) > MAX_KEYS:
                return len(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return 0


def _unwrap(value: dict[str, Any], file: str) -> tuple[Any, tuple[str, ...], list[Diagnostic]]:
    """The job inside RunPod's envelope `{"id": …, "input": {…}}`, or the job itself."""
    if "input" not in value:
        return value, (), []
    found = []
    for key in value:
        if key in ENVELOPE_KEYS:
            text = f"{key} is {ENVELOPE_KEYS[key]}; dpcompile leaves it to RunPod"
            found.append(finding("DPC228", pointer((key,)), text, file=file))
        elif key not in ("id", "input", "$schema"):
            text = f"{quote(key)} stands beside input, where nothing reads it"
            found.append(finding("DPC201", pointer((key,)), text, "Move it into input.", file=file))
    return value["input"], ("input",), found


def _overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid upon `base`, object by object."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = _overlay(below, value) if both else value  # type: ignore[arg-type]
    return result


def secret_by_set(where: str, name: str) -> Diagnostic:
    """A plan holds no secrets, and the worker looks for them in the job and in its environment only."""
    text = f"{name} is a secret, and given by --set it would never reach the worker"
    hint = "Write it into the job, or give it to the worker as an environment variable."
    return finding("DPC231", where, text, hint, file=SET_FILE)


def secrets_by_set(job: JobInput) -> Iterator[Diagnostic]:
    """Secrets among the overrides."""
    for place, _env in SECRET_FIELDS.values():
        if _at(job.overrides, place) is not _NOTHING and job.get(*place) not in (None, PLACEHOLDER):
            yield secret_by_set(pointer(place), ".".join(place))
    for place in LOCATION_FIELDS.values():
        url = job.get(*place)
        if _at(job.overrides, place) is not _NOTHING and isinstance(url, str) and is_signed(url):
            yield secret_by_set(pointer(place), f"the signed address {'.'.join(place)}")


@cache
def job_schema(dirs: DataDirs) -> Mapping[str, Any]:
    """schemas/job.schema.json."""
    schema: Mapping[str, Any] = json.loads((dirs.schemas / "job.schema.json").read_text("utf-8"))
    return schema


@cache
def job_fields(dirs: DataDirs) -> Mapping[str, str]:
    """The names of the job's own fields, and of those in its sections -> their place: `dataset.trigger_word`."""
    schema = job_schema(dirs)
    places: dict[str, str] = {}
    for section in ("dataset", "launch", "output", "api_keys"):
        places |= {name: f"{section}.{name}" for name in schema["$defs"][section]["properties"]}
    return {**places, **{name: name for name in schema["properties"] if name != "training"}}


@cache
def _validator(dirs: DataDirs) -> Any:
    schema = job_schema(dirs)
    return strict_validator(inlined({k: v for k, v in schema.items() if k != "$defs"}, schema["$defs"]))


def check_job(job: JobInput, dirs: DataDirs, training_names: frozenset[str]) -> Iterator[Diagnostic]:
    """Everything in the job that its schema does not allow."""
    for problem in problems(_validator(dirs), job.value):
        file, where = job.place(problem.path)
        yield finding(problem.code, where, _sentence(problem), _remedy(problem, training_names), file=file)


def _sentence(problem: Problem) -> str:
    if problem.code in ("DPC201", "DPC202") or not problem.path:
        return problem.message
    return f"{spoken(problem.path)} {problem.message}"


def _remedy(problem: Problem, training_names: frozenset[str]) -> str:
    if problem.code == "DPC201" and str(problem.path[-1]) in training_names:
        return f'It is a training setting: write it inside "training": {{"{problem.path[-1]}": …}}.'
    return problem.hint


def empty_values(job: JobInput) -> Iterator[Diagnostic]:
    """Empty texts and placeholders count as not set; that is said, not done in silence."""
    optional = [place for place, _env in SECRET_FIELDS.values()]
    optional += [("dataset", "images_url"), ("dataset", "videos_url"), ("dataset", "trigger_word")]
    optional += [("dataset", "eval", "images_url"), ("dataset", "eval", "videos_url")]
    for place in optional:
        node: Any = job.value
        for part in place:
            node = node.get(part) if isinstance(node, Mapping) else None
        if node == "" or (node == PLACEHOLDER and place[0] != "dataset"):
            file, where = job.place(place)
            text = f"{'.'.join(place)} is {'empty' if node == '' else 'a placeholder'} and counts as not set"
            yield finding("DPC229", where, text, "Take it out, or fill it in.", file=file)
