"""A request -> the plan to run, and the values of its secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dpcompile.plan import Plan, PlanError, SecretNeed, Step, from_json
from dpcompile.secrecy import PLACEHOLDER, find_secrets, looks_secret
from worker.errors import StepFailed
from worker.failures import as_diagnostic
from worker.secretstore import SecretStore

if TYPE_CHECKING:
    from dpcompile.catalogue import Catalogue

VOLUMES = ("/runpod-volume", "/workspace")
"""Where RunPod mounts a network volume: in a serverless worker, in a pod."""
_SHORTEST_ENV = 12
_REHEARSAL = "-rehearsal"
_LONGEST_ID = 128


class Refused(Exception):
    """A request that cannot be run: one line, and findings in their JSON form."""

    def __init__(self, error: str, diagnostics: Sequence[dict[str, Any]]) -> None:
        super().__init__(error)
        self.error = error
        self.diagnostics = tuple(diagnostics)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What may be said beside a job, as for `dpcompile render`. A plan takes none of it."""

    file: str = "job.json"
    catalogue: Catalogue | None = None
    sets: tuple[str, ...] = ()
    preset: str | None = None
    volume: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A plan, and the job it came from: there its secrets are looked up. `job` is None for a bare plan."""

    plan: Plan
    job: Any = None
    remarks: tuple[dict[str, Any], ...] = field(default=())
    """Warnings and notes of the compiler, in their JSON form."""


def find_volume(environ: Mapping[str, str], usual: Sequence[str] = VOLUMES) -> str:
    """The root of this machine's volume. Raises StepFailed (DPC706) when there is none."""
    if environ.get("NETWORK_VOLUME"):
        return environ["NETWORK_VOLUME"]
    for place in usual:
        if Path(place).is_dir():
            return place
    text = f"this machine has no volume: neither {' nor '.join(usual)} is there"
    raise StepFailed("DPC706", text, "Attach a network volume, or name a folder in NETWORK_VOLUME.")


def check_volume(plan: Plan) -> None:
    """Raises StepFailed (DPC706) when the plan's volume is not there: all results would be lost with the machine."""
    volume = plan.folders["volume"]
    if not Path(volume).is_dir():
        text = f"the volume {volume} is not on this machine"
        hint = "Attach it, or compile the job for a folder that is there: --volume, or NETWORK_VOLUME."
        raise StepFailed("DPC706", text, hint)


def decoded(document: object) -> object:
    """The value of JSON text, or the value itself; None for a text that is not JSON."""
    if not isinstance(document, (str, bytes)):
        return document
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def is_plan(value: object) -> bool:
    """Whether a document is a plan and not a job."""
    return isinstance(value, Mapping) and {"version", "folders", "steps"} <= value.keys()


def read_plan(value: object) -> Request:
    """The request in a plan's JSON value. Raises StepFailed (DPC700)."""
    try:
        plan = from_json(value)
    except PlanError as error:
        raise StepFailed("DPC700", f"the plan cannot be run: {error}", _PLAN_HINT, resumable=False) from error
    if problem := _strays(plan):
        raise StepFailed("DPC700", f"the plan cannot be run: {problem}", _PLAN_HINT, resumable=False)
    return Request(plan=plan)


_PLAN_HINT = "Compile the job again, by `dpcompile plan`, and leave the plan as it is."


def _strays(plan: Plan) -> str:
    """What in a plan reaches out of its own folders: one job never touches another's files."""
    for name in ("volume", "work", "trainer", "models", "output", "job"):
        if not plan.folders.get(name, "").startswith("/") or ".." in plan.folders[name].split("/"):
            return f"its folder {name!r} is not a path from the root"
    job = PurePosixPath(plan.folders["job"])
    if job != PurePosixPath(plan.folders["work"], "jobs", plan.job_id):
        return f"its job folder {job} is not the one of job {plan.job_id}"
    for file in plan.files:
        if PurePosixPath(file.path) != job / file.name or "/" in file.name:
            return f"its file {file.name} does not lie in the job's folder"
    return ""


def read_job(document: object, options: JobOptions, volume: str, *, rehearse: bool) -> Request:
    """The request in a job. Raises Refused when the compiler finds mistakes.

    A rehearsal has a job id of its own: its state and its stand-in model are never taken for real ones.
    """
    from dpcompile.compiler import compile_job
    from dpcompile.report import to_json

    def compiled(job_id: str | None) -> Any:
        return compile_job(
            document,
            file=options.file,
            catalogue=options.catalogue,
            preset=options.preset,
            sets=options.sets,
            volume=volume,
            job_id=job_id,
        )

    result = compiled(options.job_id)
    if result.plan is not None and rehearse:
        result = compiled(f"{result.plan.job_id[: _LONGEST_ID - len(_REHEARSAL)]}{_REHEARSAL}")
    found = [to_json(d) for d in result.diagnostics]
    if result.plan is None:
        wrong = [d for d in found if d["severity"] == "error"]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise Refused(f"the job has mistakes: {wrong[0]['message']}{more}", found)
    return Request(plan=result.plan, job=decoded(document), remarks=tuple(found))


def gather_secrets(request: Request, environ: Mapping[str, str]) -> SecretStore:
    """The secrets that the plan names, from the job or else from the environment.

    Texts that must not be told either (parts of signed addresses, other secrets of the environment) are in
    the store under names that no plan uses.
    """
    values = {need.name: value for need in request.plan.secrets if (value := _value(need, request.job, environ))}
    hidden = list(secret_texts(request.job))
    hidden += [value for name, value in environ.items() if _hidden(name, value)]
    return SecretStore({**{f"text {n}": text for n, text in enumerate(hidden)}, **values}, request.plan.secrets)


def secret_texts(job: object) -> tuple[str, ...]:
    """Every text of a job, in RunPod's envelope or bare, that must not be told."""
    return find_secrets(job, job.get("input") if isinstance(job, Mapping) else None).texts


def _value(need: SecretNeed, job: Any, environ: Mapping[str, str]) -> str | None:
    given = [_at(job, need.pointer), *(environ.get(name) for name in need.env)]
    return next((v for v in given if isinstance(v, str) and v.strip() and v != PLACEHOLDER), None)


def _at(node: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node


def _hidden(name: str, value: str) -> bool:
    """Whether a variable of the environment holds a secret, and not the path of a file with one, or a number."""
    return looks_secret(name) and len(value) >= _SHORTEST_ENV and not value.startswith("/")


def check_secrets(plan: Plan, secrets: SecretStore, steps: Sequence[Step]) -> None:
    """Raises Refused with all secrets that these steps cannot do without and nobody gave."""
    missing = []
    for need in plan.secrets:
        users = [step for step in plan.steps if _uses(step, need.name)]
        if need.required and (not users or any(step in steps for step in users)):
            why = f"needed by {', '.join(step.id for step in users)}" if users else "the job needs it"
            try:
                secrets.require(need.name, why)
            except StepFailed as failure:
                missing.append(as_diagnostic(failure, path=need.pointer))
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise Refused(f"{missing[0]['message']}{more}", missing)


def _uses(step: Step, secret: str) -> bool:
    if secret == "huggingface_token" and step.kind == "download":
        return bool(step.args.get("gated"))
    if secret == "gemini_api_key" and step.kind == "caption":
        return step.args.get("captioner") == "gemini"
    return f"secret:{secret}" in _texts(step.args)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
