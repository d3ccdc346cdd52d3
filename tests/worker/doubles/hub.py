"""A Hugging Face Hub on 127.0.0.1 that the real client works with.

Repositories, commits, Git LFS in one piece and in parts, downloads with Range, private and gated
repositories, tokens, faults. Xet storage is never offered: clients need HF_HUB_DISABLE_XET=1.

    with Hub(tokens={"hf_test": User(name="tester")}) as hub:
        api = HfApi(endpoint=hub.url, token="hf_test")
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import parse_qs, unquote

from tests.worker.doubles import hublfs
from tests.worker.doubles.hubjson import refuse, shown, shown_commit, shown_folder
from tests.worker.doubles.hubstore import Commit, Entry, Repo, Store, User, blob_oid, is_large
from tests.worker.doubles.web import Fault, Reply, Request, WebServer, json_reply

_KIND = r"(?P<kind>datasets/|spaces/)?"
_LFS_BATCH = re.compile(rf"/{_KIND}(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_RESOLVE = re.compile(rf"/{_KIND}(?P<id>[^/]+/[^/]+|[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)")
_API = re.compile(
    r"/api/(?P<kind>model|dataset|space)s/(?P<id>[^/]+/[^/]+?|[^/]+?)"
    r"(?:/(?P<verb>revision|tree|paths-info|preupload|commit|refs|commits)(?:/(?P<rev>[^/]+)(?:/(?P<sub>.+))?)?)?"
)


class Hub:
    """The whole Hub. `store` is what it holds; `faults` is what goes wrong next; `requests` is what was asked."""

    def __init__(
        self,
        *,
        tokens: Mapping[str, User] | None = None,
        lfs_threshold: int = 10 * 1024 * 1024,
        part_size: int | None = None,
    ) -> None:
        self.tokens = dict(tokens if tokens is not None else {"hf_test": User(name="tester")})
        self.store = Store(lfs_threshold=lfs_threshold)
        self._part_size = part_size
        self._web = WebServer(self._answer)
        # Large files come from another origin, as they do from the real Hub, and without its token.
        self._cdn = WebServer(self._answer_large, host="localhost")
        self.url = self._web.url
        self.cdn_url = self._cdn.url

    def __enter__(self) -> Self:
        self._web.__enter__()
        self._cdn.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._cdn.__exit__(*error)
        self._web.__exit__(*error)

    @property
    def requests(self) -> list[Request]:
        return self._web.requests

    @property
    def cdn_requests(self) -> list[Request]:
        return self._cdn.requests

    def fail(self, match: str, **how: Any) -> Fault:
        """Makes the next requests fail whose path matches; see Fault for how."""
        fault = Fault(match=match, **how)
        self._web.faults.append(fault)
        self._cdn.faults.append(fault)
        return fault

    def create(self, repo_id: str, *, kind: str = "model", **how: Any) -> Repo:
        """A repository of anybody's: private=True, gated=True, allowed=("tester",)."""
        return self.store.repos.setdefault((kind, repo_id), Repo(id=repo_id, kind=kind, **how))

    def seed(self, repo_id: str, files: Mapping[str, bytes], *, kind: str = "model", **how: Any) -> Commit:
        """Puts files into a repository, which is made if need be."""
        return self.store.seed(self.create(repo_id, kind=kind, **how), files)

    def files(self, repo_id: str, *, kind: str = "model") -> dict[str, bytes]:
        """All files at the head of a repository."""
        return {p: self.store.content(e) for p, e in self.store.repos[kind, repo_id].head.files.items()}

    def commits(self, repo_id: str, *, kind: str = "model") -> list[Commit]:
        return self.store.repos[kind, repo_id].commits

    def _answer_large(self, request: Request) -> Reply:
        reply = hublfs.serve(request, self.store)
        if reply is None:
            raise refuse(404, "no such route")
        return reply

    def _answer(self, request: Request) -> Reply:
        fixed = _FIXED.get((request.method, request.path))
        if fixed:
            return fixed(self, request)
        if reply := hublfs.serve(request, self.store):
            return reply
        if found := _LFS_BATCH.fullmatch(request.path):
            self._writable(request, self._repo(request, _kind(found["kind"]), found["id"]))
            return hublfs.batch(request, self.store, base=self.url, cdn=self.cdn_url, part_size=self._part_size)
        if found := _RESOLVE.fullmatch(request.path):
            repo = self._repo(request, _kind(found["kind"]), found["id"], content=True)
            return self._resolve(request, repo, unquote(found["rev"]), unquote(found["path"]))
        if found := _API.fullmatch(request.path):
            repo = self._repo(request, found["kind"], found["id"])
            answer = _VERBS[request.method, found["verb"] or "revision"]
            return answer(self, request, repo, unquote(found["rev"] or "main"), unquote(found["sub"] or ""))
        raise refuse(404, f"the double has no route {request.method} {request.path}")

    def _user(self, request: Request) -> User | None:
        given = request.headers.get("authorization")
        if given is None:
            return None
        user = self.tokens.get(given.removeprefix("Bearer ").strip())
        if user is None:
            raise refuse(401, "Invalid credentials in Authorization header")
        return user

    def _repo(self, request: Request, kind: str, repo_id: str, *, content: bool = False) -> Repo:
        user, repo = self._user(request), self.store.repos.get((kind, repo_id))
        hidden = repo is None or (repo.private and (user is None or not _owns(user, repo.owner)))
        if repo is None or hidden:
            raise refuse(404 if user else 401, "Repository not found", "RepoNotFound")
        if content and repo.gated and (user is None or user.name not in repo.allowed):
            raise refuse(403 if user else 401, f"Access to model {repo_id} is restricted.", "GatedRepo")
        return repo

    def _writable(self, request: Request, repo: Repo) -> User:
        return self._writer(request, repo.owner)

    def _writer(self, request: Request, owner: str | None) -> User:
        user = self._user(request)
        if user is None:
            raise refuse(401, "Invalid username or password.")
        if user.role != "write" or not _owns(user, owner or user.name):
            raise refuse(403, f"You don't have the rights to create a model under the namespace {owner!r}")
        return user

    def _whoami(self, request: Request) -> Reply:
        user = self._user(request)
        if user is None:
            raise refuse(401, "Invalid username or password.")
        token = {"displayName": "test", "role": user.role}
        auth = {"type": "access_token", "accessToken": token}
        orgs = [{"type": "org", "name": org} for org in user.orgs]
        return json_reply({"type": "user", "id": "1", "name": user.name, "orgs": orgs, "auth": auth})

    def _create_repo(self, request: Request) -> Reply:
        asked = request.json()
        user = self._writer(request, asked.get("organization"))
        kind, repo_id = asked.get("type") or "model", f"{asked.get('organization') or user.name}/{asked['name']}"
        url = f"{self.url}/{'' if kind == 'model' else f'{kind}s/'}{repo_id}"
        if (kind, repo_id) in self.store.repos:
            raise refuse(409, f"You already created this {kind} repo", url=url)
        self.create(repo_id, kind=kind, private=bool(asked.get("private")) or asked.get("visibility") == "private")
        return json_reply({"url": url, "name": repo_id})

    def _delete_repo(self, request: Request) -> Reply:
        asked = request.json()
        user = self._writer(request, asked.get("organization"))
        key = (asked.get("type") or "model", f"{asked.get('organization') or user.name}/{asked['name']}")
        if self.store.repos.pop(key, None) is None:
            raise refuse(404, "Repository not found", "RepoNotFound")
        return json_reply({})

    def _validate_yaml(self, _request: Request) -> Reply:
        return json_reply({"errors": [], "warnings": []})

    def _info(self, _request: Request, repo: Repo, revision: str, _sub: str) -> Reply:
        commit = _commit(repo, revision)
        about = {"id": repo.id, "modelId": repo.id, "author": repo.owner, "sha": commit.oid, "disabled": False}
        access = {"private": repo.private, "gated": "manual" if repo.gated else False}
        counts = {"tags": [], "downloads": 0, "likes": 0, "createdAt": "2025-01-01T00:00:00.000Z"}
        return json_reply({**about, **access, **counts, "siblings": [{"rfilename": path} for path in commit.files]})

    def _refs(self, _request: Request, repo: Repo, _revision: str, _sub: str) -> Reply:
        heads = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": oid} for n, oid in repo.branches.items()]
        return json_reply({"branches": heads, "converts": [], "tags": [], "pullRequests": []})

    def _commits(self, _request: Request, repo: Repo, _revision: str, _sub: str) -> Reply:
        return json_reply([shown_commit(commit) for commit in reversed(repo.commits)])

    def _tree(self, request: Request, repo: Repo, revision: str, sub: str) -> Reply:
        commit = _commit(repo, revision)
        recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        prefix = f"{sub}/" if sub else ""
        below = {p[len(prefix) :]: e for p, e in sorted(commit.files.items()) if p.startswith(prefix)}
        if sub and not below:
            raise refuse(404, f"{sub} does not exist on {revision!r}", "EntryNotFound")
        folders = {"/".join(p.split("/")[:n]) for p in below for n in range(1, p.count("/") + 1)}
        items = [shown(prefix + p, e) for p, e in below.items() if recursive or "/" not in p]
        items += [shown_folder(prefix + f) for f in sorted(folders) if recursive or "/" not in f]
        return json_reply(items)

    def _paths_info(self, request: Request, repo: Repo, revision: str, _sub: str) -> Reply:
        is_json = "json" in request.headers.get("content-type", "")
        paths = request.json()["paths"] if is_json else parse_qs(request.body.decode())["paths"]
        files = _commit(repo, revision).files
        return json_reply([shown(path, files[path]) for path in paths if path in files])

    def _preupload(self, request: Request, repo: Repo, revision: str, _sub: str) -> Reply:
        self._writable(request, repo)
        files, answers = _commit(repo, revision).files, []
        for asked in request.json()["files"]:
            path = asked["path"]
            mode = "lfs" if is_large(path, asked["size"], self.store.lfs_threshold) else "regular"
            there = files.get(path)
            known = {"oid": there.sha256 or there.oid} if there else {}
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **known})
        return json_reply({"files": answers})

    def _add_commit(self, request: Request, repo: Repo, revision: str, _sub: str) -> Reply:
        user = self._writable(request, repo)
        header, *changes = [json.loads(line) for line in request.body.splitlines() if line.strip()]
        with repo.lock:
            before = _commit(repo, revision)
            expected = header["value"].get("parentCommit")
            if expected and not before.oid.startswith(expected):
                raise refuse(412, "A commit has happened since. Please refresh and try again.")
            files = dict(before.files)
            for change in changes:
                self._apply(files, change["key"], change["value"])
            commit = repo.add_commit(revision, files, header["value"]["summary"], user.name)
        prefix = "" if repo.kind == "model" else f"{repo.kind}s/"
        url = f"{self.url}/{prefix}{repo.id}/commit/{commit.oid}"
        return json_reply({"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""})

    def _apply(self, files: dict[str, Entry], key: str, value: Mapping[str, Any]) -> None:
        path = value["path"]
        if key == "file":
            data = base64.b64decode(value["content"])
            files[path] = Entry(size=len(data), oid=blob_oid(data), data=data)
        elif key == "lfsFile":
            if value["oid"] not in self.store.large:
                raise refuse(400, f"LFS pointer pointed to a file that does not exist: {value['oid']}")
            files[path] = self.store.large_entry(value["oid"])
        elif key == "deletedFile":
            if files.pop(path, None) is None:
                raise refuse(404, "A file with this name doesn't exist", "EntryNotFound")
        elif key == "deletedFolder":
            for inside in [p for p in files if p.startswith(path.rstrip("/") + "/")]:
                del files[inside]
        else:
            raise refuse(400, f"unknown change {key!r}")

    def _resolve(self, request: Request, repo: Repo, revision: str, path: str) -> Reply:
        commit = _commit(repo, revision)
        entry, told = commit.files.get(path), {"X-Repo-Commit": commit.oid}
        if entry is None:
            codes = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return json_reply({"error": "Entry not found"}, 404, {**told, **codes})
        if entry.sha256 is None:
            return hublfs.ranged(request, self.store.content(entry), {**told, "ETag": f'"{entry.oid}"'})
        linked = {"X-Linked-Size": str(entry.size), "X-Linked-Etag": f'"{entry.sha256}"', "Accept-Ranges": "bytes"}
        return Reply(status=302, headers={**told, **linked, "Location": f"{self.cdn_url}/_lfs/{entry.sha256}"})


def _kind(prefix: str | None) -> str:
    return prefix.removesuffix("s/") if prefix else "model"


def _owns(user: User, owner: str) -> bool:
    return owner == user.name or owner in user.orgs


def _commit(repo: Repo, revision: str) -> Commit:
    commit = repo.at(revision)
    if commit is None:
        raise refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return commit


_FIXED: dict[tuple[str, str], Callable[[Hub, Request], Reply]] = {
    ("GET", "/api/whoami-v2"): Hub._whoami,
    ("POST", "/api/repos/create"): Hub._create_repo,
    ("DELETE", "/api/repos/delete"): Hub._delete_repo,
    ("POST", "/api/validate-yaml"): Hub._validate_yaml,
}
_VERBS: dict[tuple[str, str], Callable[[Hub, Request, Repo, str, str], Reply]] = {
    ("GET", "revision"): Hub._info,
    ("GET", "tree"): Hub._tree,
    ("GET", "refs"): Hub._refs,
    ("GET", "commits"): Hub._commits,
    ("POST", "paths-info"): Hub._paths_info,
    ("POST", "preupload"): Hub._preupload,
    ("POST", "commit"): Hub._add_commit,
}
