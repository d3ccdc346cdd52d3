"""Where the result goes, and the secrets that a plan needs for all it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dpcompile.keypath import pointer
from dpcompile.plan import SecretNeed, Step
from dpcompile.planinput import PlanInput
from dpcompile.secrecy import LOCATION_FIELDS, PLACEHOLDER, SECRET_FIELDS, WANDB_ENV, WANDB_KEY

AUTO_ORDER = ("huggingface", "s3", "presigned", "litterbox", "transfer_sh", "file_io")


def publish_args(given: PlanInput) -> dict[str, Any]:
    output = given.settings["output"]
    method = output["method"]
    targets = [t for t in AUTO_ORDER if method in ("auto", t) and _possible(given, t)]
    return {
        "method": method,
        "targets": [{"kind": t, **_target(given, t)} for t in targets],
        "volume_path": given.folders.output,
    }


def _possible(given: PlanInput, target: str) -> bool:
    """Whether `auto` tries a target. The Hub and S3 may be configured by the worker's environment alone."""
    return target != "presigned" or _given(given.job.get("output", "upload_url"))


def _given(secret: object) -> bool:
    return bool(secret) and secret != PLACEHOLDER


def _target(given: PlanInput, target: str) -> dict[str, Any]:
    output = given.settings["output"]
    if target == "huggingface":
        hub = output["huggingface"]
        own = _given(given.job.get("output", "huggingface", "token"))
        return {
            "repo_id": hub.get("repo_id"),
            "default_repo_name": f"diffusion-pipe-lora-{given.folders.job_id[:8]}",
            "private": hub["private"],
            "secret": "secret:huggingface_output_token" if own else "secret:huggingface_token",
        }
    if target == "s3":
        s3 = output["s3"]
        plain = {k: s3.get(k) for k in ("endpoint_url", "bucket", "region", "key_prefix")}
        return {**plain, "secrets": ["secret:s3_access_key", "secret:s3_secret_key"], "expires_in_days": 7}
    if target == "presigned":
        return {"secret": "secret:upload_url"}
    return {}


def secret_needs(given: PlanInput, steps: Sequence[Step]) -> Iterator[SecretNeed]:
    """The secrets a worker looks for: those that a step cannot do without, and those the job brings."""
    needed = _needed(given, steps)
    for name, (place, env) in SECRET_FIELDS.items():
        if name in needed or _given(given.job.get(*place)):
            where = pointer((*given.job.prefix, *place))
            yield SecretNeed(name=name, pointer=where, env=env, required=needed.get(name, False))
    for name, place in LOCATION_FIELDS.items():
        if any(step.args.get("secret") == f"secret:{name}" for step in steps):
            yield SecretNeed(name=name, pointer=pointer((*given.job.prefix, *place)), env=(), required=True)
    enabled = any(training.uses_wandb for training in given.trainings)
    if enabled or WANDB_KEY in given.secrets:
        where = given.secrets.get(WANDB_KEY, pointer((*given.job.prefix, "training", "monitoring", WANDB_KEY)))
        yield SecretNeed(name=WANDB_KEY, pointer=where, env=WANDB_ENV, required=enabled)


def _needed(given: PlanInput, steps: Sequence[Step]) -> dict[str, bool]:
    """Secret name -> whether the job fails without it."""
    needed = {"huggingface_token": any(s.kind == "download" and s.args["gated"] for s in steps)}
    if any(s.kind == "caption" and s.args["captioner"] == "gemini" for s in steps):
        needed["gemini_api_key"] = True
    method = given.settings["output"]["method"]
    if method in ("auto", "s3"):
        needed |= {"s3_access_key": method == "s3", "s3_secret_key": method == "s3"}
    if method == "huggingface":
        own = _given(given.job.get("output", "huggingface", "token"))
        needed["huggingface_output_token" if own else "huggingface_token"] = True
    if method == "presigned":
        needed["upload_url"] = True
    return needed
