"""The note beside the trainer's cache: kills at any moment, links, files that are none, and random histories."""

from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import StepFailed
from worker.training import cachenotes
from worker.training.cachenotes import Note, encoded_alike, read_note

A, B = {"model.vae": "a"}, {"model.vae": "b"}


class Told(list[str]):
    def __call__(self, message: str, hint: str) -> None:
        assert hint
        self.append(message)


def enter(folder: Path, settings: dict[str, Any], *, anew: bool = False) -> Told:
    told = Told()
    with encoded_alike([folder], "x", settings, anew=anew, tell=told):
        pass
    return told


def encode(folder: Path, text: str, size: int = 512) -> None:
    """As the trainer does: takes what is there."""
    shard = folder / "cache" / "x" / f"cache_{size}" / "shard_0.bin"
    shard.parent.mkdir(parents=True, exist_ok=True)
    if not shard.exists():
        shard.write_text(text)


def encoded(folder: Path) -> set[str]:
    return {shard.read_text() for shard in (folder / "cache" / "x").rglob("*.bin")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path


def place(folder: Path) -> Path:
    return folder / "cache" / "x.encoded.json"


def test_a_new_folder_gets_its_note_before_anything_is_encoded(folder: Path) -> None:
    assert enter(folder, A) == []
    assert read_note(place(folder)) == Note(settings=A, sure=True)
    assert sorted(p.name for p in (folder / "cache").iterdir()) == [".x.in-use", "x.encoded.json"]


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"settings": {}, "sure": true, "version": 2}', '{"settings": [], "sure": true}', "\xff"],
)
def test_what_is_no_note_is_none(folder: Path, text: str) -> None:
    place(folder).write_bytes(text.encode("latin-1"))
    encode(folder, "?")
    assert read_note(place(folder)) is None
    assert len(enter(folder, A)) == 1


def test_an_old_note_without_a_cache_is_no_reason_to_tell_anything(folder: Path) -> None:
    enter(folder, A)
    assert enter(folder, B) == []
    assert read_note(place(folder)) == Note(settings=B, sure=True)


def test_caches_of_other_models_are_left_alone(folder: Path) -> None:
    enter(folder, A)
    encode(folder, "a")
    other = folder / "cache" / "xy" / "shard_0.bin"
    other.parent.mkdir()
    other.write_text("other")
    enter(folder, B)
    assert other.read_text() == "other"


def test_nothing_is_left_of_what_is_taken_away(folder: Path) -> None:
    enter(folder, A)
    encode(folder, "a")
    enter(folder, B)
    assert sorted(p.name for p in (folder / "cache").iterdir()) == [".x.in-use", "x", "x.encoded.json"]


def test_a_link_to_another_disk_stays(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    disk = tmp_path_factory.mktemp("disk") / "x"
    disk.mkdir()
    (folder / "cache" / "x").symlink_to(disk)
    enter(folder, A)
    encode(folder, "a")
    enter(folder, B)
    assert (folder / "cache" / "x").is_symlink()
    assert list(disk.parent.iterdir()) == [disk]
    assert encoded(folder) == set()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["write_whole", "_take_away", "rmtree"])
@pytest.mark.parametrize("then", [A, B])
def test_a_worker_killed_while_it_takes_away(
    folder: Path, where: str, then: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(folder, A)
    encode(folder, "a")

    def killed(*_args: Any, **_more: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil if where == "rmtree" else cachenotes, where, killed)
        with pytest.raises(Killed):
            enter(folder, B)

    enter(folder, then)
    encode(folder, then["model.vae"])
    assert encoded(folder) == {then["model.vae"]}
    assert not list((folder / "cache").glob(".x.removed*"))


def test_what_cannot_be_deleted_is_no_obstacle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_args, **_more: None)
    for settings in (A, B, A, B):
        enter(folder, settings)
        encode(folder, settings["model.vae"])
        assert encoded(folder) == {settings["model.vae"]}


def test_what_cannot_be_changed_is_told(folder: Path) -> None:
    place(folder).mkdir()
    with pytest.raises(StepFailed) as caught:
        enter(folder, A)
    assert caught.value.code == "DPC751"


def test_nothing_goes_before_all_can(tmp_path: Path) -> None:
    told, folders = Told(), [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        (folder / "cache").mkdir(parents=True)
        enter(folder, A)
        encode(folder, "a")
    with encoded_alike(folders[1:], "x", A, anew=False, tell=told):
        with pytest.raises(StepFailed) as caught, encoded_alike(folders, "x", B, anew=False, tell=told):
            pass
        assert caught.value.code == "DPC757"
        with pytest.raises(StepFailed, match=r"launch\.regenerate_cache is set"):
            enter(folders[1], A, anew=True)
    assert encoded(folders[0]) == encoded(folders[1]) == {"a"}
    assert told == []


def test_a_volume_without_locks_is_no_obstacle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_args: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    enter(folder, A)
    encode(folder, "a")
    assert len(enter(folder, B)) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([512, 768, 1024]), st.booleans()), max_size=12))
def test_no_history_mixes_what_was_encoded(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, bool]]
) -> None:
    """Trainings with any settings and sizes; each may be killed before it encodes anything."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "cache").mkdir()
    for vae, size, killed in history:
        before = encoded(folder)
        told = enter(folder, {"model.vae": vae})
        assert bool(told) == bool(before - {vae})
        if not killed:
            encode(folder, vae, size)
        assert encoded(folder) <= {vae}
    notes = [json.loads(p.read_text()) for p in (folder / "cache").glob("*.json")]
    assert [n["settings"]["model.vae"] for n in notes] == ([history[-1][0]] if history else [])
