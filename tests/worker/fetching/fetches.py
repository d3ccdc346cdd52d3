"""Runs of the fetch step in a volume of their own."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import Step
from tests.worker.modelruns import Run, a_plan, plain_settings
from worker.environment import read_settings
from worker.errors import StepFailed
from worker.secretstore import SecretStore
from worker.steps import fetch


def picture(number: int = 0) -> bytes:
    """A PNG of one pixel; each number gives another one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    color = bytes((number % 256, number // 256 % 256, 7))
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + color)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def volume_of(tmp_path: Path) -> Path:
    (tmp_path / "work" / "datasets").mkdir(parents=True, exist_ok=True)
    return tmp_path


def a_run(tmp_path: Path, source: str, *, kind: str = "http", media: str = "images", **more: Any) -> Run:
    volume = volume_of(tmp_path)
    secrets: dict[str, str] = more.pop("secrets", {})
    args = {
        "source": source,
        "source_kind": kind,
        "secret": more.pop("secret", None),
        "media": media,
        "to": str(volume / "work" / "datasets" / "d"),
    }
    environ = {"HOME": str(volume), **more.pop("environ", {})}
    read = {field: getattr(read_settings(environ), field) for field in ("fetch", "allow_any_path")}
    settings = plain_settings(environ, **{"allow_private_addresses": True, **read, **more.pop("settings", {})})
    steps = [Step(id="fetch", kind="fetch", needs=(), args=args), *more.pop("steps", ())]
    return Run(plan=a_plan(volume, steps), settings=settings, secrets=SecretStore(secrets))


def fetched(run: Run) -> dict[str, Any]:
    return run.do("fetch", fetch.run)


def failure(run: Run) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        fetched(run)
    return caught.value


def dataset(tmp_path: Path) -> dict[str, bytes]:
    """What lies in the dataset's folder."""
    folder = tmp_path / "work" / "datasets" / "d"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def beside(tmp_path: Path) -> set[str]:
    """What lies beside it."""
    return {path.name for path in (tmp_path / "work" / "datasets").iterdir()} - {"d"}
