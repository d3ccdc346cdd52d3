"""The name under which the trainer keeps what it encodes: `<data folder>/cache/<name>` (utils/dataset.py:482).

Models that share a name share what is encoded. For some model types the files decide: they are looked at as the
trainer does, before it encodes anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from worker.modelstore.weights import read_header

_OTHERWISE = {"hunyuan_video_15": "hunyuan_video_1.5"}
"""Types whose class has another name than the type (models/hunyuan_video_15.py:18)."""
_BY_TYPE = frozenset(
    {
        *("auraflow", "chroma", "cosmos", "ernie_image", "flux", "hidream", "hunyuan-video", "hunyuan_image"),
        *("ideogram4", "krea2", "ltx2", "lumina_2", "minimax_h3", "omnigen2", "qwen_image", "sd3", "sdxl", "z_image"),
    }
)
"""Types whose class has the same name."""
_FLUX2 = {6144: "flux2", 3072: "flux2_klein_4b", 4096: "flux2_klein_9b"}
_CLIP_IN_WAN = "blocks.0.cross_attn.k_img.weight"
"""Image-to-video models of Wan 2.1 have it, those of Wan 2.2 do not (models/wan/wan.py:133)."""


def cache_name(model: Mapping[str, Any]) -> str | None:
    """The name for this [model] table. None when it cannot be known: then the trainer cannot load the model either."""
    kind = str(model.get("type"))
    if kind in _BY_TYPE or kind in _OTHERWISE:
        return _OTHERWISE.get(kind, kind)
    try:
        return _BY_FILES[kind](model) if kind in _BY_FILES else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None


def _wan(model: Mapping[str, Any]) -> str | None:
    """models/wan/wan.py:81-165."""
    top = Path(model["ckpt_path"])
    transformer = Path(model.get("transformer_path", top))
    if transformer.is_dir():
        config, files = transformer / "config.json", sorted(transformer.glob("*.safetensors"))
    else:
        places = (top / "config.json", top / "low_noise_model" / "config.json")
        config, files = next(place for place in places if place.exists()), [transformer]
    skyreels = "skyreels" in top.name.lower()
    kind = json.loads(config.read_text("utf-8"))["model_type"]
    if kind == "i2v":
        names = {name.removeprefix("model.diffusion_model.") for file in files for name in read_header(file)}
        if _CLIP_IN_WAN not in names:
            return "wan2.2_i2v"
        return "skyreels_v2_i2v" if skyreels else "wan_i2v"
    known = {"t2v": "skyreels_v2" if skyreels else "wan", "flf2v": "wan_flf2v", "ti2v": "wan2.2_5b"}
    return known.get(kind)


def _flux2(model: Mapping[str, Any]) -> str | None:
    """models/flux2.py:29-49."""
    header = read_header(Path(model["diffusion_model"]))
    width = next(info["shape"][0] for name, info in header.items() if "img_in.weight" in name)
    return _FLUX2.get(width)


def _ltx_video(model: Mapping[str, Any]) -> str | None:
    """models/ltx_video.py:40."""
    return Path(model["single_file_path"]).stem or None


def _cosmos_predict2(model: Mapping[str, Any]) -> str | None:
    """The text encoder decides, whichever of its two types is named (models/cosmos_predict2.py:225-270)."""
    if "t5_path" in model:
        return "cosmos_predict2"
    return "anima" if "llm_path" in model else None


_BY_FILES: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "anima": _cosmos_predict2,
    "cosmos_predict2": _cosmos_predict2,
    "flux2": _flux2,
    "ltx-video": _ltx_video,
    "wan": _wan,
}
