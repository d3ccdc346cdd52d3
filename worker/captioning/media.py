"""The files of a dataset folder, as the trainer tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CAPTIONS_JSON = "captions.json"
NOT_MEDIA = (".txt", ".npz", ".json", ".parquet", ".bak", ".db")
"""Every other file in the folder is taken for an image or a video (utils/dataset.py:649)."""

VIDEO_TYPES = {
    ".3gp": "video/3gpp",
    ".avi": "video/avi",
    ".flv": "video/x-flv",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/mov",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpg",
    ".webm": "video/webm",
    ".wmv": "video/wmv",
}
"""Suffix -> media type, of the videos that people have. The trainer's list is longer (utils/common.py:22)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """One image or video."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def caption_file(self) -> Path:
        """Where the trainer looks for its caption (utils/dataset.py:653)."""
        return self.path.with_suffix(".txt")

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEO_TYPES


def media_files(folder: Path) -> list[MediaFile]:
    """All media of a folder, by name. Folders in it are not looked into; the trainer does not either."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [MediaFile(path=p) for p in files if p.suffix.lower() not in NOT_MEDIA and not p.name.startswith(".")]


def sharing_a_caption(media: list[MediaFile]) -> list[list[MediaFile]]:
    """Groups of files that differ in nothing but the suffix: they read one and the same .txt file."""
    groups: dict[Path, list[MediaFile]] = {}
    for file in media:
        groups.setdefault(file.caption_file, []).append(file)
    return [group for group in groups.values() if len(group) > 1]
