"""Publishing to every target, with real clients and servers on this machine, and with what goes wrong on the way."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.worker.doubles.hub import Hub
from tests.worker.doubles.hubstore import User
from tests.worker.doubles.web import Reply, Request, WebServer, json_reply
from tests.worker.publishing.results import Finished, finished, safetensors
from worker.errors import StepFailed, Stopped

TOKEN = "hf_test0123456789abcdef"
KEYS = {"s3_access_key": "AKIA0123456789ABCDEF", "s3_secret_key": "0123456789abcdef0123456789abcdef01234567"}
FILES = {"README.md", "adapter_model.safetensors", "dataset.toml", "loss.csv", "loss.png", "train.toml"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(tokens={TOKEN: User(name="tester"), "hf_read_only_0123456789": User(name="reader", role="read")}) as hub:
        yield hub


def to_hub(hub: Hub, tmp_path: Path, token: str | None = TOKEN, method: str = "huggingface", **more: Any) -> Finished:
    secrets = {"huggingface_token": token} if token else {}
    return finished(tmp_path, {"method": method}, secrets=secrets, environ={"HF_ENDPOINT": hub.url}, **more)


class Host:
    """A server that keeps what it is sent by PUT or as a form, and gives it back."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.web = WebServer(self._answer)
        self.url = self.web.url

    def __enter__(self) -> Host:
        self.web.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self.web.__exit__(None, None, None)

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return Reply(body=self.kept[request.path], headers={"Content-Type": "application/zip"})
        body = request.body
        if "multipart/form-data" in request.headers.get("content-type", ""):
            head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
            parts: Any = message_from_bytes(head + body).get_payload()
            body = next(p.get_payload(decode=True) for p in parts if "filename" in str(p["Content-Disposition"]))
        path = f"/kept/{hashlib.sha256(body).hexdigest()[:8]}.zip"
        self.kept[path] = body
        if request.path == "/file_io":
            return json_reply({"success": True, "link": f"{self.url}{path}"})
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Reply(body=f"{self.url}{path}\n".encode(), headers={"ETag": f'"{etag}"'})


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as host:
        yield host


def hosts(host: Host) -> dict[str, Any]:
    return {"litterbox_url": f"{host.url}/litterbox", "transfer_sh_url": host.url, "file_io_url": f"{host.url}/file_io"}


def failure(job: Finished) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        job.publish()
    return caught.value


# --- the Hub


def test_the_hub_gets_the_files_as_they_are_and_a_card(hub: Hub, tmp_path: Path) -> None:
    result = to_hub(hub, tmp_path).publish()

    repo = "tester/diffusion-pipe-lora-job-1234"
    files = hub.files(repo)
    assert set(files) == FILES
    assert files["adapter_model.safetensors"] == safetensors()
    card = files["README.md"].decode()
    for word in ("base_model", "ohwx", "epochs", "loss.png", "adamw"):
        assert word in card, word
    output = result["output"]
    assert output["repo_url"] == f"{hub.url}/{repo}"
    assert output["safetensors_url"] == f"{hub.url}/{repo}/resolve/main/adapter_model.safetensors"
    assert output["download_method"] == "huggingface"
    assert output["expires_in_days"] is None
    assert hub.store.repos["model", repo].private
    assert result["latest_epoch"] == "epoch2"


def test_done_again_nothing_is_sent_a_second_time(hub: Hub, tmp_path: Path) -> None:
    job = to_hub(hub, tmp_path)
    first = job.publish()
    asked = len(hub.requests)

    again = job.changed()

    assert again.publish() == first
    assert len(hub.requests) == asked
    assert again.messages("note") == ["the Hugging Face Hub has it since an earlier run"]


@pytest.mark.parametrize("match", ["/api/repos/create", "/commit/", "preupload", "paths-info", "whoami", "/lfs"])
def test_what_passes_is_tried_again(hub: Hub, tmp_path: Path, match: str) -> None:
    hub.fail(match, status=503, times=2)

    to_hub(hub, tmp_path).publish()

    assert set(hub.files("tester/diffusion-pipe-lora-job-1234")) == FILES


def test_a_commit_whose_answer_was_lost_is_found(hub: Hub, tmp_path: Path) -> None:
    hub.fail("/commit/", status=504, done_first=True)

    to_hub(hub, tmp_path).publish()

    assert set(hub.files("tester/diffusion-pipe-lora-job-1234")) == FILES


@pytest.mark.parametrize("token", ["hf_read_only_0123456789", "hf_unknown_0123456789"])
def test_a_token_that_may_not_write(hub: Hub, tmp_path: Path, token: str) -> None:
    failed = failure(to_hub(hub, tmp_path, token))

    assert failed.code == "DPC760"
    assert "the Hugging Face Hub: " in failed.message
    assert "Nothing is lost: the model is on the volume" in failed.hint
    assert token not in f"{failed.message}{failed.hint}"


