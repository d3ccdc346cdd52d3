"""Where the result goes, and fields of the job that do nothing beside others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import ADDRESS, JobCheck

SIGNED = "https://store.example.com/put?signature=abcdef0123456789"


@pytest.mark.parametrize(
    ("output", "code", "place"),
    [
        ({"method": "huggingface", "s3": {"bucket": "loras"}}, "DPC227", "/output/s3"),
        ({"method": "volume", "huggingface": {"repo_id": "me/lora"}}, "DPC227", "/output/huggingface"),
        ({"method": "s3", "upload_url": SIGNED}, "DPC227", "/output/upload_url"),
        ({"method": "presigned"}, "DPC452", "/output/method"),
        ({"method": "presigned", "upload_url": "token_here"}, "DPC452", "/output/method"),
        ({"upload_url": "ftp://example.com/put"}, "DPC221", "/output/upload_url"),
        ({"s3": {"endpoint_url": "s3.example.com"}}, "DPC221", "/output/s3/endpoint_url"),
        ({"s3": {"endpoint_url": "https://me:secret@s3.example.com"}}, "DPC225", "/output/s3/endpoint_url"),
    ],
)
def test_told(check: JobCheck, output: dict[str, Any], code: str, place: str) -> None:
    found = [d for d in check("qwen", output=output).diagnostics if d.code == code]

    assert [d.path for d in found] == [place]
    assert "secret@" not in found[0].message
    assert found[0].hint


@pytest.mark.parametrize(
    "output",
    [
        {},
        {"method": "auto", "s3": {"bucket": "loras"}, "huggingface": {"repo_id": "me/lora"}, "upload_url": SIGNED},
        {"method": "presigned", "upload_url": SIGNED},
        {"method": "s3", "s3": {"endpoint_url": "https://s3.example.com", "bucket": "loras"}},
        {"method": "huggingface", "huggingface": {"private": False}},
        {"method": "volume"},
    ],
)
def test_left_in_peace(check: JobCheck, output: dict[str, Any]) -> None:
    assert check("qwen", output=output).codes == []


def test_captioning_of_precaptioned_data(check: JobCheck) -> None:
    data = {"type": "precaptioned", "images_url": ADDRESS}

    found = check("qwen", data=data, captioning={"overwrite": True, "images": {"batch_size": 8}})

    assert found.places("DPC227") == ["/captioning/overwrite", "/captioning/images"]


def test_captioning_of_media_that_the_job_has_not(check: JobCheck) -> None:
    captioning = {"images": {"batch_size": 8}}

    found = check("wan13", data="videos", captioning=captioning)

    assert (found.only.code, found.only.path) == ("DPC227", "/captioning/images")
    assert check("wan13", data="both", captioning=captioning).codes == []


def test_captioning_of_media_that_are_evaluated(check: JobCheck) -> None:
    data = {"type": "videos", "videos_url": ADDRESS, "eval": {"images_url": "https://example.com/eval.zip"}}

    assert check("wan13", data=data, captioning={"images": {"batch_size": 8}}).codes == []
