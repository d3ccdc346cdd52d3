"""A publication: the files that leave, each of them cleaned, scanned and measured before any target is tried."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.context import StepContext
from worker.errors import StepFailed
from worker.publishing.archive import Archive, Member, largest_size, make_archive
from worker.publishing.card import CARD, PICTURE, Trained, card, settings_of
from worker.publishing.clean import clean_run_folder, cleaned, holds_wandb_key
from worker.publishing.curve import Point, picture, read_curve
from worker.publishing.files import SavedModel, Source, saved_models, sources_of
from worker.publishing.scan import Scanner

FOLDER = "publish"
"""Folder of the job that holds what is made for publishing: the card, the pictures, the archive, the state."""
REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """All that leaves the machine. Every member was scanned; none holds a secret of the run."""

    job_id: str
    models: tuple[SavedModel, ...]
    members: tuple[Member, ...]
    withheld: tuple[str, ...]
    """Names of files that a secret stands in."""
    folder: Path
    rehearsal: bool

    @property
    def latest(self) -> str:
        """`epoch20`; of several trainings, with their names: `high epoch20, low epoch18`."""
        if len(self.models) == 1:
            return self.models[0].name
        return ", ".join(f"{model.part} {model.name}" for model in self.models)

    @property
    def archive_name(self) -> str:
        names = dict.fromkeys(model.name for model in self.models)
        mark = f"{REHEARSAL}-" if self.rehearsal else ""
        return f"{mark}diffusion-pipe-lora-{self.job_id[:8]}-{'-'.join(names)}.zip"

    @property
    def archive_path(self) -> Path:
        return self.folder / self.archive_name

    @property
    def main_weights(self) -> Member:
        """The file that most people want: the first weights."""
        return next(m for m in self.members if Source(name=m.name, path=m.path).is_weights)

    @property
    def model_path(self) -> Path:
        """Where the trained model lies on the volume."""
        return (
            self.models[0].folder
            if len(self.models) == 1
            else Path(os.path.commonpath([m.folder for m in self.models]))
        )

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(member.size for member in self.members)

    @property
    def largest_archive_size(self) -> int:
        return largest_size(self.members)

    def archive(self, context: StepContext) -> Archive:
        """The archive of all files, made when it is first wanted."""

        def told(done: int) -> None:
            context.emit("progress", done=done, total=self.size, unit="bytes", what="archive")

        return make_archive(self.archive_path, self.members, context.stop, told)


def make_publication(context: StepContext) -> Publication:
    """Cleans, draws, writes the card and scans. Raises StepFailed when there is nothing that may leave."""
    plan = context.plan
    trainings = [step.id for step in plan.steps if step.kind == "train"]
    models = saved_models(context.results, trainings, Path(plan.folders["output"]))
    folder = Path(plan.folders["job"]) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for model in models:
        clean_run_folder(model.run_folder, context.secrets)
    trained = [(model, sources_of(model)) for model in models]
    sources = [*_made(context, trained, folder), *(source for _, found in trained for source in found)]
    members, withheld = _scanned(context, sources)
    return Publication(
        job_id=plan.job_id,
        models=tuple(models),
        members=members,
        withheld=withheld,
        folder=folder,
        rehearsal=context.settings.rehearse,
    )


def _made(context: StepContext, trained: Sequence[tuple[SavedModel, list[Source]]], folder: Path) -> Iterator[Source]:
    """The files that are ours: the card, the pictures of the loss, the curves, the dataset's TOML."""
    plan, about = context.plan, []
    for model, sources in trained:
        prefix = f"{model.part}/" if model.part else ""
        points = _points(context, model)
        drawn = picture(points)
        if drawn is not None:
            yield _written(folder, prefix + PICTURE, drawn)
        if model.loss_curve is not None and points:
            rows = "".join(f"{p.step},{p.loss!r}\n" for p in points)
            yield _written(folder, f"{prefix}loss.csv", f"step,loss\n{rows}".encode())
        about.append(
            Trained(
                model=model,
                weights=tuple(source for source in sources if source.is_weights),
                settings=settings_of(plan, model.part),
                points=tuple(points),
                picture=prefix + PICTURE if drawn is not None else None,
            )
        )
    text = context.secrets.redact(card(plan, about, rehearsal=context.settings.rehearse))
    yield _written(folder, CARD, text.encode("utf-8", "replace"))
    for file in plan.files:
        if file.name == "dataset.toml":
            yield _written(folder, file.name, cleaned(file.text, context.secrets).encode("utf-8", "replace"))


def _points(context: StepContext, model: SavedModel) -> list[Point]:
    if model.loss_curve is None:
        return []
    try:
        return read_curve(model.loss_curve)
    except OSError as error:
        text = f"the loss curve cannot be read ({error.strerror}): the model card goes without it"
        context.emit("warning", message=text, hint="")
        return []


def _written(folder: Path, name: str, data: bytes) -> Source:
    path = folder / "made" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.part")
    aside.write_bytes(data)
    aside.replace(path)
    return Source(name=name, path=path)


def _scanned(context: StepContext, sources: Sequence[Source]) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Those that may leave, and the names of those that may not. Raises StepFailed if the weights may not."""
    scanner, members, withheld = Scanner(context.secrets.texts()), [], []
    named: dict[str, Source] = {}
    for source in sources:
        named.setdefault(source.name, source)  # ours come first, should the trainer have one of the same name
    for source in named.values():
        examined = scanner.examine(source.path, context.stop)
        if examined.secret_found or scanner.found_in(source.name.encode()) or _has_wandb_key(source):
            withheld.append(source.name)
        else:
            member = Member(name=source.name, path=source.path, size=examined.size, sha256=examined.sha256)
            members.append(member)
    _tell_withheld(context, withheld)
    held_back = [name for name in withheld if named[name].is_weights]
    if held_back:
        name = context.secrets.redact(held_back[0])
        text = f"a secret of this job stands in {name}: the model does not leave the volume"
        raise StepFailed(
            "DPC762", text, "Look into the file on the volume, and replace the secret: it was written down."
        )
    return tuple(members), tuple(withheld)


def _tell_withheld(context: StepContext, withheld: Sequence[str]) -> None:
    for name in withheld:
        text = f"a secret of this job stands in {name}: the file is not published"
        context.emit("warning", message=context.secrets.redact(text), hint="It is on the volume as it is.")


def _has_wandb_key(source: Source) -> bool:
    """Whether a TOML file still holds a wandb key: one that is not this run's may stand in any file."""
    if not source.name.endswith(".toml"):
        return False
    return holds_wandb_key(source.path.read_bytes().decode("utf-8", "replace"))
