"""Looking at a folder of images as `inspect` does, against a plain loop that only opens each header."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import ROOT, show
from benchmarks.moving import in_turns
from dpcompile.inspection.rules import dataset_rules
from dpcompile.probing.folders import Prober

_MEMORY = """
import resource, sys, time
from dpcompile.inspection.rules import dataset_rules
from dpcompile.probing.folders import Prober
[rules] = dataset_rules({"resolutions": [512], "directory": [{"path": sys.argv[1]}]})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder = Prober(clock=time.monotonic).folder(rules, str)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(folder.items), (after - before) // 1024)
"""


def main(runs: int, files: int, many: int) -> None:
    """Prints files per second, again with what was remembered, and the memory that `many` files take."""
    if find_spec("PIL") is None:
        print("\nLooking at images: left out, Pillow is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        images, store = Path(folder) / "images", Path(folder) / "store"
        _fill(images, files)
        [rules] = dataset_rules({"resolutions": [512], "directory": [{"path": str(images)}]})

        def plain() -> None:
            from PIL import Image

            for path in images.iterdir():
                if path.suffix == ".jpg":
                    with Image.open(path) as image:
                        assert image.width
                    path.with_suffix(".txt").read_text("utf-8")

        def ours() -> None:
            assert len(Prober(clock=time.monotonic).folder(rules, str).items) == files

        def again() -> None:
            assert len(Prober(store=store, clock=time.monotonic).folder(rules, str).items) == files

        again()
        works = {"open each header, read captions": plain, "inspect": ours, "inspect, unchanged files": again}
        times = in_turns(works, runs)
        show(f"Looking at {files} images with captions, {runs} runs each, taking turns", times)
        for name, each in times.items():
            print(f"  {name:34} {files / each.median * 1e3:8.0f} files per second")
        _fill(Path(folder) / "many", many)
        command = [sys.executable, "-c", _MEMORY, str(Path(folder) / "many")]
        told = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split()
        print(f"  memory for {told[0]} images: {told[1]} MB at most, beside the program itself")


def _fill(folder: Path, count: int) -> None:
    """Small images of many sizes, no two with the same content and few of the same length, each with a caption."""
    from PIL import Image

    folder.mkdir()
    for n in range(min(count, 64)):
        Image.new("RGB", (64 + 2 * n, 96), (n, 99, 0)).save(folder / f"{n:06}.jpg")
    heads = [(folder / f"{n:06}.jpg").read_bytes() for n in range(min(count, 64))]
    for n in range(count):
        # Bytes behind the end of a JPEG are no mistake; cameras put previews there.
        (folder / f"{n:06}.jpg").write_bytes(heads[n % 64] + n.to_bytes(4, "big") + bytes(n % 3000))
        (folder / f"{n:06}.txt").write_text(f"a photo, number {n}", "utf-8")
