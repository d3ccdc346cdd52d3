"""Archives made by anybody: nothing in them leads anywhere, and what is wrong with them is told."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.worker.fetching.fetches import a_run, beside, dataset, failure, fetched, picture, zipped
from tests.worker.modelruns import Run
from worker.errors import StepFailed

RED, BLUE, GREEN = picture(1), picture(2), picture(3)


def tarred(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def on_volume(tmp_path: Path, content: bytes, name: str = "data.zip") -> str:
    (tmp_path / name).write_bytes(content)
    return name


def unpacked(tmp_path: Path, content: bytes, name: str = "data.zip") -> dict[str, bytes]:
    fetched(a_run(tmp_path, on_volume(tmp_path, content, name), kind="path"))
    return dataset(tmp_path)


def refused(tmp_path: Path, content: bytes, name: str = "data.zip", **environ: str) -> StepFailed:
    return failure(a_run(tmp_path, on_volume(tmp_path, content, name), kind="path", environ=environ))


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_layouts_become_one_flat_folder(tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    files = {
        "set/a/one.PNG": RED,
        "set/a/one.txt": b"red",
        "set/b/two.jpg": BLUE,
        "set/captions/two.txt": b"blue",
        "set/c/two.png": GREEN,
        "__MACOSX/set/a/._one.PNG": b"junk",
        "set/.DS_Store": b"junk",
        "set/Thumbs.db": b"junk",
        "set/readme.md": b"# mine",
    }

    assert unpacked(tmp_path, pack(files)) == {
        "one.png": RED,
        "one.txt": b"red",
        "b_two.jpg": BLUE,
        "c_two.png": GREEN,
    }


def test_names_that_differ_only_in_case_are_kept_apart(tmp_path: Path) -> None:
    files = {"A.png": RED, "a.png": BLUE, "A.txt": b"capital", "a.txt": b"small"}

    found = unpacked(tmp_path, zipped(files))

    assert len({name.casefold() for name in found}) == 4
    assert {found[name]: found[f"{name[:-4]}.txt"] for name in found if name.endswith(".png")} == {
        RED: b"capital",
        BLUE: b"small",
    }


def test_names_in_other_encodings(tmp_path: Path) -> None:
    packed = zipped({"B\u00e4r.png": RED})
    assert set(unpacked(tmp_path, packed)) == {"B\u00e4r.png"}

    latin = io.BytesIO()
    with tarfile.open(fileobj=latin, mode="w", encoding="latin-1") as archive:
        info = tarfile.TarInfo("B\u00e4r.png")
        info.size = len(BLUE)
        archive.addfile(info, io.BytesIO(BLUE))
    assert unpacked(tmp_path, latin.getvalue(), "data.tar") == {"B\u00e4r.png": BLUE}


def test_of_a_name_that_stands_twice_the_last_counts_and_it_is_told(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", RED)
        archive.writestr("a.png", BLUE)
    run = a_run(tmp_path, on_volume(tmp_path, packed.getvalue()), kind="path")

    fetched(run)

    assert dataset(tmp_path) == {"a.png": BLUE}
    assert "1 name stands more than once in the data (a.png): of each the last file counts" in run.messages("warning")


def test_captions_json_goes_by_the_final_names(tmp_path: Path) -> None:
    files = {"x/1.png": RED, "y/1.png": BLUE, "captions.json": b'{"x/1.png": ["red"], "y/1.png": "blue", "z.png": []}'}

    found = unpacked(tmp_path, zipped(files))

    captions = json.loads(found["captions.json"])
    assert {found[name]: texts for name, texts in captions.items()} == {RED: ["red"], BLUE: ["blue"]}


NAMES = st.one_of(
    st.sampled_from(["../../e.png", "/etc/e.png", "C:\\e.png", "..\\..\\e.png", "a/../../e.png", "e.png", "E.PNG"]),
    st.text("ab./\\\0:\u00e4 ", min_size=1, max_size=12).map(lambda name: f"{name}.png"),
    st.text(max_size=20),
    st.just("x" * 300 + ".png"),
)
KINDS = st.sampled_from(["file", "file", "file", "link", "hard link", "device", "pipe", "folder"])
TYPES = {
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
}


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, KINDS), max_size=8), st.booleans())
@example([("../../e.png", "file"), ("../../e.png", "link")], True)
@example([("../../e.png", "file"), ("d.png", "link")], False)
def test_nothing_lands_outside_and_nothing_but_files_inside(entries: list[tuple[str, str]], tar: bool) -> None:
    with TemporaryDirectory() as made:
        outer = Path(made)
        volume = outer / "volume"
        volume.mkdir()
        content = _hostile_tar(entries) if tar else _hostile_zip(entries)
        run = a_run(volume, on_volume(volume, content, "data.tar" if tar else "data.zip"), kind="path")
        code = _outcome(run)
        assert code in (None, "DPC713", "DPC715", "DPC717")
        assert bool(dataset(volume)) is (code is None)
        assert not [name for name in dataset(volume) if "/" in name]
        assert {path.name for path in outer.iterdir()} == {"volume"}
        assert {path.name for path in volume.iterdir()} == {"work", "data.tar" if tar else "data.zip"}
        assert {path.name for path in (volume / "work").iterdir()} == {"datasets"}
        assert beside(volume) <= {"d.json", "d.lock"}
        assert all(path.is_dir() or (path.is_file() and not path.is_symlink()) for path in outer.rglob("*"))


def _outcome(run: Run) -> str | None:
    """The code of a failure, None when there is none."""
    try:
        fetched(run)
    except StepFailed as failed:
        return failed.code
    return None


def _hostile_tar(entries: list[tuple[str, str]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind in entries:
            info = tarfile.TarInfo(name.replace("\0", "_"))
            if kind == "file":
                info.size = len(RED)
                archive.addfile(info, io.BytesIO(RED))
            else:
                info.type, info.linkname = TYPES[kind], "/etc/passwd"
                archive.addfile(info)
    return packed.getvalue()


def _hostile_zip(entries: list[tuple[str, str]]) -> bytes:
    packed = io.BytesIO()
    modes = {"link": 0o120777, "device": 0o020666, "pipe": 0o010666, "folder": 0o040755}
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(packed, "w") as archive:
        for name, kind in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is, unlike what the constructor makes of it
            info.create_system = 3
            info.external_attr = modes.get(kind, 0o100644) << 16
            archive.writestr(info, RED if kind == "file" else b"/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "data.zip", "it is empty: 0 bytes"),
        (zipped({"a.png": RED})[:-30], "data.zip", "it is cut off: the end is missing"),
        (zipped({"a.png": RED * 9}).replace(RED[40:60], bytes(20), 1), "data.zip", "its check sum is wrong"),
        (tarred({"a.png": RED * 999})[:-90], "data.tar.gz", "it is cut off: the end is missing"),
        (gzip.compress(b"no tar" * 200), "data.tar.gz", "there is no tar archive in it"),
        (b"7z\xbc\xaf\x27\x1c....", "data.7z", "7-Zip is not supported"),
        (b"Rar!\x1a\x07\x01\x00", "data.zip", "RAR is not supported"),
        (b"nothing that is known", "data.zip", "it is neither an archive nor an image or a video"),
    ],
    ids=["empty", "cut zip", "damaged", "cut tar", "gzip", "7z", "rar", "unknown"],
)
def test_bad_archives_say_so(tmp_path: Path, content: bytes, name: str, told: str) -> None:
    failed = refused(tmp_path, content, name)

    assert failed.code == "DPC713"
    assert told in failed.message
    assert not failed.resumable
    assert dataset(tmp_path) == {}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "has no images in it: it is empty"),
        ({"a.mp4": b"video"}, "has no images in it: 1 videos"),
        ({"inner.zip": zipped({"a.png": RED})}, "has no images in it: other files (inner.zip)"),
        ({"train.parquet": b"PAR1"}, "other files (train.parquet)"),
    ],
    ids=["empty", "videos", "nested", "parquet"],
)
def test_nothing_to_train_on(tmp_path: Path, files: dict[str, bytes], told: str) -> None:
    failed = refused(tmp_path, zipped(files))

    assert failed.code == "DPC715"
    assert told in failed.message


def test_masks_among_the_pictures_are_refused(tmp_path: Path) -> None:
    failed = refused(tmp_path, zipped({"a.png": RED, "masks/a.png": BLUE}))

    assert failed.code == "DPC717"
    assert "the folder masks holds pictures that belong to others" in failed.message


def test_a_captions_file_that_is_none(tmp_path: Path) -> None:
    failed = refused(tmp_path, zipped({"a.png": RED, "captions.json": b"["}))

    assert failed.code == "DPC717"
    assert failed.message == "captions.json cannot be used: it is not valid JSON"


def test_a_bomb_is_stopped_by_what_it_becomes_and_not_by_what_it_says(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(4 << 20))
    lying = packed.getvalue().replace((4 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))

    for content in (packed.getvalue(), lying, gzip.compress(tarred({"a.png": bytes(4 << 20)}, "w"))):
        failed = refused(tmp_path, content, "data", DPCOMPILE_FETCH_MAX_UNPACKED_GIB="0.001")
        assert failed.code in ("DPC713", "DPC714")
        assert beside(tmp_path) == {"d.lock"}


def test_more_entries_than_allowed(tmp_path: Path) -> None:
    files = {f"{n}.png": RED for n in range(9)}

    for content in (zipped(files), tarred(files)):
        failed = refused(tmp_path, content, "data", DPCOMPILE_FETCH_MAX_FILES="8")
        assert failed.code == "DPC714"
        assert failed.message == "data has more than 8 entries"
