"""The name of the trainer's cache, for every model type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dpcompile.audit.known import TYPES
from tests.worker.test_weights import safetensors
from worker.modelstore.cachename import cache_name

CLIP = "blocks.0.cross_attn.k_img.weight"


def wan(folder: Path, kind: str, *, tensors: tuple[str, ...] = ("head.weight",), **model: Any) -> str | None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "dim": 5120}))
    safetensors(folder / "diffusion_pytorch_model.safetensors", {name: [1] for name in tensors})
    return cache_name({"type": "wan", "ckpt_path": str(folder), **model})


@pytest.mark.parametrize("kind", sorted(TYPES - {"anima", "cosmos_predict2", "flux2", "ltx-video", "wan"}))
def test_most_types_have_one_name(kind: str) -> None:
    expected = {"hunyuan_video_15": "hunyuan_video_1.5"}.get(kind, kind)
    assert cache_name({"type": kind}) == expected


@pytest.mark.parametrize(
    ("folder", "kind", "tensors", "name"),
    [
        ("Wan2.1-T2V-1.3B", "t2v", (), "wan"),
        ("SkyReels-V2-T2V", "t2v", (), "skyreels_v2"),
        ("Wan2.1-I2V-14B", "i2v", (CLIP,), "wan_i2v"),
        ("Wan2.1-I2V-14B", "i2v", (f"model.diffusion_model.{CLIP}",), "wan_i2v"),
        ("SkyReels-V2-I2V", "i2v", (CLIP,), "skyreels_v2_i2v"),
        ("Wan2.2-I2V-A14B", "i2v", (), "wan2.2_i2v"),
        ("Wan2.1-FLF2V-14B", "flf2v", (CLIP,), "wan_flf2v"),
        ("Wan2.2-TI2V-5B", "ti2v", (), "wan2.2_5b"),
        ("Wan9", "new", (), None),
    ],
)
def test_wan(tmp_path: Path, folder: str, kind: str, tensors: tuple[str, ...], name: str | None) -> None:
    assert wan(tmp_path / folder, kind, tensors=("head.weight", *tensors)) == name


def test_the_halves_of_wan_2_2_share_a_name(tmp_path: Path) -> None:
    for half in ("high_noise_model", "low_noise_model"):
        wan(tmp_path / half, "t2v")
        model = {"type": "wan", "ckpt_path": str(tmp_path), "transformer_path": str(tmp_path / half)}
        assert cache_name(model) == "wan"


def test_a_single_file_of_wan_goes_by_the_configuration_of_the_folder(tmp_path: Path) -> None:
    wan(tmp_path / "low_noise_model", "i2v")
    file = safetensors(tmp_path / "own.safetensors", {CLIP: [1]})
    model = {"type": "wan", "ckpt_path": str(tmp_path), "transformer_path": str(file)}
    assert cache_name(model) == "wan_i2v"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "flf2v"}))
    assert cache_name(model) == "wan_flf2v"


@pytest.mark.parametrize(
    ("width", "name"), [(6144, "flux2"), (3072, "flux2_klein_4b"), (4096, "flux2_klein_9b"), (1, None)]
)
def test_flux_2_goes_by_its_width(tmp_path: Path, width: int, name: str | None) -> None:
    file = safetensors(tmp_path / "flux2.safetensors", {"a.weight": [2], "img_in.weight": [width, 2]})
    assert cache_name({"type": "flux2", "diffusion_model": str(file)}) == name


def test_ltx_video_goes_by_its_file() -> None:
    file = "/models/ltxv-13b-0.9.7-dev.safetensors"
    assert cache_name({"type": "ltx-video", "single_file_path": file}) == "ltxv-13b-0.9.7-dev"


@pytest.mark.parametrize("kind", ["cosmos_predict2", "anima"])
def test_cosmos_predict2_goes_by_its_text_encoder(kind: str) -> None:
    assert cache_name({"type": kind, "t5_path": "/t5", "llm_path": "/llm"}) == "cosmos_predict2"
    assert cache_name({"type": kind, "llm_path": "/llm"}) == "anima"
    assert cache_name({"type": kind}) is None


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"type": 1},
        {"type": "new"},
        {"type": "wan"},
        {"type": "wan", "ckpt_path": 3},
        {"type": "wan", "ckpt_path": "/not/there"},
        {"type": "flux2", "diffusion_model": "/not/there"},
        {"type": "ltx-video"},
    ],
)
def test_what_cannot_be_known_is_none(model: dict[str, Any]) -> None:
    assert cache_name(model) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '"x"'])
def test_a_configuration_that_is_none_is_none(tmp_path: Path, text: str) -> None:
    wan(tmp_path, "t2v")
    (tmp_path / "config.json").write_text(text)
    assert cache_name({"type": "wan", "ckpt_path": str(tmp_path)}) is None


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    wan(tmp_path, "i2v")
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"x")
    assert cache_name({"type": "wan", "ckpt_path": str(tmp_path)}) is None
