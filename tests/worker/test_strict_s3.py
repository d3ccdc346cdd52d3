"""S3 with a server that checks every signature, where moto's would take any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions
import pytest
import requests

from tests.worker.doubles.stricts3 import ACCESS_KEY, SECRET_KEY, StrictS3
from tests.worker.fetching.fetches import a_run, dataset, fetched, picture, zipped
from tests.worker.fetching.fetches import failure as fetch_failure
from tests.worker.publishing.results import finished, safetensors
from worker.errors import StepFailed

WRONG = SECRET_KEY[::-1]
ODD_NAMES = ("a.png", "two words.png", "one+two.png", "façade.png", "50%.png")
"""Names that a listing has in the form of addresses."""
EXACT = {"s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictS3]:
    with StrictS3(tmp_path_factory.mktemp("s3")) as server:
        server.client().create_bucket(Bucket="data")
        server.client().put_object(Bucket="data", Key="photos.zip", Body=zipped({"a.png": picture(1)}))
        for name in ODD_NAMES:
            server.client().put_object(Bucket="data", Key=f"set/{name}", Body=picture(1))
        server.client().create_bucket(Bucket="results")
        yield server


def test_the_server_refuses_another_key(s3: StrictS3) -> None:
    with pytest.raises(botocore.exceptions.ClientError):
        s3.client(WRONG).list_objects_v2(Bucket="data")


@pytest.mark.parametrize(("source", "names"), [("s3://data/photos.zip", ("a.png",)), ("s3://data/set/", ODD_NAMES)])
def test_data_is_fetched_with_signatures_that_hold(
    s3: StrictS3, tmp_path: Path, source: str, names: tuple[str, ...]
) -> None:
    environ = {"AWS_ENDPOINT_URL_S3": s3.url, "AWS_REGION": "us-east-1"}
    fetched(a_run(tmp_path, source, kind="s3", secrets=EXACT, environ=environ))

    assert dataset(tmp_path) == dict.fromkeys(names, picture(1))


def test_a_wrong_key_is_told_and_not_shown(s3: StrictS3, tmp_path: Path) -> None:
    environ = {"AWS_ENDPOINT_URL_S3": s3.url, "AWS_REGION": "us-east-1"}
    secrets = {**EXACT, "s3_secret_key": WRONG}
    failed = fetch_failure(a_run(tmp_path, "s3://data/photos.zip", kind="s3", secrets=secrets, environ=environ))

    assert failed.code == "DPC711"
    assert WRONG not in f"{failed.message}{failed.hint}"


@pytest.mark.parametrize("megabytes", [1, 70], ids=["at once", "in parts"])
def test_a_result_is_put_there_and_its_signed_address_gives_it_back(
    s3: StrictS3, tmp_path: Path, megabytes: int
) -> None:
    given = {"endpoint_url": s3.url, "bucket": "results", "region": "us-east-1"}
    job = finished(tmp_path, {"method": "s3", "s3": given}, secrets=EXACT)
    (job.model / "adapter_model.safetensors").write_bytes(safetensors(bytes(megabytes << 20)))

    url = job.publish()["output"]["download_url"]

    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200
    assert len(answer.content) > megabytes << 20
    assert requests.get(url.replace("X-Amz-Signature=", "X-Amz-Signature=0"), timeout=30).status_code == 403


def test_a_result_is_not_lost_to_a_wrong_key(s3: StrictS3, tmp_path: Path) -> None:
    given = {"endpoint_url": s3.url, "bucket": "results", "region": "us-east-1"}
    job = finished(tmp_path, {"method": "s3", "s3": given}, secrets={**EXACT, "s3_secret_key": WRONG})

    with pytest.raises(StepFailed) as caught:
        job.publish()

    assert caught.value.code == "DPC760"
    assert WRONG not in f"{caught.value.message}{caught.value.hint}"
    assert (job.model / "adapter_model.safetensors").is_file()
