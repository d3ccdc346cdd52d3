"""The Hugging Face Hub: the files as they are, kept for good, in one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.errors import Stopped
from worker.publishing import hubclient
from worker.publishing.archive import Member
from worker.publishing.faults import NotConfigured, TargetFailed
from worker.publishing.retry import Result
from worker.publishing.target import Held, Upload

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

_CHUNK = 4 * 1024 * 1024


def publish(upload: Upload) -> Held:
    """Uploads the files and sees by size and digest that they are there.

    Done again, it changes nothing: what the Hub has is neither sent nor committed a second time.
    """
    token = hubclient.token_of(upload.args, upload.context.secrets)
    if token is None:
        raise NotConfigured("there is no Hugging Face token")
    api = hubclient.client(upload.settings, token)
    try:
        repo = hubclient.repo_id(
            upload.args,
            lambda: _insisting(upload, lambda: hubclient.user_name(api)),
            rehearsal=upload.settings.rehearse,
        )
        _insisting(upload, lambda: _make_repo(api, repo, private=bool(upload.args.get("private", True))))
        commit = _send(upload, api, repo)
        _verify(upload, api, repo, commit)
    except (TargetFailed, Stopped):
        raise
    except Exception as error:  # noqa: BLE001 - what a client raises may show an address or a key
        raise hubclient.in_words(error) from None
    return _held(upload, repo, private=_is_private(upload, api, repo))


def _insisting(upload: Upload, work: Callable[[], Result]) -> Result:
    def waiting(_error: Exception, seconds: float) -> None:
        if seconds > 30:
            text = f"the Hub asks to wait: the upload goes on in {seconds:.0f} seconds"
            upload.context.emit("note", message=text, hint="")

    return hubclient.insisting(work, upload.stop, upload.settings, waiting)


def _make_repo(api: HfApi, repo: str, *, private: bool) -> None:
    """Makes the repository. One that is there stays as it is, open or private."""
    api.create_repo(repo, private=private, exist_ok=True)


def _send(upload: Upload, api: HfApi, repo: str) -> str:
    """Large files one by one, so that a stop and a failure cost at most one; then one commit. Returns its hash."""
    from huggingface_hub import CommitOperationAdd

    members, done = upload.publication.members, 0
    told = upload.told(upload.publication.size)
    operations = []
    for member in members:
        operation = CommitOperationAdd(path_in_repo=member.name, path_or_fileobj=str(member.path))
        _insisting(upload, lambda one=operation: api.preupload_lfs_files(repo, [one], free_memory=False))  # type: ignore[misc]
        operations.append(operation)
        done += member.size
        told(done)
    return _insisting(upload, lambda: _commit(upload, api, repo, operations))


def _commit(upload: Upload, api: HfApi, repo: str, operations: list[CommitOperationAdd]) -> str:
    publication = upload.publication
    mark = "Rehearsal: " if publication.rehearsal else ""
    message = f"{mark}{publication.latest} of job {publication.job_id}"
    return str(api.create_commit(repo, operations, commit_message=message).oid)


def _verify(upload: Upload, api: HfApi, repo: str, commit: str) -> None:
    """Compares what the Hub says about its files with what was scanned: sizes, and digests of its own reckoning."""
    from huggingface_hub.hf_api import RepoFile

    names = [member.name for member in upload.publication.members]
    there = _insisting(upload, lambda: api.get_paths_info(repo, names, revision=commit))
    found = {item.path: item for item in there if isinstance(item, RepoFile)}
    for member in upload.publication.members:
        if not _is_same(member, found.get(member.name)):
            raise TargetFailed(f"{member.name} on the Hub is not the file that was sent", "Run the job again.")


def _is_same(member: Member, there: RepoFile | None) -> bool:
    if there is None or there.size != member.size:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == member.sha256)
    return bool(there.blob_id == git_oid(member.path))


def git_oid(path: Path) -> str:
    """The name that git gives to the content of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _is_private(upload: Upload, api: HfApi, repo: str) -> bool:
    return bool(_insisting(upload, lambda: api.repo_info(repo)).private)


def _held(upload: Upload, repo: str, *, private: bool) -> Held:
    repo_url = f"{hubclient.endpoint(upload.settings)}/{repo}"
    weights = f"{repo_url}/resolve/main/{quote(upload.publication.main_weights.name)}"
    access = "private: downloads need a token of an account that may see it" if private else "public"
    mark = "Rehearsal. " if upload.publication.rehearsal else ""
    return Held(
        download_url=weights,
        safetensors_url=weights,
        repo_url=repo_url,
        note=f"{mark}The files are in the repository {repo}, which is {access}.",
    )
