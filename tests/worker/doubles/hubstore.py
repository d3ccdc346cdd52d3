"""What the double of the Hub keeps: repositories, their commits, and the content of large files."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".mp4", ".zip", ".gguf", ".png", ".jpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Whom a token belongs to. A `read` token may not write; a user writes to their own name and to `orgs`."""

    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a commit: its content, or the sha256 of a large file that is kept apart."""

    size: int
    oid: str
    """Of the blob in git: of the pointer, for a large file."""
    data: bytes | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    oid: str
    title: str
    author: str
    time: float
    files: Mapping[str, Entry]


def blob_oid(data: bytes) -> str:
    """The name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer_text(sha256: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def is_large(path: str, size: int, threshold: int) -> bool:
    """Whether the Hub keeps a file apart. An empty file never is."""
    return size > 0 and (path.endswith(LFS_SUFFIXES) or size > threshold)


@dataclass(kw_only=True)
class Repo:
    """One repository of models, datasets or spaces."""

    id: str
    kind: str = "model"
    private: bool = False
    gated: bool = False
    allowed: tuple[str, ...] = ()
    """Names of users with access to a gated repository."""
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.add_commit("main", {}, "initial commit", "system")

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    def add_commit(self, branch: str, files: Mapping[str, Entry], title: str, author: str) -> Commit:
        seed = f"{self.kind}/{self.id}/{len(self.commits)}"
        oid = hashlib.sha1(seed.encode()).hexdigest()
        commit = Commit(oid=oid, title=title, author=author, time=time.time(), files=dict(files))
        self.commits.append(commit)
        self.branches[branch] = oid
        return commit

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch or a hash."""
        oid = self.branches.get(revision, revision)
        return next((c for c in self.commits if c.oid == oid), None)

    @property
    def head(self) -> Commit:
        found = self.at("main")
        assert found is not None
        return found


class Store:
    """All repositories and the content of large files, by sha256."""

    def __init__(self, *, lfs_threshold: int) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.large: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.lfs_threshold = lfs_threshold

    def entry(self, path: str, data: bytes) -> Entry:
        """A file as a commit holds it; the content of a large one is kept."""
        if not is_large(path, len(data), self.lfs_threshold):
            return Entry(size=len(data), oid=blob_oid(data), data=data)
        sha256 = hashlib.sha256(data).hexdigest()
        self.large[sha256] = data
        return self.large_entry(sha256)

    def large_entry(self, sha256: str) -> Entry:
        size = len(self.large[sha256])
        return Entry(size=size, oid=blob_oid(pointer_text(sha256, size)), sha256=sha256)

    def content(self, entry: Entry) -> bytes:
        if entry.data is not None:
            return entry.data
        assert entry.sha256 is not None
        return self.large[entry.sha256]

    def seed(self, repo: Repo, files: Mapping[str, bytes], removed: Iterable[str] = ()) -> Commit:
        """A commit by somebody else."""
        kept = {path: entry for path, entry in repo.head.files.items() if path not in set(removed)}
        return repo.add_commit("main", kept | {p: self.entry(p, d) for p, d in files.items()}, "seed", "system")
