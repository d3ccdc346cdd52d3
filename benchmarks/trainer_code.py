"""The trainer's own code, loaded from a checkout and run on a dataset, for `benchmarks.trainer_dataset`."""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import importlib.util
import io
import sys
import types
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import toml

from benchmarks.random_datasets import Made

Key = tuple[int, int, int, float]
"""Width, height, frames and ratio of a bucket."""

_VIDEO: dict[str, Any] = {"support_video": True}
_SIDES_32: dict[str, Any] = {"support_video": True, "round_height": 32, "round_width": 32}
_MODELS: Mapping[str, tuple[float | None, int, Mapping[str, Any]]] = {
    "flux": (None, 16, {}),
    "flux_kontext": (None, 16, {}),
    "hunyuan_image_21": (None, 32, {}),  # models/hunyuan_image.py:47
    "qwen": (None, 16, {"support_video": True, "framerate": 1}),  # models/qwen_image.py:196
    "wan13": (16, 16, _VIDEO),  # models/wan/wan.py:69
    "wan14b_i2v": (16, 16, _VIDEO),
    "wan22_ti2v_5b": (24, 32, _SIDES_32),  # models/wan/wan.py:166, 268
    "ltx_video": (25, 32, {**_SIDES_32, "round_frames": 8}),  # models/ltx_video.py:26, 89
    "ltx2": (24, 16, {**_SIDES_32, "round_frames": 8}),  # models/ltx2.py:202, 280
    "hunyuan_video": (24, 16, _VIDEO),  # models/hunyuan_video.py:192
}
"""The trainer's own `framerate`, `pixels_round_to_multiple` and arguments of PreprocessMediaFile, not dpcompile's."""

READER = Path("submodules/ComfyUI/comfy_api/latest")
"""ComfyUI's reader of videos, below the checkout."""

# fmt: off
_STOOD_IN_FOR = (
    "deepspeed", "deepspeed.utils", "deepspeed.utils.logging", "deepspeed.comm", "deepspeed.comm.comm", "comfy",
    "comfy.utils", "comfy.sd", "comfy.sd1_clip", "comfy.model_management", "comfy_api", "comfy_api.latest", "peft",
    "accelerate", "diffusers", "torchaudio",
)
# fmt: on


@dataclass(kw_only=True)
class Answer:
    """What is said of a training: why the trainer stops, if it does; whether it got through caching; and its sets."""

    stops: str = ""
    cached: bool = False
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Stub(types.ModuleType):
    """A module that has everything: whatever is asked of it is a class that nobody makes anything of."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _stub(name: str, **content: Any) -> None:
    module = _Stub(name)
    module.__path__ = []
    module.__spec__ = importlib.util.spec_from_loader(name, None)
    vars(module).update(content)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)


def _load(name: str) -> Any:
    return importlib.import_module(name)


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """Stands for what several processes would do together."""


class _Queue:
    """A queue within one process. Work for the model is done when it is put in."""

    work: Any = None

    def __init__(self) -> None:
        items: deque[Any] = deque()
        self.get, self._append = items.popleft, items.append

    def put(self, item: Any) -> None:
        (_Queue.work if isinstance(item, tuple) else self._append)(item)


def _pipe(duplex: bool = True) -> tuple[Any, Any]:
    assert not duplex
    items: deque[Any] = deque()
    end = types.SimpleNamespace(send=items.append, recv=items.popleft)
    return end, end


def _process(target: Any, args: tuple[Any, ...]) -> Any:
    """A process that runs when it is started, on copies as after a fork."""
    return types.SimpleNamespace(start=lambda: target(copy.deepcopy(args[0]), *args[1:]), join=_nothing)


def _pool(_processes: int, init: Any, args: tuple[Any, ...]) -> Any:
    init(*args)
    return types.SimpleNamespace(imap=map, close=_nothing)


class Trainer:
    """The trainer's code, loaded from a checkout into this process."""

    def __init__(self, checkout: Path) -> None:
        sys.path.insert(0, str(checkout))
        alone = {"get_rank": lambda: 0, "barrier": _nothing, "get_world_group": _nothing}
        logger = types.SimpleNamespace(warning=_nothing)
        for name in _STOOD_IN_FOR:
            _stub(name, logger=logger, unload_all_models=_nothing, **alone)
        reader = sys.modules["comfy_api.latest"]
        reader.__path__ = [str(checkout / READER)]
        vars(reader)["InputImpl"] = _load("comfy_api.latest._input_impl")
        self.datasets, self.torch = _load("datasets"), _load("torch")
        self.data, self.base = _load("utils.dataset"), _load("models.base")
        self._within_this_process()
        self.batches = _batch_lines(checkout / "train.py")

    def _within_this_process(self) -> None:
        self.torch.set_num_threads(1)
        self.torch.distributed.broadcast_object_list = _nothing
        manager = types.SimpleNamespace(Queue=_Queue)
        self.data.mp = types.SimpleNamespace(Manager=lambda: manager, Process=_process, Pool=_pool, Pipe=_pipe)
        self.data.NUM_PROC = 1
        mapped = self.datasets.Dataset.map
        self.datasets.Dataset.map = lambda *args, **keys: mapped(*args, **{**keys, "num_proc": None})
        self.datasets.disable_progress_bars()

    def answer(self, made: Made) -> Answer:
        """What the trainer does with a dataset, as the lines of train.py that deal with it do it."""
        found = Answer()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self._run(made, found)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it stops at is its answer
            found.stops = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        return found

    def _run(self, made: Made, found: Answer) -> None:
        config = toml.loads(made.train.read_text("utf-8"))
        batches: dict[str, Any] = {"config": config}
        exec(self.batches, batches)
        model = Model(self, made.model)
        manager = self.data.DatasetManager(model, caching_batch_size=config.get("caching_batch_size", 1))
        sets = {"train": self.data.Dataset(toml.loads(Path(config["dataset"]).read_text("utf-8")), model)}
        manager.register(sets["train"])
        for n, each in enumerate(config["eval_datasets"]):
            name, path = (f"eval{n}", each) if isinstance(each, str) else (each["name"], each["config"])
            sets[name] = self.data.Dataset(toml.loads(Path(path).read_text("utf-8")), model)
            manager.register(sets[name])
        _Queue.work = manager._handle_task
        manager.cache()
        found.cached = True
        groups = made.gpus // config["pipeline_stages"]
        for name, data in sets.items():
            prefix = "" if name == "train" else "eval_"
            accumulation = config.get(f"{prefix}gradient_accumulation_steps", 1)
            micro, images = (batches[f"{prefix}{kind}micro_batch_size_per_gpu"] for kind in ("", "image_"))
            data.post_init(groups - 1, groups, micro, accumulation, images)
            found.sets[name] = self._told(data)
        for data in sets.values():
            self.data.PipelineDataLoader(data, None, 1, model, num_dataloader_workers=0)

    def _told(self, data: Any) -> dict[str, Any]:
        files: dict[str, list[Key]] = {}
        listed = 0
        for directory in data.directory_datasets:
            listed += len(self.datasets.load_from_disk(str(directory.cache_dir / "metadata" / "metadata_intermediate")))
            for part in directory.get_size_bucket_datasets():
                for archive, name in part.metadata_dataset["image_spec"]:
                    path = name if archive is None else f"{archive}/{name}"
                    files.setdefault(path, []).append(_key(part.size_bucket))
        counted = []
        for bucket in data.buckets:
            of_files = sum(len(part.metadata_dataset) for part in bucket.datasets)
            items, batch = sum(map(len, bucket.datasets)), bucket.global_batch_size
            lost = items - len(bucket.iteration_order)
            counted.append((*_key(bucket.datasets[0].size_bucket), of_files, items, batch, len(bucket), lost))
        return {
            "files": {path: sorted(keys) for path, keys in files.items()},
            "listed": listed,
            "buckets": sorted(counted),
            "steps": len(data),
        }


