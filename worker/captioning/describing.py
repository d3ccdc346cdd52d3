"""Having media described by a captioner in a child process, whatever happens to it.

A captioner tells `{"working": [names]}` before it begins with some files, then `{"name", "caption"}` or
`{"name", "failed": why}` for each, and `{"fatal": why, "kind": …}` when going on is useless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from worker.captioning.media import MediaFile
from worker.childprocess import ChildDied, ChildStalled, run_child
from worker.context import StepContext
from worker.errors import StepFailed

_DEATHS = 4
"""How often in a row a captioner may die without a single caption."""

OnCaption = Callable[[MediaFile, str], None]

_FATAL = {
    "captioner": ("DPC720", "Captions that are finished are kept; run the job again to go on."),
    "gpu": (
        "DPC720",
        "Take a GPU with at least 24 GB that nothing else uses, or bring captions: dataset.type precaptioned.",
    ),
    "key": ("DPC723", "Set api_keys.gemini_api_key in the job, or GEMINI_API_KEY in the environment of the worker."),
    "model": ("DPC723", "Set captioning.videos.model in the job to a model that the key may use."),
    "quota": ("DPC724", "Wait until the quota is renewed, or raise it; run the job again to go on where it stopped."),
    "network": ("DPC724", "Run the job again to go on where it stopped."),
}


@dataclass(slots=True, kw_only=True)
class Describing:
    """The media that are still to be described, and what came of the others."""

    context: StepContext
    module: str
    request: Mapping[str, Any]
    on_caption: OnCaption
    grace_seconds: float
    remaining: dict[str, MediaFile]
    alone: set[str] = field(default_factory=set)
    """What a captioner died over, together with others: it is tried by itself."""
    failed: dict[str, str] = field(default_factory=dict)
    done: int = 0
    _working: list[str] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        """Describes all. Returns the names of what could not be described, with the reasons."""
        total, deaths = len(self.remaining), 0
        while self.remaining:
            before = self.done
            self._working = []
            try:
                self._one_child(total)
            except (ChildDied, ChildStalled) as ended:
                deaths = 1 if self.done > before else deaths + 1
                self._after(ended, deaths)
            else:
                for name in list(self.remaining):
                    self._fail(name, "the captioner said nothing about it")
        return self.failed

    def check(self) -> None:
        """Starts the captioner with nothing to do: it says whether it could. Raises StepFailed."""
        try:
            self._one_child(0)
        except (ChildDied, ChildStalled) as ended:
            self._after(ended, _DEATHS)

    def _one_child(self, total: int) -> None:
        items = [
            {"name": name, "path": str(file.path), "alone": name in self.alone} for name, file in self.remaining.items()
        ]
        hidden = {name for need in self.context.plan.secrets for name in need.env}
        messages = run_child(
            self.module,
            {**self.request, "items": items},
            environ={key: value for key, value in self.context.settings.environ.items() if key not in hidden},
            stop=self.context.stop,
            stall_seconds=self.context.settings.caption_stall_seconds,
            grace_seconds=self.grace_seconds,
        )
        with closing(messages):
            for message in messages:
                if "fatal" in message:
                    code, hint = _FATAL[message["kind"]]
                    raise StepFailed(code, self.context.secrets.redact(message["fatal"]), hint)
                self._heed(message)
                if "name" in message:
                    done = total - len(self.remaining)
                    self.context.emit("progress", done=done, total=total, unit="files")

    def _heed(self, message: Mapping[str, Any]) -> None:
        if "working" in message:
            self._working = message["working"]
        elif "note" in message:
            self.context.emit("note", message=self.context.secrets.redact(message["note"]), hint="")
        elif "caption" in message:
            self.on_caption(self.remaining.pop(message["name"]), message["caption"])
            self.done += 1
        elif "failed" in message:
            self._fail(message["name"], self.context.secrets.redact(message["failed"]))

    def _fail(self, name: str, why: str) -> None:
        del self.remaining[name]
        self.failed[name] = why
        self.context.emit("warning", message=f"{name} got no caption: {why}", hint="")

    def _after(self, ended: ChildDied | ChildStalled, deaths: int) -> None:
        """A captioner died or hung: what it was at is tried by itself, and given up if it was by itself."""
        seconds = self.context.settings.caption_stall_seconds
        tail = self.context.secrets.redact(ended.tail) if isinstance(ended, ChildDied) else ""
        last = next((line for line in reversed(tail.splitlines()) if line.strip()), "")
        if isinstance(ended, ChildStalled):
            how = f"said nothing for {seconds:.0f} s and was ended"
        else:
            by = (
                f"was killed by signal {-ended.returncode}"
                if ended.returncode < 0
                else f"ended with {ended.returncode}"
            )
            how = f"{by} ({last})" if last else by
        culprits = [name for name in self._working if name in self.remaining]
        if deaths >= _DEATHS or not culprits:
            hint = "Captions that are finished are kept; run the job again to go on."
            raise StepFailed("DPC725", f"the captioner {how}", hint, output_tail=tail or None)
        if len(culprits) == 1:
            self._fail(culprits[0], f"the captioner {how}")
        else:
            self.alone.update(culprits)
            text = f"the captioner {how}; the {len(culprits)} files that it was at are tried one by one"
            self.context.emit("warning", message=text, hint="")
