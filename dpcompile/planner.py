"""Resolved config and rendered files -> Plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcompile.dataplan import DataFolder
from dpcompile.folders import Folders
from dpcompile.job import JobInput
from dpcompile.keypath import pointer
from dpcompile.plan import Plan, PlanFile, SecretNeed, Step
from dpcompile.render import RenderedFile
from dpcompile.resolve import ResolvedConfig
from dpcompile.secrecy import LOCATION_FIELDS, PLACEHOLDER, SECRET_FIELDS, WANDB_ENV, WANDB_KEY
from dpcompile.spec import ModelSpec
from dpcompile.trainer import TrainerKeys

# Below 32768, where Linux begins to hand out ports by itself.
_FIRST_PORT, _PORTS = 20000, 10000
AUTO_ORDER = ("huggingface", "s3", "presigned", "litterbox", "transfer_sh", "file_io")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """All that a plan is made of. `settings` are the job's own fields with their defaults filled in."""

    job: JobInput
    settings: Mapping[str, Any]
    spec: ModelSpec
    trainer: TrainerKeys
    config: ResolvedConfig
    folders: Folders
    data: tuple[DataFolder, ...]
    files: tuple[RenderedFile, ...]
    secrets: Mapping[str, str]
    """Name of a secret in `training` -> its pointer in the job."""
    compiler: str


def make_plan(given: PlanInput) -> Plan:
    """The plan of a job that was found to be in order."""
    steps = [*_data_steps(given), *_download_steps(given), *_final_steps(given)]
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
        secrets=tuple(_secrets(given, steps)),
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
    }


