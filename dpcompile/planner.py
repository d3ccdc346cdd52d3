"""Resolved configs and rendered files -> Plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dpcompile.dataplan import DataFolder
from dpcompile.inplace import Directory, eval_sets, trained_in_place
from dpcompile.job import JobInput
from dpcompile.plan import Plan, PlanFile, Step
from dpcompile.planinput import PlanInput, Training
from dpcompile.publishing import publish_args, secret_needs
from dpcompile.secrecy import WANDB_KEY
from dpcompile.weights import weights_of

# Below 32768, where Linux begins to hand out ports by itself.
_FIRST_PORT, _PORTS = 20000, 10000


def make_plan(given: PlanInput) -> Plan:
    """The plan of a job that was found to be in order."""
    downloads = list(_download_steps(given))
    steps = [*_data_steps(given), *downloads, *_final_steps(given, downloads)]
    folders = given.folders
    return Plan(
        job_id=folders.job_id,
        compiler=given.compiler,
        trainer={"repo": given.trainer.repo, "commit": given.trainer.commit},
        model=_model(given),
        folders={
            "volume": folders.volume,
            "work": folders.work,
            "trainer": folders.trainer,
            "models": folders.models,
            "output": folders.output,
            "job": folders.job,
        },
        files=tuple(PlanFile(name=f.name, path=folders.file(f.name), text=f.text) for f in given.files),
        secrets=tuple(secret_needs(given, steps)),
        steps=tuple(steps),
    )


def _model(given: PlanInput) -> dict[str, Any]:
    spec = given.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "toml_type": spec.toml_type,
        "licence": spec.merged.get("licence"),
        "preset": given.settings.get("preset"),
        "trigger_word": given.job.get("dataset", "trigger_word"),
    }


def _name(folder: DataFolder) -> str:
    return folder.kind if folder.role == "train" else f"eval-{folder.kind}"


def _data_steps(given: PlanInput) -> Iterator[Step]:
    """Fetch and caption each folder, then look at all of them as the trainer will."""
    captioned = []
    fetched = {folder.digest: f"fetch-{_name(folder)}" for folder in given.data if folder.split_of is None}
    for folder in given.data:
        if folder.split_of is None:
            yield Step(id=fetched[folder.digest], kind="fetch", needs=(), args=_fetch(given, folder))
            yield Step(
                id=f"caption-{_name(folder)}",
                kind="caption",
                needs=(fetched[folder.digest],),
                args=_caption(given, folder),
            )
            captioned.append(f"caption-{_name(folder)}")
    yield Step(id="inspect", kind="inspect", needs=tuple(captioned), args=_inspect(given))


def _fetch(given: PlanInput, folder: DataFolder) -> dict[str, Any]:
    place = folder.location
    return {
        "media": folder.kind,
        "source": place.shown,
        "source_kind": place.kind,
        "secret": f"secret:{place.secret}" if place.secret else None,
        "to": given.folders.dataset(folder.digest),
    }


def _caption(given: PlanInput, folder: DataFolder) -> dict[str, Any]:
    captioning = given.settings["captioning"]
    brought = given.job.get("dataset", "type") == "precaptioned"
    return {
        "folder": given.folders.dataset(folder.digest),
        "media": folder.kind,
        "captioner": None if brought else captioning[folder.kind]["captioner"],
        "settings": {} if brought else {k: v for k, v in captioning[folder.kind].items() if k != "captioner"},
        "overwrite": False if brought else captioning["overwrite"],
        "trigger_word": given.job.get("dataset", "trigger_word"),
        "missing_caption": given.settings["dataset"]["missing_caption"],
    }


def _inspect(given: PlanInput) -> dict[str, Any]:
    return {
        "folders": [
            {"role": f.role, "media": f.kind, "path": given.folders.dataset(f.digest)}
            for f in given.data
            if f.split_of is None
        ]
        + [
            {"role": role, "media": None, "path": each.path}
            for role, directories in _in_place(given.job)
            for each in directories
        ],
        "split": [
            {
                "from": given.folders.dataset(str(f.split_of)),
                "to": given.folders.dataset(f.digest),
                "fraction": given.job.get("dataset", "eval", "fraction"),
            }
            for f in given.data
            if f.split_of is not None
        ],
        "missing_caption": given.settings["dataset"]["missing_caption"],
        "media": given.spec.media.of_files(),
        "size": given.spec.size,
    }


def _in_place(job: JobInput) -> Iterator[tuple[str, tuple[Directory, ...]]]:
    """Folders that are not fetched, by role."""
    yield "train", trained_in_place(job)
    for each in eval_sets(job):
        yield "eval", each.directories


def _download_steps(given: PlanInput) -> Iterator[Step]:
    """Every source that a training's [model] table makes use of, once."""
    seen: list[dict[str, Any]] = []
    for training in given.trainings:
        for args in _downloads(training):
            if args not in seen:
                seen.append(args)
                yield Step(id=f"download-{len(seen)}", kind="download", needs=(), args=args)


