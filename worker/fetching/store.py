"""Datasets on the volume: put in place as a whole, kept for the next job, checked before they are used again.

Beside a dataset's folder `X` lie `X.json` (its manifest), `X.lock`, and, while it is being fetched, `X.part`
(what came so far), `X.new` (the new folder), `X.new.json` (its manifest) and `X.old`. `X.new.json` is the
moment of decision: it is written when `X.new` is whole, and from then on every later call brings the change
to its end, wherever the one before was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from worker.fetching import manifest as manifests
from worker.fetching.files import sha256_of
from worker.fetching.manifest import Entry, Manifest
from worker.fetching.media import kind_of
from worker.fetching.progress import Watch
from worker.fetching.tidy import Arrangement

TRAINER_CACHE = "cache"
"""Where the trainer keeps latents, in the dataset's folder (utils/dataset.py:482)."""
# What the trainer does not take for media (utils/dataset.py:652).
_NO_MEDIA = (".txt", ".npz", ".json", ".parquet", ".bak", ".db")
_CAPTIONS = ("caption", "captions.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What has changed in a folder since it was put in place. Captions do not count: the captioner writes them."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]
    files: dict[str, Entry]
    """The manifest's files, with the new times of those that were touched and not changed."""
    digest: str
    """Names the changes; empty when there are none."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted((*self.missing, *self.changed, *self.added)))


class Store:
    """The places of one dataset. All but `folder` may be used only with `lock` held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = self._beside("json")
        self.lock = self._beside("lock")
        self.part = self._beside("part")
        self.new = self._beside("new")
        self.new_manifest = self._beside("new.json")
        self.old = self._beside("old")

    def _beside(self, ending: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{ending}")

    def recover(self) -> None:
        """Ends what a killed worker had begun: forward once the new folder was whole, else back."""
        if self.new_manifest.exists():
            self.install()
        _remove(self.new)
        _remove(self.old)

    def kept(self) -> Manifest | None:
        """The manifest of the dataset that is in place, if there is one."""
        return manifests.read(self.manifest) if self.folder.is_dir() else None

    def clean(self) -> None:
        """Deletes what a fetch has left behind, and nothing that is in place."""
        _remove(self.part)
        if not self.new_manifest.exists():
            _remove(self.new)

    def empty(self, folder: Path) -> None:
        """Makes an empty folder, whatever an earlier call left there."""
        _remove(folder)
        folder.mkdir(parents=True)

    def renew(self, before: Manifest, now: Manifest) -> None:
        """Notes that the data in place is what the source has now as well."""
        manifests.write(replace(now, files=before.files, edits=before.edits), self.manifest)

    def prepare(self, arrangement: Arrangement, watch: Watch) -> dict[str, Entry]:
        """Makes the new folder out of files that are here, and returns what it holds."""
        _remove(self.new)
        self.new.mkdir(parents=True)
        moved: dict[Path, Path] = {}
        entries: dict[str, Entry] = {}
        for name, member in arrangement.files.items():
            target = self.new / name
            if member.path in moved:
                shutil.copyfile(moved[member.path], target)
            else:
                member.path.rename(target)
                moved[member.path] = target
            entries[name] = Entry(size=member.size, changed=target.stat().st_mtime_ns, sha256=member.sha256)
            watch.check()
        if arrangement.table is not None:
            target = self.new / "captions.json"
            raw = json.dumps(arrangement.table.captions, ensure_ascii=False, indent=1).encode()
            target.write_bytes(raw)
            about = target.stat()
            digest = hashlib.sha256(raw).hexdigest()
            entries["captions.json"] = Entry(size=len(raw), changed=about.st_mtime_ns, sha256=digest)
        return entries

    def carry_captions(self, before: Manifest, entries: dict[str, Entry]) -> int:
        """Copies captions that were made here to the new folder, for media that have not changed.

        Returns how many. Those that the source itself brings are left as it brings them.
        """
        if "captions.json" in entries:
            return 0
        carried = 0
        for name, entry in entries.items():
            caption = f"{name.rpartition('.')[0]}.txt"
            known = before.files.get(name)
            if known is None or known.sha256 != entry.sha256 or caption in entries or caption in before.files:
                continue
            if (self.folder / caption).is_file():
                shutil.copyfile(self.folder / caption, self.new / caption)
                carried += 1
        return carried

    def decide(self, manifest: Manifest) -> None:
        """Declares the new folder whole, and puts it in place."""
        manifests.write(manifest, self.new_manifest)
        self.install()

    def install(self) -> None:
        """Brings the change to its end. Can be killed and called again at any point."""
        if self.new.is_dir():
            if self.folder.exists():
                _remove(self.old)
                self.folder.rename(self.old)
            self.new.rename(self.folder)
        # Only a folder that is in place gets its manifest: a lost one means that the change cannot be completed.
        if self.folder.is_dir():
            self.new_manifest.replace(self.manifest)
        else:
            self.new_manifest.unlink()
        _remove(self.old)
        _remove(self.part)

    def edits(self, manifest: Manifest, watch: Watch) -> Edits:
        """What was changed by hand. Reads only files whose size or time of change is another."""
        there = {entry.name for entry in os.scandir(self.folder) if entry.is_file()}
        files = dict(manifest.files)
        changed = []
        for name, known in manifest.files.items():
            if name not in there or kind_of(name) in _CAPTIONS:
                continue
            about = (self.folder / name).stat()
            if (about.st_size, about.st_mtime_ns) == (known.size, known.changed):
                continue
            digest = sha256_of(self.folder / name, watch)
            if digest == known.sha256:
                files[name] = Entry(size=about.st_size, changed=about.st_mtime_ns, sha256=digest)
            else:
                changed.append((name, digest))
        missing = sorted(name for name in set(manifest.files) - there if kind_of(name) not in _CAPTIONS)
        added = sorted(n for n in there - set(manifest.files) if not n.lower().endswith(_NO_MEDIA))
        told = [missing, sorted(changed), added]
        return Edits(
            missing=tuple(missing),
            changed=tuple(name for name, _digest in sorted(changed)),
            added=tuple(added),
            files=files,
            digest=hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest() if any(told) else "",
        )

    def accept(self, manifest: Manifest, edits: Edits) -> Manifest:
        """Takes note of changes by hand. The trainer's cache goes: it knows names, not contents."""
        if edits.digest == manifest.edits and edits.files == manifest.files:
            return manifest
        if edits.digest != manifest.edits:
            _remove(self.folder / TRAINER_CACHE)
        accepted = manifest.with_edits(edits.digest, edits.files)
        manifests.write(accepted, self.manifest)
        return accepted


def captioned(folder: Path, media: Sequence[str]) -> int:
    """How many of the media have a caption: in captions.json where there is one, else a .txt of their name."""
    table = folder / "captions.json"
    if table.is_file():
        try:
            known = json.loads(table.read_text("utf-8"))
        except ValueError:
            return 0
        return sum(1 for name in media if name in known)
    return sum(1 for name in media if (folder / f"{name.rpartition('.')[0]}.txt").is_file())


def _remove(path: Path) -> None:
    """Deletes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
