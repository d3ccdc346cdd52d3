"""Each finding is brought about by files that have the trouble, and is silent on those that have not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dpcompile.inspection.inspected import Inspection
from dpcompile.inspection.rules import Refused
from dpcompile.inspection.saying import Wishes
from tests.unit.inspection.support import IMAGES, SOUND, VIDEOS, VIDEOS_ONLY, captioned, codes, image, inspected, video

TRIGGER = Wishes(missing_caption="error", trigger="ohwx")


def animated(path: Path) -> Path:
    pictures = [Image.new("RGB", (64, 64), (n, 90 * n, 0)) for n in range(3)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    return captioned(path)


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def noise(path: Path) -> Path:
    Image.effect_noise((64, 64), 90).convert("RGB").save(path)
    return captioned(path)


def exif(path: Path) -> Path:
    tags = Image.Exif()
    tags[0x0112] = 6
    return image(path, (64, 48), exif=tags)


def d602(f: Path) -> Inspection:
    image(f / "more" / "a.png")
    return inspected(f)


def d605(f: Path) -> Inspection:
    (f / "control").mkdir()
    image(f / "d" / "a.png")
    return inspected({"path": str(f / "d"), "control_path": str(f / "control")})


def d606(f: Path) -> Inspection:
    image(f / "d" / "a.png")
    image(f / "masks" / "a.png", (32, 32), None)
    return inspected({"path": str(f / "d"), "mask_path": str(f / "masks")})


def d607(f: Path) -> Inspection:
    image(f / "a.png", caption=None)
    (f / "captions.json").write_text('{"a.png": ', "utf-8")
    return inspected(f)


def d608(f: Path) -> Inspection:
    image(f / "a.png").with_suffix(".txt").write_bytes("caf\xe9".encode("latin-1"))
    return inspected(f)


def d613(f: Path) -> Inspection:
    image(f / "a.png")
    return inspected(f, f)


def pairs_and_plain(f: Path, plain: tuple[int, int] = (64, 64), **options: Any) -> Inspection:
    image(f / "pairs" / "a.png")
    image(f / "control" / "a.png", caption=None)
    image(f / "plain" / "b.png", plain)
    image(f / "plain" / "c.png", plain)
    pairs = {"path": str(f / "pairs"), "control_path": str(f / "control")}
    return inspected(pairs, f / "plain", **options)


def d617(f: Path) -> Inspection:
    return pairs_and_plain(f, train={"gradient_accumulation_steps": 2})


def some_with_sound(f: Path, sound: tuple[bool, ...] = (True, False), **train: Any) -> Inspection:
    for n, heard in enumerate(sound):
        video(f / f"{n}.mp4", 40, fps=24, sound=heard)
    return inspected(f, facts=SOUND, frame_buckets=[1, 34], train=train)


def d624(f: Path) -> Inspection:
    image(f / "a.png")
    (f / "b.txt").write_text("x", "utf-8")
    return inspected(f)


def d631(f: Path) -> Inspection:
    image(f / "d" / "a.png")
    image(f / "control" / "a.png", (64, 32), None)
    return inspected({"path": str(f / "d"), "control_path": str(f / "control")})


def d632(f: Path) -> Inspection:
    image(f / "a.png")
    captioned(f / "b.png").write_bytes((f / "a.png").read_bytes())
    return inspected(f)


def d634(f: Path) -> Inspection:
    image(f / "more" / "a.png")
    image(f / "b.png")
    return inspected(f)


def made(make: Callable[[Path], object], **options: Any) -> Callable[[Path], Inspection]:
    def case(folder: Path) -> Inspection:
        make(folder)
        return inspected(folder, **options)

    return case


CASES: dict[str, Callable[[Path], Inspection]] = {
    "DPC601": lambda f: inspected(f / "nowhere"),
    "DPC602": d602,
    "DPC603": made(lambda f: image(f / "a.png"), train={"gradient_accumulation_steps": 4}),
    "DPC604": made(lambda f: animated(f / "a.webp")),
    "DPC605": d605,
    "DPC606": d606,
    "DPC607": d607,
    "DPC608": d608,
    "DPC610": made(lambda f: image(f / "a.png"), facts=VIDEOS_ONLY, frame_buckets=[1, 33]),
    "DPC611": made(lambda f: image(f / "a.png", caption=None), wishes=TRIGGER),
    "DPC613": d613,
    "DPC615": made(lambda f: cut(noise(f / "a.png"), 0.5)),
    "DPC616": made(lambda f: image(f / "a.png", (128, 64)), facts=replace(IMAGES, largest_side=80)),
    "DPC617": d617,
    "DPC618": lambda f: some_with_sound(f, micro_batch_size_per_gpu=2),
    "DPC620": made(lambda f: video(f / "a.mp4", 40, fps=30), facts=VIDEOS, frame_buckets=[1, 33]),
    "DPC621": made(
        lambda f: [image(f / f"{n}.png", (64, 64) if n else (64, 32)) for n in range(5)],
        train={"gradient_accumulation_steps": 4},
    ),
    "DPC622": made(lambda f: [image(f / f"{n}.png") for n in range(7)], train={"micro_batch_size_per_gpu": 4}),
    "DPC623": made(lambda f: captioned(f / "a.png").write_bytes(b"nothing")),
    "DPC624": d624,
    "DPC625": made(lambda f: animated(f / "a.gif")),
    "DPC626": made(lambda f: exif(f / "a.jpg")),
    "DPC627": made(lambda f: image(f / "a.png", (32, 32))),
    "DPC628": made(lambda f: video(f / "a.mp4", 100), facts=VIDEOS, frame_buckets=[1, 33]),
    "DPC629": made(
        lambda f: video(f / "a.mp4", 40), facts=VIDEOS, frame_buckets=[1, 33], wishes=Wishes(memory=1_000_000)
    ),
    "DPC631": d631,
    "DPC632": d632,
    "DPC633": made(lambda f: image(f / "a.png", caption="a cat"), wishes=TRIGGER),
    "DPC634": d634,
    "DPC635": made(lambda f: image(f / "a.png", (128, 64)), enable_ar_bucket=False),
    "DPC636": made(lambda f: image(f / "a.png", caption=" ")),
    "DPC637": made(lambda f: video(f / "a.webm", 40, codec="libvpx"), facts=VIDEOS, frame_buckets=[1, 33]),
    "DPC638": made(lambda f: image(f / "a.png", (128, 128)), resolutions=[64, 128]),
    "DPC639": some_with_sound,
}


@pytest.mark.parametrize("code", CASES)
def test_finding(code: str, tmp_path: Path) -> None:
    assert code in codes(CASES[code](tmp_path))


def test_nothing_is_said_of_a_dataset_in_order(tmp_path: Path) -> None:
    for n in range(4):
        image(tmp_path / f"{n}.png")

    seen = inspected(tmp_path, wishes=TRIGGER, train={"gradient_accumulation_steps": 4})

    assert (seen.diagnostics, seen.train.steps) == ((), 1)


def test_header_that_promises_more_frames_than_there_are(tmp_path: Path) -> None:
    """DPC609: the index of an .avi is at its end, its number of frames at its beginning."""
    cut(video(tmp_path / "a.avi", 40), 0.8)

    seen = inspected(tmp_path, facts=VIDEOS, frame_buckets=[1, 33])

    assert "DPC609" in codes(seen)


def test_evaluation_set_is_told_of_by_its_own_code() -> None:
    """DPC612."""
    from dpcompile.inspection.counting import Batches
    from dpcompile.inspection.dataset import make_report
    from dpcompile.inspection.inspected import dataset_findings

    batches = Batches(videos=((None, 1),), images=((None, 1),), accumulation=1, ranks=1)
    report = make_report("held out", "eval.toml", {}, (), IMAGES, batches)

    assert [d.code for d in dataset_findings(report)] == ["DPC612"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"resolutions": [1, 2, 3, 4]}, "4 resolutions"), ({"num_repeats": 0}, "num_repeats is 0")],
)
def test_what_the_trainer_stops_at_is_refused(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    """DPC614."""
    image(tmp_path / "a.png")
    with pytest.raises(Refused, match=said):
        inspected(tmp_path, **settings)


def test_captions_json_counts_its_captions_and_hides_the_texts(tmp_path: Path) -> None:
    for n in range(2):
        image(tmp_path / f"{n}.png")
    (tmp_path / "captions.json").write_text(json.dumps({"0.png": ["a", "b", "c"]}), "utf-8")

    seen = inspected(tmp_path, num_repeats=2)

    assert [bucket.items for bucket in seen.train.buckets] == [6]
    assert [verdict.why for _directory, verdict in seen.train.verdicts] == [None, "caption missing"]


@pytest.mark.parametrize(
    ("most", "resolution", "told"), [(80, 64, True), (96, 64, False), (96, 80, True), (None, 512, False)]
)
def test_sides_that_media_come_to(tmp_path: Path, most: int | None, resolution: int, told: bool) -> None:
    """Ratios up to 2: a wide picture at 64 becomes 96 x 48."""
    image(tmp_path / "a.png", (128, 64))
    image(tmp_path / "b.png", (64, 64))

    found = inspected(tmp_path, facts=replace(IMAGES, largest_side=most), resolutions=[resolution])

    assert ("DPC616" in codes(found)) is told
    assert not told or all(
        "1 bucket with 1 file has a side" in d.message for d in found.diagnostics if d.code == "DPC616"
    )


def test_sides_of_buckets_that_are_not_trained_are_no_matter(tmp_path: Path) -> None:
    image(tmp_path / "a.png", (128, 64))
    for n in range(2):
        image(tmp_path / f"{n}.png")

    found = inspected(tmp_path, facts=replace(IMAGES, largest_side=80), train={"micro_batch_size_per_gpu": 2})

    assert "DPC621" in codes(found)
    assert "DPC616" not in codes(found)


@pytest.mark.parametrize(
    ("plain", "options", "told"),
    [
        ((64, 64), {"train": {"micro_batch_size_per_gpu": 3}}, True),
        ((64, 64), {}, False),  # one example a step
        ((64, 64), {"ranks": 3}, False),  # each group of GPUs has one
        ((64, 64), {"train": {"gradient_accumulation_steps": 3}}, True),
        ((128, 64), {"train": {"gradient_accumulation_steps": 1}}, False),
        ((128, 64), {"train": {"gradient_accumulation_steps": 2}}, False),  # in other buckets
    ],
)
def test_pairs_and_plain_files_that_meet(
    tmp_path: Path, plain: tuple[int, int], options: dict[str, Any], told: bool
) -> None:
    assert ("DPC617" in codes(pairs_and_plain(tmp_path, plain, **options))) is told


@pytest.mark.parametrize(
    ("sound", "train", "told"),
    [
        ((True, True), {"micro_batch_size_per_gpu": 2}, set()),
        ((False, False), {"micro_batch_size_per_gpu": 2}, set()),
        ((True, False), {"micro_batch_size_per_gpu": 2}, {"DPC618"}),
        ((True, False), {"micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 2}, {"DPC639"}),
        ((True, False), {"micro_batch_size_per_gpu": [[64, 2]]}, {"DPC618"}),
    ],
)
def test_videos_with_and_without_sound(
    tmp_path: Path, sound: tuple[bool, ...], train: dict[str, Any], told: set[str]
) -> None:
    assert codes(some_with_sound(tmp_path, sound, **train)) & {"DPC618", "DPC639"} == told
    silent = inspected(tmp_path, facts=VIDEOS, frame_buckets=[1, 25], train=train)
    assert not codes(silent) & {"DPC618", "DPC639"}
