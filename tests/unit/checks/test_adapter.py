"""What is trained: an adapter of some kind, or the whole model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

NO_FINETUNE = """
name: my_model
title: My Model
extends: wan13
capabilities: {full_finetune: false}
"""
ONLY_LOKR = """
name: my_model
title: My Model
extends: wan13
capabilities: {lora: false}
"""
FOLDER = "/runpod-volume/loras/first"


@pytest.mark.parametrize(
    ("model", "training", "code", "place"),
    [
        ("flux", {"adapter_type": "lokr"}, "DPC401", "/training/adapter_type"),
        ("sdxl", {"adapter": {"type": "lokr"}}, "DPC401", "/training/adapter/type"),
        ("flux", {"adapter": None, "transformer_dtype": "float8"}, "DPC403", "/training/transformer_dtype"),
        (
            "wan13",
            {"adapter": None, "model": {"transformer_dtype": "float8_e5m2"}},
            "DPC403",
            "/training/model/transformer_dtype",
        ),
        ("krea2", {"adapter": None, "transformer_dtype": "float8"}, "DPC403", "/training/transformer_dtype"),
        ("qwen", {"adapter_type": "lokr", "lora_dropout": 0.1}, "DPC404", "/training/lora_dropout"),
        ("qwen", {"decompose_factor": 8}, "DPC404", "/training/decompose_factor"),
        ("qwen", {"rank_dropout": 0.1}, "DPC404", "/training/rank_dropout"),
        ("wan13", {"fuse_adapters": [{"path": "/a"}]}, "DPC405", "/training/fuse_adapters"),
        ("sdxl", {"exclude_modules": ["ff"]}, "DPC405", "/training/exclude_modules"),
        ("wan13", {"adapter_type": "lokr", "init_from_existing": FOLDER}, "DPC406", "/training/init_from_existing"),
        ("sdxl", {"init_from_existing": FOLDER, "lora_rank": 16}, "DPC407", "/training/init_from_existing"),
        ("wan13", {"init_from_existing": f"{FOLDER}/a.safetensors"}, "DPC408", "/training/init_from_existing"),
        ("flux", {"init_from_existing": f"{FOLDER}/a.pt"}, "DPC408", "/training/init_from_existing"),
        ("flux", {"init_from_existing": ""}, "DPC408", "/training/init_from_existing"),
    ],
)
def test_told(check: JobCheck, model: str, training: dict[str, Any], code: str, place: str) -> None:
    found = check(model, training)

    assert (found.only.code, found.only.path) == (code, place)
    assert found.source(found.only).startswith(f'"{place.rpartition("/")[2]}"')


@pytest.mark.parametrize(
    ("model", "training"),
    [
        ("wan13", {"adapter_type": "lokr"}),
        ("wan13", {"adapter_type": "lokr", "decompose_factor": 8, "rank_dropout": 0.1}),
        ("flux", {"adapter": None}),
        ("qwen", {"adapter": None}),
        ("flux", {"adapter": None, "transformer_dtype": "bfloat16"}),
        ("z_image_turbo", {"transformer_dtype": "float8"}),
        ("wan13", {"lora_dropout": 0.1}),
        # What they ask for happens anyway.
        ("wan13", {"adapter_type": "lokr", "lora_dropout": 0.0}),
        ("wan13", {"decompose_factor": -1, "rank_dropout": 0.0}),
        ("flux", {"fuse_adapters": [{"path": "/a", "weight": 0.5}]}),
        ("wan13", {"exclude_modules": "ff"}),
        ("wan13", {"init_from_existing": FOLDER, "lora_rank": 16}),
        ("flux", {"init_from_existing": FOLDER}),
        ("flux", {"init_from_existing": f"{FOLDER}/a.safetensors"}),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, training: dict[str, Any]) -> None:
    assert check(model, training).codes == []


def test_hint_names_the_kind_that_works(check: JobCheck) -> None:
    assert check("flux", {"adapter_type": "lokr"}).only.hint == 'Use adapter type "lora".'
    assert check("my_model", spec=ONLY_LOKR).only.hint == 'Use adapter type "lokr".'


def test_full_finetune_that_would_fail(check: JobCheck) -> None:
    found = check("my_model", {"epochs": 5, "adapter": None}, spec=NO_FINETUNE)

    assert (found.only.code, found.only.path) == ("DPC402", "/training/adapter")
    assert "at the latest at its first save" in found.only.message
    assert found.only.hint == 'Take "adapter": null out.'
    assert found.source(found.only) == '"adapter": null'
    assert check("my_model", spec=NO_FINETUNE).codes == []


def test_full_finetune_asked_for_by_set(check: JobCheck) -> None:
    found = check("my_model", spec=NO_FINETUNE, sets=["adapter=null"])

    assert (found.only.file, found.only.path) == ("--set", "/training/adapter")


def test_float8_of_a_preset(check: JobCheck) -> None:
    found = check("z_image_turbo", {"adapter": None}, preset="low_vram")

    assert ("DPC403", "/preset") in {(each.code, each.path) for each in found.diagnostics}


def test_hint_for_a_file_names_its_folder(check: JobCheck) -> None:
    hint = check("wan13", {"init_from_existing": "/loras/a.safetensors"}).only.hint

    assert hint == 'Write "/loras"; it must hold exactly one .safetensors file.'


def test_models_in_comfyui_format_merge_instead_of_fusing(check: JobCheck) -> None:
    assert "model.merge_adapters" in check("z_image_turbo", {"fuse_adapters": [{"path": "/a"}]}).only.hint


def test_what_is_passed_through_is_not_judged(check: JobCheck) -> None:
    assert check("sdxl", {"passthrough": {"adapter": {"type": "lokr"}}}).codes == ["DPC216"]


def test_a_wrong_value_is_told_once(check: JobCheck) -> None:
    found = check("wan13", {"init_from_existing": 5, "adapter_type": "lokr"})

    assert found.codes == ["DPC203"]
