"""The `dpcompile` command as a shell would see it, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpcompile.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the command ended, and all that it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Both streams, for tests that look for something anywhere."""
        return (self.out + self.err).decode("utf-8", "replace")


@contextlib.contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


def run_here(*arguments: str, stdin: bytes = b"") -> Ended:
    """Runs the command in this process, with streams as strict as those of a terminal in UTF-8."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict") for _ in range(2))
    code = 0
    with _stdin(stdin), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 1
    out.flush()
    err.flush()
    return Ended(code=code, out=_bytes(out), err=_bytes(err))


def _bytes(stream: io.TextIOWrapper) -> bytes:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def run_apart(
    *arguments: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    flags: Sequence[str] = (),
    memory: int | None = None,
    timeout: float = 60,
) -> Ended:
    """Runs the command in a fresh interpreter; `memory` limits its address space, in bytes.

    Raises subprocess.TimeoutExpired when it takes longer than `timeout` seconds.
    """
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "VIRTUAL_ENV", "SYSTEMROOT")}

    def limit() -> None:
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    ended = subprocess.run(
        [sys.executable, *flags, "-m", "dpcompile", *arguments],
        input=stdin,
        capture_output=True,
        env={**kept, "PYTHONPATH": str(ROOT), **(env or {})},
        cwd=cwd or ROOT,
        timeout=timeout,
        preexec_fn=limit,
        check=False,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)
