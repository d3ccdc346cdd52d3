"""The double of the Hub is what the real client takes it for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.worker.doubles.hub import Hub
from tests.worker.doubles.hubstore import User

# Of huggingface_hub itself, when it sends a large file in parts.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKENS = {
    "hf_writer": User(name="tester", orgs=("club",)),
    "hf_reader": User(name="reader", role="read"),
}
WEIGHTS = os.urandom(100_000)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(tokens=TOKENS, part_size=30_000) as running:
        yield running


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token="hf_writer")


def download(hub: Hub, repo: str, name: str, folder: Path, token: str | bool = False, revision: str = "main") -> bytes:
    api = HfApi(endpoint=hub.url, token=token)
    return Path(api.hf_hub_download(repo, name, local_dir=folder, revision=revision)).read_bytes()


def test_files_large_in_parts_and_small_come_back_as_they_were(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    api.create_repo("tester/lora", private=True)
    sent = {"README.md": b"# hello\n", "empty.txt": b"", "a/w.safetensors": WEIGHTS, "b/w.bin": WEIGHTS[:20_000]}
    api.create_commit(
        "tester/lora",
        [CommitOperationAdd(path_in_repo=p, path_or_fileobj=d) for p, d in sent.items()],
        commit_message="all of it",
    )

    folder = snapshot_download("tester/lora", local_dir=tmp_path, endpoint=hub.url, token="hf_writer")

    assert {p: (Path(folder) / p).read_bytes() for p in sent} == sent == hub.files("tester/lora")
    assert [c.title for c in hub.commits("tester/lora")] == ["initial commit", "all of it"]
    info = {f.path: f for f in api.get_paths_info("tester/lora", list(sent)) if hasattr(f, "lfs")}
    assert info["a/w.safetensors"].lfs is not None
    assert info["a/w.safetensors"].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert info["README.md"].lfs is None
    assert not [r for r in hub.cdn_requests if "authorization" in r.headers], "a token went to another origin"


def test_the_same_content_again_makes_no_commit(hub: Hub, api: HfApi) -> None:
    api.create_repo("tester/lora")
    for _ in range(2):
        api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.safetensors", repo_id="tester/lora")

    assert len(hub.commits("tester/lora")) == 2


def test_private_gated_and_missing_are_told_apart(hub: Hub, tmp_path: Path) -> None:
    hub.seed("club/secret", {"x.txt": b"x"}, private=True)
    hub.seed("other/gated", {"x.txt": b"x"}, gated=True, allowed=("tester",))
    hub.seed("other/open", {"x.txt": b"x"})

    assert download(hub, "other/open", "x.txt", tmp_path) == b"x"
    assert download(hub, "club/secret", "x.txt", tmp_path / "s", "hf_writer") == b"x"
    assert download(hub, "other/gated", "x.txt", tmp_path / "g", "hf_writer") == b"x"
    with pytest.raises(RepositoryNotFoundError):
        download(hub, "club/secret", "x.txt", tmp_path / "n")
    with pytest.raises(GatedRepoError):
        download(hub, "other/gated", "x.txt", tmp_path / "n", "hf_reader")
    with pytest.raises(RepositoryNotFoundError) as missing:
        download(hub, "other/none", "x.txt", tmp_path / "n", "hf_reader")
    assert not isinstance(missing.value, GatedRepoError)
    with pytest.raises(RemoteEntryNotFoundError):
        download(hub, "other/open", "y.txt", tmp_path / "n")
    with pytest.raises(RevisionNotFoundError):
        download(hub, "other/open", "x.txt", tmp_path / "n", revision="0" * 40)


def test_tokens_that_may_not_write_are_refused(hub: Hub) -> None:
    for token, status in (("hf_reader", 403), ("hf_unknown", 401)):
        with pytest.raises(HfHubHTTPError) as refused:
            HfApi(endpoint=hub.url, token=token).create_repo("tester/lora")
        assert refused.value.response.status_code == status
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub.url, token="hf_writer").create_repo("stranger/lora")
    assert refused.value.response.status_code == 403


def test_a_stale_parent_is_refused(hub: Hub, api: HfApi) -> None:
    first = hub.seed("tester/lora", {"x.txt": b"1"})
    hub.seed("tester/lora", {"x.txt": b"2"})
    add = [CommitOperationAdd(path_in_repo="y.txt", path_or_fileobj=b"y")]

    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit("tester/lora", add, commit_message="late", parent_commit=first.oid)
    assert refused.value.response.status_code == 412


def test_a_dropped_download_is_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.seed("other/open", {"w.safetensors": WEIGHTS})
    fault = hub.fail("/_lfs/", method="GET", drop_after=40_000)

    assert download(hub, "other/open", "w.safetensors", tmp_path) == WEIGHTS
    assert fault.reached.is_set()


def test_an_answer_can_be_lost_after_the_commit_was_made(hub: Hub, api: HfApi) -> None:
    api.create_repo("tester/lora")
    hub.fail("/commit/", status=503, done_first=True)

    with pytest.raises(HfHubHTTPError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id="tester/lora")
    assert hub.files("tester/lora") == {"x.txt": b"x"}