def test_without_a_token_the_job_s_only_target_is_told_to_be_incomplete(hub: Hub, tmp_path: Path) -> None:
    failed = failure(to_hub(hub, tmp_path, None))

    assert failed.message == "no target took the result: the Hugging Face Hub: there is no Hugging Face token"


def test_a_rehearsal_goes_to_a_repository_of_its_own_and_says_so(hub: Hub, tmp_path: Path) -> None:
    output = to_hub(hub, tmp_path, rehearse=True).publish()["output"]

    assert output["repo_url"] == f"{hub.url}/tester/diffusion-pipe-lora-job-1234-rehearsal"
    assert output["note"].startswith("Rehearsal. ")
    card = hub.files("tester/diffusion-pipe-lora-job-1234-rehearsal")["README.md"].decode()
    assert "rehearsal" in card.lower()


# --- S3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    yield f"http://{address}:{port}"
    server.stop()


def s3_client(endpoint: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["s3_access_key"],
        aws_secret_access_key=KEYS["s3_secret_key"],
    )


def to_s3(endpoint: str, tmp_path: Path, bucket: str = "results") -> Finished:
    given = {"endpoint_url": endpoint, "bucket": bucket, "region": "us-east-1"}
    return finished(tmp_path, {"method": "s3", "s3": given}, secrets=KEYS)


def test_s3_gets_an_archive_and_a_signed_address_gives_it_back(s3: str, tmp_path: Path) -> None:
    import requests

    s3_client(s3).create_bucket(Bucket="results")
    job = to_s3(s3, tmp_path)

    output = job.publish()["output"]

    answer = requests.get(output["download_url"], timeout=30)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert set(archive.namelist()) == FILES
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("adapter_model.safetensors") == safetensors()
    assert output["expires_in_days"] == 7
    [kept] = s3_client(s3).list_objects_v2(Bucket="results")["Contents"]
    assert kept["Key"] == "diffusion-pipe-outputs/job-12345678/diffusion-pipe-lora-job-1234-epoch2.zip"
    assert not list((job.job / "publish").glob("*.zip")), "it needs room, and is held elsewhere"
    job.changed().publish()


def test_a_bucket_that_is_not_there(s3: str, tmp_path: Path) -> None:
    assert "S3: the bucket is not there" in failure(to_s3(s3, tmp_path, "nowhere")).message


# --- addresses and hosts


def test_a_presigned_address_gets_the_archive_and_is_never_told(host: Host, tmp_path: Path) -> None:
    url = f"{host.url}/put/here?X-Amz-Signature=0123456789abcdef"
    job = finished(tmp_path, {"method": "presigned", "upload_url": url}, secrets={"upload_url": url})

    result = job.publish()

    [content] = host.kept.values()
    assert hashlib.sha256(content).hexdigest() == result["archive_sha256"]
    assert "The server's digest of it is the right one." in result["output"]["note"]
    assert "0123456789abcdef" not in json.dumps([result, job.told])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"0123456789abcdef" in path.read_bytes()]


def test_a_presigned_address_into_the_network_around_the_worker_is_refused(host: Host, tmp_path: Path) -> None:
    url = f"{host.url}/put?X-Amz-Signature=0123456789abcdef"
    given = {"method": "presigned", "upload_url": url}
    job = finished(tmp_path, given, secrets={"upload_url": url}, allow_private_addresses=False)

    assert "a private, loopback or link-local one" in failure(job).message
    assert host.web.requests == []


@pytest.mark.parametrize(("method", "days"), [("litterbox", 3), ("transfer_sh", 14), ("file_io", 14)])
def test_hosts_for_everybody(host: Host, tmp_path: Path, method: str, days: int) -> None:
    result = finished(tmp_path, {"method": method}, **hosts(host)).publish()

    output = result["output"]
    content = host.kept[output["download_url"].removeprefix(host.url)]
    assert hashlib.sha256(content).hexdigest() == result["archive_sha256"]
    assert (output["download_method"], output["expires_in_days"]) == (method, days)


def test_a_host_that_answers_something_else(host: Host, tmp_path: Path) -> None:
    host.web.faults.append(fault("/litterbox", status=200, body=b"No space left, sorry"))

    failed = failure(finished(tmp_path, {"method": "litterbox"}, **hosts(host)))

    assert "it answered no address but 'No space left, sorry'" in failed.message


def test_what_is_read_back_has_to_be_what_was_sent(host: Host, tmp_path: Path) -> None:
    host.web.faults.append(fault("/kept/", method="GET", status=200, body=b"something else", times=9))

    assert failure(finished(tmp_path, {"method": "litterbox"}, **hosts(host))).code == "DPC760"


