"""The job inside its document: the envelope, what `--set` lays over it, and where things were said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import parse_json
from dpcompile.job import ENVELOPE_KEYS, JobInput, check_job, job_fields, job_schema, read_job, secrets_by_set
from dpcompile.resources import DataDirs
from dpcompile.secrecy import LOCATION_FIELDS, SECRET_FIELDS

DIRS = DataDirs.default()
PLAIN: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}


def reading(value: object, *sets: str, preset: str | None = None) -> tuple[JobInput | None, list[Diagnostic]]:
    document, found = parse_json(json.dumps(value), file="job.json")
    assert found == ()
    assert document is not None
    job, problems = read_job(document, sets, preset, DIRS)
    return job, list(problems)


def read(value: object, *sets: str, preset: str | None = None) -> JobInput:
    """A job in which nothing is wrong so far."""
    job, found = reading(value, *sets, preset=preset)
    assert found == []
    assert job is not None
    return job


def check(value: object, *sets: str, names: frozenset[str] = frozenset()) -> list[Diagnostic]:
    return list(check_job(read(value, *sets), DIRS, names))


# ---- the envelope


def test_a_job_may_stand_alone_or_in_an_envelope() -> None:
    bare, wrapped = read(PLAIN), read({"id": "abc", "input": PLAIN})

    assert bare.value == wrapped.value == PLAIN
    assert (bare.prefix, bare.envelope_id) == ((), None)
    assert (wrapped.prefix, wrapped.envelope_id) == (("input",), "abc")


@pytest.mark.parametrize("envelope", [{"input": PLAIN}, {"id": None, "input": PLAIN}])
def test_an_envelope_needs_no_id(envelope: dict[str, Any]) -> None:
    assert read(envelope).envelope_id is None


@pytest.mark.parametrize("key", ENVELOPE_KEYS)
def test_runpods_own_keys_are_noted_and_left_to_it(key: str) -> None:
    job, [found] = reading({"id": "abc", "input": PLAIN, key: {"x": 1}})

    assert job is not None
    assert job.value == PLAIN
    assert (found.code, found.severity, found.path, found.file) == ("DPC228", "info", f"/{key}", "job.json")
    assert "RunPod" in found.message


@pytest.mark.parametrize("key", ["model_type", "training", "Input", "webhok"])
def test_what_stands_beside_input_would_be_ignored_so_it_is_an_error(key: str) -> None:
    job, [found] = reading({"input": PLAIN, key: 1})

    assert job is not None
    assert (found.code, found.severity, found.path) == ("DPC201", "error", f"/{key}")
    assert "Move it into input" in found.hint


def test_an_editors_schema_may_stand_in_both() -> None:
    assert read({"$schema": "x", "input": PLAIN}).value == PLAIN
    assert check({"$schema": "x", **PLAIN}) == []


@pytest.mark.parametrize("value", [5, 1.5, True, ["a"], {"a": 1}])
def test_an_id_that_is_no_text_is_told_and_not_used(value: object) -> None:
    job, [found] = reading({"id": value, "input": PLAIN})

    assert job is not None
    assert job.envelope_id is None
    assert (found.code, found.path) == ("DPC203", "/id")


@pytest.mark.parametrize("value", [None, 5, "text", [PLAIN]])
def test_an_input_that_is_no_object_is_no_job(value: object) -> None:
    job, [found] = reading({"id": "a", "input": value})

    assert job is None
    assert (found.code, found.path) == ("DPC203", "/input")


def test_an_id_without_an_envelope_is_an_unknown_field() -> None:
    assert [(d.code, d.path) for d in check({"id": "abc", **PLAIN})] == [("DPC201", "/id")]


# ---- --set and --preset


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("model_type=sdxl", ("model_type",), "sdxl"),
        ("dataset.type=videos", ("dataset", "type"), "videos"),
        ("dataset.eval.fraction=0.1", ("dataset", "eval", "fraction"), 0.1),
        ("dataset.images_url=null", ("dataset", "images_url"), None),
        ("launch.num_gpus=2", ("launch", "num_gpus"), 2),
        ("launch.env.A=b", ("launch", "env"), {"A": "b"}),
    ],
)
def test_set_is_laid_over_the_job(text: str, place: tuple[str, ...], value: object) -> None:
    job = read({"input": PLAIN}, text)

    assert job.get(*place) == value
    assert job.place(place) == ("--set", "/" + "/".join(place))


def test_set_changes_only_what_it_names() -> None:
    job = read(PLAIN, "dataset.trigger_word=ohwx")

    assert job.value == {**PLAIN, "dataset": {**PLAIN["dataset"], "trigger_word": "ohwx"}}
    assert job.overrides == {"dataset": {"trigger_word": "ohwx"}}


def test_an_object_takes_the_place_of_what_is_none() -> None:
    assert read({**PLAIN, "launch": None}, "launch.num_gpus=2").value["launch"] == {"num_gpus": 2}
    assert read({**PLAIN, "launch": {"num_gpus": 2}}, "launch=null").value["launch"] is None
    assert read({**PLAIN, "launch": {"hosts": ["a"]}}, 'launch.hosts=["b"]').get("launch", "hosts") == ["b"]


def test_training_of_job_and_set_stay_layers_of_their_own() -> None:
    job = read({"input": {**PLAIN, "training": {"epochs": 1}}}, "epochs=2", "optimizer.lr=1")

    assert job.value["training"] == {"epochs": 1}
    assert job.training_layers == (
        ("job", "job.json", ("input", "training"), {"epochs": 1}),
        ("set", "--set", ("training",), {"epochs": 2, "optimizer": {"lr": 1}}),
    )


def test_without_training_there_is_no_layer() -> None:
    assert read(PLAIN).training_layers == ()
    assert [layer[0] for layer in read(PLAIN, "epochs=2").training_layers] == ["set"]
    assert [layer[0] for layer in read({**PLAIN, "training": None}).training_layers] == ["job"]


def test_mistakes_in_set_are_told_with_those_of_the_envelope() -> None:
    _job, found = reading({"input": PLAIN, "x": 1}, "epochs")

    assert [(d.code, d.file) for d in found] == [("DPC201", "job.json"), ("DPC223", "--set")]


def test_a_preset_may_be_an_option() -> None:
    job = read({**PLAIN, "preset": "a"}, preset="24")

    assert job.get("preset") == "24"
    assert job.place(("preset",)) == ("--preset", "")
    assert read({**PLAIN, "preset": "a"}).place(("preset",)) == ("job.json", "/preset")
    assert read(PLAIN, "preset=b").place(("preset",)) == ("--set", "/preset")


def test_two_presets_on_the_command_line_are_told() -> None:
    assert read(PLAIN, "preset=a", preset="a").get("preset") == "a"

    _job, [found] = reading(PLAIN, "preset=b", preset="a")

    assert (found.code, found.path, found.file) == ("DPC223", "/preset", "--set")


SECRET_PLACES = [*(place for place, _env in SECRET_FIELDS.values()), *LOCATION_FIELDS.values()]


@pytest.mark.parametrize("place", SECRET_PLACES, ids=".".join)
@pytest.mark.parametrize("whole", [False, True], ids=["leaf", "section"])
def test_a_secret_given_by_set_would_never_reach_the_worker(place: tuple[str, ...], whole: bool) -> None:
    url = "https://example.com/a.zip?sig=abcdefgh"
    inner: Any = url
    for part in reversed(place[1:]):
        inner = {part: inner}
    text = f"{place[0]}={json.dumps(inner)}" if whole else f"{'.'.join(place)}={url}"

    [found] = secrets_by_set(read(PLAIN, text))

    assert (found.code, found.severity) == ("DPC231", "error")
    assert (found.file, found.path) == ("--set", "/" + "/".join(place))
    assert "abcdefgh" not in found.message + found.hint


@pytest.mark.parametrize(
    "text",
    [
        "epochs=3",
        "output.method=s3",
        "output.s3.bucket=b",
        "api_keys.huggingface_token=null",
        "api_keys.huggingface_token=",
        "api_keys.huggingface_token=token_here",
        "dataset.images_url=https://example.com/a.zip",
        "dataset.images_url=null",
        "dataset.images_url=5",
    ],
)
def test_other_overrides_are_no_secrets(text: str) -> None:
    assert list(secrets_by_set(read({**PLAIN, "api_keys": {"gemini_api_key": "abcdefgh"}}, text))) == []


# ---- places and values


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), ("job.json", "/input")),
        (("model_type",), ("job.json", "/input/model_type")),
        (("dataset", "images_url"), ("job.json", "/input/dataset/images_url")),
        (("dataset", "trigger_word"), ("--set", "/dataset/trigger_word")),
        (("output", "s3", "bucket"), ("--set", "/output/s3/bucket")),
        # Said by both: the job is where people look.
        (("dataset",), ("job.json", "/input/dataset")),
        (("output",), ("--set", "/output")),
        (("launch", "hosts", 0), ("job.json", "/input/launch/hosts/0")),
        (("launch", "hosts", 9), ("job.json", "/input/launch/hosts/9")),
        (("nowhere", "at", "all"), ("job.json", "/input/nowhere/at/all")),
        (("a/b",), ("job.json", "/input/a~1b")),
    ],
)
def test_a_place_is_where_something_was_said(path: tuple[str | int, ...], place: tuple[str, str]) -> None:
    value = {**PLAIN, "launch": {"hosts": ["a", "b"]}}
    job = read({"input": value}, "dataset.trigger_word=x", "output.s3.bucket=b")

    assert job.place(path) == place


def test_said_tells_what_was_written_even_if_it_is_nothing() -> None:
    job = read({**PLAIN, "preset": None, "launch": {"hosts": ["a"]}}, "output.method=volume")

    for path in (("preset",), ("dataset", "type"), ("launch", "hosts", 0), ("output", "method")):
        assert job.said(path)
    for other in (("api_keys",), ("dataset", "eval"), ("launch", "hosts", 1), ("preset", "x"), ("dataset", 0)):
        assert not job.said(other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model_type",), "flux"),
        (("dataset", "type"), "images"),
        (("dataset", "trigger_word"), None),
        (("dataset", "eval", "fraction"), None),
        (("model_type", "x"), None),
        (("output", "method"), None),
        (("launch", "num_gpus"), 0),
        (("launch", "resume"), False),
    ],
)
def test_get_gives_values_and_takes_empty_text_for_none(path: tuple[str, ...], value: object) -> None:
    dataset = {**PLAIN["dataset"], "trigger_word": "", "eval": None}
    job = read({**PLAIN, "dataset": dataset, "launch": {"num_gpus": 0, "resume": False}})

    assert job.get(*path) == value
    assert type(job.get(*path)) is type(value)


def test_reading_leaves_the_document_as_it_is() -> None:
    document, _found = parse_json(json.dumps({"input": PLAIN}), file="job.json")
    assert document is not None

    read_job(document, ["dataset.type=videos", "epochs=1"], "p", DIRS)

    assert document.value == {"input": PLAIN}


# ---- the schema of jobs


def test_the_smallest_job_is_well_formed() -> None:
    assert check(PLAIN) == []


def test_the_largest_job_is_well_formed() -> None:
    everything = {
        "$schema": "x",
        "model_type": "wan13",
        "preset": None,
        "dataset": {
            "type": "both",
            "images_url": "/a",
            "videos_url": None,
            "trigger_word": "ohwx",
            "image_repeats": 1,
            "video_repeats": 5,
            "missing_caption": "skip",
            "eval": {"images_url": "/b", "videos_url": "/c", "fraction": 0.5},
        },
        "captioning": {
            "overwrite": True,
            "images": {"captioner": "joycaption", "prompt": "p", "batch_size": 1, "max_new_tokens": 1},
            "videos": {"captioner": "gemini", "model": "m", "prompt": "p"},
        },
        "training": {"anything": {"at": ["all"]}, "passthrough": {"root": {"x": 1}}},
        "launch": {
            "num_gpus": 1,
            "hosts": ["a", "b.c-d"],
            "env": {"A_1": ""},
            "resume": "20240101_00-00-00",
            "time_limit_minutes": 0.5,
            "regenerate_cache": False,
            "trust_cache": False,
        },
        "api_keys": {"huggingface_token": None, "gemini_api_key": ""},
        "output": {
            "method": "auto",
            "huggingface": {"token": "x", "repo_id": "a/b", "private": False},
            "s3": {
                "endpoint_url": None,
                "bucket": "b",
                "region": "r",
                "access_key": "a",
                "secret_key": "s",
                "key_prefix": "",
            },
            "upload_url": None,
        },
    }
    assert check(everything) == []


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"model_type": 5}, "DPC203", "/model_type"),
        ({"model_type": ""}, "DPC205", "/model_type"),
        ({"modeltype": "x"}, "DPC201", "/modeltype"),
        ({"dataset": []}, "DPC203", "/dataset"),
        ({"dataset": {}}, "DPC202", "/dataset"),
        ({"dataset": {"type": "pictures"}}, "DPC204", "/dataset/type"),
        ({"dataset": {"type": "images", "image_repeats": 0}}, "DPC205", "/dataset/image_repeats"),
        ({"dataset": {"type": "images", "image_repeats": 1.0}}, "DPC203", "/dataset/image_repeats"),
        ({"dataset": {"type": "images", "image_repeats": True}}, "DPC203", "/dataset/image_repeats"),
        ({"dataset": {"type": "images", "images_url": ["a"]}}, "DPC203", "/dataset/images_url"),
        ({"dataset": {"type": "images", "eval": {}}}, "DPC205", "/dataset/eval"),
        ({"dataset": {"type": "images", "eval": {"fraction": 0}}}, "DPC205", "/dataset/eval/fraction"),
        ({"dataset": {"type": "images", "eval": {"fraction": 0.6}}}, "DPC205", "/dataset/eval/fraction"),
        ({"captioning": {"images": {"captioner": "blip"}}}, "DPC204", "/captioning/images/captioner"),
        ({"captioning": {"audio": {}}}, "DPC201", "/captioning/audio"),
        ({"training": []}, "DPC203", "/training"),
        ({"training": {"passthrough": 1}}, "DPC203", "/training/passthrough"),
        ({"launch": {"num_gpus": 0}}, "DPC205", "/launch/num_gpus"),
        ({"launch": {"hosts": []}}, "DPC205", "/launch/hosts"),
        ({"launch": {"hosts": ["-oProxyCommand=x"]}}, "DPC205", "/launch/hosts/0"),
        ({"launch": {"env": {"A": 1}}}, "DPC203", "/launch/env/A"),
        ({"launch": {"env": {"1A": "b"}}}, "DPC205", "/launch/env"),
        ({"launch": {"resume": "../other"}}, "DPC205", "/launch/resume"),
        ({"launch": {"time_limit_minutes": 0}}, "DPC205", "/launch/time_limit_minutes"),
        ({"api_keys": {"hf": "x"}}, "DPC201", "/api_keys/hf"),
        ({"output": {"method": "ftp"}}, "DPC204", "/output/method"),
        ({"output": {"huggingface": {"repo_id": "name"}}}, "DPC205", "/output/huggingface/repo_id"),
        ({"output": {"huggingface": {"private": "yes"}}}, "DPC203", "/output/huggingface/private"),
        ({"output": {"s3": {"bucket": ""}}}, "DPC205", "/output/s3/bucket"),
    ],
    ids=str,
)
def test_what_the_schema_does_not_allow_is_told_at_its_place(change: dict[str, Any], code: str, place: str) -> None:
    for value, prefix in (({**PLAIN, **change}, ""), ({"input": {**PLAIN, **change}}, "/input")):
        [found] = check(value)
        assert (found.code, found.path, found.file) == (code, prefix + place, "job.json")
        assert found.severity == "error"


def test_a_message_names_the_field() -> None:
    [found] = check({**PLAIN, "launch": {"num_gpus": "2"}})

    assert found.message == 'launch.num_gpus must be a whole number, at least 1, but is text "2"'
    assert found.hint == "Write 2 without quotes."


def test_a_message_that_names_the_field_does_so_once() -> None:
    [missing, unknown] = check({"model_type": "flux", "dataset": {}, "launch": {"gpus": 1}})

    assert missing.message == '"type" is missing in "dataset"'
    assert unknown.message == '"gpus" is not a field of "launch"'


@pytest.mark.parametrize("missing", ["model_type", "dataset"])
def test_what_is_missing_is_told_by_name(missing: str) -> None:
    [found] = check({k: v for k, v in PLAIN.items() if k != missing})

    assert (found.code, found.path) == ("DPC202", "")
    assert f'"{missing}"' in found.message


def test_what_set_said_wrong_is_told_there() -> None:
    [found] = check({"input": PLAIN}, "launch.num_gpus=two")

    assert (found.code, found.path, found.file) == ("DPC203", "/launch/num_gpus", "--set")


def test_what_is_missing_in_a_section_of_both_is_told_in_the_job() -> None:
    [found] = check({"model_type": "flux", "dataset": {"images_url": "/a"}}, "dataset.trigger_word=x")

    assert (found.code, found.path, found.file) == ("DPC202", "/dataset", "job.json")


def test_a_training_setting_outside_training_is_told_with_its_place() -> None:
    [found] = check({**PLAIN, "epochs": 5}, names=frozenset({"epochs"}))

    assert (found.code, found.path) == ("DPC201", "/epochs")
    assert '"training": {"epochs": …}' in found.hint
    [inside] = check({**PLAIN, "launch": {"epochs": 5}}, names=frozenset({"epochs"}))
    assert inside.hint == found.hint


@pytest.mark.parametrize("place", ["huggingface_token", "gemini_api_key"])
def test_a_secret_of_a_wrong_type_is_not_repeated(place: str) -> None:
    [found] = check({**PLAIN, "api_keys": {place: 1234567890}})

    assert found.code == "DPC203"
    assert "1234567890" not in found.message + found.hint


def test_all_mistakes_are_told_at_once() -> None:
    found = check({"model_type": 1, "dataset": {"type": "x", "image_repeats": 0}, "output": {"a": 1}, "b": 1})
    assert len(found) == 5


# ---- names of fields


def test_every_field_of_a_job_is_known_by_its_last_name() -> None:
    fields = job_fields(DIRS)

    assert fields["trigger_word"] == "dataset.trigger_word"
    assert fields["num_gpus"] == "launch.num_gpus"
    assert fields["huggingface_token"] == "api_keys.huggingface_token"
    assert fields["method"] == "output.method"
    assert fields["model_type"] == "model_type"
    # What has a place of its own at the top is known by that.
    assert fields["dataset"] == "dataset"
    assert job_schema(DIRS)["properties"].keys() - {"training"} <= fields.keys()
