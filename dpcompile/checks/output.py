"""Where the result goes, and fields of the job that do nothing beside others."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.secrecy import PLACEHOLDER, is_signed
from dpcompile.wording import listing, quote

_BELONGS = {"huggingface": "huggingface", "s3": "s3", "upload_url": "presigned"}


def unused_targets(facts: Facts) -> Iterator[Diagnostic]:
    """Settings of a target that the method does not use."""
    method = facts.settings["output"]["method"]
    for name, target in _BELONGS.items():
        if method not in ("auto", target) and facts.job.get("output", name):
            text = f"output.{name} has no effect: output.method is {quote(method)}"
            yield facts.in_job("DPC227", ("output", name), text, f'Take it out, or use method "{target}" or "auto".')


def upload_address(facts: Facts) -> Iterator[Diagnostic]:
    """The presigned method has nowhere to go without an address."""
    url = facts.job.get("output", "upload_url")
    if facts.settings["output"]["method"] == "presigned" and url in (None, PLACEHOLDER):
        text = 'output.method "presigned" needs output.upload_url'
        yield facts.in_job("DPC452", ("output", "method"), text, "Add the presigned address.")
    if isinstance(url, str) and url != PLACEHOLDER and not url.startswith(("http://", "https://")):
        text = "output.upload_url must be an http(s) address"
        yield facts.in_job("DPC221", ("output", "upload_url"), text, "Give the whole presigned address.")


def endpoint(facts: Facts) -> Iterator[Diagnostic]:
    """The plan shows the endpoint, so no secret may stand in it."""
    place = ("output", "s3", "endpoint_url")
    url = facts.job.get(*place)
    if not isinstance(url, str):
        return
    if is_signed(url):
        text = "output.s3.endpoint_url must not carry a user name, password or query"
        yield facts.in_job("DPC225", place, text, "Put the keys into access_key and secret_key.")
    elif not url.startswith(("http://", "https://")):
        text = "output.s3.endpoint_url must be an http(s) address"
        yield facts.in_job("DPC221", place, text, "Write it like https://s3.example.com.")


def unused_captioning(facts: Facts) -> Iterator[Diagnostic]:
    """Captioning settings for media that is not captioned."""
    brought = facts.job.get("dataset", "type") == "precaptioned"
    for name in facts.job.get("captioning") or {}:
        if brought:
            text = f"captioning.{name} has no effect: precaptioned data brings its captions"
            yield facts.in_job("DPC227", ("captioning", name), text, "Take it out.")
        elif name in ("images", "videos") and name not in facts.all_kinds and facts.kinds:
            text = f"captioning.{name} has no effect: the job has {listing(facts.all_kinds, 'and')} only"
            yield facts.in_job("DPC227", ("captioning", name), text, "Take it out.")


CHECKS = (unused_targets, upload_address, endpoint, unused_captioning)
