"""What kind of file a name stands for, as far as the trainer is concerned."""

from __future__ import annotations

import re
from typing import Literal

Media = Literal["images", "videos"]
Kind = Literal["images", "videos", "caption", "captions.json", "archive", "junk", "other"]

# What Pillow opens without a plugin: the trainer opens all that is no video with it (utils/dataset.py:797).
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".tga", ".ppm", ".pgm", ".avif")
)
# In imageio's list of video formats, which decides for the trainer (utils/common.py:22).
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".mts", ".m2ts")
)
_ARCHIVE_SUFFIXES = (
    *(".zip", ".7z", ".rar"),
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"),
)
_JUNK_FOLDERS = frozenset(("__macosx", "@eadir", ".ipynb_checkpoints", ".git", ".cache", ".thumbnails", "$recycle.bin"))
_JUNK_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "folder.jpg.db", "icon\r"))

MASK_FOLDER = re.compile(r"(?i)(masks?|alpha|controls?|control[ _-]?images?|conditioning([ _-]?images?)?)")
"""Folders whose pictures belong to other pictures."""
REPEATS_FOLDER = re.compile(r"(\d+)_.+")
"""A folder of another trainer, whose name says how often its pictures are shown."""


def suffix_of(name: str) -> str:
    """The extension in small letters, dot included; empty where there is none."""
    file = name.rpartition("/")[2].strip()
    stem, dot, suffix = file.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def kind_of(name: str) -> Kind:
    """The kind of a file, by a name with forward slashes."""
    *folders, file = name.split("/")
    if any(folder.lower() in _JUNK_FOLDERS for folder in folders):
        return "junk"
    if file.startswith(".") or file.lower() in _JUNK_FILES:
        return "junk"
    if file.lower() == "captions.json":
        return "captions.json"
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        return "images"
    if suffix in VIDEO_SUFFIXES:
        return "videos"
    if suffix == ".txt":
        return "caption"
    return "archive" if is_archive_name(file) else "other"


def is_archive_name(name: str) -> bool:
    return name.lower().endswith(_ARCHIVE_SUFFIXES)
