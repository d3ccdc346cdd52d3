"""Random small datasets with all that the trainer makes a difference of, for `benchmarks.trainer_dataset`.

Media are made once, as a pool, and linked into each dataset under names that suit them or do not. What stands in a
dataset is settled by its seed and by the pool, which has a seed of its own.
"""

from __future__ import annotations

import json
import os
import random
import struct
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import toml
from PIL import Image

_ORIENTATION = 0x0112
_RATES = ("8", "12", "15", "16", "24000/1001", "24", "25", "30000/1001", "30", "50", "60")
_COMMON = (("mp4", "mpeg4"), ("mp4", "libx264"), ("mov", "mpeg4"), ("avi", "mpeg4"), ("mkv", "mpeg4"))
_RARE = (("mkv", "libx264"), ("webm", "libvpx"), ("m4v", "mpeg4"), ("ts", "mpeg2video"))
_STILLS = ("png", "png", "jpg", "jpg", "jpg", "webp", "gif", "bmp", "tiff")
_IMAGE_MODELS = ("flux", "flux_kontext", "hunyuan_image_21", "qwen")
_VIDEO_MODELS = ("wan13", "wan22_ti2v_5b", "wan14b_i2v", "ltx_video", "ltx2", "hunyuan_video")
EDIT_MODEL = "flux_kontext"
MODELS = (*_IMAGE_MODELS, *_VIDEO_MODELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One file of the pool, the ending that it should have, and a file that can be its mask."""

    file: Path
    ending: str
    mask: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """All media. `bad` are those that the trainer skips or fails on: cut off, empty, animated."""

    images: tuple[Media, ...]
    videos: tuple[Media, ...]
    bad: tuple[Media, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A dataset on disk, the file of its training, and what it is trained with."""

    train: Path
    model: str
    gpus: int


def make_pool(folder: Path, seed: int = 0) -> Pool:
    """Makes all media in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"pool {seed}")
    images = tuple(_image(folder / f"image{n}", rng) for n in range(80))
    videos = tuple(_video(folder / f"video{n}", rng, n) for n in range(90))
    return Pool(images=images, videos=videos, bad=tuple(_bad(folder, rng, images, videos)))


def _image(stem: Path, rng: random.Random) -> Media:
    ending = rng.choice(_STILLS)
    size = (rng.randint(8, 96), rng.randint(8, 96)) if rng.random() < 0.9 else (rng.choice([4, 300]), 60)
    colour = tuple(rng.randrange(256) for _ in range(3))
    picture = Image.new("RGB", size, colour).convert(rng.choice(["RGB", "RGB", "L", "P" if ending != "jpg" else "L"]))
    file = stem.with_suffix(f".{ending}")
    options: dict[str, Any] = {}
    if ending == "gif" and rng.random() < 0.5:
        options = {"save_all": True, "append_images": [Image.new("RGB", size, (n, 9, 9)) for n in (1, 99)]}
    elif ending in ("jpg", "webp", "png") and rng.random() < 0.4:
        exif = Image.Exif()
        exif[_ORIENTATION] = rng.randint(1, 8)
        options = {"exif": exif}
    picture.save(file, **options)
    return Media(file=file, ending=f".{ending}", mask=file)


def _video(stem: Path, rng: random.Random, number: int) -> Media:
    ending, codec = rng.choice(_COMMON if number % 4 else _RARE)
    rate = Fraction(rng.choice(_RATES[4:]) if ending == "ts" else rng.choice(_RATES))
    size = (2 * rng.randint(16, 40), 2 * rng.randint(16, 40))
    frames = rng.choice([1, 2, 5, 16, 17, 24, 25, 33, rng.randint(1, 40), rng.randint(20, 80)])
    file = stem.with_suffix(f".{ending}")
    write_video(file, frames, rate, size, codec)
    if turned := ending in ("mp4", "mov") and rng.random() < 0.25:
        _turn(file)
    mask = stem.with_name(f"{stem.name}-mask.png")
    Image.new("L", size[::-1] if turned else size, 200).save(mask)
    return Media(file=file, ending=f".{ending}", mask=mask)


def write_video(file: Path, frames: int, rate: Fraction, size: tuple[int, int], codec: str) -> None:
    """A black video."""
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))  # it would hold whatever lay in memory
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _turn(file: Path) -> None:
    """Writes a quarter turn into the track header of an .mp4, as phones do; PyAV cannot."""
    content = bytearray(file.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    file.write_bytes(bytes(content))


def _bad(folder: Path, rng: random.Random, images: Sequence[Media], videos: Sequence[Media]) -> list[Media]:
    found = []
    for n, whole in enumerate([*rng.sample(images, 12), *rng.sample(videos, 20)]):
        content = whole.file.read_bytes()
        file = folder / f"cut{n}{whole.ending}"
        file.write_bytes(content[: int(len(content) * rng.uniform(0.2, 0.98))])
        found.append(Media(file=file, ending=whole.ending, mask=whole.mask))
    for ending in (".png", ".mp4", ".webp", ".mkv", ".zip"):
        for name, content in (("empty", b""), ("noise", b"neither this nor that " * 40)):
            file = folder / f"{name}{ending}"
            file.write_bytes(content)
            found.append(Media(file=file, ending=ending, mask=images[0].file))
    moving = folder / "moving.webp"
    pictures = [Image.new("RGB", (40, 30), (n, 0, 0)) for n in (1, 200)]
    pictures[0].save(moving, save_all=True, append_images=pictures[1:])
    return [*found, *[Media(file=moving, ending=".webp", mask=moving)] * 3]


def make_dataset(folder: Path, pool: Pool, seed: int) -> Made:
    """Makes the dataset with this seed in an empty folder."""
    return _Maker(folder, pool, random.Random(f"dataset {seed}")).make()


class _Maker:
    """Makes one dataset. Rare things are drawn once for the whole of it, so that most datasets can be trained."""

    def __init__(self, folder: Path, pool: Pool, rng: random.Random) -> None:
        self.folder, self.pool, self.rng = folder, pool, rng
        self.model = rng.choice(MODELS)
        self.videos = self.model in _VIDEO_MODELS
        self.images = self.model != "wan14b_i2v" or rng.random() < 0.1
        self.bad = rng.random() < 0.2
        self.odd = rng.random() < 0.15

    def make(self) -> Made:
        rng = self.rng
        stages, groups = rng.choice([1, 1, 1, 2]), rng.choice([1, 1, 1, 2, 3])
        train: dict[str, Any] = {"pipeline_stages": stages, "caching_batch_size": rng.choice([1, 1, 2, 3])}
        for name in ("", "image_", "eval_", "eval_image_"):
            if rng.random() < 0.4:
                train[f"{name}micro_batch_size_per_gpu"] = self._batch()
        for name in ("gradient_accumulation_steps", "eval_gradient_accumulation_steps"):
            if rng.random() < 0.6:
                train[name] = rng.choice([1, 1, 2, 3])
        evals = [self._dataset(f"eval{n}", 1) for n in range(rng.choice([0, 0, 0, 1, 2]))]
        named = [{"name": f"set{n}", "config": str(file)} for n, file in enumerate(evals)]
        dataset = self._dataset("train", rng.randint(1, 3))
        train |= {"dataset": str(dataset), "eval_datasets": [str(file) for file in evals] if self.odd else named}
        file = self.folder / "train.toml"
        file.write_text(toml.dumps(train), "utf-8")
        return Made(train=file, model=self.model, gpus=stages * groups)

    def _batch(self) -> int | list[list[int]]:
        rng = self.rng
        if rng.random() < 0.7:
            return rng.choice([1, 1, 1, 1, 2, 4])
        return [[rng.choice([256, 512, 768, 1024]), rng.randint(1, 4)] for _ in range(rng.randint(1, 3))]

    def _dataset(self, name: str, directories: int) -> Path:
        rng, top = self.rng, self._keys()
        tables = []
        for n in range(directories):
            own = {key: value for key, value in self._keys().items() if rng.random() < 0.2}
            tables.append(own | self._directory(self.folder / f"{name}-{n}"))
        if rng.random() < 0.1:
            top["subsample_ratio"] = rng.choice([0.1, 0.5, 0.9])
        if self.odd and rng.random() < 0.3:  # where the trainer looks at the top in any case
            top.pop(rng.choice(["resolutions", "min_ar"]), None)
        file = self.folder / f"dataset-{name}.toml"
        file.write_text(toml.dumps({**top, "directory": tables}), "utf-8")
        return file

    def _keys(self) -> dict[str, Any]:
        """Keys that may stand at the top of a dataset file, or in a directory."""
        rng = self.rng
        found: dict[str, Any] = {"resolutions": self._resolutions(), "enable_ar_bucket": rng.random() < 0.8}
        found |= {"min_ar": rng.choice([0.3, 0.5, 0.57]), "max_ar": rng.choice([1.5, 2.0, 3.3])}
        found |= {"num_ar_buckets": rng.randint(1, 9)}
        if rng.random() < 0.3:
            pairs = [[rng.randint(1, 21), rng.randint(1, 21)] for _ in range(rng.randint(1, 5))]
            found["ar_buckets"] = pairs if rng.random() < 0.5 else [width / height for width, height in pairs]
        if rng.random() < 0.12:
            sizes = [[16 * rng.randint(10, 60), 16 * rng.randint(10, 60)] for _ in range(rng.randint(1, 5))]
            found["size_buckets"] = [[*size, rng.choice([1, 9, 17, 33] if self.videos else [1])] for size in sizes]
        if self.videos and rng.random() < 0.9:
            found["frame_buckets"] = rng.sample([1, 5, 9, 16, 17, 24, 25, 33, 49], rng.randint(1, 4))
        drawn = {
            "num_repeats": rng.choice([1, 2, 3, 5, 10, 0.5, 1.5, 2.7, 7.3]),
            "cache_shuffle_num": rng.choice([0, 1, 2, 3]),
            "shuffle_tags": rng.random() < 0.5,
            "caption_prefix": "prefix ",
            "skip_empty_caption": rng.random() < 0.5,
            "shuffle_metadata": rng.random() < 0.5,
        }
        return found | {key: value for key, value in drawn.items() if rng.random() < 0.5}

    def _resolutions(self) -> list[Any]:
        rng, kind = self.rng, self.rng.random()
        count = 4 if self.odd and rng.random() < 0.1 else rng.choice([1, 1, 2, 3])
        if kind < 0.6:
            return [rng.choice([256, 512, 640, 768, 1024, rng.randint(200, 1100)]) for _ in range(count)]
        if kind < 0.8:
            return [rng.uniform(200, 1100) for _ in range(count)]
        return [[rng.randint(200, 1100), rng.randint(200, 1100)] for _ in range(count)]

    def _directory(self, path: Path) -> dict[str, Any]:
        """The folder of one directory with all its files, and the keys that name what is in it."""
        rng = self.rng
        own: dict[str, Any] = {"path": str(path)}
        path.mkdir()
        files = {f"file {n}": self._media() for n in range(rng.randint(1, 11) if rng.random() > 0.02 else 0)}
        names = {stem: f"{stem}{self._ending(media)}" for stem, media in files.items()}
        for stem, media in files.items():
            os.link(media.file, path / names[stem])
        captioned = rng.choice([0.3, 0.8, 1.0, 1.0])
        if rng.random() < 0.75:
            for name in names.values():
                if rng.random() < captioned:
                    text = rng.choice(["", "a, b, c", "one caption, of two", " \n", "Träger, 猫"])
                    (path / name).with_suffix(".txt").write_text(text, "utf-8")
        else:
            self._captions_json(path, [*names.values(), *self._archive(path)], captioned)
        for key, wanted in (("mask_path", rng.random() < 0.2), ("control_path", self.model == EDIT_MODEL)):
            if wanted:
                own[key] = self._beside(path.with_name(f"{path.name}-{key}"), files, masks=key == "mask_path")
        if self.odd and rng.random() < 0.1:
            own |= {"default_mask_file": str(rng.choice(self.pool.images).file), "online_captions": True}
        return own

    def _media(self) -> Media:
        rng = self.rng
        if self.bad and rng.random() < 0.1:
            return rng.choice(self.pool.bad)
        video = rng.random() < (0.6 if self.videos else 0.04)
        return rng.choice(self.pool.videos if video or not self.images else self.pool.images)

    def _ending(self, media: Media) -> str:
        rng = self.rng
        if rng.random() < 0.88:
            return media.ending
        own = [media.ending.upper(), f".{media.ending[1:].capitalize()}"]
        odd = [".webp", ".mp4", ".dat", ".mkv"] if self.odd else [".webp"] * (media in self.pool.images)
        return rng.choice([*own, "", ".png", ".jpeg", ".bak", *odd])

    def _captions_json(self, path: Path, names: Sequence[str], captioned: float) -> None:
        rng = self.rng
        lists: list[Any] = [["one"], ["one, a", "two, b"], ["", "x, y", "z"], []]
        alike = rng.choice(lists[:3])
        listed = [name for name in names if rng.random() < captioned]
        value: dict[str, Any] = {name: alike if rng.random() < 0.7 else rng.choice(lists) for name in listed}
        if self.odd and names and rng.random() < 0.3:
            value[rng.choice(names)] = rng.choice(["not in a list", None, [1]])
        (path / "captions.json").write_text(json.dumps(value), "utf-8")

    def _archive(self, path: Path) -> list[str]:
        """Members of a tar file, now and then; it needs a captions.json."""
        rng = self.rng
        if rng.random() > 0.2 or self.model == EDIT_MODEL:  # control images for them would have to be there too
            return []
        members = {f"in tar {n}{media.ending}": media for n, media in enumerate(self._media() for _ in range(3))}
        with tarfile.TarFile(path / "more.tar", "w") as archive:
            for name, media in members.items():
                archive.add(media.file, name)
        return list(members)

    def _beside(self, folder: Path, files: dict[str, Media], *, masks: bool) -> str:
        """Masks, which must fit, or control images, of which there must be all."""
        folder.mkdir()
        for stem, media in files.items():
            fits = not (self.bad and self.rng.random() < 0.05)
            if masks and self.rng.random() < 0.8:
                os.link(media.mask if fits else self._media().file, folder / f"{stem}.png")
            elif not masks and fits:
                os.link(self.rng.choice(self.pool.images).file, folder / f"{stem}.jpg")
        return str(folder)