def _inspect(given: PlanInput) -> dict[str, Any]:
    media = given.spec.media
    return {
        "folders": [
            {"role": f.role, "media": f.kind, "path": given.folders.dataset(f.digest)}
            for f in given.data
            if f.split_of is None
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
        "media": {
            "images": media.images,
            "videos": media.videos,
            "frame_rate": media.frame_rate,
            "pixel_multiple": media.pixel_multiple,
            "frame_multiple": media.frame_multiple,
            "frame_offset": media.frame_offset,
        },
    }


def _download_steps(given: PlanInput) -> Iterator[Step]:
    used = _model_paths(given)
    for n, source in enumerate(given.spec.sources):
        to = given.folders.model(source["to"])
        if any(path == to or path.startswith(f"{to}/") for path in used):
            args = {
                "repo": source["repo"],
                "revision": source.get("revision", "main"),
                "files": source.get("files"),
                "file": source.get("file"),
                "gated": bool(source.get("gated")),
                "to": to,
            }
            yield Step(id=f"download-{n + 1}", kind="download", needs=(), args=args)


def _model_paths(given: PlanInput) -> set[str]:
    """Every text in the [model] table: what is not named there need not be downloaded."""
    found: set[str] = set()
    stack: list[Any] = [setting.value for setting in given.config.table("train", "model").values()]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            found.add(item)
        elif isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
    return found


def _final_steps(given: PlanInput) -> Iterator[Step]:
    downloads = tuple(step.id for step in _download_steps(given))
    yield Step(id="train", kind="train", needs=("inspect", *downloads), args=_train(given))
    yield Step(id="publish", kind="publish", needs=("train",), args=_publish(given))


def _train(given: PlanInput) -> dict[str, Any]:
    launch = given.settings["launch"]
    return {
        "cwd": given.folders.trainer,
        "argv": _argv(given),
        "env": _environment(given),
        "config": given.folders.file("train.toml"),
        "output": given.folders.output,
        "num_gpus": launch["num_gpus"],
        "hosts": launch.get("hosts", []),
        "resume": launch.get("resume") or None,
        "time_limit_minutes": launch.get("time_limit_minutes"),
        "epochs": given.config.get("train", "epochs"),
        "max_steps": given.config.get("train", "max_steps"),
    }


def master_port(job_id: str) -> int:
    """A port of its own for each job: two runs on one machine must not meet (train.py:54, 253)."""
    return _FIRST_PORT + int(hashlib.sha256(job_id.encode()).hexdigest()[:8], 16) % _PORTS


def _argv(given: PlanInput) -> list[str]:
    """The launch command, without what only the worker knows (where to resume, the hostfile)."""
    launch = given.settings["launch"]
    port = str(master_port(given.folders.job_id))
    argv = ["deepspeed", f"--num_gpus={launch['num_gpus']}", f"--master_port={port}"]
    # train.py overwrites MASTER_PORT with its own argument, so it needs the port as well (train.py:253).
    argv += ["train.py", "--deepspeed", "--config", given.folders.file("train.toml"), "--master_port", port]
    argv += ["--regenerate_cache"] if launch["regenerate_cache"] else []
    argv += ["--trust_cache"] if launch["trust_cache"] else []
    return argv


def _environment(given: PlanInput) -> dict[str, str]:
    env = dict(sorted(given.settings["launch"].get("env", {}).items()))
    if given.config.get("train", "monitoring", "enable_wandb"):
        # The TOML is copied into every saved folder (utils/saver.py:84), so the key goes another way.
        env["WANDB_API_KEY"] = f"secret:{WANDB_KEY}"
    return env


def _publish(given: PlanInput) -> dict[str, Any]:
    output = given.settings["output"]
    method = output["method"]
    targets = [t for t in AUTO_ORDER if method in ("auto", t) and _possible(given, t)]
    return {
        "method": method,
        "targets": [{"kind": t, **_target(given, t)} for t in targets],
        "volume_path": given.folders.output,
    }


def _possible(given: PlanInput, target: str) -> bool:
    """Whether `auto` tries a target. The Hub and S3 may be configured by the worker's environment alone."""
    return target != "presigned" or _given(given.job.get("output", "upload_url"))


def _given(secret: object) -> bool:
    return bool(secret) and secret != PLACEHOLDER


def _target(given: PlanInput, target: str) -> dict[str, Any]:
    output = given.settings["output"]
    if target == "huggingface":
        hub = output["huggingface"]
        own = _given(given.job.get("output", "huggingface", "token"))
        return {
            "repo_id": hub.get("repo_id"),
            "default_repo_name": f"diffusion-pipe-lora-{given.folders.job_id[:8]}",
            "private": hub["private"],
            "secret": "secret:huggingface_output_token" if own else "secret:huggingface_token",
        }
    if target == "s3":
        s3 = output["s3"]
        plain = {k: s3.get(k) for k in ("endpoint_url", "bucket", "region", "key_prefix")}
        return {**plain, "secrets": ["secret:s3_access_key", "secret:s3_secret_key"], "expires_in_days": 7}
    if target == "presigned":
        return {"secret": "secret:upload_url"}
    return {}


def _secrets(given: PlanInput, steps: Sequence[Step]) -> Iterator[SecretNeed]:
    """The secrets a worker looks for: those that a step cannot do without, and those the job brings."""
    needed = _needed(given, steps)
    for name, (place, env) in SECRET_FIELDS.items():
        if name in needed or _given(given.job.get(*place)):
            where = pointer((*given.job.prefix, *place))
            yield SecretNeed(name=name, pointer=where, env=env, required=needed.get(name, False))
    for name, place in LOCATION_FIELDS.items():
        if any(step.args.get("secret") == f"secret:{name}" for step in steps):
            yield SecretNeed(name=name, pointer=pointer((*given.job.prefix, *place)), env=(), required=True)
    enabled = bool(given.config.get("train", "monitoring", "enable_wandb"))
    if enabled or WANDB_KEY in given.secrets:
        where = given.secrets.get(WANDB_KEY, pointer((*given.job.prefix, "training", "monitoring", WANDB_KEY)))
        yield SecretNeed(name=WANDB_KEY, pointer=where, env=WANDB_ENV, required=enabled)


def _needed(given: PlanInput, steps: Sequence[Step]) -> dict[str, bool]:
    """Secret name -> whether the job fails without it."""
    needed = {"huggingface_token": any(s.kind == "download" and s.args["gated"] for s in steps)}
    if any(s.kind == "caption" and s.args["captioner"] == "gemini" for s in steps):
        needed["gemini_api_key"] = True
    method = given.settings["output"]["method"]
    if method in ("auto", "s3"):
        needed |= {"s3_access_key": method == "s3", "s3_secret_key": method == "s3"}
    if method == "huggingface":
        own = _given(given.job.get("output", "huggingface", "token"))
        needed["huggingface_output_token" if own else "huggingface_token"] = True
    if method == "presigned":
        needed["upload_url"] = True
    return needed
