"""Data in S3, with moto's server and boto3's own signatures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.fetching.fetches import a_run, dataset, failure, fetched, picture, zipped
from tests.worker.modelruns import Run

KEYS = {"s3_access_key": "AKIA0123456789ABCDEF", "s3_secret_key": "0123456789abcdef0123456789abcdef01234567"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> str:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["s3_access_key"],
        aws_secret_access_key=KEYS["s3_secret_key"],
    )
    client.create_bucket(Bucket="data")
    client.put_object(Bucket="data", Key="photos.zip", Body=zipped({"a.png": picture(1), "a.txt": b"one"}))
    for number in range(3):
        client.put_object(Bucket="data", Key=f"set/{number}.png", Body=picture(number))
    client.put_object(Bucket="data", Key="set/notes.md", Body=b"# no")
    return "data"


def s3_run(tmp_path: Path, endpoint: str, source: str, **more: Any) -> Run:
    environ = {"AWS_ENDPOINT_URL_S3": endpoint, "AWS_REGION": "us-east-1"}
    private = {"allow_private_addresses": False}  # an endpoint of the operator's may be private all the same
    return a_run(tmp_path, source, kind="s3", secrets=KEYS, environ=environ, settings=private, **more)


def test_an_object(tmp_path: Path, endpoint: str, bucket: str) -> None:
    fetched(s3_run(tmp_path, endpoint, f"s3://{bucket}/photos.zip"))

    assert dataset(tmp_path) == {"a.png": picture(1), "a.txt": b"one"}
    assert fetched(s3_run(tmp_path, endpoint, f"s3://{bucket}/photos.zip"))["kept"]


def test_a_folder(tmp_path: Path, endpoint: str, bucket: str) -> None:
    run = s3_run(tmp_path, endpoint, f"s3://{bucket}/set/")

    fetched(run)

    assert dataset(tmp_path) == {f"{number}.png": picture(number) for number in range(3)}
    assert fetched(s3_run(tmp_path, endpoint, f"s3://{bucket}/set/"))["kept"]
    assert "1 file that is neither media nor a caption is left out (notes.md)" in run.messages("warning")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("s3://data/nothing.zip", "there is nothing at s3://data/nothing.zip"),
        ("s3://data/nothing/", "there is nothing below s3://data/nothing/"),
        ("s3://no-such-bucket/a.zip", "there is no bucket no-such-bucket"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_what_is_not_there(tmp_path: Path, endpoint: str, source: str, told: str) -> None:
    failed = failure(s3_run(tmp_path, endpoint, source))

    assert failed.code == "DPC711"
    assert told in failed.message


@pytest.mark.usefixtures("bucket")
def test_an_endpoint_that_the_job_names_may_not_be_private(tmp_path: Path, endpoint: str) -> None:
    from dpcompile.plan import Step

    target = {"kind": "s3", "endpoint_url": endpoint, "region": "us-east-1"}
    publish = Step(id="publish", kind="publish", needs=(), args={"targets": [target]})

    failed = failure(s3_run(tmp_path, endpoint, "s3://data/photos.zip", steps=[publish]))

    assert failed.code == "DPC712"
