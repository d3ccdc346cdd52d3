"""Datasets of the Hugging Face Hub: the files of one commit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from worker.errors import StepFailed
from worker.fetching.download import Request
from worker.fetching.faults import not_downloaded, not_given
from worker.fetching.http import Client
from worker.fetching.remote import RemoteFile, fetch_all, version_of
from worker.fetching.source import Fetched

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_PLACE = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+?))?(/(?P<path>.*))?")
_REFS = re.compile(r"(refs/(?:pr|convert)/[^/]+)/?(.*)")
_TOKEN_HINT = (
    "Set api_keys.huggingface_token in the job, or HF_TOKEN in the environment of the worker, "
    "to a token that may read it."
)


class HubSource:
    """The files of a dataset repository, or those below a path of it."""

    def __init__(self, client: Client, address: str, *, token: str | None, endpoint: str | None) -> None:
        self._client = client
        self._shown = address
        self.repo, self._revision, self._path = parse(address)
        self._token = token
        self._endpoint = (endpoint or "https://huggingface.co").rstrip("/")
        self._listed: list[RemoteFile] | None = None

    def unchanged(self, version: Mapping[str, Any]) -> bool:
        return version.get("files") == version_of(self._list())

    def fetch(self, into: Path) -> Fetched:
        return fetch_all(self._client, self._list(), into, self._shown)

    def _list(self) -> list[RemoteFile]:
        if self._listed is None:
            self._listed = self._client.watch.run(self._ask)
        return self._listed

    def _ask(self) -> list[RemoteFile]:
        """The files of the commit that the revision names now: pinned, so that no file is of a later one."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi(endpoint=self._endpoint, token=self._token or False)
        try:
            commit = api.dataset_info(self.repo, revision=self._revision).sha
            found = list(self._tree(api, str(commit)))
        except HfHubHTTPError as error:
            raise self._refused(error) from error
        except (OSError, ValueError) as error:
            raise not_downloaded(self._shown, "the Hub cannot be reached") from error
        if not found:
            place = f"under {self._path}" if self._path else "in it"
            raise not_given(f"{self._shown}: there are no files {place}", "Look at the spelling of the path.")
        return found

    def _tree(self, api: HfApi, commit: str) -> list[RemoteFile]:
        from huggingface_hub.errors import EntryNotFoundError
        from huggingface_hub.hf_api import RepoFile

        entries: list[Any] = []
        if self._path:
            entries = api.get_paths_info(self.repo, [self._path], revision=commit, repo_type="dataset")
        if not any(isinstance(entry, RepoFile) for entry in entries):
            try:
                inside = self._path or None
                entries = list(
                    api.list_repo_tree(self.repo, inside, recursive=True, revision=commit, repo_type="dataset")
                )
            except EntryNotFoundError:
                entries = []
        files = [self._file(entry, commit) for entry in entries if isinstance(entry, RepoFile)]
        if files:
            # The list of a gated dataset is open to all; only its files tell who may read them.
            api.get_hf_file_metadata(url=files[0].request.url)
        return files

    def _file(self, entry: Any, commit: str) -> RemoteFile:
        url = f"{self._endpoint}/datasets/{self.repo}/resolve/{quote(commit, '')}/{quote(entry.path)}"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        sha256 = entry.lfs.sha256 if entry.lfs else None
        shown = f"hf://datasets/{self.repo}/{entry.path}"
        return RemoteFile(
            name=entry.path.removeprefix(f"{self._path}/") if self._path else entry.path,
            size=entry.size,
            mark=sha256 or entry.blob_id,
            request=Request(url=url, shown=shown, headers=headers),
            sha256=sha256,
            blob=None if sha256 else entry.blob_id,
        )

    def _refused(self, error: Any) -> StepFailed:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

        status = error.response.status_code if error.response is not None else 0
        if isinstance(error, GatedRepoError):
            page = f"{self._endpoint}/datasets/{self.repo}"
            text = f"{self._shown} is gated: its owner lets in who has asked for it"
            return not_given(text, f"Ask for access at {page} with your account. {_TOKEN_HINT}")
        if isinstance(error, RevisionNotFoundError):
            text = f"{self._shown}: the dataset has no revision {self._revision}"
            return not_given(text, "Give a branch, a tag or a commit of it after the @.")
        if isinstance(error, RepositoryNotFoundError):
            who = "for this token" if self._token else "without a token"
            text = f"{self._shown}: there is no such dataset {who}; a private one looks the same"
            return not_given(text, f"Look at the spelling. If it is private: {_TOKEN_HINT}")
        if status == 401:
            return not_given(f"{self._shown}: the Hub does not know the token", _TOKEN_HINT)
        if status == 403:
            return not_given(f"{self._shown}: the token may not read the dataset", _TOKEN_HINT)
        return not_downloaded(self._shown, f"the Hub answers {status}")


def parse(address: str) -> tuple[str, str | None, str]:
    """(repository, revision, path) of an address that the compiler has let through."""
    found = _PLACE.fullmatch(address)
    if found is None:
        raise not_given(f"{address} is not an address of a dataset", "Write hf://datasets/owner/name.")
    revision, path = found["revision"], found["path"] or ""
    if revision and path and (ref := _REFS.fullmatch(f"{revision}/{path}")):
        revision, path = ref[1], ref[2]
    return found["repo"], revision, path.strip("/")
