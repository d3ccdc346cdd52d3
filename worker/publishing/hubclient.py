"""The Hugging Face Hub as the worker writes to it: which repository, and commits that are tried again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from worker.publishing.faults import PASSING, TargetFailed, asked_wait, status_in_words
from worker.publishing.retry import Result, tried
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop

if TYPE_CHECKING:
    from huggingface_hub import HfApi

DEFAULT_ENDPOINT = "https://huggingface.co"
REHEARSAL = "-rehearsal"
_LONGEST_NAME = 96  # characters, owner included: the Hub's own limit on a repository's id
_CONFLICT = 409
_TOKEN_HINT = "Give a token that may write, as output.huggingface.token or api_keys.huggingface_token, or set HF_TOKEN."


def endpoint(settings: Settings) -> str:
    """The Hub's address; HF_ENDPOINT names another, as it does for every client of the Hub."""
    return (settings.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")


def client(settings: Settings, token: str) -> HfApi:
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # progress is told by events
    return HfApi(endpoint=endpoint(settings), token=token, library_name="dpcompile-worker")


def token_of(args: Mapping[str, Any], secrets: SecretStore) -> str | None:
    """The token for the target of a plan's publish step."""
    return secrets.get(args["secret"]) or secrets.get("huggingface_token")


def repo_id(args: Mapping[str, Any], user: Callable[[], str], *, rehearsal: bool) -> str:
    """The repository that a job writes to. That of a rehearsal is another one: a real model stays as it is."""
    given = args.get("repo_id") or f"{user()}/{args['default_repo_name']}"
    if not rehearsal or given.endswith(REHEARSAL):
        return str(given)
    return f"{given[: _LONGEST_NAME - len(REHEARSAL)]}{REHEARSAL}"


def user_name(api: HfApi) -> str:
    return str(api.whoami()["name"])


def passing(error: Exception) -> float | None:
    """How long to wait before what failed is tried again; None when that would be of no use.

    The client raises a 429 or 503 on a commit at once, and packs what an upload met into a RuntimeError.
    """
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    for each in causes(error):
        if isinstance(each, HfHubHTTPError):
            status = each.response.status_code
            # 409: another commit was made at the same moment.
            return asked_wait(each.response.headers) if status in PASSING or status == _CONFLICT else None
        if isinstance(each, (TransportError, ConnectionError, TimeoutError)):
            return 0.0
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it was raised from, at most ten deep."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def insisting(
    work: Callable[[], Result],
    stop: Stop,
    settings: Settings,
    on_wait: Callable[[Exception, float], None] = lambda _error, _seconds: None,
) -> Result:
    """The result of a request to the Hub, tried again while its failures pass. Raises as the client does."""
    first, patience = settings.retry_seconds, settings.publish_patience_seconds
    return tried(work, stop=stop, passing=passing, first_wait=first, patience=patience, on_wait=on_wait)


def in_words(error: Exception) -> TargetFailed:
    """What the Hub's refusal means, without an address and without a secret."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    for each in causes(error):
        if isinstance(each, HfHubHTTPError):
            status = each.response.status_code
            if status == 401 and not isinstance(each, RepositoryNotFoundError):
                return TargetFailed("the Hub does not know this token", _TOKEN_HINT)
            if status == 403 and not isinstance(each, GatedRepoError):
                return TargetFailed("this token may not write to the repository", _TOKEN_HINT)
            if isinstance(each, RepositoryNotFoundError):
                return TargetFailed("the repository is not there, or this token may not see it", _TOKEN_HINT)
            said = _one_line(each.server_message)
            return TargetFailed(f"the Hub {status_in_words(status)}{f': {said}' if said else ''}", "")
        if isinstance(each, HFValidationError):
            return TargetFailed("the Hub does not take this name for a repository", "Set output.huggingface.repo_id.")
    first = list(causes(error))[-1]
    if passing(error) is not None:
        return TargetFailed(
            f"the Hub cannot be reached ({type(first).__name__})", "Look at the network of the machine."
        )
    return TargetFailed(f"the upload failed ({type(error).__name__})", "Please report it: this is not foreseen.")


def _one_line(text: str | None) -> str:
    """What a server said, short and without addresses: they may carry a signature."""
    return re.sub(r"https?://\S+", "(address)", " ".join((text or "").split()))[:200]
