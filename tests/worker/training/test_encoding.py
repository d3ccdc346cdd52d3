"""Which settings decide how data is encoded, and what is said about those that differ."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.catalogue import Catalogue
from worker.training.encoding import TRAINING_ONLY, differences, encoding_settings

CATALOGUE = Catalogue()
KEYS = {key for _name, spec, _found in CATALOGUE.all() if spec is not None for key in spec.fields}
"""Every key of [model] that a model type reads."""
COUNTS = {
    *("audio_vae", "byt5_path", "checkpoint_path", "ckpt_path", "clip_path", "diffusers_path", "dtype", "llm_path"),
    *("max_sequence_length", "single_file_path", "t5_path", "text_encoder", "text_encoder_fp8", "text_encoder_nf4"),
    *("text_encoder_path", "text_encoders", "type", "vae", "vae_path"),
}
"""Read while the encoders are made or used, by the trainer's code."""


def settings(**model: Any) -> dict[str, Any]:
    return encoding_settings({"model": {"type": "flux", "dtype": "bfloat16", **model}})


def test_every_key_of_every_model_is_known_to_count_or_not() -> None:
    """A key that a new version of the trainer reads has to be looked at, though it counts until then."""
    assert not KEYS - TRAINING_ONLY - COUNTS
    assert not (TRAINING_ONLY | COUNTS) - KEYS
    assert not COUNTS & TRAINING_ONLY


def test_what_is_not_known_counts() -> None:
    assert settings(new_key=1)["model.new_key"] == 1


def test_a_switch_that_is_off_is_as_one_that_is_not_there() -> None:
    assert settings(text_encoder_fp8=False) == settings()
    assert settings(text_encoder_fp8=True) != settings()
    assert settings(number=0) != settings()


def test_the_clip_mode_has_its_default() -> None:
    model = {"type": "flux", "dtype": "bfloat16"}
    assert encoding_settings({"model": model, "video_clip_mode": "single_beginning"}) == settings()
    assert encoding_settings({"model": model, "video_clip_mode": "single_middle"}) != settings()


def test_the_one_file_of_ltx_2_counts_and_the_diffusion_model_of_others_does_not() -> None:
    assert settings(diffusion_model="a") == settings(diffusion_model="b")
    assert settings(type="ltx2", diffusion_model="a") != settings(type="ltx2", diffusion_model="b")


def test_adapters_that_flux_fuses_before_it_encodes_count() -> None:
    fused = {"fuse_adapters": [{"path": "/a.safetensors"}]}
    for kind, counts in (("flux", True), ("chroma", False)):
        model = {"type": kind, "dtype": "bfloat16"}
        assert (encoding_settings({"model": model, "adapter": fused}) != encoding_settings({"model": model})) == counts


def wan(folder: Path, **model: Any) -> dict[str, Any]:
    return settings(type="wan", ckpt_path=str(folder), **model)


def pth(file: Path, content: str, root: str = "archive") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{root}/data/0", content)


def test_wan_folders_with_the_same_encoders_encode_alike(tmp_path: Path) -> None:
    for name in ("1.3B", "14B", "other"):
        pth(tmp_path / name / "Wan2.1_VAE.pth", "vae" if name != "other" else "eav", root=name)
        pth(tmp_path / name / "models_t5_umt5-xxl-enc-bf16.pth", "text")
        (tmp_path / name / "diffusion_pytorch_model.safetensors").write_text(name)
    assert wan(tmp_path / "1.3B") == wan(tmp_path / "14B")
    (told,) = differences(wan(tmp_path / "1.3B"), wan(tmp_path / "other"))
    assert told.startswith('model.ckpt_path/Wan2.1_VAE.pth is "')


def test_a_text_encoder_of_one_s_own_takes_the_place_of_wan_s(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pth(tmp_path / name / "Wan2.1_VAE.pth", "vae")
        pth(tmp_path / name / "models_t5_umt5-xxl-enc-bf16.pth", name)
    assert wan(tmp_path / "a") != wan(tmp_path / "b")
    assert wan(tmp_path / "a", llm_path="/t5") == wan(tmp_path / "b", llm_path="/t5")


@pytest.mark.parametrize("content", [None, "no archive"])
def test_wan_folders_that_cannot_be_compared_go_by_their_path(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "Wan2.1_VAE.pth").write_text(content)
    assert wan(tmp_path)["model.ckpt_path"] == str(tmp_path)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TABLES = st.dictionaries(st.sampled_from(sorted(KEYS - {"type"})), VALUES, max_size=6)


@given(TABLES, TABLES)
def test_what_is_told_is_what_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    old, new = settings(**one), settings(**other)
    told = list(differences(old, new))
    assert (told == []) == (old == new)
    assert len(told) == sum(1 for key in old.keys() | new.keys() if old.get(key, told) != new.get(key, told))
    assert all("\n" not in text for text in told)


@given(TABLES)
def test_what_acts_on_the_training_only_changes_nothing(table: dict[str, Any]) -> None:
    kept = {key: value for key, value in table.items() if key not in TRAINING_ONLY}
    assert settings(**table) == settings(**kept)
