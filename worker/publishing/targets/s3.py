"""S3 and what speaks its protocol: the archive in parts, and a signed address to fetch it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import Stopped
from worker.publishing.archive import Archive
from worker.publishing.destination import check_destination
from worker.publishing.faults import NotConfigured, TargetFailed, status_in_words
from worker.publishing.retry import tried
from worker.publishing.target import Held, Upload, digest_note, megabytes

PART = 64 * 1024 * 1024
"""Bytes of one part: with at most 10,000 parts, archives up to 625 GiB."""
_DAY = 24 * 60 * 60
_CHUNK = 4 * 1024 * 1024
_ENDPOINT_ENV = ("BUCKET_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_KEY_ENV = ("AWS_ACCESS_KEY_ID", "BUCKET_ACCESS_KEY_ID")
_BUCKET_ENV = ("BUCKET_NAME", "AWS_BUCKET")
_REGION_ENV = ("BUCKET_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
_DEFAULT_REGION = "us-east-1"
_KEY_HINT = "Look at output.s3.access_key and secret_key, and at what they are allowed to do in the bucket."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where in S3: `endpoint` is None for Amazon's own."""

    endpoint: str | None
    name: str
    region: str
    key: str
    temporary: bool
    """Whether the credentials are of a session: an address signed with them ends with it."""


def publish(upload: Upload) -> Held:
    """Uploads the archive unless it is there already, sees that it is whole, and signs an address to it."""
    bucket, client = _opened(upload)
    archive = upload.archive()
    try:
        _insisting(upload, lambda: _put(upload, client, bucket, archive))
        _insisting(upload, lambda: _verify(upload, client, bucket, archive))
        days = int(upload.args.get("expires_in_days") or 7)
        url = None if bucket.temporary else _signed(client, bucket, days)
    except (TargetFailed, Stopped):
        raise
    except Exception as error:  # noqa: BLE001 - what a client raises may show an address or a key
        raise in_words(error) from None
    until = f"The address is valid for {days} days" if url else "No address is signed with temporary credentials"
    mark = "Rehearsal. " if upload.publication.rehearsal else ""
    return Held(
        download_url=url,
        expires_in_days=days if url else None,
        archive_size_mb=megabytes(archive.size),
        note=f"{mark}The archive is {bucket.key} in the bucket {bucket.name}, {digest_note(archive)}. {until}.",
        sha256=archive.sha256,
    )


def _opened(upload: Upload) -> tuple[Bucket, Any]:
    args, secrets, environ = upload.args, upload.context.secrets, upload.settings.environ
    access, secret = (secrets.get(name) for name in ("s3_access_key", "s3_secret_key"))
    name = args.get("bucket") or _first(environ, _BUCKET_ENV)
    if not name:
        raise NotConfigured("no bucket is named")
    if not access or not secret:
        raise NotConfigured("there are no S3 keys")
    given = args.get("endpoint_url")
    if given:
        check_destination(given, upload.settings)
    # The operator's endpoint and region go with the operator's keys: a job with keys of its own means its own store.
    own = environ if access in [environ.get(each) for each in _KEY_ENV] else {}
    session = own.get("AWS_SESSION_TOKEN") if access == own.get("AWS_ACCESS_KEY_ID") else None
    bucket = Bucket(
        endpoint=given or _first(own, _ENDPOINT_ENV),
        name=name,
        region=args.get("region") or _first(own, _REGION_ENV) or _DEFAULT_REGION,
        key=_key(upload),
        temporary=session is not None,
    )
    return bucket, _client(bucket, access, secret, session)


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _key(upload: Upload) -> str:
    prefix = str(upload.args.get("key_prefix") or "").strip("/")
    return "/".join(part for part in (prefix, upload.publication.job_id, upload.publication.archive_name) if part)


def _client(bucket: Bucket, access: str, secret: str, session: str | None) -> Any:
    import boto3
    from botocore.config import Config

    # Others than Amazon have no names of machines for buckets, and may not know the newer checksums.
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if bucket.endpoint else "auto"},
        ignore_configured_endpoint_urls=True,
        retries={"mode": "standard", "max_attempts": 5},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        aws_session_token=session,
        config=config,
    )


def _put(upload: Upload, client: Any, bucket: Bucket, archive: Archive) -> None:
    if _is_there(client, bucket, archive):
        return
    from boto3.s3.transfer import TransferConfig

    _take_back_parts(client, bucket)
    done, told = 0, upload.told(archive.size)

    def sent(count: int) -> None:
        nonlocal done
        upload.stop.check()  # ends the upload; its parts are taken back by s3transfer
        done += count
        told(done)

    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    kept = {"ContentType": "application/zip", "Metadata": {"sha256": archive.sha256}}
    client.upload_file(str(archive.path), bucket.name, bucket.key, ExtraArgs=kept, Callback=sent, Config=config)


