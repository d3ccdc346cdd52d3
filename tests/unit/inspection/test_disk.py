"""What a run takes of the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dpcompile.inspection.disk import disk_json, optimizer_bytes
from dpcompile.inspection.inspected import Inspection, to_json
from dpcompile.inspection.size import Caption, Latent, ModelSize, adapter_parameters, agreed
from dpcompile.inspection.text import as_text
from tests.unit.inspection.support import IMAGES, VIDEOS, image, inspected, video

# Wan 2.1 T2V 1.3B: eight layers of 1536 x 1536 in each of 30 blocks, and two of its feed-forward network.
WAN_1_3B = ModelSize(parameters=1_418_996_800, adapted=((1536, 1536, 240), (1536, 8960, 30), (8960, 1536, 30)))
BESIDE = 2000
"""What torch.save adds to each item."""
LORA: Mapping[str, Any] = {"type": "lora", "rank": 32, "dtype": "bfloat16"}
RUN: Mapping[str, Any] = {
    "epochs": 4,
    "save_every_n_epochs": 2,
    "checkpoint_every_n_epochs": 4,
    "model": {"dtype": "bfloat16"},
}


def used(tmp_path: Path, size: ModelSize, **train: Any) -> dict[str, int | None]:
    """Two models are saved and one checkpoint."""
    image(tmp_path / "a.png")
    return disk_json(inspected(tmp_path, facts=replace(IMAGES, size=size), train={**RUN, **train}).disk)


def cached(inspection: Inspection) -> int | None:
    return disk_json(inspection.disk)["cache"]


def test_a_lora_is_its_rank_times_what_goes_into_and_out_of_each_layer(tmp_path: Path) -> None:
    use = used(tmp_path, WAN_1_3B, adapter=LORA, optimizer={"type": "adamw"})

    assert use["model"] == 87_490_560  # the size of published LoRAs of rank 32 for this model, but for the header
    assert use["checkpoint"] == 3 * 87_490_560
    assert (use["models"], use["checkpoints"], use["written"]) == (2, 1, 5 * 87_490_560)


def test_a_full_fine_tune_saves_the_whole_model(tmp_path: Path) -> None:
    use = used(tmp_path, WAN_1_3B, optimizer={"type": "adamw_optimi"})

    assert use["model"] == 2 * 1_418_996_800
    assert use["checkpoint"] == 4 * 2 * 1_418_996_800


@pytest.mark.parametrize(("dtype", "saved", "model"), [("float32", None, 4), ("float32", "bfloat16", 2)])
def test_save_dtype_is_for_saved_models_alone(tmp_path: Path, dtype: str, saved: str | None, model: int) -> None:
    adapter = {**LORA, "rank": 1, "dtype": dtype}
    more = {"save_dtype": saved} if saved else {}

    use = used(tmp_path, ModelSize(adapted=((3, 7, 2),)), adapter=adapter, optimizer={"type": "sgd"}, **more)

    assert (use["model"], use["checkpoint"]) == (20 * model, 20 * 4)


# Counted with PEFT 0.21.2 for one layer.
@pytest.mark.parametrize(
    ("wide", "high", "rank", "factor", "numbers"),
    [
        (1536, 1536, 32, 64, 64 * 64 + 24 * 24),
        (1536, 1536, 8, 64, 4480),
        (1536, 8960, 4, 64, 4752),
        (64, 3072, 8, 16, 1824),
        (387, 112, 1, 16, 194),
        (3, 7, 8, 7, 10),
    ],
)
def test_a_lokr_is_a_small_matrix_and_a_large_one(wide: int, high: int, rank: int, factor: int, numbers: int) -> None:
    adapter = {"type": "lokr", "rank": rank, "decompose_factor": factor}

    assert adapter_parameters(ModelSize(adapted=((wide, high, 1),)), adapter) == numbers


@pytest.mark.parametrize(
    "train",
    [
        {"adapter": {**LORA, "exclude_modules": "cross_attn"}},
        {"adapter": {"type": "loha", "rank": 4}},
        {"adapter": {"type": "lora", "rank": "32"}},
        {"adapter": {"type": "lora"}},
    ],
)
def test_what_is_not_known_is_not_made_up(tmp_path: Path, train: Mapping[str, Any]) -> None:
    use = used(tmp_path, WAN_1_3B, **train)

    assert (use["model"], use["checkpoint"], use["written"], use["cache"]) == (None, None, None, None)


def test_a_model_of_unknown_size(tmp_path: Path) -> None:
    assert used(tmp_path, ModelSize(), adapter=LORA)["model"] is None
    assert used(tmp_path, ModelSize())["model"] is None


def test_what_is_saved_beside_and_what_checkpoints_hold_too(tmp_path: Path) -> None:
    size = ModelSize(parameters=100, adapted=((3, 7, 1),), saved_beside=11, buffers=5)
    full, adapter = ({"optimizer": {"type": "sgd"}}, {"optimizer": {"type": "sgd"}, "adapter": LORA})

    whole, lora = (used(tmp_path, size, **train) for train in (full, adapter))

    assert (whole["model"], whole["checkpoint"]) == (2 * 100 + 11, 2 * 100 + 2 * 5)
    assert (lora["model"], lora["checkpoint"]) == (2 * 320, 2 * 320 + 2 * 5)


def test_a_part_that_a_rate_of_zero_leaves_out_is_not_guessed(tmp_path: Path) -> None:
    model = {"dtype": "bfloat16", "llm_adapter_lr": 0}

    freezing = replace(WAN_1_3B, zero_lr_freezes=True)
    parted = replace(freezing, parts=(("llm_adapter_lr", ((1536, 1536, 40),)),))

    assert used(tmp_path, freezing, adapter=LORA, model=model)["model"] is None
    assert used(tmp_path, parted, adapter=LORA, model=model)["model"] == 87_490_560 - 2 * 32 * 40 * 3072
    assert used(tmp_path, parted, adapter=LORA, model={**model, "mlp_lr": 0})["model"] is None
    assert used(tmp_path, parted, model=model)["model"] is None
    assert used(tmp_path, WAN_1_3B, adapter=LORA, model=model)["model"] == 87_490_560


def test_numbers_of_the_cache_are_in_the_model_s_type_unless_they_have_one_of_their_own(tmp_path: Path) -> None:
    image(tmp_path / "a.png")

    def of(size: Latent, dtype: str) -> int | None:
        facts = replace(IMAGES, size=ModelSize(latent=size, caption=Caption()))
        return cached(inspected(tmp_path, facts=facts, train={"model": {"dtype": dtype}}))

    own, none = Latent(channels=1, pixels=8, frames=1, bytes=4), Latent(channels=1, pixels=8, frames=1)
    assert [of(own, "bfloat16"), of(none, "bfloat16"), of(none, "float32")] == [64 * n + BESIDE for n in (4, 2, 4)]


def test_models_that_could_be_meant_agree_on_some_sizes() -> None:
    other = replace(WAN_1_3B, parameters=1)

    assert agreed([WAN_1_3B]) == agreed([WAN_1_3B, WAN_1_3B]) == WAN_1_3B
    assert agreed([WAN_1_3B, other]) == ModelSize(adapted=WAN_1_3B.adapted)


@pytest.mark.parametrize(
    ("optimizer", "each", "kept"),
    [
        ({"type": "AdamW"}, 4, 8),
        ({"type": "adamw_optimi"}, 2, 6),
        ({"type": "adamw_optimi"}, 4, 8),
        ({"type": "adamw_optimi", "kahan_sum": False}, 2, 4),
        ({"type": "AdamW8bitKahan"}, 2, 4),
        ({"type": "automagic"}, 4, 2),
        ({"type": "sgd", "momentum": 0.9}, 2, 2),
        ({"type": "Prodigy"}, 2, 8),
        ({"type": "genericoptim"}, 2, 6),
        ({"type": "genericoptim", "muon": True}, 2, None),
        ({"type": "sgd"}, 2, 0),
        ({"type": "Tiger"}, 2, None),
        ({}, 2, None),
    ],
)
def test_what_an_optimizer_keeps(optimizer: Mapping[str, Any], each: int, kept: int | None) -> None:
    assert optimizer_bytes({"optimizer": optimizer}, each) == kept


def test_the_cache_has_every_file_at_every_size_and_every_caption_once(tmp_path: Path) -> None:
    for name in "abc":
        image(tmp_path / f"{name}.png", (200, 200))
    size = ModelSize(
        latent=Latent(channels=16, pixels=8, frames=1, bytes=4, more=5), caption=Caption(bytes=1000, token_bytes=10)
    )

    found = inspected(
        tmp_path, facts=replace(IMAGES, size=size), train={"gradient_accumulation_steps": 1}, resolutions=[64, 128]
    )

    at_64, at_128 = 16 * 8 * 8 * 4 + 5, 16 * 16 * 16 * 4 + 5
    a_caption = 1000 + 3 * 10 + BESIDE  # "ohwx, a cat" is about three tokens
    assert cached(found) == 3 * (at_64 + at_128 + 2 * BESIDE) + 3 * a_caption


def test_repeats_and_lost_items_change_nothing_of_the_cache(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png", (128, 64))
    facts = replace(IMAGES, size=ModelSize(latent=Latent(channels=1, pixels=8, frames=1, bytes=1), caption=Caption()))

    once, often = (cached(inspected({"path": str(tmp_path), "num_repeats": n}, facts=facts)) for n in (1, 7))

    assert once == often


def test_a_clip_has_a_cell_for_its_first_frame_and_one_for_every_four(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4", 40)
    facts = replace(VIDEOS, size=ModelSize(latent=Latent(channels=16, pixels=8, frames=4, bytes=2), caption=Caption()))

    found = inspected(tmp_path, facts=facts, frame_buckets=[1, 33])

    assert cached(found) == 16 * 8 * 8 * 9 * 2 + BESIDE


def test_control_images_and_masks_are_kept_too(tmp_path: Path) -> None:
    for folder in ("images", "control", "masks"):
        image(tmp_path / folder / "a.png", caption="a cat" if folder == "images" else None)
    Image.new("L", (64, 64)).save(tmp_path / "masks" / "a.png")
    facts = replace(IMAGES, size=ModelSize(latent=Latent(channels=16, pixels=8, frames=1, bytes=2), caption=Caption()))
    directory = {"path": str(tmp_path / "images")}

    alone = inspected(directory, facts=facts)
    paired = inspected({**directory, "control_path": str(tmp_path / "control")}, facts=facts)
    masked = inspected({**directory, "mask_path": str(tmp_path / "masks")}, facts=facts)

    latent = 16 * 8 * 8 * 2
    latent_and_mask = latent + 64 * 64 * 2
    assert [cached(each) for each in (alone, paired, masked)] == [
        n + BESIDE for n in (latent, 2 * latent, latent_and_mask)
    ]


def test_captions_that_are_encoded_anew_each_time_are_not_kept(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    size = ModelSize(
        latent=Latent(channels=1, pixels=8, frames=1, bytes=1), caption=Caption(bytes=1000, token_bytes=10)
    )

    found = inspected(tmp_path, facts=replace(IMAGES, size=size), train={"model": {"cache_text_embeddings": False}})

    assert cached(found) == 64 + BESIDE


def test_people_are_told(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    size = replace(WAN_1_3B, latent=Latent(channels=16, pixels=8, frames=1, bytes=2), caption=Caption(bytes=1024))
    train = {**RUN, "adapter": LORA, "optimizer": {"type": "adamw"}, "checkpoint_every_n_minutes": 60}

    found = inspected(tmp_path, facts=replace(IMAGES, size=size), train=train)

    text = as_text(found)
    assert "  2 models saved, 83.4 MiB each: epoch2 epoch4\n" in text
    assert "  1 checkpoint of 250.3 MiB, and one every 60 minutes; none is ever deleted\n" in text
    assert "  the disk: 417.2 MiB for these, and about 6.9 KiB for the trainer's cache" in text
    assert to_json(found)["disk"] == disk_json(found.disk)


def test_a_checkpoint_of_an_unknown_optimizer_is_told_at_least(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    train = {**RUN, "adapter": LORA, "optimizer": {"type": "Tiger"}}

    text = as_text(inspected(tmp_path, facts=replace(IMAGES, size=WAN_1_3B), train=train))

    assert "  1 checkpoint of at least 83.4 MiB; none is ever deleted\n" in text


def test_people_are_told_what_is_not_known(tmp_path: Path) -> None:
    image(tmp_path / "a.png")

    text = as_text(inspected(tmp_path, train=RUN))

    assert "  the disk: not known, as the model spec does not say how large the model is" in text
