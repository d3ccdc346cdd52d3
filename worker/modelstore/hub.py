"""The Hugging Face Hub, by its own client. Runs in the child process only.

Which exception means what was found by asking: a gated repository answers for its list of files and refuses
the files themselves, with a subclass of the exception for repositories that do not exist.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from worker.modelstore.sources import WantedFile

Failure = dict[str, Any]


def look_up(source: dict[str, Any], token: str | None) -> dict[str, Any]:
    """`{"commit", "files"}` of a source, or `{"failure": {"kind", "detail", …}}`.

    One file is asked for with a HEAD request: only that shows whether files are given to this token.
    """
    from huggingface_hub import HfApi, RepoFile, get_hf_file_metadata, hf_hub_url

    api = HfApi(token=token or False)
    found: dict[str, Any] = {}

    def ask() -> None:
        commit = api.repo_info(source["repo"], revision=source["revision"]).sha
        tree = api.list_repo_tree(source["repo"], revision=commit, recursive=True)
        files = [entry for entry in tree if isinstance(entry, RepoFile)]
        wanted, missing = _wanted(source, files)
        if missing:
            found["failure"] = {"kind": "no_file", "detail": ", ".join(missing)}
            return
        largest = max(wanted, key=lambda entry: entry.size)
        get_hf_file_metadata(hf_hub_url(source["repo"], largest.path, revision=commit), token=token or False)
        found.update(commit=commit, files=[_described(entry).to_json() for entry in wanted])

    failure = _guarded(ask, token)
    return {"failure": failure} if failure else found


def _wanted(source: dict[str, Any], files: list[Any]) -> tuple[list[Any], list[str]]:
    """The files that the source asks for, and what it asks for in vain."""
    required = [source["file"]] if source["file"] else source["patterns"]
    if source["file"]:
        wanted = [file for file in files if file.path == source["file"]]
        return wanted, [] if wanted else required
    missing = [pattern for pattern in required if not any(fnmatchcase(file.path, pattern) for file in files)]
    patterns = [*required, *source["optional"]]
    return [f for f in files if any(fnmatchcase(f.path, pattern) for pattern in patterns)], missing


def _described(entry: Any) -> WantedFile:
    if entry.lfs is not None:
        return WantedFile(path=entry.path, size=entry.lfs.size, sha256=entry.lfs.sha256)
    return WantedFile(path=entry.path, size=entry.size, blob=entry.blob_id)


def download(source: dict[str, Any], commit: str, file: WantedFile, folder: Path, token: str | None) -> Failure | None:
    """Brings one file into the folder, below its path in the repository."""
    from huggingface_hub import hf_hub_download

    return _guarded(
        lambda: hf_hub_download(source["repo"], file.path, revision=commit, local_dir=folder, token=token or False),
        token,
    )


def _guarded(ask: Callable[[], object], token: str | None) -> Failure | None:
    """Asks, and says what kind of failure came of it. A failure that has no kind is raised."""
    from huggingface_hub import errors as hub_errors

    try:
        ask()
    except hub_errors.GatedRepoError:
        kind, detail = "gated", ""
    except hub_errors.RepositoryNotFoundError:
        kind, detail = "no_repo", ""
    except hub_errors.RevisionNotFoundError:
        kind, detail = "no_revision", ""
    except hub_errors.RemoteEntryNotFoundError as error:
        kind, detail = "no_file", str(error).splitlines()[-1]
    except hub_errors.HFValidationError as error:
        kind, detail = "refused", str(error)
    except hub_errors.HfHubHTTPError as error:
        kind, detail = _of_status(error)
    except hub_errors.LocalEntryNotFoundError as error:
        # The Hub could not be asked; what happened is in the exception behind it.
        return _behind(error, token)
    except OSError as error:
        kind, detail = _of_system(error)
    except Exception as error:
        # The HTTP library's exceptions: naming its module would tie us to the client's choice of one.
        if not _is_transport(error):
            raise
        kind, detail = "network", _text(error)
    else:
        return None
    return {"kind": kind, "detail": detail, "with_token": token is not None}


def _of_status(error: Any) -> tuple[str, str]:
    status = getattr(error.response, "status_code", None)
    if status == 401:
        return "bad_token", ""
    if status is None or status >= 500 or status in (408, 429):
        return "network", _text(error)
    return "refused", _text(error)


def _of_system(error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full", ""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "not_writable", str(error.filename or "")
    return "network", _text(error)


def _behind(error: BaseException, token: str | None) -> Failure:
    cause = error.__cause__

    def again() -> None:
        raise cause or ConnectionError(str(error))

    failure = _guarded(again, token)
    assert failure is not None
    return failure


def _is_transport(error: Exception) -> bool:
    return any(kind.__name__ in ("HTTPError", "TransportError", "RequestError") for kind in type(error).__mro__)


def _text(error: BaseException) -> str:
    """One line about an exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
