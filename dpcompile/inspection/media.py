"""What is known about the files of a dataset, and about the model that is trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dpcompile.inspection.size import ModelSize, size_from


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a model does with media, from its spec. `frame_rate` is in frames per second."""

    title: str
    images: bool
    videos: bool
    frame_rate: float | None
    pixel_multiple: int
    resize_multiple: int | None = None
    largest_side: int | None = None
    """The longest side that the model has positions for, in pixels."""
    frame_multiple: int | None = None
    frame_offset: int = 0
    edit: bool = False
    masks: bool = True
    sound: bool = False
    """Whether the sound of videos is trained."""
    size: ModelSize = field(default=ModelSize(), compare=False)

    def sides(self, width: float, height: float) -> tuple[int, int]:
        """The size that media of a bucket are resized to in the end (models/base.py:171-174)."""
        multiple = self.resize_multiple or self.pixel_multiple
        return nearest_multiple(width, multiple), nearest_multiple(height, multiple)

    def length(self, frames: int) -> int:
        """The length that clips of a bucket are cut to in the end."""
        return usable_length(frames, self.frame_multiple, self.frame_offset)


def nearest_multiple(value: float, multiple: int) -> int:
    """As the trainer rounds: ties go to the even multiple (utils/common.py:110-111)."""
    return int(round(value / multiple) * multiple)


def usable_length(frames: int, multiple: int | None, offset: int) -> int:
    """The longest clip up to so many frames that a model takes (models/base.py:83-84, minimax_h3.py:191-192)."""
    step = multiple or 1
    return max(1, (frames - offset) // step * step + offset)


def facts_from(media: Mapping[str, Any], title: str, size: Mapping[str, Any] | None = None) -> ModelFacts:
    """The facts in the `media` and the `size` of a plan's inspect step."""
    known = {name: media[name] for name in ModelFacts.__dataclass_fields__ if name in media}
    return ModelFacts(**{**known, "title": title, "size": size_from(size)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one media file says about itself. Sizes are as stored, in pixels: no rotation is applied."""

    width: int = 0
    height: int = 0
    frames: int = 1
    """Frames as the trainer counts them before it converts the frame rate."""
    fps: float = 0.0
    """Average frame rate by the header; 0 for images."""
    found_frames: int | None = None
    """Frames that are really in a video; None for images."""
    pictures: int = 1
    """Pictures in an image file: more than one is an animation."""
    turned: int = 0
    """Quarter turns that a viewer applies and the trainer's choice of bucket does not."""
    counted: bool = True
    """Whether the header of a video says how many frames it has."""
    error: str = ""
    """Why it cannot be opened; the trainer skips it."""
    broken: str = ""
    """Why it opens and yet cannot be decoded; the trainer fails on it while it caches."""
    sound: bool = False
    """Whether a video has a track of sound."""
    size: int = 0
    """Bytes on disk."""

    @property
    def decoded_sides(self) -> tuple[int, int]:
        """Width and height of the decoded frames: videos are turned when they are decoded, images are not."""
        return (self.height, self.width) if self.fps and self.turned % 2 else (self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """What one media file has for captions. The texts themselves are not kept: there may be 100,000."""

    count: int | None
    """How many; None where it has none at all, which is not the same as an empty one."""
    letters: int = 0
    """Of all of them together."""
    with_trigger: int = 0
    empty: int = 0
    problem: str = ""
    """What makes the trainer fail on them."""
    bom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file that the trainer takes for media, with what belongs to it."""

    path: str
    """Path below the folder; for a member of a tar file, `archive.tar/member`."""
    name: str
    """Name by which its kind is told."""
    captions: Captions
    probe: Probe
    mask: str | None = None
    mask_probe: Probe | None = None
    control: str | None = None
    control_probe: Probe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Everything in one `[[directory]]`, as it was found."""

    path: str
    items: tuple[Item, ...] = ()
    missing: tuple[str, ...] = ()
    """Folders and files that the directory names and that are not there, in words."""
    captions_json: bool = False
    captions_problem: str = ""
    """What makes the trainer fail on captions.json."""
    unused_captions: int = 0
    """Caption files that nothing reads: captions.json is there, or no media file has their name."""
    subfolders: tuple[str, ...] = ()
    """Folders with media in them, which the trainer does not search."""
    broken_tars: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    """Groups of files with the same content."""
