"""The stand-in for the trainer: reads its files, goes through its phases, says its words, leaves its folders.

It follows train.py, utils/saver.py and utils/dataset.py at the pinned commit in what can be seen from outside.
It needs no PyTorch, and trains nothing. Captions and file lists are read, so mistakes in the data show as they
would; media are not decoded. An epoch is cut to a few steps, as the way through is what is rehearsed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.rehearsal import media, runfolder
from worker.rehearsal.behaviour import (
    STEPS_VARIABLE,
    Behaviour,
    hang,
    hang_after_child_s_error,
    hang_after_error,
    hang_busily,
    kill_self,
    start_helper,
)
from worker.rehearsal.loop import Loop
from worker.rehearsal.words import bar, log, say

_STEPS_OF_AN_EPOCH = 10


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of train.py:41 that a plan can hold."""
    parser = argparse.ArgumentParser(prog="train.py")
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--local_rank", type=int, default=-1)
    parser.add_argument("--resume_from_checkpoint", nargs="?", const=True, default=None)
    for flag in ("reset_dataloader", "reset_optimizer", "reset_optimizer_params", "regenerate_cache", "trust_cache"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--master_port", type=int, default=29500)
    parser.add_argument("--deepspeed", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Stands in for one process of the training. Returns its exit code."""
    args = parse(argv)
    behaviour = Behaviour.of_environment()
    if behaviour.has("ignore-term"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = _read_config(args.config)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if rank > 0:
        return _follow(args.master_port)
    with _meeting_point(args.master_port):
        return _lead(args, config, world, behaviour)


def _read_config(path: Path) -> dict[str, Any]:
    """The training file by the trainer's own parser, with the keys that it cannot do without (train.py:93)."""
    import toml

    config: dict[str, Any] = json.loads(json.dumps(toml.loads(path.read_text("utf-8"))))
    assert any(f"save_every_n_{unit}" in config for unit in ("epochs", "steps", "examples"))
    for table, key in (("model", "dtype"), ("model", "type"), ("optimizer", "type")):
        config[table][key]
    for key in ("dataset", "epochs", "output_dir"):
        config[key]
    if "alpha" in config.get("adapter", {}):
        raise NotImplementedError("This script forces alpha=rank")
    return config


def _meeting_point(port: int) -> socket.socket:
    """Where the processes of a training find each other; two trainings cannot have the same."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", port))
    except OSError as error:
        raise OSError(f"The server socket has failed to listen. port: {port}, name: EADDRINUSE") from error
    server.listen(64)
    return server


def _follow(port: int) -> int:
    """The other processes of a training do as the first does, and end with it."""
    say("using video_clip_mode=single_beginning")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as first:
        while first.connect_ex(("127.0.0.1", port)):
            time.sleep(0.1)
        first.recv(1)
    return 0


def _lead(args: argparse.Namespace, config: dict[str, Any], world: int, behaviour: Behaviour) -> int:
    if behaviour.has("no-module"):
        raise ModuleNotFoundError("No module named 'optimi'")
    if behaviour.has("exit-0"):
        return 0
    if behaviour.has("helper"):
        start_helper()
    files = [Path(config["dataset"]), *(Path(e["config"]) for e in config.get("eval_datasets", []))]
    folders = [_read_dataset(file) for file in files]
    if any(folder.resolutions > media.MOST_RESOLUTIONS for dataset in folders for folder in dataset):
        say("WARNING: You have set a lot of resolutions in the dataset config.")
        return 0
    items = [_encode(dataset, behaviour) for dataset in folders]
    resume = args.resume_from_checkpoint if args.resume_from_checkpoint is not None else False
    run = _load(args, config, files, resume, behaviour)
    batch = media.batch_size(config, world)
    say(f"Global batch size = {batch}")
    if items[0] < batch:
        raise RuntimeError("Processed dataset was empty. Probably caused by rounding down for each size bucket.")
    loop = Loop(config=config, config_file=args.config, run_folder=run, batch=batch, behaviour=behaviour)
    return loop.run(_steps(items[0] // batch), eval_items=sum(items[1:]), resume=bool(resume))


def _read_dataset(file: Path) -> list[media.Folder]:
    import toml

    dataset = toml.loads(file.read_text("utf-8"))
    return [media.Folder.of(directory, dataset) for directory in dataset["directory"]]


def _encode(folders: list[media.Folder], behaviour: Behaviour) -> int:
    """Goes through the folders as caching does; returns how many items there are, with their repeats.

    Errors in it leave the trainer hanging, in this form or that (utils/dataset.py:1167): so they do here.
    """
    say("using video_clip_mode=single_beginning")
    say("using framerate=None")
    total = 0
    for folder in folders:
        say("Grouped metadata is not cached. Computing ungrouped metadata and then grouping.")
        try:
            total += _encode_folder(folder, behaviour)
        except (AssertionError, OSError, UnicodeDecodeError, RuntimeError):
            hang_after_error()
    say("Found grouped metadata cache. Directly loading it.")
    return total


def _encode_folder(folder: media.Folder, behaviour: Behaviour) -> int:
    # A name that is no model type, so that the trainer never takes it for what it has encoded.
    (folder.path / "cache" / "rehearsal").mkdir(parents=True, exist_ok=True)
    files = folder.candidates()
    say(f"caching latents: {folder.path}")
    say("[CACHE] Initializing")
    kept = 0
    for number, file in enumerate(files, start=1):
        _maybe_fail_in_caching(number, behaviour)
        caption = folder.caption(file)
        if caption is None:
            log(f"Cound not find caption for {file}.", "WARNING", "dataset.py:756:fn")  # spelt so by the trainer
        if caption is not None or not folder.skips_without_caption:
            kept += 1
        bar(number, len(files))
    say(f"caching text embeddings: {folder.path}")
    return kept * folder.repeats * folder.resolutions


def _maybe_fail_in_caching(number: int, behaviour: Behaviour) -> None:
    if behaviour.at("error-in-caching", number):
        raise RuntimeError("Expected all tensors to be on the same device")
    if behaviour.at("error-in-child", number):
        hang_after_child_s_error()
    if behaviour.at("hang-in-caching", number):
        hang()
    if behaviour.at("busy-in-caching", number):
        hang_busily()
    if behaviour.at("harmless-traceback", number):
        sys.stderr.write("Traceback (most recent call last):\n  File ...\nValueError: dealt with\n")
    if behaviour.at("noise", number):
        os.write(1, b"\xff\xfe broken \x80 bytes\n")


def _load(
    args: argparse.Namespace, config: dict[str, Any], files: list[Path], resume: str | bool, behaviour: Behaviour
) -> Path:
    """Loads no model; makes the run folder where the trainer does."""
    if behaviour.has("missing-file"):
        raise FileNotFoundError(2, "No such file or directory", f"{args.config.parent}/models/config.json")
    if "adapter" in config:
        say("trainable params: 1,024 || all params: 4,096 || trainable%: 25.0000")
    if behaviour.has("hang-in-loading"):
        hang()
    if behaviour.has("oom-after-encoding") and not _was_encoded_before(files[0]):
        kill_self()
    run = runfolder.choose_run(Path(config["output_dir"]), resume)
    runfolder.open_run(run, [args.config, *files], resumed=bool(resume))
    return run


def _was_encoded_before(dataset: Path) -> bool:
    """Whether this is not the first start with this data; there is a mark beside the file from then on."""
    mark = dataset.with_suffix(".encoded")
    if mark.exists():
        return True
    mark.touch()
    return False


def _steps(real: int) -> int:
    """Steps of an epoch in a rehearsal; DPCOMPILE_STANDIN_STEPS changes how many there are at most."""
    most = int(os.environ.get(STEPS_VARIABLE, _STEPS_OF_AN_EPOCH))
    if real > most > 0:
        say(f"REHEARSAL: an epoch would have about {real} steps; {most} of them are taken.")
        return most
    return real
