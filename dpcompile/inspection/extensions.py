"""How the trainer tells files apart: by their endings alone, and with upper and lower case kept apart."""

from __future__ import annotations

CAPTIONS_JSON = "captions.json"
TAR = ".tar"
WEBP = ".webp"
MKV = ".mkv"
NOT_MEDIA = frozenset({".txt", ".npz", ".json", ".parquet", ".bak", ".db"})
"""Endings that are passed over without a word (utils/dataset.py:650)."""

# The endings that imageio calls videos; the trainer takes these and their upper case (utils/common.py:22-25).
# fmt: off
_IMAGEIO_VIDEOS = (
    ".264", ".265", ".3g2", ".3gp", ".A64", ".a64", ".adp", ".amr", ".amv", ".asf", ".avc", ".avi", ".avr", ".avs",
    ".avs2", ".avs3", ".bmv", ".cavs", ".cdg", ".cdxl", ".cgi", ".chk", ".cif", ".cpk", ".dat", ".dav", ".dif",
    ".dnxhd", ".dnxhr", ".drc", ".dv", ".dvd", ".f4v", ".flm", ".flv", ".gsm", ".gxf", ".h261", ".h263", ".h264",
    ".h265", ".h26l", ".hevc", ".idf", ".ifv", ".imx", ".ipu", ".ism", ".isma", ".ismv", ".ivf", ".ivr", ".j2k",
    ".kux", ".lvf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4a", ".m4b", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mk3d",
    ".mka", ".mks", ".mkv", ".mods", ".moflex", ".mov", ".mp4", ".mpc", ".mpd", ".mpeg", ".mpg", ".mpo", ".mts",
    ".mvi", ".mxf", ".mxg", ".nut", ".obu", ".ogg", ".ogv", ".psp", ".qcif", ".rcv", ".rgb", ".rm", ".roq", ".sdr2",
    ".ser", ".sga", ".svag", ".svs", ".ts", ".ty", ".ty+", ".v", ".v210", ".vb", ".vc1", ".vc2", ".viv", ".vob",
    ".webm", ".wmv", ".wtv", ".xl", ".xmv", ".y4m", ".yop", ".yuv", ".yuv10",
)
# fmt: on
VIDEO_ENDINGS = frozenset(_IMAGEIO_VIDEOS) | frozenset(ending.upper() for ending in _IMAGEIO_VIDEOS)
# What people mean by a picture, for messages only: the trainer lets Pillow try every file that is left.
_PICTURES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def ending(name: str) -> str:
    """The ending of a file's name as the trainer takes it, with its dot: as Path.suffix of Python 3.12."""
    last = name.rpartition("/")[2]
    dot = last.rfind(".")
    return last[dot:] if 0 < dot < len(last) - 1 else ""


def stem(name: str) -> str:
    """The last part of a path without its ending."""
    last = name.rpartition("/")[2]
    return last[: len(last) - len(ending(last))]


def is_video(name: str) -> bool:
    """Whether the trainer opens a file as a video."""
    return ending(name) in VIDEO_ENDINGS


def looks_like_media(name: str) -> bool:
    """Whether people would call a file a picture or a video, however its ending is written."""
    lower = ending(name).lower()
    return lower in VIDEO_ENDINGS or lower in _PICTURES


def mixed_case_video(name: str) -> bool:
    """Whether a file is a video to people and not to the trainer: `.Mp4`."""
    found = ending(name)
    return found not in VIDEO_ENDINGS and found.lower() in VIDEO_ENDINGS
