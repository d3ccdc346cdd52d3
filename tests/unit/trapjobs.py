"""For each trap that a job can express: a job that has it, and the same job as its author meant it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrapJob:
    """`wrong` and `right` are `training` settings; `launch`, `dataset` and their `right_` forms the job's own."""

    model: str
    right_model: str = ""
    """The model of the right job, where it is another one."""
    wrong: Table = field(default_factory=dict)
    right: Table = field(default_factory=dict)
    videos: bool = False
    launch: Table = field(default_factory=dict)
    right_launch: Table = field(default_factory=dict)
    dataset: Table = field(default_factory=dict)
    right_dataset: Table = field(default_factory=dict)

    def job(self, *, right: bool) -> dict[str, Any]:
        kind = "videos" if self.videos else "images"
        dataset = {"type": kind, f"{kind}_url": "/data/x", **(self.right_dataset if right else self.dataset)}
        launch = self.right_launch if right else self.launch
        training = self.right if right else self.wrong
        return {
            "model_type": (right and self.right_model) or self.model,
            "dataset": {key: value for key, value in dataset.items() if value is not None},
            "training": dict(training),
            **({"launch": dict(launch)} if launch else {}),
        }


def _o(kind: str, **more: Any) -> dict[str, Any]:
    return {"optimizer": {"type": kind, **more}}


def _t(model: str, wrong: Table, right: Table | None = None, **more: Any) -> TrapJob:
    return TrapJob(model=model, wrong=wrong, right=right or {}, **more)


_EVAL = {"eval": {"fraction": 0.1}}
_FOLDER = "/data/pairs"


def _in_place(**settings: Any) -> dict[str, Any]:
    directory = {"path": _FOLDER, **settings}
    return {"type": "precaptioned", "images_url": None, "directories": [directory]}


_MIXED = {**_in_place(), "directories": [{"path": _FOLDER, "control_path": "/data/c"}, {"path": "/data/plain"}]}

