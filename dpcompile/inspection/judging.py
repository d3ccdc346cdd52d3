"""Each file of a dataset: the buckets that it goes to, or why it is dropped, or why the run would fail on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dpcompile.inspection.buckets import BucketKey, place, retimed, shortest
from dpcompile.inspection.counting import Share
from dpcompile.inspection.extensions import MKV, WEBP, ending, is_video, mixed_case_video
from dpcompile.inspection.media import Folder, Item, ModelFacts, Probe
from dpcompile.inspection.rules import Rules

Why = Literal[
    "caption missing",
    "too short",
    "unreadable",
    "video on an image model",
    "image on a video model",
    "animated WebP",
    "broken",
    "frames missing",
    "mask",
    "control missing",
    "control",
    "caption unusable",
]
"""Why a file is dropped, or what the run fails on."""
FATAL: frozenset[Why] = frozenset(
    {
        "image on a video model",
        "animated WebP",
        "broken",
        "frames missing",
        "mask",
        "control missing",
        "control",
        "caption unusable",
    }
)
"""The trainer does not skip these files: it hangs on them while it caches, or fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one file. `frames` counts at the model's frame rate. `buckets` stays empty if it is dropped."""

    item: Item
    buckets: tuple[BucketKey, ...] = ()
    captions: int = 0
    frames: int = 1
    why: Why | None = None
    reason: str = ""
    """`why` in words, for people."""


def judge(folder: Folder, rules: Rules, facts: ModelFacts) -> tuple[Verdict, ...]:
    """The fate of every file in a directory."""
    return tuple(_judge(item, rules, facts) for item in folder.items)


def shares(verdicts: Sequence[Verdict], rules: Rules) -> Iterator[Share]:
    """What a directory gives to each bucket. A size that two resolutions come down to counts twice."""
    groups: dict[tuple[int, BucketKey], list[Verdict]] = {}
    for verdict in verdicts:
        for n, key in enumerate(verdict.buckets):
            groups.setdefault((n, key), []).append(verdict)
    for (_n, key), members in groups.items():
        captions = sum(verdict.captions for verdict in members)
        yield Share(key=key, files=len(members), captions=captions, repeats=rules.num_repeats)


def _judge(item: Item, rules: Rules, facts: ModelFacts) -> Verdict:
    """In the trainer's order: control file, captions, WebP, opening, buckets, then what caching meets."""
    captions, probe = item.captions, item.probe
    if rules.control_path is not None and item.control is None:
        return _out(item, "control missing", f"no file of the same name in {rules.control_path}")
    if captions.problem:
        return _out(item, "caption unusable", captions.problem)
    if captions.count is None and rules.skip_uncaptioned:
        return _out(item, "caption missing", "no caption")
    if ending(item.name) == WEBP and probe.error and not probe.size:
        return _out(item, "broken", "an empty file")
    if ending(item.name) == WEBP and probe.error and probe.broken:
        return _out(item, "broken", f"cannot be decoded: {probe.broken}")
    if ending(item.name) == WEBP and probe.pictures > 1:
        return _out(item, "animated WebP", f"an animation of {probe.pictures} pictures")
    if probe.error:
        return _out(item, "unreadable", _unreadable(item))
    if probe.broken and ending(item.name).lower() == MKV and facts.frame_rate:
        return _out(item, "broken", f"cannot be decoded: {probe.broken}")
    if is_video(item.name) and facts.frame_rate is None:
        return _out(item, "video on an image model", f"a video, and {facts.title} trains on images only")
    return _placed(item, rules, facts)


def _out(item: Item, why: Why, reason: str, frames: int = 1) -> Verdict:
    return Verdict(item=item, why=why, reason=reason, frames=frames)


def _unreadable(item: Item) -> str:
    if mixed_case_video(item.name):
        return f"the ending {ending(item.name)} is not taken for a video's"
    return f"cannot be opened: {item.probe.error}"


def _placed(item: Item, rules: Rules, facts: ModelFacts) -> Verdict:
    probe, frames = item.probe, 1
    if not probe.width or not probe.height:  # it divides by them (utils/dataset.py:809)
        return _out(item, "broken", "the trainer finds no size in it")
    if is_video(item.name) and facts.frame_rate:
        frames = retimed(probe.frames, probe.fps, facts.frame_rate)
    keys = place(rules, probe.width, probe.height, frames, facts.pixel_multiple)
    if not keys:
        return _out(item, "too short", _too_short(item, frames, rules, facts), frames)
    why, reason = _fails_later(item, keys[0], facts)
    captions = rules.captions(1 if item.captions.count is None else item.captions.count)
    if why is not None:
        return _out(item, why, reason, frames)
    return Verdict(item=item, buckets=keys, captions=captions, frames=frames)


def _too_short(item: Item, frames: int, rules: Rules, facts: ModelFacts) -> str:
    least, probe = shortest(rules), item.probe
    if not is_video(item.name):
        return "an image, and no bucket has 1 frame"
    if least is None:
        return "a video, and no bucket has more than 1 frame"
    if not probe.counted:
        return "its header does not say how many frames it has, so the trainer takes it for 1"
    there = f"{probe.frames} frames at {rate(probe.fps)} per second are {frames} at {rate(facts.frame_rate or 0)}"
    return f"{there}; {least} are needed"


def rate(fps: float) -> str:
    """A frame rate for people: 24, 23.976."""
    return f"{fps:.3f}".rstrip("0").rstrip(".")


def _fails_later(item: Item, key: BucketKey, facts: ModelFacts) -> tuple[Why | None, str]:
    """What the trainer only meets while it caches, when an error leaves it hanging."""
    probe = item.probe
    if key.frames == 1 and not facts.images:
        return "image on a video model", f"an image, and {facts.title} trains on videos only"
    if not facts.videos and is_video(item.name):
        return "video on an image model", f"a video, and {facts.title} trains on images only"
    if probe.broken:
        return "broken", f"cannot be decoded: {probe.broken}"
    if is_video(item.name) and probe.found_frames is not None and facts.frame_rate:
        found, wanted = retimed(probe.found_frames, probe.fps, facts.frame_rate), facts.length(key.frames)
        if found < wanted:
            text = f"its header says {probe.frames} frames, and {probe.found_frames} are there: "
            return "frames missing", f"{text}{found} at {rate(facts.frame_rate)} per second, of {wanted}"
    if item.mask_probe is not None and (item.mask_probe.error or item.mask_probe.broken):
        return "mask", f"its mask {item.mask} cannot be opened: {item.mask_probe.error or item.mask_probe.broken}"
    if item.mask_probe is not None and _sides(item.mask_probe) != probe.decoded_sides:
        sizes = " and ".join(f"{w} x {h}" for w, h in (probe.decoded_sides, _sides(item.mask_probe)))
        return "mask", f"it and its mask differ in size: {sizes}"
    if item.control_probe is not None and (item.control_probe.error or item.control_probe.broken):
        return "control", f"its control image {item.control} cannot be opened: {item.control_probe.error}"
    return None, ""


def _sides(probe: Probe) -> tuple[int, int]:
    return probe.width, probe.height
