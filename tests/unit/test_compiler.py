"""compile_job: one answer for whatever it is given, with every finding of a phase and its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dpcompile
from dpcompile.catalogue import Catalogue
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import has_errors
from dpcompile.folders import train_part
from tests.unit.jobs import CATALOGUE, WORKING_MODELS, compiled, job, places, spec_of

BROKEN_JOBS: list[object] = [
    "",
    "{",
    "[]",
    "null",
    b"\xff",
    b"",
    None,
    [],
    7,
    {},
    {"input": None},
    {"input": []},
    {"id": 7, "input": {}},
    {"model_type": None},
    {"model_type": "nope"},
    {"model_type": "flux"},
    {"model_type": "flux", "dataset": None},
    {"model_type": "flux", "dataset": {"type": "images"}},
    {"model_type": "flux", "dataset": {"type": "images", "images_url": "/i"}, "training": None},
    {"model_type": "flux", "dataset": {"type": "images", "images_url": "/i"}, "captioning": 3},
    {"model_type": "flux", "dataset": {"type": "images", "images_url": "/i"}, "more": object()},
]


def check_contract(result: CompileResult) -> None:
    """Files and plan are there if, and only if, nothing of severity error was found."""
    assert result.ok is (result.plan is not None) is bool(result.files)
    assert result.ok is not has_errors(result.diagnostics)
    if result.ok:
        assert result.config is not None


@pytest.mark.parametrize("value", BROKEN_JOBS, ids=lambda v: repr(v)[:60])
def test_whatever_is_given_the_answer_is_a_result_with_findings(value: object) -> None:
    result = compile_job(value, catalogue=CATALOGUE)

    check_contract(result)
    assert not result.ok
    assert all(d.message and d.code in dpcompile.codes.CODES for d in result.diagnostics)


@pytest.mark.parametrize("model", WORKING_MODELS)
def test_smallest_job_of_every_model_gives_files_and_a_plan_and_no_finding(model: str) -> None:
    result = compiled(model)

    check_contract(result)
    assert result.diagnostics == ()
    trainings = [f"{train_part(name)}.toml" for name in CATALOGUE.trainings(spec_of(model))]
    assert [f.name for f in result.files] == [*trainings, "dataset.toml"]


def test_warnings_and_notes_do_not_stop_a_job() -> None:
    result = compiled(training={"passthrough": {"root": {"x": 1}}, "network_dim": 8})

    check_contract(result)
    assert {d.severity for d in result.diagnostics} == {"warning", "info"}
    assert result.ok


def test_job_with_errors_still_shows_its_config_where_there_is_one() -> None:
    result = compiled(training={"epochs": 3, "nonsense": 1})

    check_contract(result)
    assert result.config is not None
    assert result.config.get("train", "epochs") == 3


@pytest.mark.parametrize("form", ["text", "bytes", "value"])
def test_text_bytes_and_value_of_one_job_give_the_same_files(form: str) -> None:
    text = json.dumps(job(training={"epochs": 3}))
    given: object = {"text": text, "bytes": text.encode(), "value": json.loads(text)}[form]

    assert compile_job(given, catalogue=CATALOGUE).files == compiled(training={"epochs": 3}).files


def test_catalogue_is_optional_and_makes_no_difference() -> None:
    assert compile_job(job()) == compile_job(job(), catalogue=CATALOGUE)


def test_public_names_are_loaded_from_the_package() -> None:
    assert dpcompile.compile_job is compile_job
    assert set(dpcompile.__all__) == {"Catalogue", "CompileResult", "Diagnostic", "Plan", "__version__", "compile_job"}
    assert all(getattr(dpcompile, name) for name in dpcompile.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        dpcompile.no_such_name  # noqa: B018 - the access is the test


# --- all at once --------------------------------------------------------------------------------------------


def test_errors_in_training_are_told_even_when_other_parts_are_malformed() -> None:
    result = compiled(training={"nonsense": 1, "epochs": "x"}, output={"method": "pigeon"}, more=1)

    assert set(places(result.diagnostics)) == {
        ("DPC208", "/training/nonsense"),
        ("DPC203", "/training/epochs"),
        ("DPC204", "/output/method"),
        ("DPC201", "/more"),
    }


def test_findings_of_all_families_come_together() -> None:
    result = compile_job(
        job(training={"nonsense": 1}, data={"type": "images"}, preset="nope", launch={"num_gpus": 3}),
        catalogue=CATALOGUE,
        sets=("pipeline_stages=2",),
        volume="relative",
        job_id="../up",
    )

    codes = {d.code for d in result.diagnostics}
    assert {"DPC207", "DPC208", "DPC219", "DPC222", "DPC226", "DPC426"} <= codes


@pytest.mark.parametrize(
    ("training", "stays"),
    [
        ({"epochs": "x"}, True),
        ({"micro_batch_size_per_gpu": "x"}, True),
        ({"nonsense": 1}, True),
        ({"eval_every_n_epochs": "x"}, False),
    ],
)
def test_broken_setting_silences_only_the_checks_that_need_it(training: dict[str, Any], stays: bool) -> None:
    result = compiled(training={"eval_every_n_epochs": 2, **training})

    assert (("DPC428", "/training/eval_every_n_epochs") in places(result.diagnostics)) is stays


def test_broken_setting_is_told_once_and_not_blamed_again_by_a_check() -> None:
    result = compiled("wan13", {"min_t": "x", "max_t": 0.1, "lora_rank": "x", "lora_alpha": None}, data="images")

    assert places(result.diagnostics) == [("DPC203", "/training/min_t"), ("DPC203", "/training/lora_rank")]


# --- places ---------------------------------------------------------------------------------------------------


def test_finding_has_the_line_and_column_of_what_it_is_about() -> None:
    text = json.dumps(job(training={"epochs": 3, "nonsense": 1}), indent=2)

    [found] = compile_job(text, file="my.json", catalogue=CATALOGUE).diagnostics

    assert found.file == "my.json"
    assert found.line is not None
    assert text.splitlines()[found.line - 1].strip() == '"nonsense": 1'
    assert found.column == 5


def test_job_given_as_a_value_has_pointers_and_no_lines() -> None:
    [found] = compiled(training={"nonsense": 1}).diagnostics

    assert (found.path, found.line, found.column) == ("/training/nonsense", None, None)


@pytest.mark.parametrize(
    ("inner", "code", "path"),
    [
        (job(training={"nonsense": 1}), "DPC208", "/input/training/nonsense"),
        (job(training={"optimizer": {"type": "nope"}}), "DPC411", "/input/training/optimizer/type"),
        (job(more=1), "DPC201", "/input/more"),
        (job(data={"type": "images"}), "DPC219", "/input/dataset"),
        (job(data={"type": "images", "images_url": "ftp://h/x"}), "DPC221", "/input/dataset/images_url"),
        (job("nope"), "DPC206", "/input/model_type"),
        (job(preset="nope"), "DPC207", "/input/preset"),
    ],
)
def test_pointers_lead_into_the_envelope(inner: dict[str, Any], code: str, path: str) -> None:
    text = json.dumps({"id": "r", "input": inner}, indent=2)

    found = compile_job(text, catalogue=CATALOGUE).diagnostics

    assert (code, path) in places(found)
    assert all(d.line is not None for d in found)


def test_envelope_names_the_job_and_changes_nothing_else() -> None:
    wrapped = compile_job({"id": "r", "input": job()}, catalogue=CATALOGUE)
    named = compile_job(job(), job_id="r", catalogue=CATALOGUE)

    assert wrapped.files == named.files
    assert wrapped.plan is not None
    assert wrapped.plan.job_id == "r"


def test_finding_in_set_names_set_as_its_file() -> None:
    result = compile_job(json.dumps(job()), sets=("epochs=x", "nonsense"), catalogue=CATALOGUE)

    assert [(d.code, d.file, d.path, d.line) for d in result.diagnostics] == [
        ("DPC223", "--set", "", None),
        ("DPC203", "--set", "/training/epochs", None),
    ]


# --- options --------------------------------------------------------------------------------------------------


def test_preset_option_is_as_good_as_the_field_and_stronger() -> None:
    said = compile_job(job("qwen", preset="vram_24gb"), job_id="x", catalogue=CATALOGUE)
    asked = compile_job(job("qwen"), preset="vram_24gb", job_id="x", catalogue=CATALOGUE)
    over = compile_job(job("qwen", preset="nope"), preset="vram_24gb", job_id="x", catalogue=CATALOGUE)

    assert said.files == asked.files == over.files


@pytest.mark.parametrize("preset", ["nope", "null", "1", '"vram_24gb"', ""])
def test_preset_option_is_a_name_and_nothing_else(preset: str) -> None:
    result = compile_job(job("qwen"), preset=preset, catalogue=CATALOGUE)

    assert not result.ok
    assert {d.file for d in result.diagnostics} <= {"--preset", "--set"}


def test_unknown_preset_is_told_with_those_there_are() -> None:
    [found] = compiled("qwen", preset="vram_24g").diagnostics

    assert (found.code, found.path) == ("DPC207", "/preset")
    assert found.hint == 'Did you mean "vram_24gb"? Presets of qwen: vram_24gb.'


def test_volume_is_the_root_of_every_path() -> None:
    result = compile_job(job(), volume="/mnt/disk/", catalogue=CATALOGUE)

    assert result.plan is not None
    assert all(path.startswith("/mnt/disk/") for path in result.plan.folders.values())
    assert "/runpod-volume" not in "".join(f.text for f in result.files)


def test_job_id_is_made_from_the_job_when_none_is_given() -> None:
    def made(**fields: Any) -> str:
        plan = compiled(**fields).plan
        assert plan is not None
        return plan.job_id

    assert made() == made()
    assert made() != made(training={"epochs": 3})


def test_comments_are_written_when_asked_for() -> None:
    result = compile_job(job(), comments=True, catalogue=CATALOGUE)

    assert all("  # " in f.text for f in result.files)
    assert "  # " not in "".join(f.text for f in compiled().files)


# --- specs ----------------------------------------------------------------------------------------------------

OWN = "name: {name}\ntitle: Mine\nextends: flux\n{more}"


def with_specs(folder: Path, **specs: str) -> Catalogue:
    for name, more in specs.items():
        (folder / f"{name}.yaml").write_text(OWN.format(name=name, more=more), "utf-8")
    return Catalogue(folders=[folder])


def test_model_of_ones_own_is_compiled_like_any_other(tmp_path: Path) -> None:
    result = compile_job(job("mine"), catalogue=with_specs(tmp_path, mine="defaults: {root: {epochs: 7}}"))

    assert result.ok
    assert result.config is not None
    assert result.config.get("train", "epochs") == 7


def test_broken_spec_that_the_job_does_not_use_is_told_and_does_not_stop_it(tmp_path: Path) -> None:
    catalogue = with_specs(tmp_path, mine="defaults: {root: {epochs: many}}")

    result = compile_job(job(), catalogue=catalogue)

    assert result.ok
    assert {d.severity for d in result.diagnostics} == {"warning"}


def test_broken_spec_that_the_job_uses_stops_it_with_the_place_in_the_spec(tmp_path: Path) -> None:
    catalogue = with_specs(tmp_path, mine="defaults: {root: {epochs: many}}")

    result = compile_job(job("mine"), catalogue=catalogue)

    assert not result.ok
    [found] = [d for d in result.diagnostics if d.severity == "error"]
    assert found.file == (tmp_path / "mine.yaml").as_posix()
    assert found.line == 4


# --- secrets and remarks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "training",
    [{"caption_prefix": "hf_0123456789, "}, {"passthrough": {"root": {"x": ["a hf_0123456789"]}}}],
)
def test_secret_that_would_enter_a_file_stops_the_job(training: dict[str, Any]) -> None:
    result = compiled(training=training, api_keys={"huggingface_token": "hf_0123456789"})

    check_contract(result)
    assert "DPC505" in {d.code for d in result.diagnostics}
    assert "hf_0123456789" not in "".join(d.message + d.hint + d.path for d in result.diagnostics)


def test_secret_is_not_shown_by_any_finding() -> None:
    secrets = {"huggingface_token": ["hf_0123456789"], "gemini_key": "gm_abcdefghij"}

    result = compiled(api_keys=secrets, training={"hf_0123456789": 1})

    assert result.diagnostics
    shown = "".join(f"{d.message}{d.hint}{d.path}" for d in result.diagnostics)
    assert [s for s in ("hf_0123456789", "gm_abcdefghij") if s in shown] == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"api_keys": {"huggingface_token": ""}}, "/api_keys/huggingface_token"),
        ({"api_keys": {"huggingface_token": "token_here"}}, "/api_keys/huggingface_token"),
        ({"output": {"upload_url": ""}}, "/output/upload_url"),
        ({"data": {"type": "images", "images_url": "/i", "trigger_word": ""}}, "/dataset/trigger_word"),
        ({"data": {"type": "images", "images_url": "/i", "videos_url": ""}}, "/dataset/videos_url"),
    ],
)
def test_empty_text_and_placeholder_count_as_not_set_and_that_is_said(fields: dict[str, Any], path: str) -> None:
    result = compiled(**fields)

    assert result.ok
    assert [(d.code, d.severity, d.path) for d in result.diagnostics] == [("DPC229", "info", path)]
