"""The weight files that a training names, looked at before anything costs money: real files, by their headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job
from dpcompile.plan import Plan
from tests.worker.doubles.modelhub import ModelHub
from tests.worker.modelruns import Run, plain_settings
from worker.errors import StepFailed
from worker.modelstore.weights import Damaged, Flaw, check_own_weights, check_weights, look_at, read_header
from worker.steps import download

CATALOGUE = Catalogue()
BF16 = {"weight": [2, 2]}


def safetensors(path: Path, tensors: Mapping[str, list[int]] = BF16, *, cut: int = 0, more: bytes = b"") -> Path:
    """A file as the safetensors library writes it: an 8-byte length, JSON, the data; `cut` bytes short."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in tensors.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = len(text).to_bytes(8, "little") + text + bytes(end) + more
    path.write_bytes(content[: len(content) - cut])
    return path


def weights(path: Path, **known: Any) -> dict[str, Any]:
    return {"key": "model.vae", "path": str(path), "form": None, "sole": False, "rank": None, "tensors": [], **known}


def flaws(path: Path, **known: Any) -> list[Flaw]:
    return list(look_at(weights(path, **known)))


# ---- a file by itself


def test_a_whole_file_has_no_flaw(tmp_path: Path) -> None:
    assert flaws(safetensors(tmp_path / "vae.safetensors")) == []
    assert flaws(safetensors(tmp_path / "vae.safetensors"), form="file") == []


def test_the_header_of_a_real_file_is_read(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy", reason="the captioner's libraries are not installed")
    library = pytest.importorskip("safetensors.numpy", reason="the captioner's libraries are not installed")
    file = tmp_path / "real.safetensors"
    library.save_file({"a.lora_A.weight": numpy.zeros((4, 3), "float32")}, file, metadata={"format": "pt"})

    header = read_header(file)

    assert header["a.lora_A.weight"]["shape"] == [4, 3]
    assert list(header) == ["a.lora_A.weight"]


def test_what_is_not_there_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    [flaw] = flaws(tmp_path / "no.safetensors")

    assert flaw.code == "DPC745"
    assert flaw.message == f"model.vae names {tmp_path}/no.safetensors, which is not there"
    assert "model.vae" in flaw.hint


@pytest.mark.parametrize("form", ["file", "folder"])
def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path, form: str) -> None:
    (tmp_path / "folder").mkdir()
    safetensors(tmp_path / "file.safetensors")
    other = tmp_path / {"file": "folder", "folder": "file.safetensors"}[form]

    [flaw] = flaws(other, form=form)

    assert (flaw.code, flaw.message.startswith(f"model.vae must be a {form}")) == ("DPC756", True)


@pytest.mark.parametrize("cut", [1, 7, 20, 100])
def test_a_download_that_was_cut_off_is_told(tmp_path: Path, cut: int) -> None:
    file = safetensors(tmp_path / "vae.safetensors", cut=cut)

    [flaw] = flaws(file)

    assert flaw.code == "DPC755"
    assert str(file) in flaw.message


def test_a_file_that_is_too_long_is_damaged_too(tmp_path: Path) -> None:
    [flaw] = flaws(safetensors(tmp_path / "vae.safetensors", more=b"x"))

    assert "it has" in flaw.message


def header_or_damage(file: Path) -> str:
    try:
        return repr(read_header(file))
    except Damaged as damage:
        return str(damage)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_damaged(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "x.safetensors"
    for text in (content, len(content).to_bytes(8, "little") + content):
        file.write_bytes(text)
        assert header_or_damage(file)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x)
    )
)
def test_any_json_is_a_header_or_damaged(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    file = tmp_path_factory.mktemp("json") / "x.safetensors"
    text = json.dumps(value).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    assert header_or_damage(file)


def test_damage_deep_in_a_folder_is_found(tmp_path: Path) -> None:
    safetensors(tmp_path / "model" / "a.safetensors")
    safetensors(tmp_path / "model" / "transformer" / "b.safetensors", cut=1)

    [flaw] = flaws(tmp_path / "model")

    assert flaw.code == "DPC755"
    assert "transformer/b.safetensors" in flaw.message


def test_other_kinds_of_files_only_have_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "t5.pth").write_bytes(b"\x80\x02")
    assert flaws(tmp_path / "t5.pth", tensors=[{"pattern": "x", "wanted": True}]) == []


def test_a_relative_path_is_not_looked_for(tmp_path: Path) -> None:
    assert flaws(Path("black-forest-labs/FLUX.1-dev")) == []