def _downloads(training: Training) -> Iterator[dict[str, Any]]:
    used = _model_paths(training)
    for source in training.spec.sources:
        to = training.folders.model(source["to"])
        if any(path == to or path.startswith(f"{to}/") for path in used):
            yield {
                "repo": source["repo"],
                "revision": source.get("revision", "main"),
                "files": source.get("files"),
                "file": source.get("file"),
                "gated": bool(source.get("gated")),
                "to": to,
            }


def _model_paths(training: Training) -> set[str]:
    """Every text in the [model] table: what is not named there need not be downloaded."""
    found: set[str] = set()
    stack: list[Any] = [setting.value for setting in training.config.table("train", "model").values()]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            found.add(item)
        elif isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
    return found


def _final_steps(given: PlanInput, downloads: Sequence[Step]) -> Iterator[Step]:
    """The trainings, one after the other on the same GPUs, then one publication of all."""
    before: tuple[str, ...] = ()
    for training in given.trainings:
        wanted = list(_downloads(training))
        needs = ("inspect", *(step.id for step in downloads if step.args in wanted), *before)
        yield Step(id=training.step, kind="train", needs=needs, args=_train(given, training))
        before = (training.step,)
    steps = tuple(training.step for training in given.trainings)
    yield Step(id="publish", kind="publish", needs=steps, args=publish_args(given))


def _train(given: PlanInput, training: Training) -> dict[str, Any]:
    launch = given.settings["launch"]
    return {
        "cwd": given.folders.trainer,
        "argv": _argv(launch, training),
        "env": _environment(launch, training),
        "config": training.folders.train_file,
        "output": training.folders.output,
        "num_gpus": launch["num_gpus"],
        "hosts": launch.get("hosts", []),
        "resume": launch.get("resume") or None,
        "time_limit_minutes": launch.get("time_limit_minutes"),
        "epochs": training.config.get("train", "epochs"),
        "max_steps": training.config.get("train", "max_steps"),
        "weights": weights_of(training, given.trainer),
    }


def master_port(run: str) -> int:
    """A port of its own for each training: two runs on one machine must not meet (train.py:54, 253)."""
    return _FIRST_PORT + int(hashlib.sha256(run.encode()).hexdigest()[:8], 16) % _PORTS


def _argv(launch: Mapping[str, Any], training: Training) -> list[str]:
    """The launch command, without what only the worker knows (where to resume, the hostfile)."""
    folders = training.folders
    port = str(master_port(f"{folders.job_id}/{folders.part}" if folders.part else folders.job_id))
    argv = ["deepspeed", f"--num_gpus={launch['num_gpus']}", f"--master_port={port}"]
    # train.py overwrites MASTER_PORT with its own argument, so it needs the port as well (train.py:253).
    argv += ["train.py", "--deepspeed", "--config", folders.train_file, "--master_port", port]
    argv += ["--regenerate_cache"] if launch["regenerate_cache"] else []
    argv += ["--trust_cache"] if launch["trust_cache"] else []
    return argv


def _environment(launch: Mapping[str, Any], training: Training) -> dict[str, str]:
    env = dict(sorted(launch.get("env", {}).items()))
    if training.uses_wandb:
        # The TOML is copied into every saved folder (utils/saver.py:84), so the key goes another way.
        env["WANDB_API_KEY"] = f"secret:{WANDB_KEY}"
    return env
