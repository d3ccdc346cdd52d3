"""What is wrong with one folder of media, as diagnostics: one for each kind of trouble, not for each file."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.advice import caching_memory, cut_away, enlargement, fitting_lengths, native_resolution
from dpcompile.inspection.buckets import shortest
from dpcompile.inspection.captionfindings import CAPTION_CHECKS
from dpcompile.inspection.dataset import Directory
from dpcompile.inspection.extensions import ending, is_video, looks_like_media, mixed_case_video
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.saying import Check, Said, Wishes, names, what
from dpcompile.inspection.wordlists import byte_size, many, some, verb

_NEARLY = 0.9
"""A video with this share of the frames it needs has nearly enough."""
_CROPPED = 0.25
_MUCH_MEMORY = 16 << 30


def folder_findings(directory: Directory, facts: ModelFacts, wishes: Wishes, shown: str) -> Iterator[Diagnostic]:
    """Everything about one folder; `shown` is what the user calls it."""
    if directory.folder.missing:
        text, hint = f"the trainer stops: {'; '.join(directory.folder.missing)}", "Check the path."
        yield finding("DPC601", "", text, hint, file=shown)
        return
    for check in _CHECKS:
        for code, message, hint, severity in check(directory, facts, wishes):
            yield finding(code, "", message, hint, file=shown, severity=severity)


def _empty(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    folder = directory.folder
    if folder.items or folder.broken_tars:
        return
    below = f"; there are media in {some(folder.subfolders)}, which it does not search" if folder.subfolders else ""
    text = f"there are no media in this folder{below}: the trainer hangs"
    yield "DPC602", text, "Put the media directly into the folder.", None


def _subfolders(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    if directory.folder.items and directory.folder.subfolders:
        text = f"the media in {some(directory.folder.subfolders)} are not trained: sub-folders are not searched"
        yield "DPC634", text, "Move them up, or give each folder a [[directory]] of its own.", None


def _not_media(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    skipped = directory.out("unreadable", "caption missing")
    if stray := [v for v in skipped if not looks_like_media(v.item.name)]:
        text = f"{what(stray)} {verb(stray, 'is', 'are')} no media, and passed over with a warning in the log"
        yield "DPC625", text, "Take such files out of the folder.", "info"
    if mixed := [v for v in directory.out("unreadable") if mixed_case_video(v.item.name)]:
        found = some(dict.fromkeys(ending(v.item.name) for v in mixed))
        text = f"{what(mixed)} {verb(mixed, 'is', 'are')} skipped: the ending {found} is not taken for a video's"
        yield "DPC625", text, "Write the ending all in small letters.", None
    if moving := [v for v in directory.trained if v.item.probe.pictures > 1]:
        text = f"{what(moving)} {verb(moving, 'is an animation', 'are animations')}, trained as "
        yield "DPC625", f"{text}{verb(moving, 'its', 'their')} first picture alone", "Make videos of them.", None


def _unreadable(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    out = [v for v in directory.out("unreadable") if looks_like_media(v.item.name)]
    if out := [v for v in out if not mixed_case_video(v.item.name)]:
        text = f"{what(out)} {verb(out, 'is', 'are')} skipped: {out[0].reason}"
        yield "DPC623", text, "Convert or replace them.", None
    if broken := directory.out("broken"):
        yield "DPC615", f"the trainer hangs on {what(broken)}: {broken[0].reason}", "Replace or delete them.", None
    if tars := directory.folder.broken_tars:
        text = f"the trainer hangs on {some(tars)}: it reads tar files only if they are not compressed"
        yield "DPC615", text, "Unpack it into the folder.", None


def _wrong_media(directory: Directory, facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    if moving := directory.out("animated WebP"):
        text = f"the trainer hangs on {what(moving)}: {moving[0].reason}"
        yield "DPC604", text, "Make stills or videos of them.", None
    if images := directory.out("image on a video model"):
        text = f"the trainer hangs on {what(images)}: {facts.title} trains on videos only"
        yield "DPC610", text, "Take the images out.", None
    if videos := directory.out("video on an image model"):
        text = f"{what(videos)} cannot be trained: {facts.title} trains on images only"
        yield "DPC610", text, "Take the videos out, or choose a model that takes them.", None


def _masks_and_control(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    if masks := directory.out("mask"):
        text = f"the trainer hangs on {what(masks)}: {masks[0].reason}"
        yield "DPC606", text, "A mask must have exactly the pixels of what it is for.", None
    if lone := directory.out("control missing"):
        text = f"the trainer hangs: {what(lone)} {verb(lone, 'has', 'have')} {lone[0].reason}"
        yield "DPC605", text, "Add the control images, or take the files out; other files than media count too.", None
    if broken := directory.out("control"):
        yield "DPC605", f"the trainer hangs on {what(broken)}: {broken[0].reason}", "Replace it.", None
    cropped = [v for v in directory.trained if v.item.control_probe and _control_cropped(v)]
    if cropped:
        text = f"the control image of {what(cropped)} has another shape than what it belongs to, "
        yield "DPC631", f"{text}and is cropped to it", "Give both the same aspect ratio.", None


def _control_cropped(verdict: Verdict) -> bool:
    control = verdict.item.control_probe
    if control is None or not control.height:
        return False
    own, theirs = verdict.item.probe.width / verdict.item.probe.height, control.width / control.height
    return 1 - min(own, theirs) / max(own, theirs) > 0.02  # a pixel of rounding is no other shape


def _too_short(directory: Directory, facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    short = [v for v in directory.out("too short") if is_video(v.item.name) and v.item.probe.counted]
    least = shortest(directory.rules)
    if not short:
        return
    text = f"{what(short)} {verb(short, 'is', 'are')} skipped as too short: {short[0].reason}"
    lengths = fitting_lengths([v.frames for v in short], facts)
    nearly = [v for v in short if least and v.frames >= least * _NEARLY]
    hint = f"A frame bucket of {lengths[0]} would take them. " if lengths else ""
    hint += f"{names(nearly)} nearly {verb(nearly, 'has', 'have')} enough. " if nearly else ""
    yield "DPC620", text, hint or "Use longer clips.", None


def _uncounted(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    unclear = [v for v in directory.verdicts if is_video(v.item.name) and not v.item.probe.counted]
    if unclear := [v for v in unclear if not v.item.probe.error and v.why in (None, "too short")]:
        text = f"the header of {what(unclear)} does not say how many frames there are, so the trainer takes "
        text += f"{verb(unclear, 'it', 'them')} for {verb(unclear, 'a single frame', 'single frames')}"
        yield "DPC637", text, "Convert to .mp4.", None


def _missing_frames(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    if lying := directory.out("frames missing"):
        text = f"the trainer hangs on {what(lying)}: {lying[0].reason}"
        yield "DPC609", text, "Write the video anew, or use a shorter frame bucket.", None


def _turned(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    turned = [v for v in directory.trained if v.item.probe.turned]
    if images := [v for v in turned if not is_video(v.item.name)]:
        text = f"{what(images)} {verb(images, 'is', 'are')} trained on {verb(images, 'its', 'their')} side or head: "
        yield "DPC626", f"{text}the trainer ignores the orientation in EXIF", "Turn the pixels themselves.", None
    if videos := [v for v in turned if is_video(v.item.name)]:
        text = f"{what(videos)} {verb(videos, 'is', 'are')} turned when decoded, but put into a bucket by the shape "
        yield "DPC626", f"{text}before that, and cropped to it", "Write them anew, turned.", None


def _enlarged(directory: Directory, facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    small = [v for v in directory.trained if any(enlargement(v, key, facts) > 1.05 for key in v.buckets)]
    if small:
        most = max(enlargement(v, key, facts) for v in small for key in v.buckets)
        least = min(native_resolution(v, key) for v in small for key in v.buckets)
        text = f"{what(small)} {verb(small, 'is', 'are')} enlarged, up to {most:.2g} times"
        yield "DPC627", text, f"Up to resolution {least}, none would be.", None


def _partly(directory: Directory, facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    long = [v for v in directory.trained if v.buckets[0].frames > 1 and v.frames >= 2 * v.buckets[0].frames]
    if long:
        unused = sum(v.frames - facts.length(v.buckets[0].frames) for v in long) / (facts.frame_rate or 1)
        text = f"of {what(long)} less than half is trained: {unused:.0f} seconds are left out, as each video gives "
        text += "one clip"
        yield "DPC628", text, "Cut them into clips, or use a longer frame bucket.", None


def _cropped(directory: Directory, facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    much = [v for v in directory.trained if cut_away(v, v.buckets[0], facts) > _CROPPED]
    if much:
        most = max(cut_away(v, v.buckets[0], facts) for v in much)
        text = f"{what(much)} {verb(much, 'loses', 'lose')} more than a quarter to cropping, up to {most:.0%}"
        yield "DPC635", text, "Use more aspect ratio buckets, or a wider range of them.", None


def _memory(directory: Directory, facts: ModelFacts, wishes: Wishes) -> Iterator[Said]:
    needs = sorted((caching_memory(v, facts) for v in directory.trained), reverse=True)[: wishes.workers]
    if sum(needs) > (wishes.memory or _MUCH_MEMORY):
        text = f"preparing the longest videos takes about {byte_size(sum(needs))} of memory in "
        text += f"{many(len(needs), 'process', 'processes')}: each video is decoded whole, whatever is used of it"
        yield "DPC629", text, "Cut the videos to what is used, or set map_num_proc lower.", None


def _duplicates(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    trained = {v.item.path for v in directory.trained}
    groups = [g for g in directory.folder.duplicates if sum(name in trained for name in g) > 1]
    if groups:
        extra = sum(len(group) - 1 for group in groups)
        text = f"{many(extra, 'file')} {'is a copy' if extra == 1 else 'are copies'} of another: {some(groups[0])}"
        yield "DPC632", text, "Delete the copies; num_repeats is for training some more often.", None


_CHECKS: tuple[Check, ...] = (
    _empty,
    *CAPTION_CHECKS,
    _wrong_media,
    _masks_and_control,
    _unreadable,
    _missing_frames,
    _too_short,
    _uncounted,
    _turned,
    _not_media,
    _subfolders,
    _memory,
    _duplicates,
    _partly,
    _enlarged,
    _cropped,
)
