"""The dataset file: which media go into which buckets, and with which captions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from dpcompile.checks.facts import Facts
from dpcompile.dataplan import MediaKind
from dpcompile.diagnostics import Diagnostic
from dpcompile.inplace import FETCHED_EVAL
from dpcompile.trainer import MEDIA_KEYS
from dpcompile.wording import quote

MOST_RESOLUTIONS = 3
_OPENING = "([{<\"'-_/#@"
"""Marks that a word may follow at once."""
_RATIOS = ("ar_buckets", "min_ar", "max_ar", "num_ar_buckets")


def trainable_media(facts: Facts) -> Iterator[Diagnostic]:
    """Videos are skipped by image models, images hang video-only ones (utils/dataset.py:795, wan.py:291-292)."""
    media = facts.spec.media
    places: list[tuple[MediaKind, tuple[str, ...]]] = [(kind, ("dataset", f"{kind}_url")) for kind in facts.kinds]
    if facts.job.get("dataset", "eval", "fraction") is None:
        places += [(kind, ("dataset", "eval", f"{kind}_url")) for kind in facts.eval_kinds]
    for kind, place in places:
        if media.images if kind == "images" else media.videos:
            continue
        takes = "videos" if kind == "images" else "images"
        effect = "hang while it encodes them" if kind == "images" else "skip every file"
        text = f"{facts.spec.title} trains on {takes} only; {kind} would make the trainer {effect}"
        hint = f"Use {takes}, or a model that takes {kind}: `dpcompile models` shows them."
        yield facts.in_job("DPC441", place, text, hint)


def resolutions(facts: Facts) -> Iterator[Diagnostic]:
    """More than three: the trainer prints a warning and exits with code 0 (utils/dataset.py:524-531)."""
    key, value = facts.in_dataset("resolutions")
    if value is not None and len(value) > MOST_RESOLUTIONS:
        text = f"{len(value)} resolutions: with more than {MOST_RESOLUTIONS} the trainer exits without training"
        yield facts.at("DPC442", key, text, "Every item is used at every resolution; one to three are enough.")


def cropped_to_squares(facts: Facts) -> Iterator[Diagnostic]:
    """A pair of width and height is only an area; shapes come from the buckets (utils/dataset.py:420-425, 882-889)."""
    key, value = facts.in_dataset("resolutions")
    if not facts.asked(*key) or facts.in_dataset("enable_ar_bucket")[1] or _sized(facts):
        return
    for n, pair in enumerate(value):
        if isinstance(pair, list) and pair[0] != pair[1]:
            multiple = facts.spec.media.pixel_multiple
            side = round(math.sqrt(pair[0] * pair[1]) / multiple) * multiple
            text = f"the resolution {quote(pair)} counts as an area only: without enable_ar_bucket, "
            text += f"everything is cropped to {side} x {side}"
            hint = "Set enable_ar_bucket true; then each item keeps about its own shape."
            yield facts.at("DPC456", key, text, hint, inside=(n,))


def _sized(facts: Facts) -> bool:
    return facts.in_dataset("size_buckets")[1] is not None


def one_sided_range(facts: Facts) -> Iterator[Diagnostic]:
    """A range of one bucket is its lower end (utils/dataset.py:502-505), to which everything is cropped."""
    key, count = facts.in_dataset("num_ar_buckets")
    low, high = facts.in_dataset("min_ar")[1], facts.in_dataset("max_ar")[1]
    in_use = facts.in_dataset("enable_ar_bucket")[1] and not _sized(facts)
    if count != 1 or low == high or not in_use or facts.in_dataset("ar_buckets")[1]:
        return
    text = f"with num_ar_buckets 1 everything is cropped to the one aspect ratio min_ar, {low}"
    yield facts.at("DPC444", key, text, "For squares set ar_buckets to [1.0], else use more buckets.")


def ratios_without_buckets(facts: Facts) -> Iterator[Diagnostic]:
    """Without enable_ar_bucket everything is cropped to squares (utils/dataset.py:497-498)."""
    if facts.in_dataset("enable_ar_bucket")[1] or _sized(facts):
        return
    for name in _RATIOS:
        key, _value = facts.in_dataset(name)
        if facts.asked(*key):
            text = f"{name} has no effect without enable_ar_bucket: everything is cropped to squares"
            yield facts.at("DPC439", key, text, "Set enable_ar_bucket true, or take it out.")


def mixed_up_sizes(facts: Facts) -> Iterator[Diagnostic]:
    """The ratios are sorted, the buckets are not, and one indexes the other (utils/dataset.py:464, 506, 856-857)."""
    key, buckets = facts.in_dataset("size_buckets")
    if buckets is None or _in_order(buckets):
        return
    text = "the trainer would put media into the wrong size bucket: sorted by frames, longest first, "
    text += "the buckets' width/height must rise from one to the next"
    better = sorted(buckets, key=lambda b: (-b[2], b[0] / b[1]))
    hint = "Use resolutions with ar_buckets and frame_buckets instead, or one size bucket."
    if _in_order(better):
        hint = f"Write them in this order: {better}."
    yield facts.at("DPC443", key, text, hint)


def _in_order(buckets: list[list[int]]) -> bool:
    ordered = sorted(buckets, key=lambda b: b[2], reverse=True)
    ratios = [round(width / height, 3) for width, height, _frames in ordered]
    return all(a < b for a, b in pairwise(ratios))


def bucket_for_each_kind(facts: Facts) -> Iterator[Diagnostic]:
    """Videos never go into buckets of one frame, images only there (utils/dataset.py:508-511, 838-871)."""
    media, kinds = facts.spec.media, _looked_at(facts)
    key, sizes = facts.in_dataset("size_buckets")
    if sizes is None:
        key, frames = facts.in_dataset("frame_buckets")
        frames = [1, *(frames or ())]  # one for images is always there
    else:
        frames = [bucket[2] for bucket in sizes]
    if "videos" in kinds and media.videos and max(frames) == 1:
        text = f"without a bucket of more than 1 frame, every {_of_set(facts, 'videos')} is skipped as too short"
        hint = "Add one to size_buckets." if sizes else f"Set frame_buckets, for example [1, {_some_length(facts)}]."
        if media.size_buckets:
            hint = _other_sizes(facts)
        yield facts.at_null("DPC453", key, text, hint, otherwise=key)
    if "images" in kinds and media.images and min(frames) > 1:
        text = f"without a size bucket of 1 frame, every {_of_set(facts, 'images')} is skipped as too short"
        hint = "Train them in a job of their own." if media.size_buckets else "Add one with 1 as its third number."
        yield facts.at("DPC453", key, text, hint)


def _looked_at(facts: Facts) -> tuple[MediaKind, ...]:
    """The kinds of media of a dataset file, as far as the job says; what is told of the training set is told once."""
    if facts.part == FETCHED_EVAL:
        return tuple(kind for kind in facts.eval_kinds if kind not in facts.kinds)
    return facts.kinds if facts.part == "dataset" else ()


def _of_set(facts: Facts, kind: MediaKind) -> str:
    """One of the media of a kind: of the training data, or of the evaluation set."""
    one = kind.removesuffix("s")
    return f"{one} of the evaluation set" if facts.part == FETCHED_EVAL else one


def _some_length(facts: Facts) -> int:
    """A clip of about two seconds that the model takes as it is."""
    step, offset = facts.spec.media.frame_multiple or 1, facts.spec.media.frame_offset
    return round((33 - offset) / step) * step + offset


def _other_sizes(facts: Facts) -> str:
    """How to train videos on a model of fixed sizes: by the preset that has them."""
    presets = facts.spec.presets.items()
    sizes = {name: preset.get("values", {}).get("dataset", {}).get("size_buckets", ()) for name, preset in presets}
    hints = [f"Use the preset {quote(n)}." for n, buckets in sizes.items() if any(b[2] > 1 for b in buckets)]
    hints += ["Train the images in a job of their own."] if "images" in facts.kinds else []
    return " ".join(hints) or "Add one to size_buckets."


def for_videos_only(facts: Facts) -> Iterator[Diagnostic]:
    """Frame buckets and the clip mode are about videos (models/base.py:113-123, utils/dataset.py:508)."""
    if not facts.kinds or "videos" in facts.all_kinds:
        return
    buckets_key, buckets = facts.in_dataset("frame_buckets")
    clip_mode = ("train", "video_clip_mode")
    keys = [buckets_key] if max(buckets or (1,)) > 1 else []
    keys += [clip_mode] if not facts.says_nothing(clip_mode) else []
    for key in keys:
        if facts.asked(*key):
            text = f"{key[-1]} is for videos, and the job has none"
            yield facts.at("DPC450", key, text, "Take it out.")


def control_images(facts: Facts) -> Iterator[Diagnostic]:
    """Elsewhere the VAE is handed two tensors for one: TypeError while caching, a hang (utils/dataset.py:1247-1249)."""
    key, value = facts.in_dataset("control_path")
    if value is not None and not facts.spec.media.edit:
        text = f"{facts.spec.title} cannot be trained on edit pairs: with control_path the trainer would hang"
        yield facts.at("DPC445", key, text, "Take it out, or use a model that takes edit pairs.")


def masks(facts: Facts) -> Iterator[Diagnostic]:
    """Some types cannot fit a mask to their latents: ValueError at the first step (models/ltx_video.py:143-147)."""
    for name in (key for key, ability in MEDIA_KEYS.items() if ability == "masks"):
        key, value = facts.in_dataset(name)
        if value is not None and not facts.spec.media.masks:
            text = f"{facts.spec.title} cannot use masks: with {name} the trainer would fail at the first step"
            yield facts.at("DPC447", key, text, "Take it out.")


def shuffled_captions(facts: Facts) -> Iterator[Diagnostic]:
    """The shuffle has no seed, so what is cached fits no later start (utils/dataset.py:48-57, 85-100, 761-763)."""
    shuffled = False
    for name in ("cache_shuffle_num", "shuffle_tags"):
        key, value = facts.in_dataset(name)
        shuffled = shuffled or bool(value)
        if value and not facts.settings["launch"]["trust_cache"]:
            text = f"{name} changes the captions at each start, so everything is encoded anew, also on resume"
            yield facts.at("DPC449", key, text, "Set launch.trust_cache true after the first run.")
    key, _delimiter = facts.in_dataset("cache_shuffle_delimiter")
    if facts.asked(*key) and not shuffled:
        text = "cache_shuffle_delimiter has no effect: tags are not shuffled"
        yield facts.at("DPC439", key, text, "Set cache_shuffle_num, or take it out.")


def caption_prefix(facts: Facts) -> Iterator[Diagnostic]:
    """It is put in front as it stands, with nothing between (utils/dataset.py:50, 57)."""
    key, prefix = facts.in_dataset("caption_prefix")
    if prefix and prefix[-1].isascii() and not prefix[-1].isspace() and prefix[-1] not in _OPENING:
        text = f"caption_prefix {quote(prefix)} runs into the caption: {quote(f'{prefix}a photo of ...')}"
        between = ", " if prefix[-1].isalnum() else " "
        yield facts.at("DPC455", key, text, f"Write {quote(prefix + between)}.")


CHECKS = (
    trainable_media,
    resolutions,
    cropped_to_squares,
    one_sided_range,
    ratios_without_buckets,
    mixed_up_sizes,
    bucket_for_each_kind,
    for_videos_only,
    control_images,
    masks,
    shuffled_captions,
    caption_prefix,
)
