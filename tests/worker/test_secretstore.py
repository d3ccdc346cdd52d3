"""The store of secrets: it hands them out by name and keeps them out of what is told."""

from __future__ import annotations

import pytest

from dpcompile.plan import SecretNeed
from worker.errors import StepFailed
from worker.secretstore import SecretStore

NEED = SecretNeed(
    name="huggingface_token",
    pointer="/input/api_keys/huggingface_token",
    env=("HF_TOKEN", "HUGGING_FACE_TOKEN", "HUGGINGFACE_TOKEN"),
    required=True,
)


def test_a_secret_is_found_under_both_ways_to_name_it() -> None:
    store = SecretStore({"upload_url": "https://host.example.com/x?sig=abc"})
    assert store.get("upload_url") == store.get("secret:upload_url") == "https://host.example.com/x?sig=abc"
    assert store.get("s3_access_key") is None


def test_a_missing_secret_says_where_it_may_be_given() -> None:
    with pytest.raises(StepFailed, match="huggingface_token is missing: a gated model") as caught:
        SecretStore({}, [NEED]).require("secret:huggingface_token", "a gated model")
    assert caught.value.code == "DPC701"
    assert caught.value.hint == (
        "Set api_keys.huggingface_token in the job, or HF_TOKEN or HUGGING_FACE_TOKEN in the environment of the worker."
    )


def test_an_empty_secret_is_missing() -> None:
    with pytest.raises(StepFailed):
        SecretStore({"huggingface_token": ""}).require("huggingface_token", "x")


def test_every_form_of_a_secret_is_removed() -> None:
    store = SecretStore({"key": "a/b+c d=12"})
    assert store.redact("x a/b+c d=12 y a%2Fb%2Bc%20d%3D12 z a%2Fb%2Bc+d%3D12") == "x *** y *** z ***"


def test_a_secret_inside_another_leaves_nothing_behind() -> None:
    store = SecretStore({"a": "abcdef", "b": "abcdefghij"})
    assert store.redact("abcdefghij") == "***"


def test_json_values_are_redacted_with_their_keys() -> None:
    store = SecretStore({"a": "hf_secret"})
    assert store.redact_value({"hf_secret": ["x hf_secret", 1, None]}) == {"***": ["x ***", 1, None]}


def test_the_representation_names_secrets_and_tells_none() -> None:
    assert repr(SecretStore({"a": "hf_secret"})) == "SecretStore(a)"
