"""Datasets of the Hub, with its own client, against a Hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.modelhub import Fault, ModelHub
from tests.worker.fetching.fetches import a_run, dataset, failure, fetched, picture, zipped
from tests.worker.modelruns import Run

TOKEN = "hf_0123456789abcdefghij"
FILES = {
    "train/a.png": picture(1),
    "train/a.txt": b"one",
    "train/b.png": picture(2),
    "packed/more.zip": zipped({"c.png": picture(3)}),
    "README.md": b"# card",
}


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with ModelHub() as hub:
        hub.tokens.add(TOKEN)
        yield hub


def hub_run(hub: ModelHub, tmp_path: Path, source: str, token: str | None = None, **more: Any) -> Run:
    secrets = {"huggingface_token": token} if token else {}
    environ = {"HF_ENDPOINT": hub.url}
    return a_run(
        tmp_path,
        source,
        kind="hf",
        secrets=secrets,
        environ=environ,
        settings={"allow_private_addresses": False},
        **more,
    )


def test_all_files_of_a_dataset(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("datasets/me/photos", FILES)

    fetched(hub_run(hub, tmp_path, "hf://datasets/me/photos"))

    assert dataset(tmp_path) == {"a.png": picture(1), "a.txt": b"one", "b.png": picture(2), "c.png": picture(3)}
    hub.requests.clear()
    assert fetched(hub_run(hub, tmp_path, "hf://datasets/me/photos"))["kept"]
    assert not [path for _verb, path, _headers in hub.requests if path.startswith("/lfs/")]


@pytest.mark.parametrize(
    ("path", "names"), [("train", {"a.png", "a.txt", "b.png"}), ("train/b.png", {"b.png"}), ("packed", {"c.png"})]
)
def test_a_part_of_one(hub: ModelHub, tmp_path: Path, path: str, names: set[str]) -> None:
    hub.add("datasets/me/photos", FILES)

    fetched(hub_run(hub, tmp_path, f"hf://datasets/me/photos@main/{path}"))

    assert set(dataset(tmp_path)) == names


def test_a_private_one_needs_a_token(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("datasets/me/photos", FILES, private=True, readers={TOKEN})

    failed = failure(hub_run(hub, tmp_path, "hf://datasets/me/photos"))
    assert failed.code == "DPC711"
    assert "there is no such dataset without a token; a private one looks the same" in failed.message

    fetched(hub_run(hub, tmp_path, "hf://datasets/me/photos", TOKEN))
    assert "a.png" in dataset(tmp_path)


def test_a_gated_one(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("datasets/me/photos", FILES, gated=True)

    failed = failure(hub_run(hub, tmp_path, "hf://datasets/me/photos", TOKEN))

    assert failed.code == "DPC711"
    assert "is gated" in failed.message


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("hf://datasets/me/photos@v2", "the dataset has no revision v2"),
        ("hf://datasets/me/photos@main/nowhere", "there are no files under nowhere"),
        ("hf://datasets/me/nothing", "there is no such dataset"),
    ],
)
def test_what_is_not_there(hub: ModelHub, tmp_path: Path, source: str, told: str) -> None:
    hub.add("datasets/me/photos", FILES)

    failed = failure(hub_run(hub, tmp_path, source))

    assert failed.code == "DPC711"
    assert told in failed.message


def test_what_arrives_damaged_is_not_used(hub: ModelHub, tmp_path: Path) -> None:
    hub.add("datasets/me/photos", {"a.png": picture(1), "b.png": picture(2)})
    hub.faults.append(Fault(match="resolve/.*/a.png", corrupt=True, times=99))

    failed = failure(hub_run(hub, tmp_path, "hf://datasets/me/photos"))

    assert failed.code == "DPC710"
    assert failed.message.endswith("a.png could not be downloaded: what came is not what the listing promises")
    assert dataset(tmp_path) == {}
