"""A train.py for tests: the stand-in, after it has encoded as the trainer does, from the cache where it can.

Each shard holds what it was encoded with, so a test sees what a training would be trained on. As in the trainer
(utils/dataset.py:85-169, utils/cache.py), sizes have folders of their own, and --regenerate_cache clears those that
this training uses.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.worker.training.bench import Bench
from worker.rehearsal.behaviour import VARIABLE, Behaviour
from worker.rehearsal.standin import main, parse

REPO_ROOT = Path(__file__).resolve().parents[3]
_LAUNCHER = """#!{python}
import os, sys
at = sys.argv.index("train.py")
os.execv(sys.executable, [sys.executable, "-u", "train.py", "--local_rank=0", *sys.argv[at + 1:]])
"""
_TRAINER = """import sys
from tests.worker.training.encodes import encode_and_train
sys.exit(encode_and_train(sys.argv[1:]))
"""
NAME_VARIABLE = "TEST_CACHE_NAME"


def use_it(bench: Bench, name: str) -> Bench:
    """Makes this the trainer of the bench, with a launcher of its own; `name` is that of its cache."""
    programs, trainer = bench.volume / "programs", Path(bench.plan.folders["trainer"])
    programs.mkdir(exist_ok=True)
    trainer.mkdir(parents=True, exist_ok=True)
    (trainer / "train.py").write_text(_TRAINER, "utf-8")
    launcher = programs / "deepspeed"
    launcher.write_text(_LAUNCHER.format(python=sys.executable), "utf-8")
    launcher.chmod(0o755)
    bench.rehearse = False
    bench.path = f"{programs}{os.pathsep}{bench.path}"
    bench.env |= {"PYTHONPATH": os.fspath(REPO_ROOT), NAME_VARIABLE: name}
    return bench


def encode_and_train(argv: list[str]) -> int:
    args = parse(argv)
    config = tomllib.loads(args.config.read_text("utf-8"))
    files = [config["dataset"], *(each["config"] for each in config.get("eval_datasets", []))]
    for file in files:
        dataset = tomllib.loads(Path(file).read_text("utf-8"))
        for directory in dataset["directory"]:
            for size in directory.get("resolutions", dataset["resolutions"]):
                _encode(Path(directory["path"]), size, config, regenerate=args.regenerate_cache)
    return main(argv)


def _encode(folder: Path, size: int, config: Mapping[str, Any], *, regenerate: bool) -> None:
    shards = folder / "cache" / os.environ[NAME_VARIABLE] / f"cache_{size}" / "latents"
    shards.mkdir(parents=True, exist_ok=True)
    if regenerate:
        for shard in shards.glob("*.bin"):
            shard.unlink()
    media = sorted(folder.glob("*.png"))
    hangs = Behaviour.of(os.environ.get(VARIABLE, "")).faults.get("hang-in-caching")
    for number in range(len(list(shards.glob("*.bin"))), len(media)):
        if hangs is not None and number >= hangs:
            return  # the stand-in hangs at this item
        text = json.dumps([config["model"].get("vae"), config["video_clip_mode"]])
        (shards / f"shard_{number}.bin").write_text(text, "utf-8")