def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = safetensors(tmp_path / ("x" * 200) / ("y" * 200) / "z.safetensors").parent / ("n" * 300)

    [flaw] = flaws(file)

    assert flaw.code == "DPC745"


# ---- what the model's spec says of it


def rules_of(model: str, key: str, training: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The entry of a plan for one setting."""
    found = [w for w in plan_of(model, "/data", training or {}).steps[-2].args["weights"] if w["key"] == key]
    assert len(found) == 1, found
    return dict(found[0])


def plan_of(model: str, volume: str, training: Mapping[str, Any]) -> Plan:
    job = {"model_type": model, "dataset": {"type": "images", "images_url": "/data/photos"}, "training": training}
    result = compile_job(json.dumps(job), catalogue=CATALOGUE, volume=volume)
    assert result.plan is not None, [d.message for d in result.diagnostics]
    return result.plan


QUANTISED = {"a.weight": [1], "a.comfy_quant": [1]}
SCALED = {"a.weight": [1], "a.scale_weight": [1]}
CASES = [
    # trap, model, setting, training, tensors that are refused, tensors that are taken
    pytest.param("qwen", "model.transformer_path", {}, SCALED, BF16, id="35"),
    pytest.param("wan13", "model.transformer_path", {}, {"a.weight_scale": [1]}, BF16, id="35 by the newer name"),
    pytest.param("chroma1_hd", "model.transformer_path", {}, {"scaled_fp8": [0]}, BF16, id="35 by its mark"),
    pytest.param("z_image", "model.diffusion_model", {"adapter": None}, QUANTISED, BF16, id="98"),
    pytest.param("z_image", "model.diffusion_model", {"model": {"diffusion_model_dtype": "float8"}}, QUANTISED, BF16, id="97"),
    pytest.param("hunyuan_video_15", "model.diffusion_model", {}, {"guidance_in.in_layer.weight": [1]}, BF16, id="112"),
    pytest.param("flux", "model.transformer_path", {}, BF16, {"guidance_in.in_layer.weight": [1]}, id="114"),
    pytest.param("qwen", "model.vae_path", {}, {"encoder.conv1.weight": [1]}, {"quant_conv.weight": [1]}, id="125"),
    pytest.param(
        "pony_v7", "model.vae_path", {}, {"encoder.down.0.block.0.conv1.weight": [1]},
        {"encoder.down_blocks.0.resnets.0.conv1.weight": [1]}, id="130",
    ),
    pytest.param(
        "ltx2", "model.diffusion_model", {}, {"text_embedding_projection.weight": [1]},
        {"text_embedding_projection.video_aggregate_embed.weight": [1]}, id="131",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("model", "key", "training", "bad", "good"), CASES)
def test_tensors_that_do_not_fit_are_told_and_those_that_do_are_not(
    tmp_path: Path, model: str, key: str, training: Mapping[str, Any], bad: Any, good: Any
) -> None:
    path = {key.removeprefix("model."): "/somewhere"}
    entry = rules_of(model, key, {**training, **({} if "model" in training else path)})

    [flaw] = look_at({**entry, "path": str(safetensors(tmp_path / "bad.safetensors", bad))})

    assert flaw.code == "DPC756"
    assert flaw.message.startswith(f"{key}: {tmp_path}/bad.safetensors does not fit. ")
    assert flaw.hint
    assert list(look_at({**entry, "path": str(safetensors(tmp_path / "good.safetensors", good))})) == []


@pytest.mark.parametrize(
    ("model", "key", "training", "tensors"),
    [
        pytest.param("z_image", "model.diffusion_model", {"model": {"diffusion_model_dtype": "float8"}}, QUANTISED, id="97"),
        pytest.param("flux", "model.transformer_path", {"transformer_path": "/t"}, BF16, id="114"),
        pytest.param("ltx2", "model.diffusion_model", {}, BF16, id="131"),
    ],
)  # fmt: skip
def test_what_trains_all_the_same_is_a_warning(
    tmp_path: Path, model: str, key: str, training: Mapping[str, Any], tensors: Any
) -> None:
    entry = rules_of(model, key, training)
    [flaw] = look_at({**entry, "path": str(safetensors(tmp_path / "x.safetensors", tensors))})
    assert flaw.warning


def test_adapters_are_trained_on_quantised_weights(tmp_path: Path) -> None:
    entry = rules_of("z_image", "model.diffusion_model")
    assert list(look_at({**entry, "path": str(safetensors(tmp_path / "x.safetensors", QUANTISED))})) == []


@pytest.mark.parametrize(
    ("training", "remedy"),
    [
        ({}, "Set diffusion_model_dtype to null to train on them as they are."),
        (
            {"adapter": None},
            "Take the file in bfloat16 if the model is published so; if not, there is nothing to change.",
        ),
    ],
)
def test_quantised_weights_that_are_expanded_have_a_remedy_that_works(
    tmp_path: Path, training: Mapping[str, Any], remedy: str
) -> None:
    weights = str(safetensors(tmp_path / "x.safetensors", QUANTISED))
    [flaw] = look_at({**rules_of("ideogram4", "model.diffusion_model", training), "path": weights})
    assert (flaw.warning, flaw.hint) == (True, remedy)

    if not training:
        followed = rules_of("ideogram4", "model.diffusion_model", {"diffusion_model_dtype": None})
        assert list(look_at({**followed, "path": weights})) == []


def test_sdxl_is_one_file(tmp_path: Path) -> None:
    entry = rules_of("sdxl", "model.checkpoint_path")
    [flaw] = look_at({**entry, "path": str(tmp_path)})
    assert "must be a file" in flaw.message


# ---- an adapter that training begins with

LORA = {"block.0.lora_A.weight": [16, 64], "block.0.lora_B.weight": [64, 16]}


def test_an_adapter_of_another_rank_is_told_with_the_right_one(tmp_path: Path) -> None:
    safetensors(tmp_path / "lora" / "adapter_model.safetensors", LORA)
    entry = rules_of("wan13", "adapter.init_from_existing", {"init_from_existing": "/x", "rank": 32})

    [flaw] = look_at({**entry, "path": str(tmp_path / "lora")})

    assert "rank 16, and the training rank 32" in flaw.message
    assert flaw.hint == "Set adapter.rank to 16."
    same = rules_of("wan13", "adapter.init_from_existing", {"init_from_existing": "/x", "rank": 16})
    assert list(look_at({**same, "path": str(tmp_path / "lora")})) == []


def test_flux_takes_the_rank_from_the_file_which_may_be_named_itself(tmp_path: Path) -> None:
    file = safetensors(tmp_path / "lora" / "lora.safetensors", LORA)
    entry = rules_of("flux", "adapter.init_from_existing", {"init_from_existing": "/x", "rank": 32})

    for path in (file, file.parent):
        assert list(look_at({**entry, "path": str(path)})) == []


@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_exactly_one_adapter_in_the_folder(tmp_path: Path, count: int) -> None:
    for n in range(count):
        safetensors(tmp_path / f"{n}.safetensors", LORA)
    entry = rules_of("wan13", "adapter.init_from_existing", {"init_from_existing": "/x"})

    [flaw] = look_at({**entry, "path": str(tmp_path)})

    assert f"has {count} .safetensors files" in flaw.message


# ---- before anything costs money


@pytest.fixture
def run(tmp_path: Path) -> Run:
    plan = plan_of(
        "wan13",
        str(tmp_path),
        {"transformer_path": f"{tmp_path}/mine.safetensors", "llm_path": f"{tmp_path}/umt5.safetensors"},
    )
    return Run(plan=plan, settings=plain_settings({}))


def fails(run: Run) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        check_own_weights(run.context("train"))
    return caught.value


def test_all_files_that_the_job_brings_itself_are_told_at_once(run: Run, tmp_path: Path) -> None:
    failed = fails(run)

    assert failed.code == "DPC745"
    assert failed.message.startswith("2 files of the model cannot be used: ")
    assert [d["message"] for d in failed.diagnostics] == [
        f"model.transformer_path names {tmp_path}/mine.safetensors, which is not there",
        f"model.llm_path names {tmp_path}/umt5.safetensors, which is not there",
    ]


def test_the_look_up_of_the_models_tells_them_before_anything_is_asked(run: Run) -> None:
    with pytest.raises(StepFailed) as caught:
        download.run(run.context("download-1"))

    assert caught.value.code == "DPC745"


def test_a_rehearsal_does_not_look_for_weights_on_this_machine(run: Run, tmp_path: Path) -> None:
    with ModelHub() as hub:
        run.settings = plain_settings({"HF_ENDPOINT": hub.url, "HOME": str(tmp_path)}, rehearse=True)
        with pytest.raises(StepFailed) as caught:
            download.run(run.context("download-1"))

    assert caught.value.code == "DPC731"  # it went on to ask the Hub


def test_before_the_training_all_are_looked_at(run: Run, tmp_path: Path) -> None:
    safetensors(tmp_path / "mine.safetensors")
    safetensors(tmp_path / "umt5.safetensors")
    check_own_weights(run.context("train"))

    with pytest.raises(StepFailed) as caught:
        check_weights(run.context("train"))

    assert caught.value.message.startswith("model.ckpt_path names ")
