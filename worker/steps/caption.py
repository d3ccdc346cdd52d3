"""Captions for one dataset folder: afterwards every media file has one, or it is said which has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.captioning import gemini
from worker.captioning.captionfiles import Captions, UnreadableCaptions, open_captions
from worker.captioning.describing import Describing
from worker.captioning.media import MediaFile, media_files, sharing_a_caption
from worker.captioning.outcome import missing_told, unreadable_told
from worker.captioning.record import Record, aside_of, maker_key, one_at_a_time
from worker.captioning.trigger import has_trigger, with_trigger
from worker.context import StepContext
from worker.modelstore.bringing import bring
from worker.modelstore.preflight import look_up_models
from worker.modelstore.sources import Source, captioner_of

_REHEARSED = "A stand-in for a caption, written in a rehearsal: {name}."


def run(context: StepContext) -> dict[str, Any]:
    """Writes what is missing, puts the trigger word in front, counts."""
    folder = Path(context.step.args["folder"])

    def waiting() -> None:
        context.emit("note", message="waiting for another worker that captions the same data", hint="")

    with one_at_a_time(folder, context.stop, waiting):
        return Captioning.of(context, folder).run()


@dataclass(slots=True, kw_only=True)
class Captioning:
    """The captions of one folder while they are worked on."""

    context: StepContext
    media: list[MediaFile]
    captions: Captions
    record: Record
    maker: str
    reasons: dict[str, str] = field(default_factory=dict)
    written: int = 0

    @classmethod
    def of(cls, context: StepContext, folder: Path) -> Captioning:
        """Reads everything that is there. Raises StepFailed where it is not text."""
        media = media_files(folder)
        try:
            captions = open_captions(folder, media, aside_of(folder))
        except UnreadableCaptions as problem:
            raise unreadable_told(problem) from problem
        return cls(context=context, media=media, captions=captions, record=Record.of(folder), maker=_maker(context))

    def run(self) -> dict[str, Any]:
        args = self.context.step.args
        for group in sharing_a_caption(self.media):
            names = ", ".join(file.name for file in group)
            text = f"{names} share one caption: they differ in nothing but the suffix"
            self.context.emit("warning", message=text, hint="Give them different names.")
        try:
            if args["captioner"]:
                self._describe([file for file in self.media if self._wanted(file)])
            self._put_trigger_words()
            return self._counted()
        finally:
            self.captions.flush()

    def _wanted(self, file: MediaFile) -> bool:
        """Whether a captioner has to write about a file: captions that the user brought stay unless asked."""
        have = self.captions.get(file)
        if not have:
            return True
        maker = self.record.maker_of(file.name, have)
        return bool(self.context.step.args["overwrite"]) if maker is None else maker != self.maker

    def _describe(self, wanted: list[MediaFile]) -> None:
        media = self.context.step.args["media"]
        fitting = {file.name: file for file in wanted if file.is_video == (media == "videos")}
        strange = [file.name for file in wanted if file.name not in fitting]
        self.reasons |= dict.fromkeys(strange, f"only {media} are captioned in this folder")
        if self.context.settings.rehearse:
            self._rehearse(fitting)
        elif fitting:
            describing = _captioner(self.context, fitting, self._put)
            self.reasons |= describing.run()

    def _rehearse(self, wanted: Mapping[str, MediaFile]) -> None:
        """Stand-ins, which the record knows from captions, so that a real run writes real ones over them."""
        if self.context.step.args["captioner"] == "gemini":
            _gemini(self.context, {}, self._put).check()
        for file in wanted.values():
            self._put(file, _REHEARSED.format(name=file.name))

    def _put(self, file: MediaFile, caption: str) -> None:
        final = [with_trigger(caption, self.context.step.args["trigger_word"], brought=False)]
        self.record.note(file.name, final, self.maker)
        self.captions.put(file, final)
        self.written += 1

    def _put_trigger_words(self) -> None:
        """In captions that were there before; ours get it when they are written."""
        trigger = self.context.step.args["trigger_word"]
        for file in self.media:
            have = self.captions.get(file)
            maker = self.record.maker_of(file.name, have)
            final = [with_trigger(caption, trigger, brought=maker is None) for caption in have]
            if final != have:
                if maker is not None:
                    self.record.note(file.name, final, maker)
                self.captions.put(file, final)

    def _counted(self) -> dict[str, Any]:
        """What there is now. Raises StepFailed where captions are missing and the job wants them all."""
        args = self.context.step.args
        missing = [file for file in self.media if not self.captions.get(file)]
        if missing:
            self._tell_missing(missing)
        trigger = args["trigger_word"]
        texts = [self.captions.get(file) for file in self.media]
        covered = sum(bool(have) and all(has_trigger(c, trigger) for c in have) for have in texts) if trigger else None
        total, captioned = len(self.media), len(self.media) - len(missing)
        trigger_note = f", {covered} with the trigger word {trigger!r}" if trigger else ""
        text = f"{captioned} of {total} media files have captions ({self.written} written now){trigger_note}"
        self.context.emit("note", message=text, hint="")
        return {
            "folder": args["folder"],
            "media": total,
            "captioned": captioned,
            "written": self.written,
            "with_trigger_word": covered,
            "missing": [file.name for file in missing],
        }

    def _tell_missing(self, missing: list[MediaFile]) -> None:
        wish = self.context.step.args["missing_caption"]
        brought = self.context.step.args["captioner"] is None
        told = missing_told(missing, self.reasons, len(self.media), brought=brought)
        if wish == "error" or (len(missing) == len(self.media) and wish == "skip"):
            raise told
        if wish == "skip":
            for file in missing:
                self.captions.drop_empty(file)
        what = "are left out of training" if wish == "skip" else "are trained with an empty caption"
        self.context.emit("warning", message=f"{told.message}; they {what}", hint="")


def _maker(context: StepContext) -> str:
    """Who writes the captions of this step: all that decides how they turn out."""
    args, settings = context.step.args, context.settings
    if args["captioner"] is None:
        return "none"
    if settings.rehearse:
        return "rehearsal"
    decides = {key: value for key, value in args["settings"].items() if key != "batch_size"}
    if args["captioner"] == "joycaption":
        decides |= {"repo": settings.joycaption_repo, "revision": settings.joycaption_revision}
    return maker_key(args["captioner"], decides)


def _captioner(context: StepContext, wanted: dict[str, MediaFile], put: Any) -> Describing:
    # Before the first GPU second: is every model of the job there for us?
    preflight = look_up_models(context)
    if context.step.args["captioner"] == "gemini":
        return _gemini(context, wanted, put)
    source = captioner_of(context.plan, context.settings)
    assert source is not None
    bring(context, source, preflight.found.get(source))
    return _joycaption(context, source, wanted, put)


def _joycaption(context: StepContext, source: Source, wanted: dict[str, MediaFile], put: Any) -> Describing:
    settings = context.settings
    request = {
        **context.step.args["settings"],
        "model": str(source.to),
        "device": settings.caption_device,
        "temperature": settings.caption_temperature,
    }
    return Describing(
        context=context,
        module="worker.captioning.joycaption",
        request=request,
        on_caption=put,
        grace_seconds=2.0,
        remaining=dict(wanted),
    )


def _gemini(context: StepContext, wanted: dict[str, MediaFile], put: Any) -> Describing:
    request = {
        **context.step.args["settings"],
        "key": context.secrets.require("gemini_api_key", "videos are described by Gemini"),
        "base_url": context.settings.gemini_base_url,
        "per_minute": context.settings.gemini_requests_per_minute,
    }
    return Describing(
        context=context,
        module="worker.captioning.gemini",
        request=request,
        on_caption=put,
        grace_seconds=gemini.GRACE_SECONDS,
        remaining=dict(wanted),
    )
