"""What the other side refused, in words, with the code and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.errors import StepFailed
from worker.modelstore.sources import Source

_TOKEN = "Set api_keys.huggingface_token in the job, or HF_TOKEN in the environment of the worker."
PASSING = ("network", "corrupt")
"""Kinds of failures that another try may not have."""


def told(source: Source, failure: Mapping[str, Any], endpoint: str) -> StepFailed:
    """The failure of one source. `endpoint` is the Hub's address, for pages that the user has to visit."""
    kind, detail = failure["kind"], failure.get("detail") or ""
    page = f"{endpoint}/{source.repo}"
    with_token = failure.get("with_token", False)
    if kind == "gated" and with_token:
        return StepFailed(
            "DPC732",
            f"{source.name} is gated, and the account of the token may not read it",
            f"Accept its licence at {page} with the account that the token belongs to. A fine-grained token also "
            "needs the permission to read gated repositories.",
        )
    if kind == "gated":
        return StepFailed(
            "DPC732", f"{source.name} is gated, and no token was given", f"Accept its licence at {page}. {_TOKEN}"
        )
    if kind == "bad_token":
        return StepFailed(
            "DPC733",
            f"the Hub does not accept the token that was given for {source.name}",
            f"Make a new token at {endpoint}/settings/tokens. {_TOKEN}",
        )
    if kind == "no_repo":
        return _no_repo(source, page, with_token)
    if kind == "no_revision":
        return StepFailed(
            "DPC731",
            f"{source.repo} has no branch, tag or commit {source.revision!r}",
            f"The versions that it has are at {page}. Correct `revision` in the model spec.",
        )
    if kind == "no_file":
        return _no_file(source, page, detail)
    if kind == "disk_full":
        return disk_full(source)
    if kind == "not_writable":
        return StepFailed(
            "DPC735", f"{source.name} cannot be written to {source.to}: {detail}", "Mount the volume for writing."
        )
    if kind == "corrupt":
        return StepFailed(
            "DPC730",
            f"what arrives of {source.name} is again and again not what it should be: {detail}",
            "A proxy or a mirror may be changing it. Try again later, or check sha256 in the model spec.",
        )
    if kind == "refused":
        return StepFailed("DPC730", f"{source.name} was refused: {detail}", "Look at the address in a browser.")
    return StepFailed(
        "DPC730",
        f"{source.name} cannot be reached: {detail}",
        "Try again; what is complete is kept. If it lasts, see whether this machine reaches the internet.",
    )


def _no_repo(source: Source, page: str, with_token: bool) -> StepFailed:
    if with_token:
        hint = (
            f"See whether {page} opens in a browser for the account of the token, and correct `repo` in the model spec."
        )
    else:
        hint = f"Correct `repo` in the model spec. If it is private, give a token that may read it. {_TOKEN}"
    why = "does not exist, or the token may not see it" if with_token else "does not exist, or is private"
    return StepFailed("DPC731", f"{source.name} {why}", hint)


def _no_file(source: Source, page: str, detail: str) -> StepFailed:
    if source.url is not None:
        return StepFailed("DPC731", f"there is no file at {source.url} ({detail})", "Correct `url` in the model spec.")
    return StepFailed(
        "DPC731",
        f"{source.name} has no file {detail}",
        f"Its files are listed at {page}/tree/{source.revision}. Correct `file` or `files` in the model spec.",
    )


def disk_full(source: Source) -> StepFailed:
    return StepFailed(
        "DPC734",
        f"the volume became full while {source.name} was downloaded",
        "Remove models or old outputs, or take a larger volume. What is complete is kept.",
    )
