"""Where a job's files lie; and ids and volumes that would put them elsewhere."""

from __future__ import annotations

import posixpath
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import Document
from dpcompile.folders import DEFAULT_VOLUME, WORKING_FOLDER, Folders, made_job_id, make_folders
from dpcompile.job import JobInput, read_job
from dpcompile.resources import DataDirs

WORK = f"/volume/{WORKING_FOLDER}"
FOLDERS = Folders(volume="/volume", job_id="job-1")


def read(value: dict[str, Any]) -> JobInput:
    job, _found = read_job(Document(value=value, file="job.json", text=None), (), None, DataDirs.default())
    assert job is not None
    return job


JOB = read({"id": "x", "input": {}})


def told(volume: str, job_id: str, *, given: bool = False) -> list[Diagnostic]:
    folders, found = make_folders(JOB, volume, job_id, given=given)
    assert (folders is None) == bool(found)
    return list(found)


# ---- where they are


def test_all_folders_lie_in_the_working_folder_of_the_volume() -> None:
    assert FOLDERS.work == WORK
    assert FOLDERS.trainer == f"{WORK}/diffusion_pipe"
    assert FOLDERS.models == f"{WORK}/models"
    assert FOLDERS.output == f"{WORK}/training_outputs/job-1"
    assert FOLDERS.job == f"{WORK}/jobs/job-1"
    assert FOLDERS.file("train.toml") == f"{WORK}/jobs/job-1/train.toml"
    assert FOLDERS.dataset("abc") == f"{WORK}/datasets/abc"


@pytest.mark.parametrize("volume", ["/volume", "/volume/", "/volume//"])
def test_a_slash_at_the_end_of_the_volume_changes_nothing(volume: str) -> None:
    assert Folders(volume=volume, job_id="a").work == WORK


def test_the_root_may_be_the_volume() -> None:
    assert Folders(volume="/", job_id="a").work == f"/{WORKING_FOLDER}"


@pytest.mark.parametrize(
    ("path", "place"),
    [("flux", f"{WORK}/models/flux"), ("a/b.safetensors", f"{WORK}/models/a/b.safetensors"), ("/mnt/x", "/mnt/x")],
)
def test_paths_of_specs_are_below_the_models_unless_they_are_absolute(path: str, place: str) -> None:
    assert FOLDERS.model(path) == place


def test_nothing_but_the_trainer_writes_into_the_output() -> None:
    # The trainer takes the last entry there for its newest run.
    others = (FOLDERS.job, FOLDERS.models, FOLDERS.dataset("a"), FOLDERS.file("train.toml"), FOLDERS.trainer)
    assert not [place for place in others if place.startswith(FOLDERS.output)]


# ---- ids


@pytest.mark.parametrize(
    "job_id",
    ["a", "7", "job-1", "3f2c9a4e-1b7d-4c55-9e0a-6d1f2b3c4d5e-u1", "A.b_c-d", "a..b", "a" * 128, "con", "sync-x.y"],
)
def test_ids_that_name_a_folder_are_taken(job_id: str) -> None:
    folders, found = make_folders(JOB, "/volume", job_id, given=False)

    assert found == ()
    assert folders == Folders(volume="/volume", job_id=job_id)
    assert posixpath.normpath(folders.output) == f"{WORK}/training_outputs/{job_id}"


@pytest.mark.parametrize(
    "job_id",
    [
        "",
        ".",
        "..",
        "../other",
        "a/b",
        "a/../b",
        "/etc",
        "a\\b",
        "a b",
        " a",
        "a\n",
        "a\x00b",
        ".hidden",
        "-rf",
        "_a",
        "~",
        "$HOME",
        "ümlaut",
        "a\u2215b",
        "\uff0e\uff0e",
        "a" * 129,
    ],
    ids=ascii,
)
@pytest.mark.parametrize(("given", "place"), [(False, ("job.json", "/id")), (True, ("--job-id", ""))])
def test_ids_that_could_escape_are_refused_where_they_were_given(
    job_id: str, given: bool, place: tuple[str, str]
) -> None:
    [found] = told("/volume", job_id, given=given)

    assert (found.code, found.severity) == ("DPC222", "error")
    assert (found.file, found.path) == place
    assert "128 letters" in found.hint
    assert found.message.isascii()
    assert "\n" not in found.message


# ---- volumes


@pytest.mark.parametrize("volume", ["/", "/workspace", "/mnt/my volume", "/mnt/ü", "/a/..b", DEFAULT_VOLUME])
def test_absolute_paths_are_volumes(volume: str) -> None:
    assert told(volume, "a") == []


@pytest.mark.parametrize(
    "volume",
    ["", "volume", "./volume", "~/volume", "C:/x", "C:\\x", "/a\\b", "/a/../b", "/..", "/a\n", "/a\x00b", "/\x7f"],
)
def test_other_paths_are_not(volume: str) -> None:
    [found] = told(volume, "a")

    assert (found.code, found.file, found.path) == ("DPC226", "--volume", "")
    assert "from the root" in found.hint


def test_both_are_told_at_once() -> None:
    assert [found.code for found in told("x", "../x")] == ["DPC222", "DPC226"]


# ---- ids that are made


def test_a_made_id_names_a_folder_and_is_the_same_for_the_same_content() -> None:
    made = made_job_id("content")

    assert told("/volume", made) == []
    assert made == made_job_id("content")
    assert made != made_job_id("content ")


def compiled_id(value: dict[str, Any], **options: Any) -> str:
    result = compile_job(value, **options)
    assert result.plan is not None, result.diagnostics
    return result.plan.job_id


PLAIN: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "https://example.com/a.zip"}}


def test_the_option_goes_before_the_envelope_and_that_before_a_made_id() -> None:
    envelope = {"id": "from-envelope", "input": PLAIN}

    assert compiled_id(envelope, job_id="from-option") == "from-option"
    assert compiled_id(envelope) == "from-envelope"
    assert compiled_id({"input": PLAIN}) == compiled_id(PLAIN) != "from-envelope"


def test_a_made_id_does_not_depend_on_secrets() -> None:
    def with_token(token: str) -> dict[str, Any]:
        signed = {"type": "images", "images_url": f"https://example.com/a.zip?X-Amz-Signature={token}"}
        return {**PLAIN, "dataset": signed, "api_keys": {"huggingface_token": token}}

    assert compiled_id(with_token("hf_aaaaaaaaaaaaaaaa")) == compiled_id(with_token("hf_bbbbbbbbbbbbbbbb"))


@pytest.mark.parametrize(
    "other",
    [
        {**PLAIN, "training": {"epochs": 3}},
        {**PLAIN, "model_type": "sdxl"},
        {**PLAIN, "dataset": {"type": "images", "images_url": "https://example.com/b.zip"}},
    ],
)
def test_other_jobs_get_other_ids(other: dict[str, Any]) -> None:
    assert compiled_id(other) != compiled_id(PLAIN)


def test_set_makes_another_job() -> None:
    assert compiled_id(PLAIN, sets=["epochs=3"]) != compiled_id(PLAIN, sets=["epochs=4"])
    assert compiled_id(PLAIN, sets=["dataset.image_repeats=2"]) != compiled_id(PLAIN)


def test_how_a_job_is_started_makes_no_other_job() -> None:
    # Else `launch.resume` would never find the checkpoints.
    assert compiled_id(PLAIN, sets=["launch.num_gpus=2"]) == compiled_id({**PLAIN, "launch": {"resume": True}})
