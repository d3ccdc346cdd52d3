"""What an image says about itself, by its header and its last bytes."""

from __future__ import annotations

import os
import warnings
from typing import IO, TYPE_CHECKING, Any

from dpcompile.inspection.media import Probe

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
_QUARTER_TURNS = {3: 2, 4: 2, 5: 1, 6: 1, 7: 1, 8: 3}
_ANIMATED = ("GIF", "PNG", "WEBP")
# Looked up only where it stands before the pixels: elsewhere Pillow would have to read the whole file.
_EXIF_AT_THE_FRONT = ("JPEG", "MPO", "TIFF", "WEBP")
_TAIL = 4096


def allow_large_images() -> None:
    """Keeps Pillow quiet about large images, which the trainer takes as they are."""
    from PIL import Image

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def probe_image(file: IO[bytes]) -> Probe:
    """The probe of an open image file. Whatever is wrong with the file is said in the probe."""
    from PIL import Image

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with Image.open(file) as image:
            return Probe(
                width=image.width,
                height=image.height,
                pictures=_pictures(image),
                turned=_QUARTER_TURNS.get(_orientation(image), 0),
                broken=_broken(image, file, size),
                size=size,
            )
    except Exception as error:  # noqa: BLE001 - the trainer skips a file whatever Pillow raises for it
        return Probe(error=_words(error), broken=_words(error) if _claims_webp(file) else "", size=size)


def _claims_webp(file: IO[bytes]) -> bool:
    """Whether a file begins like a WebP. Of what is called so the trainer asks the length before it tries it."""
    file.seek(0)
    head = file.read(16)
    return len(head) == 16 and head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _words(error: Exception) -> str:
    """What is wrong, without the name of the file or the address of the object in it."""
    text = str(error).partition(" <_io")[0].partition(" '/")[0] or type(error).__name__
    return "it is no image that Pillow knows" if text.startswith("cannot identify image file") else text


def _pictures(image: Image) -> int:
    if image.format not in _ANIMATED or not getattr(image, "is_animated", False):
        return 1
    return int(getattr(image, "n_frames", 1))


def _orientation(image: Image) -> int:
    if image.format not in _EXIF_AT_THE_FRONT and "exif" not in image.info:
        return 1
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the orientation
        return 1
    return value if isinstance(value, int) else 1


def _broken(image: Image, file: IO[bytes], size: int) -> str:
    """Why the pixels cannot be read. They are only read where the end of the file does not show that it is whole."""
    if _complete(image.format or "", file, size):
        return ""
    file.seek(0)
    try:
        image.load()
    except Exception as error:  # noqa: BLE001 - the trainer meets the same while it caches
        return _words(error)
    return ""


def _complete(form: str, file: IO[bytes], size: int) -> bool:
    """Whether the last bytes are those that a whole file has."""
    if form not in ("JPEG", "MPO", "PNG", "WEBP"):
        return False
    if form == "WEBP":
        file.seek(4)
        return int.from_bytes(file.read(4), "little") + 8 <= size
    file.seek(max(0, size - _TAIL))
    return (b"IEND" if form == "PNG" else b"\xff\xd9") in file.read()