def _key(bucket: Any) -> Key:
    *ratio, width, height, frames = bucket
    return int(width), int(height), int(frames), float(ratio[0]) if ratio else round(int(width) / int(height), 3)


def _batch_lines(train: Path) -> Any:
    """The lines of train.py that read the batch sizes, which cannot be imported without running all of it."""

    def about_batches(line: ast.stmt) -> bool:
        if isinstance(line, ast.If):
            return all(about_batches(each) for each in [*line.body, *line.orelse])
        names = [one.id for one in line.targets if isinstance(one, ast.Name)] if isinstance(line, ast.Assign) else []
        return any(name.endswith("micro_batch_size_per_gpu") and not name.startswith("default") for name in names)

    top = ast.parse(train.read_text("utf-8")).body
    main = next(line for line in top if isinstance(line, ast.If) and "__name__" in ast.unparse(line.test))
    lines: list[ast.stmt] = [line for line in main.body if about_batches(line)]
    assert len(lines) == 8, "train.py reads batch sizes in another way than it did"
    return compile(ast.Module(body=lines, type_ignores=[]), str(train), "exec")


class Model:
    """A model for the trainer's DatasetManager: the numbers of a real one, and encoders that return zeros."""

    def __init__(self, trainer: Trainer, name: str) -> None:
        self.framerate, self.pixels_round_to_multiple, self.arguments = _MODELS[name]
        self.name, self.trainer, self.torch = name, trainer, trainer.torch

    def get_vae(self) -> Model:
        return self

    def get_text_encoders(self) -> list[Model]:
        return [self]

    def __deepcopy__(self, _memo: Any) -> Model:
        return self

    load_model_if_needed = model_specific_dataset_config_validation = _nothing

    def get_call_vae_fn(self, _vae: Any) -> Any:
        def encode(*tensors: Any) -> Any:
            if self.name == "wan14b_i2v":  # models/wan/wan.py:290-292
                assert tensors[0].shape[2] > 1, "i2v must train on videos"
            return {"latents": self.torch.zeros(len(tensors[0]), 1)}

        return encode

    def get_call_text_encoder_fn(self, _encoder: Any) -> Any:
        return lambda captions, _is_video: {"text": self.torch.zeros(len(captions), 1)}

    def get_preprocess_media_file_fn(self) -> Any:
        arguments = {"framerate": self.framerate, **self.arguments}
        read = self.trainer.base.PreprocessMediaFile({}, **arguments)
        # Small pictures: only the time that it takes differs.
        return lambda spec, mask, bucket: read(spec, mask, (32, 32, bucket[2]))
