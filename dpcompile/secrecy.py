"""Secrets of a job: which they are, how they are named, and how they are kept out of everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dpcompile.diagnostics import Diagnostic
from dpcompile.keypath import KeyPath, pointer

PLACEHOLDER = "token_here"
"""A template's stand-in for a token; it counts as unset."""

HUGGINGFACE_ENV = (
    "HF_TOKEN",
    "HUGGING_FACE_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
)

SECRET_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "huggingface_token": (("api_keys", "huggingface_token"), HUGGINGFACE_ENV),
    "gemini_api_key": (("api_keys", "gemini_api_key"), ("GEMINI_API_KEY",)),
    "huggingface_output_token": (("output", "huggingface", "token"), HUGGINGFACE_ENV),
    "s3_access_key": (("output", "s3", "access_key"), ("AWS_ACCESS_KEY_ID", "BUCKET_ACCESS_KEY_ID")),
    "s3_secret_key": (("output", "s3", "secret_key"), ("AWS_SECRET_ACCESS_KEY", "BUCKET_SECRET_ACCESS_KEY")),
    "upload_url": (("output", "upload_url"), ()),
}
"""Secret name -> its place in the job, and the environment variables that may hold it instead."""

WANDB_KEY = "wandb_api_key"
WANDB_ENV = ("WANDB_API_KEY",)
LOCATION_FIELDS: dict[str, tuple[str, ...]] = {
    "images_url": ("dataset", "images_url"),
    "videos_url": ("dataset", "videos_url"),
    "eval_images_url": ("dataset", "eval", "images_url"),
    "eval_videos_url": ("dataset", "eval", "videos_url"),
}
"""Addresses that are secret when they carry user info or a query, as signed ones do."""

_SECRET_NAME = r"(?i)TOKEN(?!IZER)|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY"
_SHORTEST = 8  # shorter texts stand everywhere: hiding them would only make messages unreadable
_SHORTEST_QUERY_VALUE = 12  # `?download=true` is not a secret, a signature is


def looks_secret(name: str) -> bool:
    """Whether an environment variable of this name usually holds a secret."""
    return bool(re.search(_SECRET_NAME, name))


def is_signed(url: str) -> bool:
    """Whether an address carries user info or a query, and so may be a secret."""
    if "://" not in url:
        return False
    return "@" in url.split("://", 1)[1].split("/", 1)[0] or "?" in url or "#" in url


