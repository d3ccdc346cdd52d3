"""Small pictures of media for the page that shows what is cropped."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from dpcompile.inspection.extensions import is_video

_SIDE = 160


def thumbnail(path: Path) -> str | None:
    """A data URI of an image as it is stored, or of the first frame of a video. None where there is none."""
    try:
        picture = _first_frame(path) if is_video(path.name) else _image(path)
    except Exception:  # noqa: BLE001 - what cannot be shown is told of in words on the same page
        return None
    return None if picture is None else f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"


def _image(path: Path) -> bytes:
    from PIL import Image

    with Image.open(path) as image:
        image.draft("RGB", (_SIDE, _SIDE))
        return _jpeg(image.convert("RGB"))


def _first_frame(path: Path) -> bytes | None:
    import av

    with av.open(str(path), mode="r") as container:
        for frame in container.decode(video=0):
            image = frame.to_image()  # type: ignore[no-untyped-call]
            return _jpeg(image.rotate(90 * round(frame.rotation // 90), expand=True) if frame.rotation else image)
    return None


def _jpeg(image: object) -> bytes:
    from PIL import Image

    assert isinstance(image, Image.Image)
    image.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()
