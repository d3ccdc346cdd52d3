"""Sizes and lengths of buckets: those that the model does not take, and those that it rounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.buckets import possible_sizes
from dpcompile.inspection.media import nearest_multiple, usable_length
from dpcompile.inspection.rules import NoSize, Refused, Rules, dataset_rules
from dpcompile.keypath import KeyPath
from dpcompile.wording import listing, quote

RANGE = ("resolutions", "min_ar", "max_ar", "num_ar_buckets")
_SHAPES = (*RANGE, "enable_ar_bucket", "ar_buckets", "size_buckets")
_MOST_RATIOS = 1000
"""More buckets than this differ in no side that a check could tell apart."""


def clip_lengths(facts: Facts) -> Iterator[Diagnostic]:
    """Clips are cut to a length the model takes, while the bucket keeps its number (models/base.py:83-84, 173)."""
    media = facts.spec.media
    key, buckets = facts.in_dataset("frame_buckets")
    if buckets is None or not media.frame_multiple or not facts.asked(*key) or not facts.may_have("videos"):
        return
    step, offset = media.frame_multiple, media.frame_offset
    wrong = [b for b in dict.fromkeys(buckets) if b != 1 and (b - offset) % step]
    fixed = [usable_length(b, step, offset) for b in wrong]
    if wrong:
        some, verb = ("the frame bucket", "is") if len(wrong) == 1 else ("the frame buckets", "are")
        text = f"{some} {listing(map(str, wrong), 'and')} {verb} shortened to {listing(map(str, fixed), 'and')}: "
        text += f"this model takes lengths of {_lengths(step, offset)}"
        # A clip cut down to a single frame is not what anyone meant: the shortest real clip is nearest.
        shorter = dict.fromkeys(length if length > 1 else step + offset for length in fixed)
        longer = dict.fromkeys(((b - offset) // step + 1) * step + offset for b in wrong)
        hint = f"Write {listing(map(str, shorter), 'and')}"
        hint += "" if longer == shorter else f", or {listing(map(str, longer), 'and')} if the clips are long enough"
        yield facts.at("DPC446", key, text, f"{hint}.")


def _lengths(step: int, offset: int) -> str:
    return f"{step}n+{offset}" if offset else f"{step}n"


def even_resolutions(facts: Facts) -> Iterator[Diagnostic]:
    """Some models resize media to another multiple than that of the buckets (models/minimax_h3.py:186)."""
    key, values = facts.in_dataset("resolutions")
    multiple = facts.spec.media.resize_multiple
    if not multiple or values is None or not facts.asked(*key) or facts.in_dataset("size_buckets")[1] is not None:
        return
    for n, value in enumerate(values):
        sides = value if isinstance(value, list) else [value]
        # Of two unlike sides the area alone counts, whose buckets come out as they come out.
        if len(set(sides)) == 1 and sides[0] % multiple:
            near = [max(multiple, nearest_multiple(side, multiple)) for side in sides]
            text = f"the resolution {quote(value)} is no multiple of {multiple}, to which this model's media are "
            text += "resized: what is trained has another size than the trainer says"
            hint = f"Write {near if isinstance(value, list) else near[0]}."
            yield facts.at("DPC446", key, text, hint, inside=(n,) if len(values) > 1 else ())


def fixed_sizes(facts: Facts) -> Iterator[Diagnostic]:
    """Of any other size the trainer exits with code 0, as without sizes in each place (models/cosmos.py:125-187)."""
    sizes, title = facts.spec.media.size_buckets, facts.spec.title
    if sizes is None:
        return
    places: tuple[KeyPath, ...] = ((facts.part,), (facts.part, "directory", facts.row))
    for place in places:
        key = (*place, "size_buckets")
        buckets = facts.get(*key)
        if not buckets:
            text = f"{title} takes sizes of its own only: without size_buckets the trainer exits without training"
            yield facts.at_null("DPC457", key, text, "Leave size_buckets as the model spec has it.")
        for n, bucket in enumerate(buckets or ()):
            if tuple(bucket) not in sizes:
                text = f"{title} does not take the size {bucket}: the trainer exits without training"
                hint = f"It takes {listing((str(list(size)) for size in sizes), 'and')}."
                yield facts.at("DPC457", key, text, hint, inside=(n,))
        for name in RANGE:
            # At the top of the training data it is told as taking no effect beside size_buckets.
            key = (*place, name)
            if place != ("dataset",) and facts.get(*key) is not None and not facts.inherited(key):
                text = f"{title} takes sizes of its own only: with {name} the trainer exits without training"
                yield facts.at("DPC457", key, text, "Take it out.")


def exact_sizes(facts: Facts) -> Iterator[Diagnostic]:
    """Media are resized to what the model takes, while the bucket keeps its numbers (models/base.py:171-174)."""
    media = facts.spec.media
    key, buckets = facts.in_dataset("size_buckets")
    multiple = media.resize_multiple or media.pixel_multiple
    if media.size_buckets:
        return  # told by fixed_sizes
    for n, (width, height, frames) in enumerate(buckets or ()):
        sides = [nearest_multiple(side, multiple) for side in (width, height)]
        step, offset = media.frame_multiple or 1, media.frame_offset
        length = usable_length(frames, step, offset)
        if [*sides, length] != [width, height, frames]:
            text = f"the size bucket {[width, height, frames]} is rounded to {[*sides, length]}: "
            text += f"this model takes sides of {multiple}n"
            text += f" and lengths of {_lengths(step, offset)}" if media.frame_multiple else ""
            if length == 1 < frames and facts.may_have("videos"):
                length = step + offset  # a bucket of one frame takes no videos
            yield facts.at("DPC446", key, text, f"Write {[*sides, length]}.", inside=(n,))


def sizes_of_nothing(facts: Facts) -> Iterator[Diagnostic]:
    """Sides that are rounded to 0 pixels, and ratios that are no numbers any more (utils/dataset.py:420-427, 505)."""
    if facts.in_dataset("size_buckets")[1]:
        return
    try:
        possible_sizes(_rules(facts), facts.spec.media.pixel_multiple)
    except NoSize as error:
        yield facts.at("DPC466", facts.in_dataset("resolutions")[0], error.message, error.hint)
    except Refused:
        return  # told by others


def longest_sides(facts: Facts) -> Iterator[Diagnostic]:
    """Beyond its table of positions a model fails, or takes wrong ones (diffusers, auraflow_transformer_2d.py)."""
    most = facts.spec.media.largest_side
    if most is None:
        return
    sizes = sizes_of(facts)
    if not (long := [size for size in sizes if max(size) > most]):
        return
    width, height = max(long, key=max)
    text = f"{facts.spec.title} knows positions up to {most} pixels, and here a side may have {max(width, height)} "
    text += f"({width} x {height}): the run would fail at the first batch of it, or train it with its parts misplaced"
    key, buckets = facts.in_dataset("size_buckets")
    if buckets:
        yield facts.at("DPC463", key, text, f"Keep sides to {most} pixels.")
        return
    found = facts.at("DPC463", facts.in_dataset("resolutions")[0], text, _within(facts, most))
    # Where only some shapes are too long, the media decide whether there is any of them: `inspect` tells.
    yield found if len(long) == len(sizes) else replace(found, severity="warning")


def sizes_of(facts: Facts) -> tuple[tuple[int, int], ...]:
    """Width and height of every bucket that a folder's settings can make; none where the trainer stops at them."""
    try:
        return possible_sizes(_rules(facts), facts.spec.media.pixel_multiple)
    except Refused:
        return ()


def _rules(facts: Facts) -> Rules:
    """What the trainer makes of a folder's settings for sizes. Raises Refused."""
    values = {name: value for name in _SHAPES if (value := facts.in_dataset(name)[1]) is not None}
    if "num_ar_buckets" in values:
        values["num_ar_buckets"] = min(values["num_ar_buckets"], _MOST_RATIOS)
    [rules] = dataset_rules({**values, "directory": [{"path": ""}]})
    return rules


def _within(facts: Facts, most: int) -> str:
    """The largest resolution that stays within what the model knows, in words."""
    multiple, rules = facts.spec.media.pixel_multiple, _rules(facts)
    for side in range(most // multiple * multiple, 0, -multiple):
        try:
            sizes = possible_sizes(replace(rules, resolutions=(side,)), multiple)
        except NoSize:
            break  # smaller ones are none either
        if max(map(max, sizes)) <= most:
            return f"Resolutions up to {side} stay within that with these shapes."
    return "Take shapes that are nearer to a square."


CHECKS = (
    clip_lengths,
    even_resolutions,
    fixed_sizes,
    exact_sizes,
    sizes_of_nothing,
    longest_sides,
)
