"""The checks as a whole: all are listed, all their codes are known and used, and sensible jobs are left in peace."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dpcompile
from dpcompile import checks
from dpcompile.catalogue import Catalogue
from dpcompile.checks import CHECKS, Check
from dpcompile.codes import CODES
from dpcompile.resources import DataDirs
from dpcompile.spec import ModelSpec
from tests.unit.checks.support import JobCheck

SOURCES = Path(dpcompile.__file__).parent
CODE = re.compile(r'"(DPC\d{3})"')
CATALOGUE = Catalogue(DataDirs.default())
MODULES = [importlib.import_module(f"dpcompile.checks.{found.name}") for found in pkgutil.iter_modules(checks.__path__)]


def models() -> Iterator[tuple[str, str | None]]:
    """Every model that can be trained, without preset and with each of its presets."""
    for name, spec, _found in CATALOGUE.all():
        assert spec is not None
        if not spec.capabilities.get("fails"):
            yield from ((name, preset) for preset in (None, *spec.presets))


MODEL_NAMES = sorted({name for name, _preset in models()})


def check_functions(module: ModuleType) -> Iterator[Check]:
    """The functions of a module that look like checks."""
    wanted = {"facts": "Facts", "return": "Iterator[Diagnostic]"}
    for function in vars(module).values():
        own = inspect.isfunction(function) and function.__module__ == module.__name__
        if own and inspect.get_annotations(function) == wanted:
            yield function


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rpartition(".")[2])
def test_every_check_is_listed_in_its_module(module: ModuleType) -> None:
    functions = [f for f in check_functions(module) if not f.__name__.startswith("_")]

    assert functions == list(getattr(module, "CHECKS", ()))


def test_every_module_is_listed() -> None:
    listed = [check for module in MODULES for check in getattr(module, "CHECKS", ())]

    assert set(listed) == set(CHECKS)
    assert len(listed) == len(CHECKS)


def test_every_check_says_what_it_rests_on() -> None:
    assert [check.__name__ for check in CHECKS if not inspect.getdoc(check)] == []


def test_every_code_of_the_checks_is_used() -> None:
    used = {
        code for path in SOURCES.rglob("*.py") if path.name != "codes.py" for code in CODE.findall(path.read_text())
    }

    assert {code for code in CODES if code.startswith("DPC4")} == {code for code in used if code.startswith("DPC4")}


def test_no_check_knows_a_model_by_name() -> None:
    names = {name for name, _preset in models()}
    names |= {spec_of(name).toml_type for name in names}
    text = "\n".join(path.read_text("utf-8") for path in (SOURCES / "checks").glob("*.py"))

    assert [name for name in sorted(names) if f'"{name}"' in text] == []


@pytest.mark.parametrize(("model", "preset"), list(models()))
def test_defaults_and_presets_give_no_finding(check: JobCheck, model: str, preset: str | None) -> None:
    found = check(model, preset=preset, data=kind_for(model, preset))

    assert found.diagnostics == ()
    assert found.ok


EVERYWHERE: dict[str, dict[str, Any]] = {
    "small": {"epochs": 20, "learning_rate": 1e-4, "lora_rank": 16, "resolution": 512},
    "long": {"epochs": 1000, "save_every_n_epochs": 20, "checkpoint_every_n_minutes": 30, "batch_size": 4},
    "by steps": {"max_steps": 3000, "save_every_n_steps": 500, "save_every_n_epochs": None, "warmup_steps": 50},
    "by examples": {"save_every_n_examples": 400, "gradient_accumulation_steps": 2},
    "decaying": {"epochs": 40, "lr_scheduler": "cosine", "warmup_steps": 0, "learning_rate": 2e-4},
    "frugal": {"activation_checkpointing": "unsloth", "optimizer_type": "adamw8bit", "caching_batch_size": 4},
    "automagic": {"optimizer_type": "automagic", "learning_rate": 1e-5},
    "prodigy": {"optimizer_type": "Prodigy", "learning_rate": 1.0},
    "muon": {"optimizer": {"type": "genericoptim", "muon": True, "lr": 1e-3}},
    "sizes": {"resolution": [512, 1024], "batch_size": [[512, 4], [1024, 1]], "ar_buckets": [0.5, 1.0, 2.0]},
    "captions": {"caption_prefix": "ohwx, ", "directory": {"mask_path": "/runpod-volume/masks"}},
    "full fine-tune": {"adapter": None, "learning_rate": 5e-6, "optimizer_type": "adamw_optimi"},
    "wandb": {"monitoring": {"enable_wandb": True, "wandb_tracker_name": "loras", "wandb_run_name": "first"}},
    "resumed": {"learning_rate": 1e-4, "lr_scheduler": "constant", "force_constant_lr": 5e-5, "warmup_steps": 0},
}
FOR_SOME: list[tuple[str, dict[str, Any]]] = [
    ("flux", {"blocks_to_swap": 20, "guidance": 1.0, "transformer_path": "/runpod-volume/flux.safetensors"}),
    ("flux", {"shift": 3, "timestep_sample_method": "uniform", "bypass_guidance_embedding": True}),
    ("qwen", {"blocks_to_swap": 20, "transformer_dtype": "float8_e5m2", "exclude_modules": "img_mod"}),
    ("sdxl", {"unet_lr": 1e-4, "text_encoder_1_lr": 2e-5, "text_encoder_2_lr": 2e-5, "min_snr_gamma": 5}),
    ("sdxl", {"v_pred": True, "debiased_estimation_loss": True, "optimizer": {"gradient_release": True}}),
    ("wan13", {"frame_buckets": [1, 33, 65], "adapter_type": "lokr", "video_clip_mode": "single_middle"}),
    ("wan14b_t2v", {"min_t": 0.0, "max_t": 0.875, "blocks_to_swap": 32, "transformer_dtype": "float8"}),
    ("wan14b_i2v", {"frame_buckets": [81], "resolution": [[832, 480]], "flux_shift": True}),
    ("z_image_turbo", {"sigmoid_scale": 1.2, "adapter_type": "lokr", "decompose_factor": 8}),
    ("anima_base", {"llm_adapter_lr": None, "optimizer": {"gradient_release": True}}),
    ("anima_base", {"lr_scheduler": "cosine", "self_attn_lr": 0, "mod_lr": 1e-5}),
    ("cosmos_7b", {"size_buckets": [[960, 960, 1], [960, 704, 1]]}),
    ("cosmos_predict2_14b", {"transformer_dtype": "float8_e5m2", "multiscale_loss_weight": 0.5}),
    ("minimax_h3", {"frame_buckets": [1, 17, 51], "resolution": 640, "cfg": 1}),
]


def spec_of(model: str) -> ModelSpec:
    spec = CATALOGUE.find(model)
    assert spec is not None
    return spec


def kind_for(model: str, preset: str | None = None) -> str:
    """All that a model trains on; of fixed sizes, what the chosen ones are for."""
    spec = spec_of(model)
    if spec.media.size_buckets:
        chosen = spec.presets[preset]["values"] if preset else spec.merged["defaults"]
        return "videos" if all(frames > 1 for *_, frames in chosen["dataset"]["size_buckets"]) else "images"
    return "both" if spec.media.images and spec.media.videos else "images" if spec.media.images else "videos"


def suits(model: str, name: str) -> bool:
    """Whether a training is one that this model can do at all."""
    spec = spec_of(model)
    if spec.capabilities.get("one_example_a_step") and {"batch_size", "gradient_accumulation_steps"} & set(
        EVERYWHERE[name]
    ):
        return False
    unsuited = {
        "full fine-tune": not spec.capabilities["full_finetune"] or "full_lacks" in spec.merged["saved_format"],
        "captions": not spec.media.masks,
        "small": spec.media.size_buckets is not None,
        "sizes": spec.media.size_buckets is not None,
    }
    return not unsuited.get(name, False)


@pytest.mark.parametrize(
    ("model", "name"), [(m, name) for m in MODEL_NAMES for name in EVERYWHERE if suits(m, name)], ids=str
)
def test_sensible_jobs_are_left_in_peace(check: JobCheck, model: str, name: str) -> None:
    assert check(model, EVERYWHERE[name], data=kind_for(model)).diagnostics == ()


@pytest.mark.parametrize(("model", "training"), FOR_SOME)
def test_sensible_jobs_of_single_models_are_left_in_peace(
    check: JobCheck, model: str, training: dict[str, Any]
) -> None:
    assert check(model, training, data=kind_for(model)).diagnostics == ()
