"""Bringing the files of one source to the place where the trainer reads them: complete or not at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.childprocess import ChildDied, ChildStalled
from worker.context import StepContext
from worker.errors import StepFailed
from worker.modelstore.asking import ask, endpoint_of, store_of
from worker.modelstore.failures import PASSING, told
from worker.modelstore.preflight import as_size, check_space
from worker.modelstore.sources import Found, Source, WantedFile, destination
from worker.modelstore.store import folder_size, put_in_place

_TRIES = 6
"""In a row without a single file that was completed."""
_LONGEST_PAUSE = 60.0
_TELL_SECONDS = 1.0


def bring(context: StepContext, source: Source, found: Found | None) -> dict[str, Any]:
    """The files of a source are in place afterwards, each verified. Returns what the run may want to know.

    `found` is what the source answered, or None where everything was there when it was looked up.
    """
    store = store_of(context)

    def waiting() -> None:
        context.emit("note", message=f"waiting for another worker that downloads {source.name}", hint="")

    with store.lock(source, context.stop, waiting) as locked:
        if not locked:
            hint = "Two workers may download the same files; nothing else can go wrong."
            context.emit("warning", message="the volume's file system has no locks", hint=hint)
        store.clear(source)
        marker = store.complete(source)
        if marker is None and found is None:
            raise StepFailed(
                "DPC730", f"files of {source.name} were removed while the run went on", "Run the job again."
            )
        brought = 0
        if marker is None:
            assert found is not None
            missing = _adopt(context, source, found)
            check_space(store, {source: Found(commit=found.commit, files=tuple(missing))})
            brought = len(missing)
            Download(context=context, source=source, found=found, remaining=missing).run()
            marker = store.mark_complete(source, found)
    return {
        "to": str(source.to),
        "source": source.name,
        "commit": marker["commit"],
        "files": len(marker["files"]),
        "bytes": sum(entry["stamp"][0] for entry in marker["files"]),
        "downloaded": brought,
    }


def _adopt(context: StepContext, source: Source, found: Found) -> list[WantedFile]:
    """The files that have to be brought. What is there already and has the right content stays."""
    missing = []
    for file in found.files:
        place = destination(source, file)
        if place.is_dir():
            raise StepFailed(
                "DPC735", f"{place} is a folder, and a file of {source.name} belongs there", "Move the folder away."
            )
        if place.is_file():
            if file.matches(place, context.stop.check):
                continue
            text = f"{place} is not the file that {source.name} has; it is replaced"
            hint = "To train from a file of your own, give it another name and set its path in training.model."
            context.emit("warning", message=text, hint=hint)
        missing.append(file)
    return missing


@dataclass(slots=True, kw_only=True)
class Download:
    """The tries to download some files of one source."""

    context: StepContext
    source: Source
    found: Found
    remaining: list[WantedFile]
    _total: int = 0
    _told: float = 0.0
    _xet: bool = True
    _last: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Raises StepFailed when it cannot be done."""
        self._total = sum(max(file.size, 0) for file in self.remaining)
        fruitless = 0
        while self.remaining:
            before = len(self.remaining)
            self._try()
            fruitless = fruitless + 1 if len(self.remaining) == before else 1
            if not self.remaining:
                break
            if fruitless >= _TRIES:
                raise told(self.source, self._last, self._endpoint())
            self._pause(fruitless)
        self._progress(0, force=True)

    def _endpoint(self) -> str:
        return endpoint_of(self.context.settings.environ)

    def _pause(self, fruitless: int) -> None:
        seconds = min(2.0 ** (fruitless - 1), _LONGEST_PAUSE)
        why = self.context.secrets.redact(str(self._last.get("detail") or self._last["kind"]))
        text = f"{self.source.name}: {why}; {len(self.remaining)} files are tried again in {seconds:.0f} s"
        self.context.emit("note", message=text, hint="")
        self.context.stop.wait(seconds)
        self.context.stop.check()

    def _try(self) -> None:
        """One child process; what it completes is put in place at once."""
        store = store_of(self.context)
        store.clear(self.source)
        base = store.partial(self.source) if self.source.url else store.new_partial(self.source)
        request = {
            "do": "download",
            "source": self.source.to_json(),
            "commit": self.found.commit,
            "files": [file.to_json() for file in self.remaining],
            "folder": str(base),
        }
        # Without the Hub's newer way to transfer files, which is known to hang, from the first hang on.
        asked = ask(
            self.context,
            request,
            stall_seconds=self.context.settings.download_stall_seconds,
            sign_of_life=lambda: folder_size(base),
            xet=self._xet,
        )
        try:
            with closing(asked) as messages:
                for message in messages:
                    self._heed(message, base)
        except ChildStalled:
            seconds = self.context.settings.download_stall_seconds
            self._last = {"kind": "network", "detail": f"nothing arrived for {seconds:.0f} s"}
            self._xet = False
        except ChildDied as died:
            tail = self.context.secrets.redact(died.tail)
            last = tail.splitlines()[-1] if tail else f"it ended with {died.returncode}"
            self._last = {"kind": "network", "detail": f"the Hub's client failed: {last}"}
            self._xet = False
        finally:
            store.clear(self.source)

    def _heed(self, message: Mapping[str, Any], base: Path) -> None:
        if "done" in message:
            [file] = [file for file in self.remaining if file.path == message["done"]]
            put_in_place(Path(message["path"]), destination(self.source, file))
            self.remaining.remove(file)
        elif "failure" in message:
            self._last = message["failure"]
            if self._last["kind"] not in PASSING:
                raise told(self.source, self._last, self._endpoint())
        self._progress(folder_size(base))

    def _progress(self, underway: int, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._told >= _TELL_SECONDS:
            self._told = now
            waiting = sum(max(file.size, 0) for file in self.remaining)
            done = min(self._total - waiting + underway, self._total)
            self.context.emit("progress", done=done, total=self._total or None, unit="bytes")


def size_of(found: Found) -> str:
    """How much there is to download, for people."""
    return as_size(found.size)