def fault(match: str, **how: Any) -> Any:
    from tests.worker.doubles.web import Fault

    return Fault(match=match, **how)


# --- one after the other


def test_auto_takes_the_first_that_holds_it_and_failures_before_it_are_warnings(
    hub: Hub, host: Host, tmp_path: Path
) -> None:
    hub.fail("/commit/", status=403, times=99)
    job = to_hub(hub, tmp_path, method="auto", **hosts(host))

    output = job.publish()["output"]

    assert output["download_method"] == "litterbox"
    [told] = output["warnings"]
    assert told.startswith("the Hugging Face Hub: ")
    assert [note for note in job.messages("note") if "S3 is left out: no bucket is named" in note]


def test_when_all_fail_nothing_is_lost(hub: Hub, host: Host, tmp_path: Path) -> None:
    hub.fail(".*", status=500, times=999)
    host.web.faults.append(fault(".*", status=403, times=999))
    job = to_hub(hub, tmp_path, method="auto", **hosts(host), publish_patience_seconds=0.05)

    failed = failure(job)

    assert failed.code == "DPC760"
    assert failed.resumable
    for name in ("the Hugging Face Hub", "litterbox", "transfer.sh", "file.io"):
        assert f"{name}: " in failed.message
    assert (job.model / "adapter_model.safetensors").read_bytes() == safetensors()
    assert not list((job.job / "publish").glob("*.zip"))


def test_the_volume_alone(tmp_path: Path) -> None:
    job = finished(tmp_path, {"method": "volume"})

    output = job.publish()["output"]

    folder = Path(output["network_volume_path"])
    assert {path.name for path in folder.iterdir()} == FILES
    assert folder == job.job / "published"
    assert output["download_url"] is None
    job.changed().publish()
    assert {path.name for path in folder.iterdir()} == FILES


def test_asking_to_stop_ends_an_upload(hub: Hub, tmp_path: Path) -> None:
    job = to_hub(hub, tmp_path)
    job.stop.request("cancelled")

    with pytest.raises(Stopped):
        job.publish()

    assert not hub.store.repos


# --- what may leave


def test_a_wandb_key_in_the_trainer_s_copies_does_not_leave(hub: Hub, tmp_path: Path) -> None:
    job = to_hub(hub, tmp_path)

    job.publish()

    text = hub.files("tester/diffusion-pipe-lora-job-1234")["train.toml"].decode()
    assert re.search(r'wandb_api_key = ""', text)
    run = job.model.parent
    assert "wandb-key-of-somebody" not in (run / "train.toml").read_text("utf-8")


@pytest.mark.parametrize("form", ["plain", "base64", "url", "json"])
def test_a_file_with_a_secret_in_it_stays(hub: Hub, tmp_path: Path, form: str) -> None:
    import base64
    from urllib.parse import quote

    secret = 'p/ss"w+rd-0123456789'
    written = {
        "plain": secret.encode(),
        "base64": base64.b64encode(b"x:" + secret.encode()),
        "url": quote(secret, "").encode(),
        "json": json.dumps({"a": secret}).encode(),
    }[form]
    job = to_hub(hub, tmp_path)
    job.secrets["gemini_api_key"] = secret
    (job.model / "notes.txt").write_bytes(b"before " * 100 + written + b" after")

    result = job.publish()

    assert "notes.txt" not in hub.files("tester/diffusion-pipe-lora-job-1234")
    assert "a secret of this job stands in notes.txt: the file is not published" in result["output"]["warnings"]


def test_weights_with_a_secret_in_them_do_not_leave(hub: Hub, tmp_path: Path) -> None:
    job = to_hub(hub, tmp_path)
    secret = "sk-0123456789abcdefghij"
    job.secrets["gemini_api_key"] = secret
    (job.model / "adapter_model.safetensors").write_bytes(safetensors(secret.encode() * 3))

    failed = failure(job)

    assert failed.code == "DPC762"
    assert secret not in f"{failed.message}{failed.hint}"
    assert not hub.store.repos


@pytest.mark.parametrize("harm", ["cut", "tmp", "gone", "empty", "checkpoint"])
def test_half_a_model_is_not_published(hub: Hub, tmp_path: Path, harm: str) -> None:
    job = to_hub(hub, tmp_path)
    weights = job.model / "adapter_model.safetensors"
    if harm == "cut":
        weights.write_bytes(safetensors()[:-1])
    elif harm == "tmp":
        (job.model / "tmp").mkdir()
    elif harm == "gone":
        job.results["train"] = {**job.results["train"], "model_folder": str(job.model.with_name("epoch9"))}
    elif harm == "empty":
        weights.unlink()
    else:
        job.results["train"] = {**job.results["train"], "model_folder": str(job.model.with_name("global_step9"))}

    assert failure(job).code == "DPC761"
    assert not hub.store.repos
