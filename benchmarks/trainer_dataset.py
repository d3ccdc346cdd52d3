"""dpcompile's inspection against the trainer's own code, on random datasets: `python -m benchmarks.trainer_dataset`.

    python -m benchmarks.trainer_dataset CHECKOUT [--datasets 1000] [--seed 0]

CHECKOUT is a checkout of diffusion-pipe with its submodule ComfyUI. Its utils/dataset.py, utils/cache.py,
models/base.py (which reads the media while it caches) and ComfyUI's reader of videos are loaded from there and run as
they are; so are the lines of train.py that read the batch sizes. Stood in for are: DeepSpeed, the rest of ComfyUI and
of the libraries that models are made of, the model itself (its numbers are those of a real one, its encoders return
zeros), and processes, which run within this one. Pictures are made small where the trainer would make them as large as
their bucket.

Needs Python 3.12 (utils/cache.py does) and, beside dpcompile[inspect]: torch, torchvision, datasets (which brings
multiprocess, numpy and tqdm), imageio[ffmpeg] and safetensors. 1,000 datasets take about six minutes on two cores.

For each dataset these are compared: whether the trainer stops; and where it does not, or only after caching, each
file's buckets, how many files are listed, and each bucket's files, items, batch, steps and what is lost, and the steps
in all. Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import toml

from benchmarks.random_datasets import Made, Pool, make_dataset, make_pool
from benchmarks.trainer_code import READER, Answer, Trainer
from dpcompile.catalogue import Catalogue
from dpcompile.commands.inspect_toml import toml_subject
from dpcompile.diagnostics import Diagnostic
from dpcompile.examine import Examiner, Place
from dpcompile.inspection.inspected import to_json
from dpcompile.inspection.rules import Refused
from dpcompile.inspection.saying import Wishes
from dpcompile.probing.folders import Prober

_AFTER_CACHING = ("DPC603", "DPC612")
"""Findings that nothing is left to train on, at which the trainer stops only when it is through with caching."""


def our_answer(made: Made, catalogue: Catalogue) -> Answer:
    """What `dpcompile inspect --toml` says of a dataset."""
    dataset = str(toml.loads(made.train.read_text("utf-8"))["dataset"])
    subject = toml_subject(dataset, str(made.train), made.model, made.gpus, catalogue)
    if isinstance(subject, Diagnostic):
        return Answer(stops=f"{subject.code} {subject.message}")
    facts, files = subject
    try:
        inspection = Examiner(facts, Wishes(), Prober(threads=1), Place()).examine(files)
    except Refused as error:
        return Answer(stops=error.message)
    told = to_json(inspection)
    told["eval"]["train"] = {"batches": told["steps_per_epoch"], "buckets": told["buckets"], "files": told["files"]}
    # Videos for a model of images are an error to dpcompile, as nobody means them; the trainer passes over them.
    errors = [one for one in inspection.diagnostics if one.severity == "error"]
    errors = [one for one in errors if not one.message.endswith("trains on images only")]
    return Answer(
        stops="; ".join(f"{one.code} {one.message}" for one in errors),
        cached=all(one.code in _AFTER_CACHING for one in errors),
        sets={name: _ours(each) for name, each in told["eval"].items()},
    )


def _ours(told: Mapping[str, Any]) -> dict[str, Any]:
    """One set of inspect's JSON, in the form of the trainer's answer."""
    keys = [(each["width"], each["height"], each["frames"], each["ar"]) for each in told["buckets"]]
    counted = [tuple(each[name] for name in ("files", "items", "batch", "steps", "lost")) for each in told["buckets"]]
    files = {each["path"]: sorted(keys[n] for n in each["buckets"]) for each in told["files"] if each["buckets"]}
    return {
        "files": files,
        "listed": len(told["files"]),
        "buckets": sorted((*key, *numbers) for key, numbers in zip(keys, counted, strict=True)),
        "steps": told["batches"],
    }


def differences(theirs: Answer, ours: Answer) -> Iterator[str]:
    """What the two answers differ in, in words."""
    if (bool(theirs.stops), theirs.cached) != (bool(ours.stops), ours.cached):
        yield f"the trainer: {theirs.stops or 'goes on'}; dpcompile: {ours.stops or 'goes on'}"
    for name in sorted(theirs.sets.keys() & ours.sets.keys()):
        for what, value in theirs.sets[name].items():
            if value != ours.sets[name][what]:
                yield f"{name}, {what}: {_difference(value, ours.sets[name][what])}"


def _difference(theirs: Any, ours: Any) -> str:
    if isinstance(theirs, dict):
        paths = [path for path in {**theirs, **ours} if theirs.get(path) != ours.get(path)]
        return "; ".join(f"{Path(path).name} {theirs.get(path)} and not {ours.get(path)}" for path in paths[:3])
    if isinstance(theirs, list):
        return f"{[one for one in theirs if one not in ours]} and not {[one for one in ours if one not in theirs]}"
    return f"{theirs} and not {ours}"


_worker: list[Any] = []


def _begin(checkout: Path, folder: Path, pool: Pool) -> None:
    os.environ["HF_HOME"] = str(folder / "huggingface")
    _worker[:] = [Trainer(checkout), Catalogue(), folder, pool]


def compare(seed: int) -> tuple[int, list[str], Answer]:
    """Makes one dataset, asks both, and throws it away."""
    trainer, catalogue, folder, pool = _worker
    path = folder / str(seed)
    path.mkdir()
    try:
        made = make_dataset(path, pool, seed)
        theirs = trainer.answer(made)
        return seed, list(differences(theirs, our_answer(made, catalogue))), theirs
    finally:
        shutil.rmtree(path)


def main() -> int:
    """Compares as many datasets as asked for and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT")
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not (given.checkout / READER).is_dir():
        parser.error(f"{given.checkout / READER} is missing: git submodule update --init submodules/ComfyUI there")
    counts: Counter[str] = Counter()
    start = time.monotonic()
    memory = "/dev/shm"  # the caches are thousands of small databases, each of which waits for the disk
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as name:
        pool, context = make_pool(Path(name) / "pool"), multiprocessing.get_context("spawn")
        arguments = (given.checkout.resolve(), Path(name), pool)
        with ProcessPoolExecutor(os.cpu_count(), context, _begin, arguments) as workers:
            for seed, found, theirs in workers.map(compare, range(given.seed, given.seed + given.datasets)):
                counts.update(_count(theirs), datasets=1, differing=bool(found))
                for each in found:
                    print(f"seed {seed}: {each}", flush=True)
    total, differing = counts["datasets"], counts["differing"]
    print(f"{total} datasets, {total - differing} agree, {differing} differ; {time.monotonic() - start:.0f} s")
    print(f"{counts['cached']} were cached, with {counts['listed']} files, {counts['dropped']} of them dropped;")
    print(f"{counts['buckets']} buckets, {counts['steps']} steps; the trainer stopped at {counts['stopped']} in all")
    return 1 if differing else 0


def _count(theirs: Answer) -> Counter[str]:
    """What a dataset adds to the figures."""
    counts = Counter(cached=theirs.cached, stopped=bool(theirs.stops))
    for each in theirs.sets.values():
        listed, kept = each["listed"], len(each["files"])
        counts.update(listed=listed, dropped=listed - kept, buckets=len(each["buckets"]), steps=each["steps"])
    return counts


if __name__ == "__main__":
    sys.exit(main())