TRAP_JOBS: Mapping[int, TrapJob] = {
    1: _t("flux", {"model": {"ckpt_path": "/x"}}),
    3: _t("sdxl", {"activation_checkpointing": "false"}, {"activation_checkpointing": False}),
    5: _t("sdxl", {"checkpoint_path": "models/x.safetensors"}, {"checkpoint_path": "/models/x.safetensors"}),
    11: _t("sdxl", {}, dataset=_in_place(control_path="/data/c"), right_dataset=_in_place()),
    14: _t("sdxl", {}, dataset={"image_repeats": 0}, right_dataset={"image_repeats": 1}),
    17: _t("wan13", {"video_clip_mode": "multiple_overlapping"}, {"video_clip_mode": "single_middle"}, videos=True),
    19: TrapJob(
        model="wan14b_i2v",
        right_dataset={"type": "videos", "images_url": None, "videos_url": "/data/x"},
    ),
    22: _t("sdxl", {"resolutions": [256, 512, 768, 1024]}, {"resolutions": [512, 768, 1024]}),
    23: _t("cosmos_7b", {"resolutions": [512]}),
    28: _t("sdxl", {"save_every_n_epochs": None}, {"save_every_n_epochs": 2}),
    29: _t("sdxl", {"model": {"dtype": "bf16"}}, {"model": {"dtype": "bfloat16"}}),
    30: _t("hidream_i1_full", {"transformer_dtype": "nf4"}, {"transformer_dtype": "float8"}),
    31: _t("sdxl", {"adapter": {"alpha": 16}}),
    32: _t("sdxl", {"checkpoint_path": None}),
    34: _t(
        "minimax_h3", {"cfg": 3.0, "pipeline_stages": 2}, {"cfg": 3.0},
        launch={"num_gpus": 2}, right_launch={"num_gpus": 1},
    ),
    38: _t("flux", {"timestep_sample_method": "sigmoid"}, {"timestep_sample_method": "uniform"}),
    45: _t("sdxl", {"epochs": 0}, {"epochs": 1}),
    48: _t("sdxl", {"save_every_n_steps": 0}, {"save_every_n_steps": 5}),
    49: _t("sdxl", {"save_every_n_epochs": None, "save_every_n_examples": 2}, {"save_every_n_epochs": None, "save_every_n_examples": 40}),
    50: _t(
        "sdxl", {"eval_every_n_epochs": None, "eval_every_n_examples": 2},
        {"eval_every_n_epochs": None, "eval_every_n_examples": 40}, dataset=_EVAL, right_dataset=_EVAL,
    ),
    51: _t("sdxl", {"save_every_n_examples": 80, "save_every_n_steps": 20}, {"save_every_n_steps": 20}),
    52: _t("sdxl", {"enable_wandb": True}, {"enable_wandb": True, "wandb_tracker_name": "a", "wandb_run_name": "b"}),
    54: _t("sdxl", {"regenerate_cache": True}),
    56: _t("sdxl", {"micro_batch_size_per_gpu": 2.5}, {"micro_batch_size_per_gpu": 2}),
    57: _t("sdxl", {"micro_batch_size_per_gpu": [[512, 4], [1024, 1]], "resolutions": [512, 1024], "save_every_n_examples": 80, "save_every_n_epochs": None}, {"micro_batch_size_per_gpu": [[512, 4], [1024, 1]], "resolutions": [512, 1024]}),
    58: _t("sdxl", {"image_eval_micro_batch_size_per_gpu": 2}, {"eval_image_micro_batch_size_per_gpu": 2}, dataset=_EVAL, right_dataset=_EVAL),
    59: _t("flux", {"pseudo_huber_c": 0.5}, {"huber_delta": 0.5}),
    60: _t("sdxl", {"huber_delta": 0.5}),
    61: _t("sdxl", {"seed": 42}),
    62: _t("sdxl", {"lora": {"dtype": "bfloat16"}}),
    63: _t("sdxl", _o("adamx"), _o("adamw")),
    64: _t("sdxl", _o("sgd", betas=[0.9, 0.99], lr=1e-3), _o("sgd", lr=1e-3)),
    65: _t("sdxl", _o("Lion", lr=1e-4, wieght_decay=0.1), _o("Lion", lr=1e-4, weight_decay=0.1)),
    66: _t("sdxl", _o("SAM", lr=1e-4), _o("Lion", lr=1e-4)),
    67: _t("sdxl", _o("ScheduleFreeAdamW", lr=1e-4), _o("AdamW", lr=1e-4)),
    68: _t("sdxl", _o("AdamW8bitKahan", lr=1e-4), _o("adamw8bit", lr=1e-4)),
    69: _t("sdxl", _o("offload", lr=1e-4), _o("adamw", lr=1e-4)),
    70: _t("flux", _o("adamw_optimi", lr=1e-4, gradient_release=True), _o("adamw_optimi", lr=1e-4)),
    71: _t("sdxl", _o("adamw_optimi", lr=1e-4, gradient_release=True), _o("adamw_optimi", lr=1e-4), launch={"num_gpus": 2}, right_launch={"num_gpus": 2}),
    72: _t("sdxl", _o("adamw", lr=1e-4, betas=None, beta2_half_life=1000), _o("adamw", lr=1e-4, betas=[0.9, 0.99], beta2_half_life=1000)),
    73: _t("anima_base", {"optimizer": {"lr": None}}, {"optimizer": {"lr": 1e-4}}),
    74: _t("sdxl", {"lr_scheduler": "cosine_with_restarts"}, {"lr_scheduler": "cosine"}),
    75: _t("sdxl", {"lr_scheduler": "linear", "max_steps": 500, "epochs": 5000}, {"lr_scheduler": "linear"}),
    76: _t("sdxl", {"lr_scheduler": "cosine", "optimizer": {"lr": 1e-7}}, {"lr_scheduler": "cosine", "optimizer": {"lr": 1e-4}}),
    77: _t("sdxl", {"warmup_steps": 1000, "max_steps": 500}, {"warmup_steps": 100, "max_steps": 500}),
    78: _t("sdxl", {**_o("automagic", lr=1e-6), "lr_scheduler": "cosine"}, {**_o("automagic", lr=1e-6), "warmup_steps": None}),
    79: _t("sdxl", {**_o("GenericOptim", lr=1e-4, muon=True), "rank": 16}, {**_o("GenericOptim", lr=1e-4, muon=True), "rank": 64}),
    80: _t("sdxl", _o("GenericOptim", lr=1e-4, rank=128, proj_type="svd", update_proj_gap=200), _o("GenericOptim", lr=1e-4)),
    81: _t("sdxl", {"force_constant_lr": 1e-5, "unet_lr": 4e-5}, {"unet_lr": 4e-5}),
    82: _t("sdxl", {"pipeline_stages": 2}, {"pipeline_stages": 2}, launch={"num_gpus": 3}, right_launch={"num_gpus": 4}),
    83: _t("sdxl", {"partition_method": "manual", "pipeline_stages": 2}, {"pipeline_stages": 2}, launch={"num_gpus": 2}, right_launch={"num_gpus": 2}),
    84: _t("flux", {"partition_method": "manual", "pipeline_stages": 2, "partition_split": [59]}, {"partition_method": "manual", "pipeline_stages": 2, "partition_split": [30]}, launch={"num_gpus": 2}, right_launch={"num_gpus": 2}),
    85: _t("sdxl", {"partition_method": "equal"}, {"partition_method": "uniform"}),
    86: _t("flux", {"blocks_to_swap": 10, "pipeline_stages": 2}, {"blocks_to_swap": 10}, launch={"num_gpus": 2}, right_launch={"num_gpus": 1}),
    87: _t("sdxl", {"blocks_to_swap": 10}),
    88: _t("flux", {"blocks_to_swap": 99}, {"blocks_to_swap": 30}),
    89: _t("flux", {"blocks_to_swap": 10, "activation_checkpointing": False, "reentrant_activation_checkpointing": True}, {"blocks_to_swap": 10, "reentrant_activation_checkpointing": True}),
    90: _t("wan13", {"blocks_to_swap": 10, "cache_text_embeddings": False}, {"blocks_to_swap": 10}),
    91: _t("flux", {"cache_text_embeddings": False}),
    93: _t("sdxl", {"model": {"dtype": "float16"}}, {"model": {"dtype": "bfloat16"}}),
    94: _t("flux", {"model": {"dtype": "float8"}}, {"model": {"dtype": "bfloat16"}}),
    95: _t("sdxl", {"transformer_dtype": "float8"}),
    96: _t("flux", {"diffusion_model_dtype": "float8"}, {"transformer_dtype": "float8"}),
    99: _t("flux", {"adapter": None, "transformer_dtype": "float8"}, {"adapter": None, "transformer_dtype": None}),
    100: _t("sd35_medium", {"adapter": None}),
    101: _t("ltx_video", {"adapter": None}, videos=True),
    102: _t("flux", {"adapter_type": "lokr"}, {"adapter_type": "lora"}),
    103: _t("qwen", {"adapter": {"type": "lokr", "dropout": 0.1}}, {"adapter": {"type": "lokr"}}),
    104: _t("sdxl", {"adapter": {"rank": 32.5}}, {"adapter": {"rank": 32}}),
    106: _t("flux", {"adapter": {"init_from_existing": "/lora", "rank": 64}}, {"adapter": {"init_from_existing": "/lora"}}),
    108: _t("qwen", {"adapter": {"fuse_adapters": [{"path": "/lora"}]}}),
    109: _t("z_image", {"model": {"text_encoders": [{"path": "/a", "type": "lumina2"}, {"path": "/b", "type": "lumina2"}]}}, {"model": {"text_encoders": [{"path": "/a", "type": "lumina2"}]}}),
    110: _t("z_image", {"model": {"text_encoders": [{"path": "/a", "type": "lumina"}]}}, {"model": {"text_encoders": [{"path": "/a", "type": "lumina2"}]}}),
    113: _t("flux2_dev", {}, dataset=_in_place(control_path="/data/c"), right_dataset=_in_place()),
    115: _t("flux", {"shift": 3.0, "flux_shift": True}, {"shift": 3.0, "flux_shift": None}),
    116: _t("wan13", {"min_t": 0.9, "max_t": 0.5}, {"min_t": 0.5, "max_t": 0.9}),
    117: _t("flux", {"timestep_sample_method": "uniform", "sigmoid_scale": 2.0}, {"timestep_sample_method": "logit_normal", "sigmoid_scale": 2.0}),
    118: _t("sdxl", {"guidance": 3.0}),
    119: _t("sdxl", {"debiased_estimation_loss": False}, {"debiased_estimation_loss": True}),
    121: _t("ltx_video", {}, dataset=_in_place(mask_path="/data/m"), right_dataset=_in_place()),
    122: TrapJob(model="anima_base", dataset={"type": "videos", "images_url": None, "videos_url": "/data/x"}),
    123: _t("cosmos_predict2_2b", {"transformer_dtype": "float8"}, {"transformer_dtype": "float8_e5m2"}),
    132: _t("minimax_h3", {"frame_buckets": [1, 33]}, {"frame_buckets": [1, 34]}, videos=True),
    133: _t("wan13", {"size_buckets": [[512, 512, 1], [768, 512, 1], [512, 768, 1]]}, {"size_buckets": [[512, 768, 1], [512, 512, 1], [768, 512, 1]]}),
    134: _t("wan13", {"size_buckets": [[512, 512, 1]], "resolutions": [512]}, {"size_buckets": [[512, 512, 1]]}),
    135: _t("wan13", {"size_buckets": [[512, 512]]}, {"size_buckets": [[512, 512, 1]]}),
    139: _t("sdxl", {"dataset": {"resolutions": None}, "directory": {"resolutions": [512]}}, {"dataset": {"resolutions": [512]}}),
    140: _t("sdxl", {"enable_ar_bucket": False, "min_ar": 0.4}, {"enable_ar_bucket": True, "min_ar": 0.4}),
    142: _t("sdxl", {"resolutions": [[1280, 720]], "enable_ar_bucket": False}, {"resolutions": [960], "enable_ar_bucket": False}),
    143: _t("wan22_ti2v_5b", {"size_buckets": [[520, 520, 1]]}, {"size_buckets": [[512, 512, 1]]}),
    144: _t("wan13", {"frame_buckets": [1]}, {"frame_buckets": [1, 33]}, videos=True),
    146: _t("wan13", {"frame_buckets": [1, 32]}, {"frame_buckets": [1, 33]}, videos=True),
    148: TrapJob(model="flux", dataset={"type": "videos", "images_url": None, "videos_url": "/data/x"}),
    153: _t("sdxl", {"shuffle_tags": True}),
    159: _t("sdxl", {"caption_prefix": "ohwx"}, {"caption_prefix": "ohwx, "}),
    160: _t("sdxl", {"online_captions": True}),
    178: _t("z_image", {"adapter": None}, {}),
    180: TrapJob(model="ideogram4", right_model="flux2_klein_4b"),
    179: _t("flux2_dev", {"batch_size": 2}, {"batch_size": 1}),
    181: _t("auraflow_03", {"resolution": 2048}, {"resolution": 1024}),
    182: _t("flux", {"batch_size": 2}, {"batch_size": 1, "gradient_accumulation_steps": 1}, dataset=_MIXED, right_dataset=_MIXED),
    183: _t("anima_base", {"multiscale_loss_weight": 0.5, "directory": {"mask_path": "/data/m"}}, {"directory": {"mask_path": "/data/m"}}),
    185: _t("sdxl", {"resolution": 5}, {"resolution": 512}),
}  # fmt: skip
