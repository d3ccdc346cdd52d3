"""From the start of a run to the start of its training: fetching, describing and downloading side by side."""

from __future__ import annotations

import random
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.steps import StaticServer, run_of
from dpcompile.plan import Step, StepKind
from worker.app import Worker, run_now
from worker.context import RunStep, StepContext
from worker.steps.registry import RUN_STEP


def main(megabytes: int, megabytes_per_second: float) -> None:
    """Prints the wall time of a run up to its training, against the sum of its steps."""
    with tempfile.TemporaryDirectory() as folder:
        served, volume = Path(folder) / "served", Path(folder) / "volume"
        served.mkdir()
        (volume / "work" / "datasets").mkdir(parents=True)
        _serve(served, megabytes)
        with StaticServer(served, megabytes_per_second * 1e6) as server:
            plan = run_of(volume, _steps(server.url, volume))
            times: dict[str, float] = {}
            worker = Worker(settings=plan.settings, run_step=_timed(times))
            start = time.perf_counter()
            response = run_now(plan.plan.to_json(), worker, plans=True)
            wall = time.perf_counter() - start
        if "train" not in times:
            raise SystemExit(f"the benchmark's run came to an end before its training: {response}")
    parts = {name: seconds for name, seconds in times.items() if name != "train"}
    rate = f"{megabytes_per_second:.0f} MB/s"
    print(f"\nA run up to its training: {megabytes} MB of data and of models each, at {rate} each")
    for name, seconds in parts.items():
        print(f"  {name:34} {seconds:6.2f} s")
    print(f"  {'one after the other':34} {sum(parts.values()):6.2f} s   1.00 x")
    print(f"  {'side by side, as it was run':34} {wall:6.2f} s   {wall / sum(parts.values()):.2f} x")


def _serve(folder: Path, megabytes: int) -> None:
    noise = random.Random(0)
    (folder / "model.safetensors").write_bytes(noise.randbytes(megabytes * 1_000_000))
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.jpg", noise.randbytes(megabytes * 50_000))
            archive.writestr(f"{n}.txt", "a photo")


def _steps(url: str, volume: Path) -> list[Step]:
    data = volume / "work" / "datasets" / "d"
    fetch = {"source": f"{url}/photos.zip", "source_kind": "http", "secret": None, "media": "images", "to": str(data)}
    model = {"url": f"{url}/model.safetensors", "to": str(volume / "work" / "models" / "model.safetensors")}
    train = {"config": str(volume / "train.toml"), "epochs": 1, "weights": []}
    return [
        Step(id="fetch-images", kind="fetch", needs=(), args=fetch),
        Step(id="download-1", kind="download", needs=(), args=model),
        Step(id="train", kind="train", needs=("fetch-images", "download-1"), args=train),
    ]


def _timed(times: dict[str, float]) -> Mapping[StepKind, RunStep]:
    """The real steps, each noting how many seconds it took; the training only notes that it came."""

    def timed(run: RunStep) -> RunStep:
        def step(context: StepContext) -> dict[str, Any]:
            start = time.perf_counter()
            result = {} if context.step.kind == "train" else run(context)
            times[context.step.id] = time.perf_counter() - start
            return result

        return step

    return {kind: timed(run) for kind, run in RUN_STEP.items()}
