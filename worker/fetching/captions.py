"""Captions that come with the data: which belongs to which, whatever the files are called afterwards."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import StepFailed
from worker.fetching.files import Member

_LARGEST = 256 << 20  # bytes of a captions.json


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Name of a media file -> its caption, and the captions that belong to nothing."""

    captions: Mapping[str, Member]
    alone: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionTable:
    """The content of captions.json under final names, and the names in it that nothing is called."""

    captions: Mapping[str, list[str]]
    unknown: tuple[str, ...]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    """A path without the extension of its last part."""
    return name.strip().rpartition(".")[0]


# How a caption may be called, the most exact first. A caption is taken by the first way that fits.
_WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (lambda media: _plain(_stem(media)), lambda caption: _plain(_stem(caption))),
    (lambda media: _plain(_stem(media)).casefold(), lambda caption: _plain(_stem(caption)).casefold()),
    # photo.jpg.txt
    (lambda media: _plain(media).casefold(), lambda caption: _plain(_stem(caption)).casefold()),
)


def pair(media: Sequence[Member], captions: Sequence[Member]) -> Pairing:
    """Gives each media file its caption: the one beside it, else the only one of its name in another folder."""
    found: dict[str, Member] = {}
    used: set[str] = set()
    for of_media, of_caption in _WAYS:
        by_key: dict[str, Member] = {}
        for caption in captions:
            by_key.setdefault(of_caption(caption.name), caption)
        for member in media:
            match = by_key.get(of_media(member.name))
            if match and member.name not in found:
                found[member.name] = match
                used.add(match.name)
    _pair_across(media, captions, found, used)
    return Pairing(captions=found, alone=tuple(c for c in captions if c.name not in used))


def _pair_across(media: Sequence[Member], captions: Sequence[Member], found: dict[str, Member], used: set[str]) -> None:
    """`images/1.png` and `captions/1.txt`, where no other file has that name."""

    def by_stem(members: Sequence[Member]) -> dict[str, list[Member]]:
        groups: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            groups[_plain(_stem(member.name.rpartition("/")[2])).casefold()].append(member)
        return groups

    without = by_stem(media)
    for stem, group in by_stem([c for c in captions if c.name not in used]).items():
        fitting = without.get(stem, [])
        if len(group) == 1 and len(fitting) == 1 and fitting[0].name not in found:
            found[fitting[0].name] = group[0]
            used.add(group[0].name)


def read_table(files: Sequence[Member], media: Sequence[Member], names: Mapping[str, str]) -> CaptionTable | None:
    """One captions.json from all that were found, its keys the final names. Raises StepFailed for a bad one."""
    if not files:
        return None
    exact = {_plain(member.name): member.name for member in media}
    by_base: dict[str, list[str]] = defaultdict(list)
    for member in media:
        by_base[_plain(member.name.rpartition("/")[2])].append(member.name)
    captions: dict[str, list[str]] = {}
    unknown: list[str] = []
    for file in files:
        folder = file.name.rpartition("/")[0]
        for key, value in _load(file).items():
            path = _plain(f"{folder}/{key}" if folder else key)
            base = by_base.get(_plain(key.rpartition("/")[2]), [])
            target = exact.get(path) or (base[0] if len(base) == 1 else None)
            if target is None:
                unknown.append(key)
            else:
                captions[names[target]] = value
    return CaptionTable(captions=captions, unknown=tuple(unknown))


def _load(file: Member) -> dict[str, list[str]]:
    if file.size > _LARGEST:
        raise _bad(file, "it is far too large")
    try:
        value: Any = json.loads(file.path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _bad(file, "it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _bad(file, "it is not valid JSON") from error
    if not isinstance(value, dict):
        raise _bad(file, "it is not an object with the names of the files as keys")
    found: dict[str, list[str]] = {}
    for key, captions in value.items():
        texts = [captions] if isinstance(captions, str) else captions
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad(file, f"the value of {key!r} is not a list of captions")
        found[key] = texts
    return found


def _bad(file: Member, why: str) -> StepFailed:
    hint = 'Write {"photo.jpg": ["a caption"]}, or give each file a .txt instead.'
    return StepFailed("DPC717", f"{file.name} cannot be used: {why}", hint, resumable=False)
