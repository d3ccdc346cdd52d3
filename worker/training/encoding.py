"""The settings that decide how data is encoded and that the trainer does not look at when it takes from its cache.

Its own fingerprint covers file names, captions, masks, control images and sizes, so what stands in a dataset file
(utils/dataset.py:85-109, 628-798); it covers nothing of the training's file.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TRAINING_ONLY = frozenset(
    {
        # The part that is trained, and its number format. It is loaded once all is encoded (load_diffusion_model of
        # each class), or beside the encoders (models/flux.py:172-211, models/lumina_2.py:70-88). Where the file
        # decides how data is encoded, it decides the name of the cache too (models/wan/wan.py:85-176,
        # models/flux2.py:29-49). For LTX 2 it is another matter: see below.
        *("transformer_path", "transformer_dtype", "diffusion_model", "diffusion_model_dtype"),
        "llm_adapter_path",  # a part of what is trained (models/cosmos_predict2.py:289-319)
        "merge_adapters",  # into the part that is trained, with none for the encoders (models/base.py:649, ltx2.py:252)
        "bypass_guidance_embedding",  # models/flux.py:189
        # Noise levels and guidance: prepare_inputs of each class, when a step is taken.
        *("timestep_sample_method", "sigmoid_scale", "min_t", "max_t"),
        *("shift", "flux_shift", "lumina_shift", "image_shift"),
        *("guidance", "cfg", "first_frame_conditioning_p"),
        # The loss, and the scheduler of the noise (models/sdxl.py:374-400, models/cosmos_predict2.py:524).
        *("v_pred", "min_snr_gamma", "debiased_estimation_loss", "multiscale_loss_weight"),
        # Learning rates of parts (get_param_groups).
        *("unet_lr", "text_encoder_1_lr", "text_encoder_2_lr"),
        *("self_attn_lr", "cross_attn_lr", "mlp_lr", "mod_lr", "llm_adapter_lr"),
        # Whether captions are encoded beforehand, not how (models/wan/wan.py:253, models/cosmos_predict2.py:326).
        "cache_text_embeddings",
        # HiDream's fourth encoder, which is no part of get_text_encoders: it runs in each step.
        *("llama3_path", "llama3_4bit", "max_llama3_sequence_length"),
    }
)
"""Keys of [model] that decide nothing about encoding, in any class that reads them. All others count: one that is
missing here costs an encoding that was not needed, one too many costs a training on the wrong data."""

_DEFAULT_CLIP_MODE = "single_beginning"  # models/base.py:59


def encoding_settings(train: Mapping[str, Any]) -> dict[str, Any]:
    """Full name -> value, from a train.toml. Not in it: caching_batch_size, which changes when memory is short."""
    model = train["model"]
    counts = {k: v for k, v in model.items() if k not in TRAINING_ONLY or _holds_encoders(model, k)}
    # The trainer takes a switch that is off for one that is not there.
    found = {f"model.{key}": value for key, value in counts.items() if value is not False}
    if model.get("type") == "wan" and (files := _encoders_of_wan(Path(model["ckpt_path"]), "llm_path" in model)):
        del found["model.ckpt_path"]
        found |= {f"model.ckpt_path/{name}": checks for name, checks in files.items()}
    found["video_clip_mode"] = train.get("video_clip_mode", _DEFAULT_CLIP_MODE)
    fused = train.get("adapter", {}).get("fuse_adapters")
    if fused and model.get("type") == "flux":
        # Fused before the data is encoded, by a method that reaches text encoders as well (models/flux.py:196-201).
        found["adapter.fuse_adapters"] = fused
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def _holds_encoders(model: Mapping[str, Any], key: str) -> bool:
    """The one file of LTX 2 holds its VAE and a part of its text encoder (models/ltx2.py:205-238)."""
    return key == "diffusion_model" and model.get("type") == "ltx2"


def _encoders_of_wan(folder: Path, own_text_encoder: bool) -> dict[str, str]:
    """Name -> checksums of the encoders in a Wan folder; empty where they cannot be had.

    Wan's text-to-video models are meant to share what is encoded: each folder holds the same encoders, beside a
    transformer of its own (models/wan/configs.py:27-177). PyTorch's files are archives that end with the checksums
    of all that is in them, so they are compared without being read.
    """
    try:
        files = [f for f in sorted(folder.glob("*.pth")) if not (own_text_encoder and f.name.startswith("models_t5"))]
        return {file.name: _checksums(file) for file in files}
    except (OSError, zipfile.BadZipFile):
        return {}


def _checksums(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        parts = [(info.filename.partition("/")[2], info.CRC, info.file_size) for info in archive.infolist()]
    return hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What is otherwise, in words: `model.vae is "b" now and was "a"`."""
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield f"{key} is {_shown(new[key])} now and was not set"
        elif key not in new:
            yield f"{key} was {_shown(old[key])} and is not set now"
        elif old[key] != new[key]:
            yield f"{key} is {_shown(new[key])} now and was {_shown(old[key])}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
