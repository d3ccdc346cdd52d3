"""Bringing data and packing results, against the plain tools that do less: no checks, no digests, nothing kept."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measure import Times, show
from benchmarks.steps import StaticServer, run_of
from dpcompile.plan import Step
from worker.publishing.archive import Member, make_archive
from worker.steps import fetch
from worker.stopping import Stop

_SEED = 0


def main(runs: int, megabytes: int) -> None:
    """Prints fetching and unpacking against curl and unzip, and our archive against shutil's."""
    with tempfile.TemporaryDirectory() as folder:
        _fetching(Path(folder), runs, megabytes)
        _packing(Path(folder), runs, megabytes)


def in_turns(works: Mapping[str, Callable[[], None]], runs: int) -> dict[str, Times]:
    """Times each piece of work `runs` times, taking turns; a first turn warms the disk cache."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(runs + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                taken[name].append((time.perf_counter() - start) * 1e3)
    return {name: Times(milliseconds=tuple(values)) for name, values in taken.items()}


def _fetching(folder: Path, runs: int, megabytes: int) -> None:
    count = 200
    noise = random.Random(_SEED)
    packed = folder / "served" / "photos.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(count):
            archive.writestr(f"photos/{n}.jpg", noise.randbytes(megabytes * 1_000_000 // count))
            archive.writestr(f"photos/{n}.txt", f"a photo, number {n}")
    with StaticServer(packed.parent) as server:

        def ours() -> None:
            volume = Path(tempfile.mkdtemp(dir=folder))
            to = volume / "work" / "datasets" / "d"
            to.parent.mkdir(parents=True)
            args = {
                "source": f"{server.url}/photos.zip",
                "source_kind": "http",
                "secret": None,
                "media": "images",
                "to": str(to),
            }
            context = run_of(volume, [Step(id="fetch", kind="fetch", needs=(), args=args)]).context("fetch")
            done = fetch.run(context)
            if done["captions"] != count:
                raise SystemExit(f"the benchmark's data did not arrive: {done}")
            shutil.rmtree(volume)

        def plain() -> None:
            to = Path(tempfile.mkdtemp(dir=folder))
            subprocess.run(["curl", "-sSf", "-o", to / "x.zip", f"{server.url}/photos.zip"], check=True)
            subprocess.run(["unzip", "-q", to / "x.zip", "-d", to / "out"], check=True)
            shutil.rmtree(to)

        times = in_turns({"curl, then unzip": plain, "the fetch step": ours}, runs)
    show(f"Fetching {megabytes} MB in {2 * count} files from this machine, {runs} runs each, taking turns", times)


def _packing(folder: Path, runs: int, megabytes: int) -> None:
    model = folder / "model"
    model.mkdir()
    noise = random.Random(_SEED)
    content = noise.randbytes(megabytes * 1_000_000)
    (model / "adapter_model.safetensors").write_bytes(content)
    (model / "README.md").write_text("# a model\n" * 100, "utf-8")
    members = [_member(path) for path in sorted(model.iterdir())]

    def ours() -> None:
        to = Path(tempfile.mkdtemp(dir=folder))
        make_archive(to / "model.zip", members, Stop())
        shutil.rmtree(to)

    def plain() -> None:
        to = Path(tempfile.mkdtemp(dir=folder))
        shutil.make_archive(str(to / "model"), "zip", model)
        shutil.rmtree(to)

    times = in_turns({"shutil.make_archive": plain, "our archive": ours}, runs)
    show(f"Packing {megabytes} MB of weights, with digests of what is read and written, {runs} runs each", times)


def _member(path: Path) -> Member:
    content = path.read_bytes()
    return Member(name=path.name, path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())
