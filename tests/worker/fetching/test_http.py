"""Data from the web, with everything that servers and networks do to it."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.fileserver import Fault, FileServer
from tests.worker.fetching.fetches import a_run, beside, dataset, failure, fetched, picture, zipped
from worker.errors import Stopped
from worker.fetching import http
from worker.fetching.addresses import is_public
from worker.settings import FetchLimits

PHOTOS = {f"photos/{n}.png": picture(n) for n in range(40)} | {"photos/1.txt": b"a red dot"}
FLAT = {name.removeprefix("photos/"): content for name, content in PHOTOS.items()}
ARCHIVE = zipped(PHOTOS)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as server:
        server.put("photos.zip", ARCHIVE)
        yield server


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchLimits, "pauses", (0, 0, 0))


def test_an_archive_becomes_a_flat_folder_and_nothing_else_is_left(server: FileServer, tmp_path: Path) -> None:
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    result = fetched(run)

    assert dataset(tmp_path) == FLAT
    assert {key: result[key] for key in ("files", "images", "videos", "captions", "kept")} == {
        "files": 41,
        "images": 40,
        "videos": 0,
        "captions": 1,
        "kept": False,
    }
    assert beside(tmp_path) == {"d.json", "d.lock"}
    last = [data for kind, data in run.told if kind == "progress" and data["phase"] == "downloading"][-1]
    assert (last["done"], last["total"], last["unit"]) == (len(ARCHIVE), len(ARCHIVE), "bytes")


def test_a_download_that_drops_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=2000), Fault(drop_after=1000), Fault(status=503), Fault(drop_after=1)]

    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert dataset(tmp_path) == FLAT
    assert server.sent < len(ARCHIVE) + 100, "nothing was sent twice"
    assert [request.get("Range") for request in server.requests] == [
        None,
        "bytes=2000-",
        "bytes=3000-",
        "bytes=3000-",
        "bytes=3001-",
    ]


def test_a_file_that_changes_meanwhile_is_never_a_mixture(server: FileServer, tmp_path: Path) -> None:
    other = zipped({"x.png": picture(99), "y.png": picture(98)})
    server.faults = [Fault(drop_after=700)]
    original = http.Client.get

    def get(self: Any, url: str, headers: Any, *, shown: str) -> Any:
        if "Range" in headers:
            server.put("photos.zip", other)
        return original(self, url, headers, shown=shown)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.Client, "get", get)
        fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert dataset(tmp_path) == {"x.png": picture(99), "y.png": picture(98)}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault(status=500, times=3),
        Fault(status=408),
        Fault(drop_after=0),
        Fault(claimed=len(ARCHIVE) + 5),
    ],
    ids=lambda fault: f"{fault.status} {fault.drop_after} {fault.claimed}",
)
def test_what_passes_is_tried_again(server: FileServer, tmp_path: Path, fault: Fault) -> None:
    server.faults = [dataclasses.replace(fault)]

    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert dataset(tmp_path) == FLAT


def test_a_range_that_is_not_the_one_that_was_asked_for(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=500), Fault(wrong_part=True)]

    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert dataset(tmp_path) == FLAT


def test_without_validators_every_attempt_begins_again(server: FileServer, tmp_path: Path) -> None:
    server.etags = False
    server.faults = [Fault(drop_after=500)]

    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert dataset(tmp_path) == FLAT
    assert not [request for request in server.requests if "Range" in request]


def test_a_server_that_keeps_failing_is_told_and_the_next_run_goes_on(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(drop_after=2000), Fault(status=503, times=20)]

    failed = failure(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert failed.code == "DPC710"
    assert failed.resumable
    assert failed.message == f"{server.url}/photos.zip could not be downloaded: the server has a problem (503)"
    server.faults = []
    server.requests.clear()
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    assert [request.get("Range") for request in server.requests] == ["bytes=2000-"]
    assert dataset(tmp_path) == FLAT


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "is not given out (401): access is denied"),
        (403, "is not given out (403): access is denied"),
        (404, "there is nothing at"),
        (410, "there is nothing at"),
        (418, "the server answers 418"),
    ],
)
def test_a_refusal_is_told_at_once(server: FileServer, tmp_path: Path, status: int, told: str) -> None:
    server.faults = [Fault(status=status)]

    failed = failure(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert failed.code == "DPC711"
    assert told in failed.message
    assert not failed.resumable
    assert len(server.requests) == 1


def test_a_silent_server_is_given_up_and_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(stall_after=1000)]

    fetched(a_run(tmp_path, f"{server.url}/photos.zip", environ={"DPCOMPILE_FETCH_STALL_SECONDS": "1"}))

    assert dataset(tmp_path) == FLAT
    assert server.requests[1]["Range"] == "bytes=1000-"


def test_asking_to_stop_ends_a_download_that_hangs(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(stall_after=1000)]
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    def stop_when_it_hangs() -> None:
        while not server.sent:
            run.stop.wait(0.02)
        run.stop.request("cancelled")

    threading.Thread(target=stop_when_it_hangs).start()
    with pytest.raises(Stopped):
        fetched(run)

    assert dataset(tmp_path) == {}
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    assert server.requests[1]["Range"] == "bytes=1000-"


def test_the_time_limit(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(stall_after=1000, times=99)]

    failed = failure(a_run(tmp_path, f"{server.url}/photos.zip", environ={"DPCOMPILE_FETCH_MAX_MINUTES": "0.02"}))

    assert failed.code == "DPC714"
    assert failed.resumable


def test_more_than_may_be_downloaded(server: FileServer, tmp_path: Path) -> None:
    failed = failure(a_run(tmp_path, f"{server.url}/photos.zip", environ={"DPCOMPILE_FETCH_MAX_GIB": "0.000001"}))

    assert failed.code == "DPC714"
    assert "more than 1.0 KiB" in failed.message
    assert beside(tmp_path) == {"d.lock"}


def test_data_that_has_not_changed_is_kept_with_its_captions(server: FileServer, tmp_path: Path) -> None:
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    folder = tmp_path / "work" / "datasets" / "d"
    (folder / "0.txt").write_text("ours", "utf-8")
    (folder / "cache").mkdir()
    sent = server.sent

    result = fetched(a_run(tmp_path, f"{server.url}/photos.zip"))

    assert result["kept"]
    assert server.sent == sent
    assert (folder / "0.txt").read_text("utf-8") == "ours"
    assert (folder / "cache").is_dir()


def test_data_that_has_changed_replaces_it_and_keeps_captions_of_what_has_not(
    server: FileServer, tmp_path: Path
) -> None:
    first = fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    folder = tmp_path / "work" / "datasets" / "d"
    for name in ("0", "2"):
        (folder / f"{name}.txt").write_text("ours", "utf-8")
    (folder / "cache").mkdir()
    server.put("photos.zip", zipped({"0.png": PHOTOS["photos/0.png"], "2.png": picture(77)}))
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    result = fetched(run)

    assert not result["kept"]
    assert result["content"] != first["content"]
    assert dataset(tmp_path) == {"0.png": PHOTOS["photos/0.png"], "0.txt": b"ours", "2.png": picture(77)}
    assert "1 captions of files that have not changed are used again" in run.messages("note")


def test_captions_that_the_worker_rewrites_are_not_taken_for_changes_by_hand(
    server: FileServer, tmp_path: Path
) -> None:
    files = {"a.png": picture(1), "b.png": picture(2), "b.txt": b"", "captions.json": b'{"a.png": ["one"]}'}
    server.put("photos.zip", zipped(files))
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    folder = tmp_path / "work" / "datasets" / "d"
    (folder / "captions.json").write_text('{"a.png": ["ohwx, one"]}', "utf-8")
    (folder / "b.txt").unlink()
    (folder / "cache").mkdir()
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    assert fetched(run)["kept"]
    assert (folder / "cache").is_dir()
    assert not [told for told in run.messages("warning") if "by hand" in told]


def test_changes_by_hand_are_told_and_free_the_trainers_cache(server: FileServer, tmp_path: Path) -> None:
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    folder = tmp_path / "work" / "datasets" / "d"
    (folder / "0.png").write_bytes(picture(55))
    (folder / "3.png").unlink()
    (folder / "cache").mkdir()
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    assert fetched(run)["kept"]
    assert not (folder / "cache").exists(), "it knows names, not contents"
    [told] = run.messages("warning")
    assert "missing: 3.png; changed: 0.png" in told


def test_a_server_that_is_away_does_not_stop_what_is_here(server: FileServer, tmp_path: Path) -> None:
    fetched(a_run(tmp_path, f"{server.url}/photos.zip"))
    server.faults = [Fault(status=503, times=99)]
    run = a_run(tmp_path, f"{server.url}/photos.zip")

    assert fetched(run)["kept"]
    [told] = run.messages("warning")
    assert "whether the data has changed could not be asked" in told


def test_a_web_page_in_place_of_an_archive(server: FileServer, tmp_path: Path) -> None:
    url = server.put("d", b"<!DOCTYPE html><html><body>Sign in</body></html>")

    failed = failure(a_run(tmp_path, url))

    assert failed.code == "DPC713"
    assert failed.message == "d cannot be unpacked: it is a web page, not an archive"
    assert beside(tmp_path) == {"d.lock"}


def test_a_signed_address_is_never_told(server: FileServer, tmp_path: Path) -> None:
    secret = f"{server.url}/photos.zip?X-Amz-Signature=0123456789abcdef"
    server.faults = [Fault(status=403)]
    run = a_run(tmp_path, "http://files/photos.zip", secret="secret:images_url", secrets={"images_url": secret})

    failed = failure(run)

    told = f"{failed.message}{failed.hint}{failed.output_tail}{run.told}"
    assert "0123456789abcdef" not in told
    assert "http://files/photos.zip is not given out (403)" in failed.message
    fetched(run)
    files = (path for path in tmp_path.rglob("*") if path.is_file())
    assert not [path for path in files if b"0123456789abcdef" in path.read_bytes()]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"])
def test_private_addresses_are_refused_before_anything_is_sent(server: FileServer, tmp_path: Path, host: str) -> None:
    port = server.url.rpartition(":")[2]
    run = a_run(tmp_path, f"http://{host}:{port}/photos.zip", settings={"allow_private_addresses": False})

    assert failure(run).code == "DPC712"
    assert server.requests == []


def test_redirects_and_names_are_looked_at_when_they_are_connected_to(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 stands in for a machine in the internet, which sends its visitors to this one."""
    monkeypatch.setattr("worker.fetching.http.is_public", lambda at: at == "127.0.0.2" or is_public(at))
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        known = {"outside.test": "127.0.0.2", "inside.test": "127.0.0.1"}
        return look_up(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with FileServer("127.0.0.2") as outside:
        outside.put("photos.zip", ARCHIVE)
        port, there = server.url.rpartition(":")[2], outside.url.rpartition(":")[2]
        private: dict[str, Any] = {"settings": {"allow_private_addresses": False}}
        for target in (f"http://127.0.0.1:{port}/photos.zip", f"http://inside.test:{port}/photos.zip"):
            outside.faults = [Fault(status=302, headers={"Location": target})]
            failed = failure(a_run(tmp_path, f"http://outside.test:{there}/photos.zip", **private))
            assert failed.code == "DPC712"
        outside.faults = [Fault(status=302, headers={"Location": "file:///etc/passwd"})]
        assert failure(a_run(tmp_path, f"http://outside.test:{there}/photos.zip", **private)).code == "DPC711"

        fetched(a_run(tmp_path, f"http://outside.test:{there}/photos.zip", **private))

    assert server.requests == []
    assert dataset(tmp_path) == FLAT


def test_redirects_without_end(server: FileServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=301, headers={"Location": "/photos.zip"}, times=99)]

    assert failure(a_run(tmp_path, f"{server.url}/photos.zip")).code == "DPC711"


def test_two_workers_fetch_the_data_once(server: FileServer, tmp_path: Path) -> None:
    runs = [a_run(tmp_path, f"{server.url}/photos.zip") for _ in range(3)]
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda run=run: results.append(fetched(run))) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(result["kept"] for result in results) == [False, True, True]
    assert server.sent == len(ARCHIVE)
    assert dataset(tmp_path) == FLAT


def test_another_worker_that_never_ends(server: FileServer, tmp_path: Path) -> None:
    import fcntl

    run = a_run(tmp_path, f"{server.url}/photos.zip", environ={"DPCOMPILE_FETCH_MAX_MINUTES": "0.02"})
    with (tmp_path / "work" / "datasets" / "d.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert failure(run).code == "DPC718"
    assert run.messages("note") == ["waiting for another worker that has the dataset d in hand"]
