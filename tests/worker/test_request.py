"""What a request holds: a plan or a job, a volume, secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import SecretNeed
from tests.worker.runs import WHOLE, plan_in
from worker.errors import StepFailed
from worker.request import (
    JobOptions,
    Refused,
    Request,
    check_secrets,
    check_volume,
    decoded,
    find_volume,
    gather_secrets,
    is_plan,
    read_job,
    read_plan,
)

JOB: dict[str, Any] = {
    "model_type": "wan13",
    "dataset": {
        "type": "videos",
        "videos_url": "https://user:pass-word-1@example.com/x.zip?signature=abcdefghijklmnop",
    },
    "api_keys": {"huggingface_token": "hf_of_the_job", "gemini_api_key": "token_here"},
}
TOKEN = SecretNeed(name="huggingface_token", pointer="/api_keys/huggingface_token", env=("A", "B"), required=True)
KEY = SecretNeed(name="gemini_api_key", pointer="/api_keys/gemini_api_key", env=("GEMINI_API_KEY",), required=True)


def test_the_volume_is_named_or_found(tmp_path: Path) -> None:
    there, missing = str(tmp_path), str(tmp_path / "none")
    assert find_volume({"NETWORK_VOLUME": "/data"}, (missing,)) == "/data"
    assert find_volume({"NETWORK_VOLUME": ""}, (missing, there)) == there
    with pytest.raises(StepFailed, match=r"neither .*none is there") as caught:
        find_volume({}, (missing,))
    assert caught.value.code == "DPC706"


def test_a_volume_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "none")
    with pytest.raises(StepFailed) as caught:
        check_volume(plan)
    assert caught.value.code == "DPC706"
    assert not (tmp_path / "none").exists()


def test_a_plan_is_told_from_a_job(tmp_path: Path) -> None:
    assert is_plan(plan_in(tmp_path).to_json())
    assert not is_plan(JOB)
    assert not is_plan({"id": "x", "input": JOB})
    assert not is_plan(decoded(b"not json"))
    assert not is_plan(decoded("[" * 100_000))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {}}, "changed after it was compiled"),
        ({"version": 1}, "plan version 1 is not 2"),
    ],
)
def test_a_plan_that_was_changed_is_not_run(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(StepFailed, match=words) as caught:
        read_plan({**plan_in(tmp_path).to_json(), **change})
    assert caught.value.code == "DPC700"
    assert not caught.value.resumable


@pytest.mark.parametrize("where", ["job", "file", "name", "volume"])
def test_a_plan_that_reaches_into_another_job_is_not_run(tmp_path: Path, where: str) -> None:
    plan = plan_in(tmp_path)
    file = plan.files[0]
    other = str(Path(plan.folders["work"], "jobs", "other"))
    changed = {
        "job": replace(plan, folders={**plan.folders, "job": other}),
        "file": replace(plan, files=(replace(file, path=f"{other}/train.toml"),)),
        "name": replace(plan, files=(replace(file, name="../x", path=f"{plan.folders['job']}/../x"),)),
        "volume": replace(plan, folders={**plan.folders, "volume": "here"}),
    }[where]
    with pytest.raises(StepFailed, match="the plan cannot be run: its") as caught:
        read_plan(changed.to_json())
    assert caught.value.code == "DPC700"


def test_the_mistakes_of_a_job_are_told_with_their_places() -> None:
    text = json.dumps({**JOB, "training": {"epochs": "3", "learning_rate": "x"}}, indent=1)
    with pytest.raises(Refused) as caught:
        read_job(text, JobOptions(file="my.json"), "/data", rehearse=False)
    assert caught.value.error.startswith("the job has mistakes: ")
    assert caught.value.error.endswith(" (and 1 more)")
    assert [(d["code"], d["file"], bool(d["line"])) for d in caught.value.diagnostics if d["severity"] == "error"] == [
        ("DPC203", "my.json", True),
        ("DPC203", "my.json", True),
    ]


def test_a_rehearsal_has_an_id_of_its_own() -> None:
    envelope = {"id": "my-lora", "input": JOB}
    real = read_job(envelope, JobOptions(), "/data", rehearse=False).plan
    rehearsal = read_job(envelope, JobOptions(), "/data", rehearse=True).plan
    assert (real.job_id, rehearsal.job_id) == ("my-lora", "my-lora-rehearsal")
    assert rehearsal.folders["output"].endswith("/training_outputs/my-lora-rehearsal")
    longest = read_job({"id": "x" * 128, "input": JOB}, JobOptions(), "/data", rehearse=True).plan
    assert len(longest.job_id) == 128


def test_secrets_come_from_the_job_or_else_the_environment() -> None:
    request = read_job({"id": "x", "input": JOB}, JobOptions(), "/data", rehearse=False)
    store = gather_secrets(request, {"GEMINI_API_KEY": "key-of-the-machine", "HF_TOKEN": "hf_of_the_machine"})
    assert store.get("huggingface_token") == "hf_of_the_job"
    assert store.get("gemini_api_key") == "key-of-the-machine"
    assert store.get("videos_url") == JOB["dataset"]["videos_url"]


def test_what_a_plan_does_not_name_is_hidden_all_the_same() -> None:
    request = read_job({"id": "x", "input": JOB}, JobOptions(), "/data", rehearse=False)
    store = gather_secrets(
        request, {"MY_SERVICE_TOKEN": "abcdefgh12345", "TOKEN_FILE": "/data/token", "N_TOKENS": "256"}
    )
    assert store.redact("pass-word-1 abcdefghijklmnop abcdefgh12345 /data/token 256") == "*** *** *** /data/token 256"


@pytest.mark.parametrize("value", ["", "  ", "token_here", None, 5])
def test_what_counts_as_unset(tmp_path: Path, value: object) -> None:
    plan = plan_in(tmp_path, secrets=[TOKEN])
    request = Request(plan=plan, job={"api_keys": {"huggingface_token": value}})
    assert gather_secrets(request, {"A": "token_here", "B": "second"}).get("huggingface_token") == "second"
    assert gather_secrets(request, {}).get("huggingface_token") is None


def test_all_missing_secrets_are_told_at_once_with_those_who_need_them(tmp_path: Path) -> None:
    args: dict[str, dict[str, Any]] = {"download-1": {"gated": True}, "caption-images": {"captioner": "gemini"}}
    plan = plan_in(tmp_path, args=args, secrets=[TOKEN, KEY])
    with pytest.raises(Refused) as caught:
        check_secrets(plan, gather_secrets(Request(plan=plan), {}), plan.steps)
    assert caught.value.error == "huggingface_token is missing: needed by download-1 (and 1 more)"
    assert [(d["code"], d["path"], d["hint"]) for d in caught.value.diagnostics] == [
        (
            "DPC701",
            TOKEN.pointer,
            "Set api_keys.huggingface_token in the job, or A or B in the environment of the worker.",
        ),
        (
            "DPC701",
            KEY.pointer,
            "Set api_keys.gemini_api_key in the job, or GEMINI_API_KEY in the environment of the worker.",
        ),
    ]


def test_a_secret_of_steps_that_are_not_asked_for_is_not_missed(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, args={"download-1": {"gated": True}}, secrets=[TOKEN])
    check_secrets(plan, gather_secrets(Request(plan=plan), {}), plan.steps[:1])


def test_a_secret_is_used_where_a_step_names_it(tmp_path: Path) -> None:
    url = SecretNeed(name="upload_url", pointer="/output/upload_url", env=(), required=True)
    args = {"publish": {"targets": [{"kind": "presigned", "secret": "secret:upload_url"}]}}
    plan = plan_in(tmp_path, WHOLE, args=args, secrets=[url])
    with pytest.raises(Refused, match=r"upload_url is missing: needed by publish$"):
        check_secrets(plan, gather_secrets(Request(plan=plan), {}), plan.steps)
