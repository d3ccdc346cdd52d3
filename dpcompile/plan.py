"""The plan: what a worker does for one job, in order. The contract between compiler and worker.

A plan is self-contained (it holds the text of every file) and secret-free (it names secrets, the worker
holds them). This module imports nothing else of dpcompile, so a worker needs neither Jinja nor jsonschema.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

PLAN_VERSION = 2
StepKind = Literal["fetch", "caption", "inspect", "download", "train", "publish"]
STEP_KINDS: tuple[StepKind, ...] = ("fetch", "caption", "inspect", "download", "train", "publish")


class PlanError(ValueError):
    """A plan that cannot be read: the text says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A file the worker writes before the trainer starts; `path` is absolute."""

    name: str
    path: str
    text: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "path": self.path, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretNeed:
    """A secret the worker must hold: its name, its place in the job, the environment variables that may hold it."""

    name: str
    pointer: str
    env: tuple[str, ...]
    required: bool

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "pointer": self.pointer, "env": list(self.env), "required": self.required}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One unit of work. `needs` are ids of steps that must be finished first; `args` is what to do, by kind."""

    id: str
    kind: StepKind
    needs: tuple[str, ...]
    args: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "needs": list(self.needs), "args": self.args}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a worker needs for one job, apart from the secrets it names."""

    job_id: str
    model: Mapping[str, Any]
    folders: Mapping[str, str]
    files: tuple[PlanFile, ...]
    secrets: tuple[SecretNeed, ...]
    steps: tuple[Step, ...]
    trainer: Mapping[str, str]
    compiler: str
    version: int = PLAN_VERSION

    def _content(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "job_id": self.job_id,
            "compiler": self.compiler,
            "trainer": self.trainer,
            "model": self.model,
            "folders": self.folders,
            "files": [file.to_json() for file in self.files],
            "secrets": [secret.to_json() for secret in self.secrets],
            "steps": [step.to_json() for step in self.steps],
        }

    @property
    def id(self) -> str:
        """sha256 of the canonical plan, in hexadecimal: the same job and specs give the same id."""
        return hashlib.sha256(canonical(self._content()).encode("ascii")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values, its id first."""
        return {"id": self.id, **self._content()}

    def texts(self) -> Iterator[str]:
        """Every text in the plan, names of keys included."""
        stack: list[Any] = [self.job_id, self.model, self.folders, [f.to_json() for f in self.files]]
        stack += [step.to_json() for step in self.steps]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                stack.extend(item)
                stack.extend(item.values())
            elif isinstance(item, (list, tuple)):
                stack.extend(item)

    def file(self, name: str) -> PlanFile:
        """The file of this name. Raises KeyError if there is none."""
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(name)


def canonical(value: object) -> str:
    """JSON with sorted keys, no blanks and ASCII only: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def from_json(value: object) -> Plan:
    """The plan in a JSON value.

    Raises PlanError when it is not a plan of this version, is not complete, has unknown parts, or does
    not match its own id.
    """
    top = _object(value, "plan")
    if type(top.get("version")) is not int or top["version"] != PLAN_VERSION:  # 2.0 is equal to 2
        raise PlanError(f"plan version {top.get('version')!r} is not {PLAN_VERSION}: compile the job again")
    names = (
        "id",
        "version",
        "job_id",
        "compiler",
        "trainer",
        "model",
        "folders",
        "files",
        "secrets",
        "steps",
    )
    _only(top, names, "plan")
    plan = Plan(
        job_id=_text(top, "job_id", "plan"),
        compiler=_text(top, "compiler", "plan"),
        trainer=_texts(top, "trainer"),
        model=_object(top["model"], "plan.model"),
        folders=_texts(top, "folders"),
        files=tuple(_file(f) for f in _list(top, "files", "plan")),
        secrets=tuple(_secret(s) for s in _list(top, "secrets", "plan")),
        steps=tuple(_step(s) for s in _list(top, "steps", "plan")),
    )
    _check_needs(plan)
    try:
        actual = plan.id
    except (TypeError, ValueError, RecursionError) as error:
        raise PlanError(f"the plan holds a value that JSON does not have: {error}") from error
    if actual != top["id"]:
        raise PlanError("the plan was changed after it was compiled: its id does not match its content")
    return plan


def _check_needs(plan: Plan) -> None:
    done: set[str] = set()
    for step in plan.steps:
        if step.id in done:
            raise PlanError(f"two steps are called {step.id}")
        missing = [need for need in step.needs if need not in done]
        if missing:
            raise PlanError(f"step {step.id} needs {missing[0]}, which does not come before it")
        done.add(step.id)


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"{where} must be an object")
    return value


def _only(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in value:
            raise PlanError(f"{where} has no {name}")
    for name in value:
        if name not in names:
            raise PlanError(f"{where} has an unknown part: {name!r}")


def _text(value: Mapping[str, Any], name: str, where: str) -> str:
    if not isinstance(value[name], str):
        raise PlanError(f"{where}.{name} must be text")
    return str(value[name])


def _list(value: Mapping[str, Any], name: str, where: str) -> list[Any]:
    if not isinstance(value[name], list):
        raise PlanError(f"{where}.{name} must be a list")
    return list(value[name])


def _text_list(value: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    texts = _list(value, name, where)
    if not all(isinstance(text, str) for text in texts):
        raise PlanError(f"{where}.{name} must be a list of texts")
    return tuple(texts)


def _texts(value: Mapping[str, Any], name: str) -> dict[str, str]:
    table = _object(value[name], f"plan.{name}")
    return {key: _text(table, key, f"plan.{name}") for key in table}


def _file(value: object) -> PlanFile:
    table = _object(value, "a file")
    _only(table, ("name", "path", "text"), "a file")
    return PlanFile(**{k: _text(table, k, "a file") for k in ("name", "path", "text")})


def _secret(value: object) -> SecretNeed:
    table = _object(value, "a secret")
    _only(table, ("name", "pointer", "env", "required"), "a secret")
    if not isinstance(table["required"], bool):
        raise PlanError("a secret's required must be true or false")
    return SecretNeed(
        name=_text(table, "name", "a secret"),
        pointer=_text(table, "pointer", "a secret"),
        env=_text_list(table, "env", "a secret"),
        required=table["required"],
    )


def _step(value: object) -> Step:
    table = _object(value, "a step")
    _only(table, ("id", "kind", "needs", "args"), "a step")
    if table["kind"] not in STEP_KINDS:
        raise PlanError(f"unknown kind of step: {table['kind']!r}")
    return Step(
        id=_text(table, "id", "a step"),
        kind=table["kind"],
        needs=_text_list(table, "needs", "a step"),
        args=_object(table["args"], "a step's args"),
    )
