"""A Hugging Face Hub for downloads, on this machine: the routes that the real client uses to find and get files.

Small files come from the Hub itself, large ones (LFS) by a redirect to another origin, as in real life; the
client would follow a redirect to the same host and then miss its headers.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS_NAMES = (".safetensors", ".pth", ".bin")


@dataclass(slots=True, kw_only=True)
class Repo:
    """A repository: branch or commit -> commit, commit -> files."""

    branches: dict[str, str]
    commits: dict[str, dict[str, bytes]]
    private: bool = False
    gated: bool = False
    readers: set[str] = field(default_factory=set)
    """Tokens whose accounts may see it (private) or have accepted its licence (gated)."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with the next requests whose path matches.

    `status` answers with an error, `drop_after` cuts the connection after so many bytes of the body,
    `stall_after` sends no more after them (until the hub closes), `corrupt` sends other bytes.
    """

    match: str
    method: str = "GET"
    times: int = 1
    status: int | None = None
    drop_after: int | None = None
    stall_after: int | None = None
    corrupt: bool = False


class ModelHub:
    """`with ModelHub() as hub:` serves `hub.repos` at `hub.url`."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.tokens: set[str] = set()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
        for server in self._servers:
            server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._servers[0].server_address[1]}"
        self.cdn = f"http://localhost:{self._servers[1].server_address[1]}"

    def __enter__(self) -> ModelHub:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, name: str, files: Mapping[str, bytes], **more: Any) -> str:
        """A new commit on `main` that holds these files; returns it."""
        repo = self.repos.setdefault(name, Repo(branches={}, commits={}, **more))
        commit = hashlib.sha1(f"{name}{len(repo.commits)}".encode()).hexdigest()
        repo.commits[commit] = dict(files)
        repo.branches["main"] = commit
        return commit

    def asked(self, pattern: str, method: str = "GET") -> list[str]:
        """The paths of all requests that match."""
        return [path for verb, path, _headers in self.requests if verb == method and re.search(pattern, path)]

    def lfs(self, digest: str) -> bytes:
        for repo in self.repos.values():
            for files in repo.commits.values():
                for content in files.values():
                    if hashlib.sha256(content).hexdigest() == digest:
                        return content
        raise KeyError(digest)


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: ModelHub

    def log_message(self, *_args: object) -> None: ...

    def _answer(self) -> None:
        self.hub.requests.append((self.command, self.path, dict(self.headers)))
        self.fault = self._fault()
        if self.fault is not None and self.fault.status is not None:
            self._send(self.fault.status, b'{"error": "made to fail"}', {})
            return
        try:
            self._route(urlsplit(self.path).path)
        except _Refused as refused:
            body = json.dumps({"error": refused.message}).encode()
            self._send(refused.status, body, {"X-Error-Code": refused.code, "X-Error-Message": refused.message})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815

    def _fault(self) -> Fault | None:
        for fault in self.hub.faults:
            if fault.times > 0 and fault.method == self.command and re.search(fault.match, self.path):
                fault.times -= 1
                return fault
        return None

    def _route(self, path: str) -> None:
        if found := re.fullmatch(r"/api/(?:models/)?([^/]+/[^/]+|datasets/[^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            commit, files = self._commit(found[1], unquote(found[2] or "main"))
            siblings = [{"rfilename": name} for name in files]
            self._json(
                {"id": found[1].removeprefix("datasets/"), "sha": commit, "private": False, "siblings": siblings}
            )
        elif found := re.fullmatch(r"/api/(?:models/)?((?:datasets/)?[^/]+/[^/]+)/tree/([^/]+)(?:/(.+))?", path):
            _commit, files = self._commit(found[1], unquote(found[2]))
            inside = f"{unquote(found[3])}/" if found[3] else ""
            entries = [_entry(name, content) for name, content in files.items() if name.startswith(inside)]
            if not entries:
                raise _Refused(404, "EntryNotFound", f"{inside} does not exist")
            self._json(entries)
        elif found := re.fullmatch(r"/api/((?:datasets/)?[^/]+/[^/]+)/paths-info/([^/]+)", path):
            _commit, files = self._commit(found[1], unquote(found[2]))
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._json([_entry(name, files[name]) for name in asked.get("paths", ()) if name in files])
        elif found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], unquote(found[2]), unquote(found[3]))
        elif found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            self._body(self.hub.lfs(found[1]), {"ETag": f'"{found[1]}"'})
        else:
            raise _Refused(404, "", f"no route for {path}")

    def _token(self) -> str | None:
        header = self.headers.get("Authorization")
        if header is None:
            return None
        token = header.removeprefix("Bearer ").strip()
        if token not in self.hub.tokens:
            raise _Refused(401, "", "Invalid credentials in Authorization header")
        return token

    def _commit(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        token = self._token()
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and token not in repo.readers):
            raise _Refused(404 if token else 401, "RepoNotFound", "Repository not found")
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, repo.commits[commit]

    def _resolve(self, name: str, revision: str, path: str) -> None:
        commit, files = self._commit(name, revision)
        repo, token = self.hub.repos[name], self._token()
        if repo.gated and token not in repo.readers:
            raise _Refused(403 if token else 401, "GatedRepo", f"Access to model {name} is restricted.")
        if path not in files:
            raise _Refused(404, "EntryNotFound", "Entry not found")
        content, headers = files[path], {"X-Repo-Commit": commit}
        if not path.endswith(LFS_NAMES):
            self._body(content, {**headers, "ETag": f'"{_blob(content)}"'})
            return
        digest = hashlib.sha256(content).hexdigest()
        linked = {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
        self._send(302, b"", {**headers, **linked, "Location": f"{self.hub.cdn}/lfs/{digest}"})

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _body(self, content: bytes, headers: dict[str, str]) -> None:
        status, total = 200, len(content)
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(found[1]), int(found[2] or total - 1)
            if start >= total:
                self._send(416, b"", {"Content-Range": f"bytes */{total}"})
                return
            content, status = content[start : end + 1], 206
            headers["Content-Range"] = f"bytes {start}-{start + len(content) - 1}/{total}"
        self._send(status, content, {**headers, "Accept-Ranges": "bytes"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = self.fault
        if fault is None or status >= 300:
            self.wfile.write(body)
        elif fault.corrupt:
            self.wfile.write(bytes(byte ^ 1 for byte in body))
        elif fault.drop_after is not None:
            self.wfile.write(body[: fault.drop_after])
            self.close_connection = True
        elif fault.stall_after is not None:
            self.wfile.write(body[: fault.stall_after])
            self.wfile.flush()
            self.hub.closing.wait(timeout=120)
            self.close_connection = True


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": _blob(content)}
    if name.endswith(LFS_NAMES):
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
    return entry


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