def shown_url(url: str) -> str:
    """An address without user info, query and fragment."""
    if "://" not in url:
        return url
    scheme, rest = url.split("://", 1)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The secret texts of one job. They are held to be hidden, never to be shown."""

    texts: tuple[str, ...]

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by `***`."""
        for secret in self.texts:
            text = text.replace(secret, "***")
            if "..." in text:
                text = _without_start(text, secret)
        return text

    def redact_all(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        if not self.texts:
            return tuple(diagnostics)
        return tuple(
            replace(d, path=self.redact(d.path), message=self.redact(d.message), hint=self.redact(d.hint))
            for d in diagnostics
        )

    def found_in(self, *values: object) -> bool:
        """Whether any secret stands in a text, or in any text of a tree of values."""
        texts = list(_texts(list(values)))
        together = "\n".join(texts)  # one search for each secret; what lies across two texts is not in either
        return any(secret in text for secret in self.texts if secret in together for text in texts)


def _without_start(text: str, secret: str) -> str:
    """`text` without the first part of a secret that a quote was cut off in."""
    pieces = text.split("...")
    for n, piece in enumerate(pieces[:-1]):
        lengths = range(min(len(secret), len(piece)), _SHORTEST - 1, -1)
        cut = next((length for length in lengths if piece.endswith(secret[:length])), 0)
        pieces[n] = f"{piece[: len(piece) - cut]}***" if cut else piece
    return "...".join(pieces)


def find_secrets(*jobs: Any) -> Secrets:
    """Every secret text in the jobs (or pieces of one), well-formed or not, in each form it may be shown in.

    The longest come first, so that none is hidden in part.
    """
    parts = [part for job in jobs for part in (job, _at(job, ("input",))) if part]
    found = {text for part in parts for text in _secrets_of(part)}
    forms = {form for text in found for form in _forms(text)}
    return Secrets(texts=tuple(sorted(forms, key=lambda s: (-len(s), s))))


def misplaced(job: Any, secrets: Secrets) -> Iterator[KeyPath]:
    """The places of a job where a secret stands and does not belong: beside the fields that are there for it."""
    meant = {*(place for place, _env in SECRET_FIELDS.values()), *LOCATION_FIELDS.values()}
    stack: list[tuple[KeyPath, Any]] = [((), job)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, dict):
            stack.extend(((*path, key), value) for key, value in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend(((*path, n), value) for n, value in reversed(list(enumerate(node))))
        elif path not in meant and path[-1:] != (WANDB_KEY,) and path[:2] != ("launch", "env"):
            yield from (path,) if secrets.found_in(node) else ()


def _forms(text: str) -> Iterator[str]:
    """A secret as it is, without the blanks around it, in a JSON Pointer, and all these as JSON quotes them."""
    for bare in {text, text.strip()}:
        if len(bare) >= _SHORTEST and bare != PLACEHOLDER:
            for form in (bare, pointer((bare,))[1:]):
                yield from (form, json.dumps(form)[1:-1])


def _secrets_of(job: Any) -> Iterator[str]:
    for place, _env in SECRET_FIELDS.values():
        yield from _texts(_at(job, place))
        # `"huggingface": "hf_…"`: somebody left out the last step. `output` itself is more likely a method's name.
        yield from _texts_above(_at(job, place[:1]), place[1:])
    api_keys = _at(job, ("api_keys",))  # what stands under a misspelt name is as secret
    named = api_keys if isinstance(api_keys, dict) else {}
    yield from _texts([*named.values(), *(name for name in named if not _is_name(name))] if named else api_keys)
    addresses = (*LOCATION_FIELDS.values(), ("output", "upload_url"), ("output", "s3", "endpoint_url"))
    for place in addresses:
        for url in (*_texts(_at(job, place)), *_texts_above(job, place)):
            yield from _secret_parts(url)
    yield from _wandb_keys(_at(job, ("training",)))
    launch = _at(job, ("launch",))
    yield from _environment(launch.get("env") if isinstance(launch, dict) else launch)


def _is_name(key: str) -> bool:
    """Whether a key in `api_keys` is the name of a key, misspelt perhaps, and not the key itself."""
    return looks_secret(key) or re.fullmatch(r"[A-Za-z_]{1,30}", key) is not None


def _environment(env: Any) -> Iterator[str]:
    """The secrets of `launch.env`: an object, or, as other tools have it, texts or a list of names and values."""
    if isinstance(env, dict):
        named = next((str(env[key]) for key in ("name", "key") if key in env), "")
        yield from (t for k, v in env.items() if looks_secret(str(k)) or looks_secret(named) for t in _texts(v))
        yield from (t for v in env.values() if not isinstance(v, str) for t in _environment(v))
    elif isinstance(env, list):
        yield from (t for v in env for t in _environment(v))
    elif isinstance(env, str) and looks_secret(env):
        yield env
        yield from (value for pair in re.split(r"[\s;,]+", env) for value in pair.partition("=")[2:])


def _wandb_keys(training: Any) -> Iterator[str]:
    """The values of `wandb_api_key` wherever it was put: flat, in its table or a wrong one, passed through."""
    stack = [training]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            yield from _texts(node.get(WANDB_KEY))
            stack.extend(value for key, value in node.items() if key != WANDB_KEY)


def _at(node: Any, place: Iterable[str]) -> Any:
    for part in place:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _texts_above(node: Any, place: Sequence[str]) -> Iterator[str]:
    """The text that stands where a table on the way to a place should."""
    for depth in range(1, len(place)):
        text = _at(node, place[:depth])
        if isinstance(text, str):
            yield text


def _texts(node: Any) -> Iterator[str]:
    """Every text below a node, keys as well: a secret may have been written in any shape."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, (int, float)):
            yield str(item)
        elif isinstance(item, dict):
            stack.extend((*item.keys(), *item.values()))
        elif isinstance(item, list):
            stack.extend(item)


def _secret_parts(url: str) -> Iterator[str]:
    """The user info, password, query, query values and fragment of an address."""
    if "://" not in url:
        return
    rest = url.split("://", 1)[1]
    path, *tail = re.split(r"[?#]", rest)
    user, at, _host = path.split("/", 1)[0].rpartition("@")
    if at:
        yield user
        yield from user.split(":", 1)
    for part in tail:
        yield part
        values = (pair.partition("=")[2] for pair in part.split("&"))
        yield from (value for value in values if len(value) >= _SHORTEST_QUERY_VALUE)


def redacted_job(value: Any, secrets: Secrets) -> Any:
    """A job without its secrets: what a job id may be made from."""
    if isinstance(value, str):
        return secrets.redact(shown_url(value))
    if isinstance(value, Mapping):
        return {secrets.redact(str(k)): redacted_job(v, secrets) for k, v in value.items() if k != "api_keys"}
    if isinstance(value, (list, tuple)):
        return [redacted_job(v, secrets) for v in value]
    return value
