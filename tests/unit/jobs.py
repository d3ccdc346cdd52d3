"""Small jobs, compiled with the shipped specs, for the tests of single modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import Diagnostic
from dpcompile.job import job_fields
from dpcompile.keypath import KeyPath
from dpcompile.misnamed import Naming
from dpcompile.plan import Plan
from dpcompile.resolve import Assignment, Layer, Origin, ResolvedConfig, Setting
from dpcompile.spec import ModelSpec

CATALOGUE = Catalogue()
"""One for all tests: reading the specs is most of the work."""

MODELS = ("flux", "sdxl", "wan13", "wan14b_t2v", "wan14b_i2v", "qwen", "z_image_turbo")
"""The models of today's API."""

ALL_MODELS = tuple(name for name, spec, _ in CATALOGUE.all() if spec is not None)
"""Every model that can be trained."""

WORKING_MODELS = tuple(name for name, spec, _ in CATALOGUE.all() if spec and not spec.capabilities.get("fails"))
"""Those of which the trainer can train any."""

ADDRESS = "https://example.com/data.zip"


def dataset(kind: str, **fields: Any) -> dict[str, Any]:
    """The `dataset` of a job, with an address for all that its type wants."""
    kinds = {"both": ("images", "videos"), "precaptioned": ("images",)}.get(kind, (kind,))
    return {"type": kind, **{f"{k}_url": f"https://example.com/{k}.zip" for k in kinds}, **fields}


def job(
    model: str = "flux", training: object = None, data: Mapping[str, Any] | str | None = None, **fields: Any
) -> dict[str, Any]:
    """A job; `data` is its dataset, or the type of one."""
    spec = CATALOGUE.find(model)
    data = data or ("images" if spec is None or spec.media.images else "videos")
    made = {"model_type": model, "dataset": dataset(data) if isinstance(data, str) else dict(data), **fields}
    return made if training is None else {**made, "training": training}


def compiled(model: str = "flux", training: object = None, *, sets: Sequence[str] = (), **fields: Any) -> CompileResult:
    return compile_job(job(model, training, **fields), catalogue=CATALOGUE, sets=sets)


def config_of(model: str = "flux", training: object = None, **fields: Any) -> ResolvedConfig:
    """The config of a job in which nothing is wrong."""
    result = compiled(model, training, **fields)
    assert result.ok, result.diagnostics
    assert result.config is not None
    return result.config


def plan_of(model: str = "flux", training: object = None, **fields: Any) -> Plan:
    """The plan of a job in which nothing is wrong."""
    result = compiled(model, training, **fields)
    assert result.plan is not None, result.diagnostics
    return result.plan


def spec_of(model: str) -> ModelSpec:
    spec = CATALOGUE.find(model)
    assert spec is not None
    return spec


def naming_of(model: str) -> Naming:
    """All the names that a job of this model could mean."""
    return Naming(
        spec=spec_of(model),
        trainer=CATALOGUE.trainer,
        foreign=CATALOGUE.foreign_keys,
        others=CATALOGUE.model_keys,
        job_fields=job_fields(CATALOGUE.dirs),
    )


def said(
    key: KeyPath, value: Any = None, layer: Layer = "job", *, pointer: str = "/training/x", removed: bool = False
) -> Assignment:
    origin = Origin(layer=layer, file="job.json", pointer=pointer)
    return Assignment(key=key, value=value, origin=origin, removed=removed)


def config(settings: Mapping[KeyPath, Any], *, file: str = "job.json") -> ResolvedConfig:
    """A config with these values, all from one place of one file."""
    origin = Origin(layer="job", file=file, pointer="/training/x")
    return ResolvedConfig(settings={key: Setting(value=value, origin=origin) for key, value in settings.items()})


def places(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    """Code and pointer of each finding."""
    return [(d.code, d.path) for d in diagnostics]