def _head(client: Any, bucket: Bucket) -> Mapping[str, Any]:
    return dict(client.head_object(Bucket=bucket.name, Key=bucket.key))


def _is_there(client: Any, bucket: Bucket, archive: Archive) -> bool:
    """Whether an earlier run has uploaded this very archive. Its content is compared afterwards, in any case."""
    from botocore.exceptions import ClientError

    try:
        head = _head(client, bucket)
    except ClientError:
        return False  # not there, or not to be seen: what is wrong shows when it is uploaded
    same = head.get("Metadata", {}).get("sha256") == archive.sha256
    return same and head.get("ContentLength") == archive.size


def _take_back_parts(client: Any, bucket: Bucket) -> None:
    """Ends uploads of this object that a killed run left behind: their parts cost money and are never seen."""
    from botocore.exceptions import ClientError

    try:
        begun = client.list_multipart_uploads(Bucket=bucket.name, Prefix=bucket.key).get("Uploads", ())
        for each in begun:
            if each["Key"] == bucket.key:
                client.abort_multipart_upload(Bucket=bucket.name, Key=bucket.key, UploadId=each["UploadId"])
    except ClientError:
        return  # some keys may upload and no more


def _verify(upload: Upload, client: Any, bucket: Bucket, archive: Archive) -> None:
    """Compares size and digest. Where the store's ETag is not of the usual kind, the object is read back."""
    head = _head(client, bucket)
    if head.get("ContentLength") != archive.size:
        size = head.get("ContentLength")
        raise TargetFailed(f"it holds {size} bytes instead of {archive.size}", "Run the job again.")
    if str(head.get("ETag", "")).strip('"') in etags(archive.path, upload.stop.check):
        return
    digest = hashlib.sha256()
    for chunk in client.get_object(Bucket=bucket.name, Key=bucket.key)["Body"].iter_chunks(_CHUNK):
        upload.stop.check()
        digest.update(chunk)
    if digest.hexdigest() != archive.sha256:
        raise TargetFailed("what it gives back is not what was sent", "Run the job again.")


def etags(path: Path, check: Callable[[], None], part: int = PART) -> tuple[str, str]:
    """The ETags that S3 gives to a file: sent in one piece, and in parts."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    with path.open("rb") as file:
        while True:
            piece, left = hashlib.md5(usedforsecurity=False), part
            while left and (chunk := file.read(min(_CHUNK, left))):
                check()
                whole.update(chunk)
                piece.update(chunk)
                left -= len(chunk)
            if left == part:
                break
            parts.append(piece.digest())
    together = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return whole.hexdigest(), f"{together}-{len(parts)}"


def _signed(client: Any, bucket: Bucket, days: int) -> str:
    where = {"Bucket": bucket.name, "Key": bucket.key}
    return str(client.generate_presigned_url("get_object", Params=where, ExpiresIn=days * _DAY))


def _insisting(upload: Upload, work: Callable[[], None]) -> None:
    settings = upload.settings
    tried(
        work,
        stop=upload.stop,
        passing=passing,
        first_wait=settings.retry_seconds,
        patience=settings.publish_patience_seconds,
    )


def _status(error: BaseException) -> int | None:
    """The HTTP status behind a failure: the transfer manager wraps what it met."""
    from botocore.exceptions import ClientError

    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, ClientError):
            return int(each.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    return None


def passing(error: Exception) -> float | None:
    """How long to wait before the next try, beyond the tries of boto3 itself; None when that would be of no use."""
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.exceptions import HTTPClientError

    status = _status(error)
    if status is not None:
        return 0.0 if status in (408, 429, 500, 502, 503, 504) else None
    met = (error, error.__cause__, error.__context__)
    return 0.0 if any(isinstance(each, (Unreachable, HTTPClientError)) for each in met) else None


def in_words(error: Exception) -> TargetFailed:
    """What a failure means. The texts of boto3 may show addresses and keys, so only its codes are used."""
    from botocore.exceptions import ClientError

    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, ClientError):
            code = str(each.response.get("Error", {}).get("Code", ""))
            if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403"):
                return TargetFailed(f"it refuses the keys ({code})", _KEY_HINT)
            if code in ("NoSuchBucket", "404"):
                return TargetFailed("the bucket is not there", "Look at output.s3.bucket, endpoint_url and region.")
            return TargetFailed(f"it {status_in_words(_status(error) or 0)}, {code[:60]}", _KEY_HINT)
    if passing(error) is not None:
        return TargetFailed("it cannot be reached", "Look at output.s3.endpoint_url and region.")
    return TargetFailed(f"the upload failed ({type(error).__name__})", "Look at the fields of output.s3.")
