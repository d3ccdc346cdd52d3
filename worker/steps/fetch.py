"""The fetch step: the data of a job, whole and tidy, in the folder that the trainer reads it from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from worker.context import StepContext
from worker.errors import StepFailed
from worker.fetching.faults import disk_full, is_full
from worker.fetching.gather import gather
from worker.fetching.locks import locked
from worker.fetching.manifest import Manifest
from worker.fetching.media import kind_of
from worker.fetching.progress import Watch
from worker.fetching.source import Source
from worker.fetching.sources import client_of, source_of
from worker.fetching.store import Store, captioned
from worker.fetching.tidy import arrange, some
from worker.settings import FetchLimits

# What came is of no use after these; after the others, the next run goes on from it.
_CLEANED = ("DPC713", "DPC714", "DPC715", "DPC716", "DPC717")


def run(context: StepContext) -> dict[str, Any]:
    """Fetches a dataset, or keeps the one that is there when its source has not changed.

    Returns `folder`, `files`, `images`, `videos`, `captions` (media that have one), `content` (a digest
    that is equal for equal data) and `kept`: whether the folder is the one of an earlier fetch, so that
    captions and the trainer's cache in it are good.
    """
    limits = context.settings.fetch
    watch = Watch(context.stop, context.emit, limits.max_minutes * 60)
    store = Store(Path(context.step.args["to"]))
    try:
        with locked(store.lock, watch, what=f"the dataset {store.folder.name}"):
            return _fetch(context, store, watch, limits)
    except OSError as error:
        if is_full(error):
            raise disk_full(f"{context.step.args['source']} does not fit") from error
        text = f"{error.filename or store.folder}: {error.strerror or 'it cannot be read or written'}"
        raise StepFailed("DPC719", text, "Look at the volume: it may be read-only or have a problem.") from error


def _fetch(context: StepContext, store: Store, watch: Watch, limits: FetchLimits) -> dict[str, Any]:
    store.recover()
    before = store.kept()
    with client_of(context, watch, limits) as client:
        source = source_of(context, client, watch)
        if before is not None and _unchanged(source, before, watch):
            return _keep(store, before, watch)
        try:
            return _bring(context, store, source, before, watch, limits)
        except StepFailed as failure:
            if failure.code in _CLEANED and not (failure.code == "DPC714" and failure.resumable):
                store.clean()
            raise
        except OSError as error:
            if is_full(error):
                store.clean()
            raise


def _unchanged(source: Source, before: Manifest, watch: Watch) -> bool:
    """Whether the dataset in place is still what its source has.

    A source that cannot be reached does not end the run: the data is here, and was good.
    """
    try:
        return source.unchanged(before.version)
    except StepFailed as failure:
        if failure.code != "DPC710":
            raise
        day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(before.fetched))
        watch.warn(
            f"whether the data has changed could not be asked ({failure.message}): the copy of {day} UTC is used",
            "Run the job again later if the data may have changed since.",
        )
        return True


def _keep(store: Store, before: Manifest, watch: Watch) -> dict[str, Any]:
    store.clean()  # of what a killed worker had brought before the source was as it is now
    edits = store.edits(before, watch)
    kept = store.accept(before, edits)
    for warning in kept.warnings:
        watch.warn(warning.message, warning.hint)
    if edits.digest:
        parts = {"missing": edits.missing, "changed": edits.changed, "added": edits.added}
        what = "; ".join(f"{name}: {some(names)}" for name, names in parts.items() if names)
        watch.warn(
            f"files of the dataset were changed by hand since it was fetched ({what}): they are used as they are",
            f"Delete {store.folder} to have it fetched again.",
        )
    watch.note(f"the data has not changed since it was fetched: {store.folder.name} is used again")
    names = [n for n in (*kept.files, *edits.added) if n not in edits.missing]
    content = f"{kept.content}+{edits.digest}" if edits.digest else kept.content
    return _result(store, names, content, kept=True)


def _bring(
    context: StepContext, store: Store, source: Source, before: Manifest | None, watch: Watch, limits: FetchLimits
) -> dict[str, Any]:
    args = context.step.args
    downloads, unpacked = store.part / "downloads", store.part / "unpacked"
    downloads.mkdir(parents=True, exist_ok=True)
    fetched = source.fetch(downloads)
    store.empty(unpacked)
    gathered = gather(fetched, unpacked, watch, limits)
    arrangement = arrange(gathered, args["media"], str(args["source"]))
    for warning in arrangement.warnings:
        watch.warn(warning.message, warning.hint)
    entries = store.prepare(arrangement, watch)
    manifest = Manifest(
        source=str(args["source"]),
        media=args["media"],
        version=fetched.version,
        fetched=time.time(),
        files=entries,
        warnings=arrangement.warnings,
    )
    if before is not None and before.content == manifest.content:
        return _same_again(store, before, manifest, watch)
    if before is not None:
        _tell_of_change(store, before, manifest, watch)
        if carried := store.carry_captions(before, entries):
            watch.note(f"{carried} captions of files that have not changed are used again")
    watch.check()
    store.decide(manifest)
    return _result(store, list(entries), manifest.content, kept=False)


def _same_again(store: Store, before: Manifest, now: Manifest, watch: Watch) -> dict[str, Any]:
    """The source has the same files in another wrapping: the folder stays, with captions and cache."""
    store.renew(before, now)
    return _keep(store, store.kept() or now, watch)


def _tell_of_change(store: Store, before: Manifest, now: Manifest, watch: Watch) -> None:
    edits = store.edits(before, watch)
    names = {*before.files, *now.files}
    different = sorted(name for name in names if _differs(name, before, now))
    watch.note(f"the data has changed at its source ({some(different)}): the folder is replaced, its cache goes")
    if edits.digest:
        watch.warn(f"changes made by hand in the folder are gone with it ({some(edits.names)})")


def _differs(name: str, before: Manifest, now: Manifest) -> bool:
    old, new = before.files.get(name), now.files.get(name)
    return old is None or new is None or old.sha256 != new.sha256


def _result(store: Store, names: list[str], content: str, *, kept: bool) -> dict[str, Any]:
    kinds = [kind_of(name) for name in names]
    media = [name for name, kind in zip(names, kinds, strict=True) if kind in ("images", "videos")]
    return {
        "folder": str(store.folder),
        "files": len(names),
        "images": kinds.count("images"),
        "videos": kinds.count("videos"),
        "captions": captioned(store.folder, media),
        "content": content,
        "kept": kept,
    }
