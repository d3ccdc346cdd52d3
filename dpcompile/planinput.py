"""All that a plan is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpcompile.dataplan import DataFolder
from dpcompile.folders import Folders
from dpcompile.job import JobInput
from dpcompile.render import RenderedFile
from dpcompile.resolve import ResolvedConfig
from dpcompile.spec import ModelSpec
from dpcompile.trainer import TrainerKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of a job: what is trained, with which settings, into which folders."""

    spec: ModelSpec
    config: ResolvedConfig
    folders: Folders

    @property
    def step(self) -> str:
        """Id of its step: `train`, or `train-high` where a job has several."""
        return f"train-{self.folders.part}" if self.folders.part else "train"

    @property
    def uses_wandb(self) -> bool:
        return bool(self.config.get("train", "monitoring", "enable_wandb"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """All that a plan is made of. `settings` are the job's own fields with their defaults filled in."""

    job: JobInput
    settings: Mapping[str, Any]
    spec: ModelSpec
    trainer: TrainerKeys
    trainings: tuple[Training, ...]
    folders: Folders
    data: tuple[DataFolder, ...]
    files: tuple[RenderedFile, ...]
    secrets: Mapping[str, str]
    """Name of a secret in `training` -> its pointer in the job."""
    compiler: str
