"""All targets, by the name that a plan gives them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from worker.publishing.target import Held, Upload
from worker.publishing.targets import anonymous, hub, presigned, s3, volume

Publish = Callable[[Upload], Held]
"""Publishes and returns where; raises NotConfigured, TargetFailed or Stopped. Done again, it does no harm."""

PUBLISH: dict[str, Publish] = {
    "huggingface": hub.publish,
    "s3": s3.publish,
    "presigned": presigned.publish,
    "litterbox": partial(anonymous.publish_to, anonymous.LITTERBOX),
    "transfer_sh": partial(anonymous.publish_to, anonymous.TRANSFER_SH),
    "file_io": partial(anonymous.publish_to, anonymous.FILE_IO),
    "volume": volume.publish,
}
TITLES = {
    "huggingface": "the Hugging Face Hub",
    "s3": "S3",
    "presigned": "upload_url",
    "litterbox": "litterbox",
    "transfer_sh": "transfer.sh",
    "file_io": "file.io",
    "volume": "the volume",
}
"""How messages name a target."""
