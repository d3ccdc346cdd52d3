"""Data in S3 or what speaks its protocol: boto3 signs, our own client transfers.

So an endpoint that a job names is reached under the same guard as any other address, and a transfer can be
resumed and stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from worker.errors import StepFailed
from worker.fetching.download import Request, check_status
from worker.fetching.faults import not_downloaded, not_given
from worker.fetching.http import Client, Dropped
from worker.fetching.remote import RemoteFile, fetch_all, version_of
from worker.fetching.source import Fetched
from worker.fetching.web import WebSource

if TYPE_CHECKING:
    import requests

_SIGNED_FOR = 7 * 24 * 3600  # seconds; the longest that signatures may live
_KEYS_HINT = (
    "Set output.s3.access_key and output.s3.secret_key in the job, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY in the environment of the worker, to keys that may read it."
)
_MOST_XML = 8 << 20  # bytes of a listing page; a full one has less than one MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How a bucket is reached. Without keys, only what is public can be read."""

    endpoint: str | None
    region: str | None
    access_key: str | None
    secret_key: str | None


class S3Source:
    """An object, or all objects below a key that ends in a slash."""

    def __init__(self, client: Client, address: str, access: S3Access) -> None:
        self._client = client
        self._shown = address
        self._bucket, _, self._key = address.removeprefix("s3://").partition("/")
        self._access = access
        self._region = access.region
        self._listed: list[RemoteFile] | None = None

    def unchanged(self, version: Mapping[str, Any]) -> bool:
        if self._key.endswith("/"):
            return version.get("files") == version_of(self._list())
        return self._object().unchanged(version)

    def fetch(self, into: Path) -> Fetched:
        if self._key.endswith("/"):
            return fetch_all(self._client, self._list(), into, self._shown)
        return self._object().fetch(into)

    def _object(self) -> WebSource:
        """The one object, once it is known that it can be read: S3 says well what is wrong if not."""
        params = {"Bucket": self._bucket, "Key": self._key}
        self._ask(lambda: self._sign("get_object", params), read=False)
        request = Request(url=self._sign("get_object", params), shown=self._shown)
        return WebSource(self._client, request, self._key.rpartition("/")[2])

    def _list(self) -> list[RemoteFile]:
        if self._listed is None:
            found = [self._file(*entry) for entry in self._entries()]
            if not found:
                raise not_given(f"there is nothing below {self._shown}", "Look at the spelling.")
            self._listed = found
        return self._listed

    def _entries(self) -> list[tuple[str, int, str]]:
        """(key, size, ETag) of all objects below the key."""
        token = ""
        found: list[tuple[str, int, str]] = []
        while True:
            params = {"Bucket": self._bucket, "Prefix": self._key} | ({"ContinuationToken": token} if token else {})
            page = self._page(params)
            # boto3 asks for keys in the form of addresses, since XML cannot carry all that may stand in one.
            decode = unquote_plus if page.findtext("{*}EncodingType") == "url" else str
            found += [_entry(node, decode) for node in page.findall("{*}Contents")]
            token = page.findtext("{*}NextContinuationToken") or ""
            if not token:
                return [entry for entry in found if not entry[0].endswith("/")]

    def _page(self, params: Mapping[str, Any]) -> ET.Element:
        text = self._ask(lambda: self._sign("list_objects_v2", params))
        try:
            return ET.fromstring(text)
        except ET.ParseError as error:
            raise not_downloaded(self._shown, "the server does not answer as S3 does") from error

    def _file(self, key: str, size: int, etag: str) -> RemoteFile:
        url = self._sign("get_object", {"Bucket": self._bucket, "Key": key})
        shown = f"s3://{self._bucket}/{key}"
        name = key.removeprefix(self._key)
        return RemoteFile(name=name, size=size, mark=etag, request=Request(url=url, shown=shown))

    def _sign(self, operation: str, params: Mapping[str, Any]) -> str:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        access = self._access
        keys = bool(access.access_key and access.secret_key)
        # Path style wherever the endpoint is not Amazon's own: few others give each bucket a host.
        style = "path" if access.endpoint else "auto"
        signed = "s3v4" if keys else UNSIGNED
        session = boto3.session.Session()
        client = session.client(
            "s3",
            endpoint_url=access.endpoint,
            region_name=self._region or "us-east-1",
            aws_access_key_id=access.access_key if keys else None,
            aws_secret_access_key=access.secret_key if keys else None,
            config=Config(signature_version=signed, s3={"addressing_style": style}),
        )
        return str(client.generate_presigned_url(operation, Params=dict(params), ExpiresIn=_SIGNED_FOR))

    def _ask(self, sign: Callable[[], str], *, read: bool = True) -> bytes:
        """The answer to a request, signed anew for each attempt; empty when it need not be read."""
        pauses = iter(self._client.limits.pauses)
        while True:
            try:
                with self._client.get(sign(), {}, shown=self._shown) as response:
                    region = response.headers.get("x-amz-bucket-region")
                    if response.status_code in (301, 307, 400) and region and region != self._region:
                        self._region = region
                        continue
                    if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
                        raise self._refused(response)
                    check_status(response, self._shown)
                    return self._body(response) if read else b""
            except Dropped as dropped:
                self._client.watch.check()
                pause = next(pauses, None)
                if pause is None:
                    raise not_downloaded(self._shown, dropped.why) from dropped
                self._client.watch.pause(dropped.retry_after or pause)

    def _body(self, response: requests.Response) -> bytes:
        body = b""
        for chunk in self._client.chunks(response):
            body += chunk
            if len(body) > _MOST_XML:
                raise not_downloaded(self._shown, "the server does not answer as S3 does")
        return body

    def _refused(self, response: requests.Response) -> StepFailed:
        """The reason in the user's words, from the code that S3 gives."""
        try:
            code = ET.fromstring(self._body(response)).findtext("{*}Code") or ""
        except ET.ParseError:
            code = ""
        if code == "NoSuchBucket":
            return not_given(f"{self._shown}: there is no bucket {self._bucket}", "Look at the spelling.")
        if code == "NoSuchKey" or response.status_code == 404:
            hint = "Look at the spelling. A folder is written with a slash at its end."
            return not_given(f"there is nothing at {self._shown}", hint)
        if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
            which = "access key is not known" if code == "InvalidAccessKeyId" else "secret key is wrong"
            return not_given(f"{self._shown}: the {which}", _KEYS_HINT)
        who = "these keys may not read it" if self._access.access_key else "it is not public, and there are no keys"
        # S3 says AccessDenied for a missing object as well, to those who may not list the bucket.
        return not_given(f"{self._shown} is not given out ({code or response.status_code}): {who}", _KEYS_HINT)


def _entry(node: ET.Element, decode: Callable[[str], str]) -> tuple[str, int, str]:
    size = node.findtext("{*}Size") or "0"
    return decode(node.findtext("{*}Key") or ""), int(size), node.findtext("{*}ETag") or ""
