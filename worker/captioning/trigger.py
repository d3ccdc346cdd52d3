"""The trigger word: in every caption, exactly once."""

from __future__ import annotations

import re

PLACEHOLDER = "[trigger]"
"""What other trainers know as the place for the trigger word."""


def with_trigger(caption: str, trigger: str | None, *, brought: bool) -> str:
    """The caption with the trigger word, however often this is done.

    It goes in front: `ohwx person, a man in a red coat`. A caption that the user brought may say itself where
    it stands, by the word or by a placeholder; then it stays there.
    """
    if not trigger:
        return caption
    if PLACEHOLDER in caption:
        return caption.replace(PLACEHOLDER, trigger)
    if has_trigger(caption, trigger) if brought else _begins_with(caption, trigger):
        return caption
    return f"{trigger}, {caption}"


def has_trigger(caption: str, trigger: str) -> bool:
    """Whether the word stands in the caption, and not only as a part of another word."""
    return re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", caption) is not None


def _begins_with(caption: str, trigger: str) -> bool:
    return re.match(rf"{re.escape(trigger)}(?!\w)", caption) is not None
