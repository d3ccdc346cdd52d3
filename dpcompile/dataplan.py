"""The data of a job: where each part comes from, and the folder the trainer reads it from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.job import JobInput
from dpcompile.secrecy import LOCATION_FIELDS, is_signed, shown_url
from dpcompile.wording import listing, quote

MediaKind = Literal["images", "videos"]
LocationKind = Literal["http", "hf", "s3", "path"]

# Texts, not compiled patterns: most commands need few of them, and `re` keeps what it has compiled.
_HF = r"datasets/[\w.-]+/[\w.-]+(@[\w./-]+?)?(/.*)?"
_S3 = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+"
_HF_PAGE = r"/datasets/[^/]+/[^/]+(/(tree|blob)/.*)?/?"
_HOST = r"//|www\.|([\w-]+\.)+(com|org|net|info|dev|app|cloud|[a-z]{2})(:\d+)?/"
_CONTROL = r"[\x00-\x1f\x7f]"
# Query parameters that sign an address and change with each signing: they do not say which data it is.
_SIGNING = (
    r"(?i)x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id"
    r"|sig|se|sp|sv|sr|st|spr|token"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place that data is fetched from.

    `shown` is safe to print. `secret` names the secret that holds the whole address when it is signed.
    """

    kind: LocationKind
    shown: str
    secret: str | None
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """One folder of media that becomes a `[[directory]]`."""

    kind: MediaKind
    role: Literal["train", "eval"]
    location: Location
    field: tuple[str, ...]
    """The job's field that names it."""
    digest: str
    split_of: str | None = None
    """Digest of the training folder that an evaluation folder is split off from."""


def parse_location(url: str, secret_name: str) -> Location | str:
    """The location an address names, or what is wrong with it."""
    if re.search(_CONTROL, url) or url != url.strip():
        return "has blanks at its ends or control characters in it"
    scheme, sep, rest = url.partition("://")
    secret = secret_name if is_signed(url) else None
    if not sep:
        return _path_location(url)
    if scheme in ("http", "https"):
        return _http_location(url, secret)
    if scheme == "hf":
        if secret or not re.fullmatch(_HF, rest):
            return "must look like hf://datasets/owner/name, with @revision and /path if wanted"
        return Location(kind="hf", shown=url, secret=None, identity=url)
    if scheme == "s3":
        if secret or not re.fullmatch(_S3, rest):
            return "must look like s3://bucket/key; keys belong in output.s3 or the environment"
        return Location(kind="s3", shown=url, secret=None, identity=url)
    return "must start with http://, https://, hf://datasets/ or s3://, or be a path on the volume"


def _path_location(url: str) -> Location | str:
    if ".." in url.split("/") or url.startswith("~"):
        return "must not go up with `..` or begin with `~`"
    if "\\" in url or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url):
        return "must be an address, or a path on the volume with forward slashes"
    if re.match(_HOST, url):
        return "looks like a web address without https://; a path on the volume starts with / or ./"
    return Location(kind="path", shown=url, secret=None, identity=f"path:{url.rstrip('/')}")


