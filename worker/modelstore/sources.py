"""Where model files come from and where they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan
from worker.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files of one repository of the Hub, or the one file behind an address."""

    to: Path
    """The folder that takes the files, or the file itself where there is only one."""
    repo: str | None = None
    revision: str = "main"
    patterns: tuple[str, ...] = ()
    """Which files of the repository, with `*`. Each has to match at least one."""
    optional: tuple[str, ...] = ()
    file: str | None = None
    url: str | None = None
    sha256: str | None = None
    """Of the file behind `url`, where it is known."""

    @property
    def single(self) -> bool:
        return self.url is not None or self.file is not None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        if self.url is not None:
            return self.url
        at = "" if self.revision == "main" else f" at {self.revision}"
        return f"{self.repo}{at}"

    @property
    def identity(self) -> dict[str, Any]:
        """What has to be the same for files that are there to be the ones that are wanted."""
        if self.url is not None:
            return {"url": self.url, "sha256": self.sha256}
        wanted = [self.file] if self.file else [*self.patterns, *self.optional]
        return {"repo": self.repo, "revision": self.revision, "files": wanted}

    def to_json(self) -> dict[str, Any]:
        """The form in which a child process gets it."""
        return {
            "repo": self.repo,
            "revision": self.revision,
            "patterns": list(self.patterns),
            "optional": list(self.optional),
            "file": self.file,
            "url": self.url,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """One file as its source describes it; `size` is in bytes, -1 where the source does not tell it."""

    path: str
    size: int
    sha256: str | None = None
    blob: str | None = None
    """Git's own digest, for small files of the Hub."""

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size, "sha256": self.sha256, "blob": self.blob}

    def matches(self, path: Path, check: Callable[[], None] = lambda: None) -> bool:
        """Whether the file at `path` has this content. Reads all of it; `check` is called now and then."""
        if self.size >= 0 and path.stat().st_size != self.size:
            return False
        if self.sha256:
            return _digest(path, hashlib.sha256(), check) == self.sha256
        if self.blob:
            start = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
            return _digest(path, start, check) == self.blob
        return self.size >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source answered: the commit that its revision means today, and the files that are wanted."""

    commit: str | None
    files: tuple[WantedFile, ...]

    @property
    def size(self) -> int:
        """In bytes, as far as it is known."""
        return sum(max(file.size, 0) for file in self.files)


def of_step(args: Mapping[str, Any]) -> Source:
    """The source of a download step."""
    return Source(
        to=Path(args["to"]),
        repo=args.get("repo"),
        revision=args.get("revision") or "main",
        patterns=tuple(args.get("files") or ()),
        file=args.get("file"),
        url=args.get("url"),
        sha256=args.get("sha256"),
    )


def of_plan(plan: Plan) -> tuple[Source, ...]:
    """The sources of all download steps."""
    return tuple(of_step(step.args) for step in plan.steps if step.kind == "download")


def captioner_of(plan: Plan, settings: Settings) -> Source | None:
    """The source of the model that describes images, where the plan has any to describe."""
    if not any(step.kind == "caption" and step.args["captioner"] == "joycaption" for step in plan.steps):
        return None
    repo = settings.joycaption_repo
    return Source(
        to=Path(plan.folders["models"]) / "captioners" / repo.rsplit("/", 1)[-1],
        repo=repo,
        revision=settings.joycaption_revision,
        patterns=("*.json", "*.safetensors"),
        optional=("*.jinja",),
    )


def destination(source: Source, file: WantedFile) -> Path:
    """Where a file ends up."""
    return source.to if source.single else source.to / file.path


def _digest(path: Path, digest: hashlib._Hash, check: Callable[[], None]) -> str:
    with path.open("rb") as stream:
        while piece := stream.read(8 << 20):
            check()
            digest.update(piece)
    return digest.hexdigest()
