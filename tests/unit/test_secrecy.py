"""Secrets are found wherever they were put, in whatever shape, and are hidden from everything that is said."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job
from dpcompile.diagnostics import Diagnostic
from dpcompile.report import as_json, as_text, to_json
from dpcompile.secrecy import (
    LOCATION_FIELDS,
    PLACEHOLDER,
    SECRET_FIELDS,
    Secrets,
    find_secrets,
    is_signed,
    looks_secret,
    redacted_job,
    shown_url,
)

SECRET = "hf_Zz09secretsecret"
SIGNED = f"https://user:{SECRET}@example.com/data.zip"
PLACES = [place for place, _env in SECRET_FIELDS.values()]
WANDB_PLACES = [
    ("training", "wandb_api_key"),
    ("training", "monitoring", "wandb_api_key"),
    ("training", "model", "wandb_api_key"),
    ("training", "passthrough", "monitoring", "wandb_api_key"),
]
ADDRESSES = {
    "images_url": ("dataset", "images_url"),
    "videos_url": ("dataset", "videos_url"),
    "eval_images_url": ("dataset", "eval", "images_url"),
    "eval_videos_url": ("dataset", "eval", "videos_url"),
}
CATALOGUE = Catalogue()


def job(place: tuple[str, ...] = (), value: object = None) -> dict[str, Any]:
    """A job that holds `value` at a place."""
    made: dict[str, Any] = {
        "model_type": "flux",
        "dataset": {"type": "images", "images_url": "https://example.com/photos.zip"},
    }
    if place:
        node = made
        for part in place[:-1]:
            node = node.setdefault(part, {})
        node[place[-1]] = value
    return made


def hidden(*jobs: object) -> bool:
    return find_secrets(*jobs).redact(f"it is {SECRET}!") == "it is ***!"


# ---- finding them


@pytest.mark.parametrize("place", [*PLACES, *WANDB_PLACES], ids=".".join)
@pytest.mark.parametrize(
    "value",
    [SECRET, [SECRET], {"value": SECRET}, {SECRET: 1}, [{"a": ["b", SECRET]}]],
    ids=["text", "list", "object", "key", "deep"],
)
def test_every_secret_is_found_in_any_shape(place: tuple[str, ...], value: object) -> None:
    assert hidden(job(place, value))


@pytest.mark.parametrize("place", [*PLACES, *WANDB_PLACES], ids=".".join)
def test_no_other_place_makes_a_text_secret(place: tuple[str, ...]) -> None:
    assert not hidden(job(("training", "adapter", "rank"), SECRET), job(place, "another secret"))


@pytest.mark.parametrize(
    "place",
    [("api_keys", "hugging_face_token"), ("api_keys",), ("output", "huggingface"), ("output", "s3")],
    ids=".".join,
)
def test_a_secret_under_a_wrong_name_or_one_step_too_high_is_found(place: tuple[str, ...]) -> None:
    assert hidden(job(place, SECRET))


@pytest.mark.parametrize(
    "place",
    [
        *LOCATION_FIELDS.values(),
        ("output", "upload_url"),
        ("output", "s3", "endpoint_url"),
        ("dataset", "eval"),
        ("dataset",),
        ("output",),
    ],
    ids=".".join,
)
@pytest.mark.parametrize(
    "address",
    [
        f"https://example.com/a.zip?X-Amz-Signature={SECRET}",
        f"https://example.com/a.zip?a=1&sig={SECRET}&b=2",
        f"https://{SECRET}@example.com/a.zip",
        f"https://user:{SECRET}@example.com/a.zip",
        f"https://{SECRET}:x@example.com/a.zip",
        f"https://example.com/a.zip#{SECRET}",
        f"https://example.com?{SECRET}",
        f"s3://{SECRET}@bucket/key",
    ],
)
def test_the_secret_parts_of_addresses_are_found(place: tuple[str, ...], address: str) -> None:
    assert hidden(job(place, address))


@pytest.mark.parametrize("place", LOCATION_FIELDS.values(), ids=".".join)
def test_the_plain_parts_of_addresses_are_no_secrets(place: tuple[str, ...]) -> None:
    secrets = find_secrets(job(place, "https://datasets.example.com/training/photos.zip?download=true"))

    assert secrets.redact("photos.zip of datasets.example.com") == "photos.zip of datasets.example.com"
    assert secrets.redact("download is true") == "download is true"


@pytest.mark.parametrize(("value", "secret"), [("12characters", True), ("11character", False)])
def test_a_long_value_of_a_query_is_a_secret_by_itself(value: str, secret: bool) -> None:
    secrets = find_secrets(job(("dataset", "images_url"), f"https://example.com/a?id=1&sig={value}"))

    assert secrets.redact(value) == ("***" if secret else value)
    assert secrets.redact(f"id=1&sig={value}") == "***"


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "HF_TOKEN", "MY_PASSWORD"])
def test_environment_variables_with_such_names_hold_secrets(name: str) -> None:
    assert hidden(job(("launch", "env", name), SECRET))
    assert not hidden(job(("launch", "env", "NCCL_DEBUG"), SECRET))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("HF_TOKEN", True),
        ("hf_token", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("ACCESSKEY", True),
        ("APIKEY", True),
        ("WANDB_API_KEY", True),
        ("PGPASSWORD", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("SSH_PRIVATE_KEY", True),
        ("NCCL_DEBUG", False),
        ("PYTORCH_CUDA_ALLOC_CONF", False),
        ("KEYBOARD", False),
        ("", False),
    ],
)
def test_names_of_variables_tell_whether_they_hold_secrets(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


@pytest.mark.parametrize("text", ["", "x", "1234567"])
def test_texts_too_short_to_be_secrets_are_left_alone(text: str) -> None:
    assert find_secrets(job(("api_keys", "huggingface_token"), text)) == Secrets(texts=())


def test_eight_characters_are_a_secret() -> None:
    assert find_secrets(job(("api_keys", "huggingface_token"), "12345678")) == Secrets(texts=("12345678",))


def test_a_placeholder_is_no_secret() -> None:
    assert find_secrets(job(("api_keys", "huggingface_token"), PLACEHOLDER)) == Secrets(texts=())


@pytest.mark.parametrize(
    "value", [None, 5, "text", [], {"api_keys": 5}, {"output": [1]}, {"dataset": None}, {"launch": {"env": "x"}}]
)
def test_what_is_no_job_has_no_secrets(value: object) -> None:
    assert find_secrets(value) == Secrets(texts=())


def test_a_wandb_key_is_found_inside_lists_too() -> None:
    assert hidden({"training": {"monitoring": [{"x": [{"wandb_api_key": SECRET}]}]}})


def test_the_addresses_and_environment_variables_are_those_that_were_promised() -> None:
    assert LOCATION_FIELDS == ADDRESSES
    env = {name: variables for name, (_place, variables) in SECRET_FIELDS.items()}
    hub = {"HF_TOKEN", "HUGGING_FACE_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN"}
    assert hub <= set(env["huggingface_token"]) == set(env["huggingface_output_token"])
    assert env["gemini_api_key"] == ("GEMINI_API_KEY",)
    assert set(env["s3_access_key"]) == {"AWS_ACCESS_KEY_ID", "BUCKET_ACCESS_KEY_ID"}
    assert set(env["s3_secret_key"]) == {"AWS_SECRET_ACCESS_KEY", "BUCKET_SECRET_ACCESS_KEY"}
    assert env["upload_url"] == ()


def test_several_pieces_of_a_job_are_searched() -> None:
    assert hidden(job(), {"api_keys": {"gemini_api_key": SECRET}})


def test_the_named_secrets_are_the_secrets_of_the_jobs_schema() -> None:
    schema = json.loads((CATALOGUE.dirs.schemas / "job.schema.json").read_text("utf-8"))
    found: set[tuple[str, ...]] = set()
    stack: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), schema)]
    while stack:
        place, node = stack.pop()
        node = schema["$defs"].get(node.get("$ref", "").removeprefix("#/$defs/"), {}) | node
        if node.get("x-secret"):
            found.add(place)
        stack += [((*place, name), inner) for name, inner in node.get("properties", {}).items()]

    assert found == set(PLACES)


# ---- hiding them


def test_the_longest_secret_is_hidden_first() -> None:
    secrets = find_secrets({"api_keys": {"a": "12345678", "b": "0-12345678-9"}})

    assert secrets.redact("0-12345678-9 and 12345678") == "*** and ***"


@pytest.mark.parametrize("secret", ['quote"quote', "back\\slash", "ümläute ü", "new\nline\nnew", "\ud800 surrogate"])
def test_a_secret_is_hidden_as_it_is_and_as_json_shows_it(secret: str) -> None:
    secrets = find_secrets({"api_keys": {"a": secret}})

    assert secrets.redact(f"<{secret}>") == "<***>"
    assert secrets.redact(json.dumps(f"<{secret}>")) == '"<***>"'
    assert secrets.found_in(json.dumps({"x": f"a{secret}b"}))


def test_every_occurrence_is_hidden() -> None:
    assert Secrets(texts=(SECRET,)).redact(f"{SECRET}, {SECRET}{SECRET}") == "***, ******"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"hf_Zz09s... and', '"***... and'),
        ('"hf_Zz09secretsecre..."', '"***..."'),
        ('"hf_Zz09...', '"hf_Zz09...'),
        ("... hf_Zz09secr... hf_Zz09s...", "... ***... ***..."),
        ("... hf_Zz09secr", "... hf_Zz09secr"),
        ("and so on...", "and so on..."),
    ],
)
def test_the_start_of_a_secret_in_a_quote_that_was_cut_is_hidden(text: str, shown: str) -> None:
    assert Secrets(texts=(SECRET,)).redact(text) == shown


def test_found_in_tells_whether_a_secret_stands_in_a_text() -> None:
    assert Secrets(texts=(SECRET,)).found_in(f"a{SECRET}b")
    assert not Secrets(texts=(SECRET,)).found_in(SECRET[:-1])
    assert not Secrets(texts=()).found_in("anything")


def test_findings_are_redacted_in_all_that_they_say() -> None:
    found = Diagnostic(
        code="DPC201", severity="error", path=f"/{SECRET}", message=f"m {SECRET}", hint=f"h {SECRET}", file="job.json"
    )

    [told] = Secrets(texts=(SECRET,)).redact_all([found])

    assert (told.path, told.message, told.hint, told.file) == ("/***", "m ***", "h ***", "job.json")
    assert Secrets(texts=()).redact_all([found]) == (found,)


# ---- addresses


@pytest.mark.parametrize(
    ("url", "shown", "signed"),
    [
        ("https://example.com/a.zip", "https://example.com/a.zip", False),
        ("https://example.com", "https://example.com", False),
        ("https://example.com/a?b=c", "https://example.com/a", True),
        ("https://example.com?b=c/d", "https://example.com", True),
        ("https://example.com/a#b", "https://example.com/a", True),
        ("https://user@example.com/a", "https://example.com/a", True),
        ("https://user:pass@example.com:80/a?b#c", "https://example.com:80/a", True),
        ("https://a@b@example.com", "https://example.com", True),
        ("https://example.com/a@b", "https://example.com/a@b", False),
        ("s3://bucket/key?v=1", "s3://bucket/key", True),
        ("hf://datasets/a/b@main", "hf://datasets/a/b@main", False),
        ("/data/what?.zip", "/data/what?.zip", False),
        ("user@host:data", "user@host:data", False),
        ("", "", False),
    ],
)
def test_addresses_are_shown_without_what_may_be_secret(url: str, shown: str, signed: bool) -> None:
    assert shown_url(url) == shown
    assert is_signed(url) is signed


# ---- a job without its secrets


def test_a_job_without_its_secrets_says_everything_else() -> None:
    whole = job(("output", "s3"), {"secret_key": SECRET, "bucket": "b"})
    whole["dataset"]["images_url"] = SIGNED
    whole["api_keys"] = {"huggingface_token": "x"}
    before = copy.deepcopy(whole)

    assert redacted_job(whole, find_secrets(whole)) == {
        "model_type": "flux",
        "dataset": {"type": "images", "images_url": "https://example.com/data.zip"},
        "output": {"s3": {"secret_key": "***", "bucket": "b"}},
    }
    assert whole == before


def test_lists_and_keys_lose_their_secrets_too() -> None:
    assert redacted_job({SECRET: [SECRET, (1, SIGNED)]}, Secrets(texts=(SECRET,))) == {
        "***": ["***", [1, "https://example.com/data.zip"]]
    }


# ---- the whole compiler

SHAPES = [
    pytest.param(place, value, id=f"{'.'.join(place)}-{type(value).__name__}")
    for place in [*PLACES, *WANDB_PLACES, ("api_keys", "hf"), ("output", "huggingface"), ("launch", "env", "HF_TOKEN")]
    for value in (SECRET, [SECRET], {"value": SECRET})
] + [
    pytest.param(place, value, id=f"{'.'.join(place)}-{n}")
    for place in [*LOCATION_FIELDS.values(), ("dataset", "eval"), ("dataset",), ("output", "upload_url")]
    for n, value in enumerate(
        (
            f"https://example.com/data.zip?sig={SECRET}",
            f"ftp://x:{SECRET}@example.com",
            [f"https://{SECRET}@example.com"],
            f"https://example.com/a/rather/long/path/data.zip?{SECRET}{SECRET}",
        )
    )
]


@pytest.mark.parametrize(("place", "value"), SHAPES)
def test_nothing_that_comes_out_holds_a_secret(place: tuple[str, ...], value: object) -> None:
    result = compile_job(json.dumps(job(place, value)), catalogue=CATALOGUE)

    said = as_text(result.diagnostics) + as_json([to_json(d) for d in result.diagnostics])
    made = "".join(file.text for file in result.files) + (json.dumps(result.plan.to_json()) if result.plan else "")
    assert SECRET[:12] not in said + made


@pytest.mark.parametrize(
    "field",
    [
        ("dataset", "trigger_word"),
        ("captioning", "images", "prompt"),
        ("training", "caption_prefix"),
        ("training", "monitoring", "wandb_run_name"),
    ],
    ids=".".join,
)
def test_a_secret_that_was_also_written_elsewhere_stops_the_job(field: tuple[str, ...]) -> None:
    leaking = job(field, f"a {SECRET}")
    leaking["api_keys"] = {"huggingface_token": SECRET}

    result = compile_job(leaking, catalogue=CATALOGUE)

    assert "DPC505" in {d.code for d in result.diagnostics}
    assert (result.plan, result.files) == (None, ())


def test_secrets_said_by_set_are_hidden_too() -> None:
    sets = [f"api_keys.huggingface_token={SECRET}", f"dataset.trigger_word={SECRET}", f"model_type={SECRET}"]

    result = compile_job(job(), catalogue=CATALOGUE, sets=sets)

    assert result.diagnostics
    assert SECRET not in as_text(result.diagnostics)


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "NCCL_DEBUG", "PYTORCH_CUDA_ALLOC_CONF"])
def test_environment_variables_that_only_sound_like_secrets(name: str) -> None:
    assert not looks_secret(name)
    assert compile_job(job(("launch", "env"), {name: "false"}), catalogue=CATALOGUE).ok
