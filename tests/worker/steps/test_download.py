"""Downloads with the real client of the Hub, against a Hub on this machine, with everything that goes wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.modelhub import Fault, ModelHub
from tests.worker.modelruns import Run, a_plan, download_step, plain_settings
from worker.errors import StepFailed, Stopped
from worker.secretstore import SecretStore
from worker.steps import download

TOKEN = "hf_0123456789abcdefghij"
WEIGHTS = bytes(range(256)) * 1000
FILES = {
    "config.json": b'{"dim": 1}',
    "model-1.safetensors": WEIGHTS,
    "model-2.safetensors": WEIGHTS[::-1],
    "tokenizer/vocab.txt": b"a\nb\n",
    "README.md": b"not wanted",
}
WANTED = ["config.json", "*.safetensors", "tokenizer/*"]


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with ModelHub() as hub:
        yield hub


def models(tmp_path: Path) -> Path:
    return tmp_path / "work" / "models"


def a_run(hub: ModelHub, tmp_path: Path, *sources: dict[str, Any], token: str | None = None, **settings: Any) -> Run:
    steps = [download_step(n, **{"to": models(tmp_path) / "big", **source}) for n, source in enumerate(sources, 1)]
    environ = {"HF_ENDPOINT": hub.url, "HOME": str(tmp_path)}
    return Run(
        plan=a_plan(tmp_path, steps),
        settings=plain_settings(environ, **settings),
        secrets=SecretStore({"huggingface_token": token} if token else {}),
    )


def failure(run: Run, step: str = "download-1") -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        run.do(step, download.run)
    return caught.value


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, our books left aside."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if not name.startswith(".dpcompile")}


def leftovers(tmp_path: Path) -> list[Path]:
    return [p for p in (models(tmp_path) / ".dpcompile" / "partial").rglob("*") if p.is_file()]


def test_exactly_the_wanted_files_are_there_afterwards(hub: ModelHub, tmp_path: Path) -> None:
    commit = hub.add("me/big", FILES)
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED})

    result = run.do("download-1", download.run)

    wanted = {f"big/{name}": content for name, content in FILES.items() if name != "README.md"}
    assert contents(models(tmp_path)) == wanted
    assert result["commit"] == commit
    assert result["downloaded"] == result["files"] == 4
    assert result["bytes"] == sum(map(len, wanted.values()))
    assert leftovers(tmp_path) == []
    progress = [data for kind, data in run.told if kind == "progress"]
    assert progress[-1] == {"done": result["bytes"], "total": result["bytes"], "unit": "bytes"}


def test_a_single_file_gets_the_name_that_the_trainer_reads(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", {"split_files/vae/ae.safetensors": WEIGHTS})
    source = {
        "repo": "me/big",
        "file": "split_files/vae/ae.safetensors",
        "to": models(tmp_path) / "z" / "vae.safetensors",
    }
    a_run(hub, tmp_path, source).do("download-1", download.run)
    assert contents(models(tmp_path)) == {"z/vae.safetensors": WEIGHTS}


def test_what_is_there_is_neither_downloaded_nor_asked_for_again(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    first = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)
    hub.requests.clear()
    hub.add("me/big", {**FILES, "config.json": b"a newer main"})

    second = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)

    assert hub.requests == []
    assert second == {**first, "downloaded": 0}


def test_a_branch_stays_at_its_first_commit_when_a_file_is_lost(hub: ModelHub, tmp_path: Path) -> None:
    commit = hub.add("me/big", FILES)
    a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)
    hub.add("me/big", dict.fromkeys(FILES, b"a newer main"))
    (models(tmp_path) / "big" / "config.json").unlink()

    result = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)

    assert result["commit"] == commit
    assert result["downloaded"] == 1
    assert contents(models(tmp_path))["big/config.json"] == FILES["config.json"]


def test_another_revision_is_another_model(hub: ModelHub, tmp_path: Path) -> None:
    old = hub.add("me/big", FILES)
    new = hub.add("me/big", {**FILES, "config.json": b'{"dim": 2}'})
    a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)

    result = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED, "revision": old}).do("download-1", download.run)

    assert (result["commit"], result["downloaded"]) == (old, 1)
    assert new != old
    assert contents(models(tmp_path))["big/config.json"] == FILES["config.json"]


def test_files_that_somebody_put_there_are_kept_if_they_are_the_right_ones(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    place = models(tmp_path) / "big"
    place.mkdir(parents=True)
    (place / "model-1.safetensors").write_bytes(WEIGHTS)
    (place / "model-2.safetensors").write_bytes(WEIGHTS[:1000])  # half a download of somebody else's
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED})

    result = run.do("download-1", download.run)

    assert result["downloaded"] == 3
    assert contents(models(tmp_path))["big/model-2.safetensors"] == FILES["model-2.safetensors"]
    assert run.messages("warning") == [
        f"{place / 'model-2.safetensors'} is not the file that me/big has; it is replaced"
    ]


def test_gated_without_a_token(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES, gated=True)
    failed = failure(a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}))
    assert (failed.code, failed.message) == ("DPC732", "me/big is gated, and no token was given")
    assert f"Accept its licence at {hub.url}/me/big. Set api_keys.huggingface_token" in failed.hint
    assert contents(models(tmp_path)) == {}


def test_gated_with_a_token_that_has_not_accepted(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES, gated=True)
    hub.tokens.add(TOKEN)
    failed = failure(a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}, token=TOKEN))
    assert failed.code == "DPC732"
    assert "the account of the token may not read it" in failed.message


def test_gated_with_a_token_that_has(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES, gated=True, readers={TOKEN})
    hub.tokens.add(TOKEN)
    a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}, token=TOKEN).do("download-1", download.run)
    assert len(contents(models(tmp_path))) == 4
    to_others = [headers for _verb, path, headers in hub.requests if path.startswith("/lfs/")]
    assert to_others
    assert not any("Authorization" in headers for headers in to_others)


def test_a_token_that_the_hub_does_not_know(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    failed = failure(a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}, token=TOKEN))
    assert (failed.code, failed.message) == ("DPC733", "the Hub does not accept the token that was given for me/big")
    assert TOKEN not in f"{failed.message}{failed.hint}{failed.output_tail}"


@pytest.mark.parametrize("token", [None, TOKEN])
def test_private_or_missing(hub: ModelHub, tmp_path: Path, token: str | None) -> None:
    hub.add("me/secret", FILES, private=True)
    hub.tokens.add(TOKEN)
    sources = [{"repo": name, "files": WANTED, "to": tmp_path / name} for name in ("me/secret", "me/none")]
    failed = failure(a_run(hub, tmp_path, *sources, token=token))
    why = "the token may not see it" if token else "is private"
    assert failed.code == "DPC731"
    assert [d["message"] for d in failed.diagnostics] == [
        f"me/secret does not exist, or {why}",
        f"me/none does not exist, or {why}",
    ]


def test_everything_that_cannot_be_had_is_told_at_once_and_nothing_is_downloaded(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/good", FILES)
    hub.add("me/gated", FILES, gated=True)
    sources: list[dict[str, Any]] = [
        {"repo": "me/good", "files": ["config.json", "transformer/*", "*.pth"]},
        {"repo": "me/good", "files": WANTED, "revision": "v9"},
        {"repo": "me/good", "file": "none.safetensors"},
        {"repo": "me/gated", "files": WANTED},
        {"repo": "me/good", "files": WANTED},
    ]
    run = a_run(hub, tmp_path, *({**source, "to": models(tmp_path) / str(n)} for n, source in enumerate(sources)))

    failed = failure(run, "download-5")

    assert [(d["code"], d["message"]) for d in failed.diagnostics] == [
        ("DPC731", "me/good has no file transformer/*, *.pth"),
        ("DPC731", "me/good has no branch, tag or commit 'v9'"),
        ("DPC731", "me/good has no file none.safetensors"),
        ("DPC732", "me/gated is gated, and no token was given"),
    ]
    assert contents(models(tmp_path)) == {}
    assert failure(run, "download-1") is failed, "asked once in a run"


def test_a_volume_that_is_too_small_for_all_of_them_is_told_first(
    hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/one", FILES)
    hub.add("me/two", FILES)
    sources = [{"repo": f"me/{name}", "files": WANTED, "to": models(tmp_path) / name} for name in ("one", "two")]
    room = type("Usage", (), {"free": 2 * len(WEIGHTS) + 1000})
    monkeypatch.setattr("worker.modelstore.preflight.shutil.disk_usage", lambda _path: room)

    failed = failure(a_run(hub, tmp_path, *sources))

    assert failed.code == "DPC734"
    assert failed.message == (
        "the models need 1.0 MB, and the volume has 513.0 kB free (me/one 512.0 kB, me/two 512.0 kB)"
    )
    assert contents(models(tmp_path)) == {}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="/lfs/", status=503),
        Fault(match="/lfs/", drop_after=100_000),
        Fault(match="/lfs/", corrupt=True),
        Fault(match="/resolve/.*config.json", status=429),
        Fault(match="/api/models/me/big/tree", status=503),
        Fault(match="/api/models/me/big$|/revision/", status=502),
    ],
    ids=lambda fault: f"{fault.match} {fault.status or ''}{'drop' if fault.drop_after else ''}{fault.corrupt or ''}",
)
def test_what_passes_is_tried_again(hub: ModelHub, tmp_path: Path, fault: Fault) -> None:
    hub.add("me/big", FILES)
    hub.faults.append(fault)
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED})

    run.do("download-1", download.run)

    assert fault.times == 0
    assert contents(models(tmp_path))["big/model-1.safetensors"] == WEIGHTS
    assert leftovers(tmp_path) == []


def test_a_download_that_stands_still_is_ended_and_tried_without_xet(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", {"model.safetensors": WEIGHTS})
    hub.faults.append(Fault(match="/lfs/", stall_after=1000))
    source = {"repo": "me/big", "files": ["*.safetensors"]}
    run = a_run(hub, tmp_path, source, download_stall_seconds=3.0)

    run.do("download-1", download.run)

    assert contents(models(tmp_path)) == {"big/model.safetensors": WEIGHTS}
    assert run.messages("note") == ["me/big: nothing arrived for 3 s; 1 files are tried again in 1 s"]
    assert leftovers(tmp_path) == []


def test_a_hub_that_is_away(hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.modelstore.preflight._TRIES", 2)
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED})
    run.settings = plain_settings({"HF_ENDPOINT": "http://127.0.0.1:9", "HOME": str(tmp_path)})
    failed = failure(run)
    assert failed.code == "DPC730"
    assert failed.message.startswith("me/big cannot be reached: ConnectError")
    assert failed.resumable


def test_bytes_that_are_never_right_are_not_left_where_the_trainer_reads(
    hub: ModelHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.modelstore.bringing._TRIES", 2)
    hub.add("me/big", {"model.safetensors": WEIGHTS})
    hub.faults.append(Fault(match="/lfs/", corrupt=True, times=100))
    failed = failure(a_run(hub, tmp_path, {"repo": "me/big", "files": ["*.safetensors"]}))
    assert failed.code == "DPC730"
    assert "model.safetensors is not what it should be" in failed.message
    assert contents(models(tmp_path)) == {}
    assert leftovers(tmp_path) == []


def test_asking_to_stop_ends_a_download_that_hangs(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    hub.faults.append(Fault(match="/lfs/", stall_after=1000, times=2))
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED})

    def stop_when_it_hangs() -> None:
        while not hub.asked("/lfs/"):
            pass
        run.stop.request("cancelled")

    waiting = threading.Thread(target=stop_when_it_hangs)
    waiting.start()
    with pytest.raises(Stopped):
        run.do("download-1", download.run)
    waiting.join()
    assert leftovers(tmp_path) == []
    assert not any(name.endswith(".safetensors") for name in contents(models(tmp_path)))


def test_a_rehearsal_finds_out_and_downloads_nothing(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    run = a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}, rehearse=True)
    result = run.do("download-1", download.run)
    assert result["rehearsed"]
    assert run.messages("note") == ["me/big can be downloaded: 4 files, 512.0 kB; left out here"]
    assert not models(tmp_path).exists() or contents(models(tmp_path)) == {}
    assert hub.asked("/lfs/") == []


def test_the_books_say_which_commit_and_which_bytes(hub: ModelHub, tmp_path: Path) -> None:
    commit = hub.add("me/big", FILES)
    a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}).do("download-1", download.run)
    [book] = (models(tmp_path) / ".dpcompile" / "complete").iterdir()
    noted = json.loads(book.read_text("utf-8"))
    digests = {entry["path"]: entry["sha256"] for entry in noted["files"]}
    assert noted["commit"] == commit
    assert digests["model-1.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()


def test_a_folder_where_a_file_belongs_is_told_and_stays(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("me/big", FILES)
    in_the_way = models(tmp_path) / "big" / "config.json"
    in_the_way.mkdir(parents=True)
    (in_the_way / "notes.txt").write_text("mine", "utf-8")

    failed = failure(a_run(hub, tmp_path, {"repo": "me/big", "files": WANTED}))

    assert failed.code == "DPC735"
    assert failed.message == f"{in_the_way} is a folder, and a file of me/big belongs there"
    assert (in_the_way / "notes.txt").read_text("utf-8") == "mine"
