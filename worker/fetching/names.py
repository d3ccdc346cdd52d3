"""Names from archives made anywhere, as names that every file system and the trainer can hold."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_BAD = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')
_LONGEST = 200  # bytes of a stem: the system allows 255 for a name, and others put endings to it


def clean_path(name: str) -> str:
    """A name of an archive's entry with forward slashes, relative, without `.` and `..`.

    Only the words of it are kept: files are never written under such a name.
    """
    parts = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/")).split("/")
    return "/".join(part for part in parts if part.strip() not in ("", ".", ".."))


def from_zip(name: str, *, utf8: bool) -> str:
    """The name of a zip's entry. Old programs write UTF-8 and forget to say so."""
    if utf8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def from_bytes(raw: bytes) -> str:
    """A name from a tar or a folder: UTF-8, or else Latin-1, which is never wrong about ASCII."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def clean_stem(text: str) -> str:
    """A stem without what some file system or program cannot hold, composed as most programs write it."""
    stem = _BAD.sub("_", unicodedata.normalize("NFC", text)).strip().strip(".")
    raw = stem.encode("utf-8")
    if len(raw) > _LONGEST:
        mark = hashlib.sha256(raw).hexdigest()[:8]
        stem = f"{raw[:_LONGEST].decode('utf-8', 'ignore')}-{mark}"
    return stem or "file"
