"""Which source a plan's step means, and with which keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worker.context import StepContext
from worker.errors import StepFailed
from worker.fetching.download import Request
from worker.fetching.http import Client
from worker.fetching.hub import HubSource
from worker.fetching.local import LocalSource
from worker.fetching.progress import Watch
from worker.fetching.s3 import S3Access, S3Source
from worker.fetching.source import Source
from worker.fetching.web import WebSource
from worker.settings import FetchLimits

_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "BUCKET_ENDPOINT_URL")
_S3_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def client_of(context: StepContext, watch: Watch, limits: FetchLimits) -> Client:
    """The client for a step. An endpoint that the operator set may be private: it does not come from the job."""
    private = context.settings.allow_private_addresses
    kind = context.step.args["source_kind"]
    if kind == "hf":
        private = private or bool(_first(context, ("HF_ENDPOINT",)))
    if kind == "s3" and not _job_s3(context).get("endpoint_url"):
        private = private or bool(_first(context, _S3_ENDPOINTS))
    return Client(watch, limits, allow_private=private)


def source_of(context: StepContext, client: Client, watch: Watch) -> Source:
    """The source that a fetch step names."""
    args = context.step.args
    shown = str(args["source"])
    match args["source_kind"]:
        case "http":
            secret = args["secret"]
            url = context.secrets.require(secret, f"{shown} is fetched with it") if secret else shown
            return WebSource(client, Request(url=url, shown=shown))
        case "hf":
            token = context.secrets.get("huggingface_token")
            return HubSource(client, shown, token=token, endpoint=_first(context, ("HF_ENDPOINT",)))
        case "s3":
            return S3Source(client, shown, _s3_access(context))
        case "path":
            volume = Path(context.plan.folders["volume"])
            return LocalSource(shown, volume, Path(args["to"]).parent, watch, context.settings)
    raise StepFailed("DPC719", f"{shown} is of an unknown kind", "Compile the job again.", resumable=False)


def _first(context: StepContext, names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := context.settings.environ.get(name))), None)


def _job_s3(context: StepContext) -> dict[str, Any]:
    """What the job says of S3, for its output: data in S3 is read with the same keys, from the same place."""
    for step in context.plan.steps:
        for target in step.args.get("targets", ()) if step.kind == "publish" else ():
            if target.get("kind") == "s3":
                return dict(target)
    return {}


def _s3_access(context: StepContext) -> S3Access:
    job = _job_s3(context)
    get = context.secrets.get
    return S3Access(
        endpoint=job.get("endpoint_url") or _first(context, _S3_ENDPOINTS),
        region=job.get("region") or _first(context, _S3_REGIONS),
        access_key=get("s3_access_key") or _first(context, ("AWS_ACCESS_KEY_ID", "BUCKET_ACCESS_KEY_ID")),
        secret_key=get("s3_secret_key") or _first(context, ("AWS_SECRET_ACCESS_KEY", "BUCKET_SECRET_ACCESS_KEY")),
    )
