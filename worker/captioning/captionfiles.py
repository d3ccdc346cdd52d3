"""Captions as the trainer reads them: a .txt file beside each media file, or one captions.json for the folder.

Where there is a captions.json, the trainer looks at no .txt file at all (utils/dataset.py:652), and a media
file may have several captions. Files are replaced whole: a new one is written beside the dataset, since the
trainer takes strange files in it for media.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from worker.captioning.media import CAPTIONS_JSON, MediaFile


class UnreadableCaptions(Exception):
    """Caption files that cannot be used: (file name, what is wrong with it)."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__(f"{len(found)} caption files cannot be read")
        self.found = tuple(found)


class Captions(Protocol):
    """The captions of one folder. An empty caption is none."""

    def get(self, media: MediaFile) -> list[str]: ...

    def put(self, media: MediaFile, captions: Sequence[str]) -> None: ...

    def drop_empty(self, media: MediaFile) -> None:
        """Removes an empty caption: the trainer would train with one, where it leaves out what has none."""

    def flush(self) -> None:
        """Everything is on disk afterwards."""


def open_captions(folder: Path, media: Sequence[MediaFile], aside: Path) -> Captions:
    """The captions of a folder, all of them read and found to be text.

    `aside` is a folder in the same file system for files that are being written. Raises UnreadableCaptions.
    """
    problems: list[tuple[str, str]] = []
    texts: dict[str, str] = {}
    for name in dict.fromkeys(file.caption_file.name for file in media):
        path = folder / name
        if path.is_file():
            try:
                texts[name] = decoded(path.read_bytes())
            except ValueError as error:
                problems.append((name, str(error)))
    listed: dict[str, list[str]] | None = None
    if (folder / CAPTIONS_JSON).is_file():
        try:
            listed = _listed((folder / CAPTIONS_JSON).read_bytes())
        except ValueError as error:
            problems.append((CAPTIONS_JSON, str(error)))
    if problems:
        raise UnreadableCaptions(problems)
    if listed is None:
        return TextFiles(folder=folder, aside=aside, texts=texts)
    return OneFile(folder=folder, aside=aside, listed=listed, texts=texts)


def decoded(content: bytes) -> str:
    """The text of a caption file: strictly UTF-8, without a byte order mark and blanks around it.

    Raises ValueError with what is wrong, and where.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is UTF-16")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"byte {content[error.start]:#04x} in line {line} is not UTF-8") from None
    if "\0" in text:
        raise ValueError("it has zero bytes in it, as UTF-16 and binary files have")
    return text.strip()


def _listed(content: bytes) -> dict[str, list[str]]:
    try:
        value = json.loads(decoded(content))
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} in line {error.lineno}") from None
    if not isinstance(value, dict):
        raise ValueError('it must be an object: {"name.png": ["a caption"]}')
    return {name: _entry(name, entry) for name, entry in value.items()}


def _entry(name: str, entry: Any) -> list[str]:
    # A plain text in place of a list is what people write; the trainer would hang over it (utils/dataset.py:688).
    entries = [entry] if isinstance(entry, str) else entry
    if not isinstance(entries, list) or not all(isinstance(text, str) for text in entries):
        raise ValueError(f"the captions of {name!r} must be a list of texts")
    return [text.strip() for text in entries]


@dataclass(slots=True, kw_only=True)
class TextFiles:
    """One .txt file for each media file."""

    folder: Path
    aside: Path
    texts: dict[str, str]

    def __post_init__(self) -> None:
        for name, text in self.texts.items():  # a byte order mark would be trained as part of the caption
            if (self.folder / name).read_bytes().startswith(b"\xef\xbb\xbf"):
                self._write(name, text)

    def get(self, media: MediaFile) -> list[str]:
        text = self.texts.get(media.caption_file.name)
        return [text] if text else []

    def put(self, media: MediaFile, captions: Sequence[str]) -> None:
        [text] = captions
        self._write(media.caption_file.name, text)
        self.texts[media.caption_file.name] = text

    def drop_empty(self, media: MediaFile) -> None:
        if not self.get(media):
            media.caption_file.unlink(missing_ok=True)

    def flush(self) -> None: ...

    def _write(self, name: str, text: str) -> None:
        replace_whole(self.folder / name, text, self.aside)


@dataclass(slots=True, kw_only=True)
class OneFile:
    """captions.json. Captions in .txt files of media that it does not list are taken over into it."""

    folder: Path
    aside: Path
    listed: dict[str, list[str]]
    texts: Mapping[str, str]
    _changed: bool = field(default=False)

    def get(self, media: MediaFile) -> list[str]:
        text = self.texts.get(media.caption_file.name)
        if media.name not in self.listed and text:
            self.put(media, [text])
        return [caption for caption in self.listed.get(media.name, ()) if caption]

    def put(self, media: MediaFile, captions: Sequence[str]) -> None:
        self.listed[media.name] = list(captions)
        self._changed = True

    def drop_empty(self, media: MediaFile) -> None:
        kept = self.get(media)
        if self.listed.get(media.name, kept) != kept:
            self._changed = True
            self.listed[media.name] = kept
        if not kept and self.listed.pop(media.name, None) is not None:
            self._changed = True

    def flush(self) -> None:
        """Writes the file, in ASCII: the trainer reads it in whatever encoding the machine prefers."""
        if self._changed:
            text = json.dumps(self.listed, indent=1, ensure_ascii=True)
            replace_whole(self.folder / CAPTIONS_JSON, text, self.aside)
            self._changed = False


def replace_whole(path: Path, text: str, aside: Path) -> None:
    """The file has either its old content or the new one, whenever this is killed."""
    fresh = aside / "new"
    with fresh.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
    fresh.replace(path)