def _http_location(url: str, secret: str | None) -> Location | str:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a valid address"
    if not host or " " in url:
        return "is not a valid address: a host is missing or a blank stands in it"
    if host in ("huggingface.co", "hf.co") and re.fullmatch(_HF_PAGE, parts.path):
        return "is a page for people, not a file: write hf://datasets/owner/name, or an address with /resolve/"
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not re.fullmatch(_SIGNING, k)]
    return Location(
        kind="http",
        shown=shown_url(url),
        secret=secret,
        identity=json.dumps([shown_url(url), sorted(kept)]),
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def wanted_kinds(job: JobInput) -> tuple[MediaKind, ...]:
    """The kinds of media a job trains on, by `dataset.type` and, for precaptioned data, by what is given."""
    match job.get("dataset", "type"):
        case "images":
            return ("images",)
        case "videos":
            return ("videos",)
        case "both":
            return ("images", "videos")
        case "precaptioned":
            kinds: tuple[MediaKind, ...] = ("images", "videos")
            return tuple(k for k in kinds if job.get("dataset", f"{k}_url"))
    return ()


def data_folders(job: JobInput, captioning: Mapping[str, Any]) -> tuple[tuple[DataFolder, ...], tuple[Diagnostic, ...]]:
    """Every folder of media of the job, training first, and what is wrong with their addresses.

    Two jobs get the same folder when they fetch the same data and caption it alike: the trainer's cache
    lies in the folder and is keyed by the paths in it (utils/dataset.py:92).
    """
    found: list[Diagnostic] = []
    locations = {name: place for name in LOCATION_FIELDS for place in [_location(job, name, found)] if place}
    fraction = job.get("dataset", "eval", "fraction")
    folders = []
    for kind in wanted_kinds(job):
        if place := locations.get(f"{kind}_url"):
            folders.append(_folder(job, kind, "train", place, captioning.get(kind), fraction))
    for kind in ("images", "videos"):
        if place := locations.get(f"eval_{kind}_url"):
            folder = _folder(job, kind, "eval", place, captioning.get(kind), None)
            # The same data for both is fetched twice: a folder has one role.
            same = folder.digest in [other.digest for other in folders]
            folders.append(replace(folder, digest=_digest("eval", folder.digest)) if same else folder)
    if fraction is not None and not found:
        folders += [_split(folder, fraction) for folder in folders if folder.role == "train"]
    return tuple(folders), tuple(found)


def _location(job: JobInput, name: str, found: list[Diagnostic]) -> Location | None:
    field = LOCATION_FIELDS[name]
    url = job.get(*field)
    if not isinstance(url, str):
        return None
    place = parse_location(url, name)
    if isinstance(place, Location):
        return place
    file, where = job.place(field)
    found.append(finding("DPC221", where, f"{'.'.join(field)} {place}", _LOCATION_HINT, file=file))
    return None


_LOCATION_HINT = "Give an archive's https address, hf://datasets/owner/name, s3://bucket/key, or a path on the volume."


def _folder(
    job: JobInput,
    kind: MediaKind,
    role: Literal["train", "eval"],
    place: Location,
    captioning: object,
    fraction: object,
) -> DataFolder:
    precaptioned = job.get("dataset", "type") == "precaptioned"
    identity = [
        kind,
        place.identity,
        job.get("dataset", "trigger_word"),
        None if precaptioned else captioning,
        fraction,
    ]
    name = f"{kind}_url"
    field = ("dataset", name) if role == "train" else ("dataset", "eval", name)
    return DataFolder(kind=kind, role=role, location=place, field=field, digest=_digest(*identity))


def _split(folder: DataFolder, fraction: float) -> DataFolder:
    return DataFolder(
        kind=folder.kind,
        role="eval",
        location=folder.location,
        field=("dataset", "eval", "fraction"),
        digest=_digest("split", folder.digest, fraction),
        split_of=folder.digest,
    )


def check_data(job: JobInput) -> Iterator[Diagnostic]:
    """Data that is missing, and data that nobody will use."""
    wanted = wanted_kinds(job)
    kind = job.get("dataset", "type")
    in_place = bool(job.get("dataset", "directories"))
    if kind == "precaptioned" and not wanted and not in_place:
        file, where = job.place(("dataset",))
        hint = "Add dataset.images_url or dataset.videos_url: the archive with the media and their .txt files; "
        hint += "or dataset.directories: folders that lie on the volume."
        yield finding("DPC219", where, "precaptioned data needs images_url or videos_url", hint, file=file)
    for name in wanted if kind != "precaptioned" and not in_place else ():
        if not job.get("dataset", f"{name}_url"):
            file, where = job.place(("dataset",))
            text = f"dataset.type is {quote(kind)}, but there is no {name}_url"
            yield finding(
                "DPC219",
                where,
                text,
                f"Add dataset.{name}_url: where the {name} are fetched from.",
                file=file,
            )
    if not wanted:
        return
    for name in ("images", "videos"):
        field = ("dataset", f"{name}_url")
        if name not in wanted and job.get(*field):
            file, where = job.place(field)
            text = f"{name}_url is not used: dataset.type is {quote(kind)}"
            yield finding("DPC220", where, text, 'Take it out, or set dataset.type to "both".', file=file)
        repeats = ("dataset", f"{name.removesuffix('s')}_repeats")
        if name not in wanted and job.said(repeats):
            file, where = job.place(repeats)
            text = f"{repeats[1]} has no effect: the job trains on {listing(wanted, 'and')} only"
            yield finding("DPC227", where, text, "Take it out.", file=file)


def check_eval(job: JobInput) -> Iterator[Diagnostic]:
    """An evaluation set is either fetched or split off."""
    both = job.get("dataset", "eval", "fraction") is not None and (
        job.get("dataset", "eval", "images_url") or job.get("dataset", "eval", "videos_url")
    )
    if both:
        file, where = job.place(("dataset", "eval", "fraction"))
        text = "dataset.eval has both an address and a fraction"
        yield finding("DPC448", where, text, "Fetch an evaluation set or split one off: keep one of them.", file=file)
