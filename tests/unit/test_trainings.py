"""Jobs with several trainings: two models made of one spec each, trained on one dataset."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.trainings import ONLY, Part, check_parts, split_training

HIGH = Part(name="high", names=("high", "low"))
VIDEOS = {"type": "videos", "videos_url": "https://example.com/clips.zip"}


def compiled(training: Any = None, **options: Any) -> CompileResult:
    job = {"model_type": "wan22_t2v", "dataset": VIDEOS, "training": training or {}}
    return compile_job(job, job_id="example", **options)


def files(result: CompileResult) -> dict[str, dict[str, Any]]:
    return {file.name: tomllib.loads(file.text) for file in result.files}


def test_one_job_compiles_to_a_file_for_each_training_and_one_dataset() -> None:
    written = files(compiled())

    assert list(written) == ["train.high.toml", "train.low.toml", "dataset.toml"]
    high, low = written["train.high.toml"], written["train.low.toml"]
    assert high["model"]["transformer_path"].endswith("/high_noise_model")
    assert low["model"]["transformer_path"].endswith("/low_noise_model")
    assert (high["model"]["min_t"], high["model"]["max_t"]) == (0.875, 1.0)
    assert (low["model"]["min_t"], low["model"]["max_t"]) == (0.0, 0.875)
    assert high["dataset"] == low["dataset"]


def test_trainings_have_folders_and_ports_of_their_own_and_follow_each_other() -> None:
    plan = compiled().plan
    assert plan is not None
    high, low = (step for step in plan.steps if step.kind == "train")

    assert (high.id, low.id) == ("train-high", "train-low")
    assert high.args["output"] != low.args["output"]
    assert high.args["output"].rsplit("/", 1) == [plan.folders["output"], "high"]
    assert high.args["argv"][-1] != low.args["argv"][-1]
    assert "train-high" in low.needs
    [publish] = [step for step in plan.steps if step.kind == "publish"]
    assert publish.needs == ("train-high", "train-low")


def test_each_file_the_plan_names_is_in_the_plan() -> None:
    plan = compiled().plan
    assert plan is not None
    paths = {file.path for file in plan.files}
    for step in plan.steps:
        if step.kind == "train":
            assert step.args["config"] in paths
            assert step.args["config"] in step.args["argv"]


def test_settings_are_for_all_trainings_unless_they_stand_below_parts() -> None:
    written = files(compiled({"epochs": 30, "parts": {"high": {"epochs": 20}, "low": {"optimizer": {"lr": 1e-5}}}}))

    assert (written["train.high.toml"]["epochs"], written["train.low.toml"]["epochs"]) == (20, 30)
    assert written["train.high.toml"]["optimizer"]["lr"] == 2e-5
    assert written["train.low.toml"]["optimizer"]["lr"] == 1e-5


def test_set_reaches_one_training() -> None:
    written = files(compiled({"epochs": 30}, sets=("training.parts.low.epochs=7",)))

    assert (written["train.high.toml"]["epochs"], written["train.low.toml"]["epochs"]) == (30, 7)


def test_one_name_for_all_and_another_for_one_training_is_no_conflict() -> None:
    result = compiled({"learning_rate": 1e-4, "parts": {"low": {"optimizer": {"lr": 1e-5}}}})

    assert result.diagnostics == ()
    assert files(result)["train.low.toml"]["optimizer"]["lr"] == 1e-5


def test_where_a_value_came_from_is_known_for_each_training() -> None:
    config = compiled({"parts": {"low": {"epochs": 7}}}).config
    assert config is not None

    assert config.settings["train.low", "epochs"].origin.pointer == "/training/parts/low/epochs"
    assert config.settings["train.high", "epochs"].origin.layer == "defaults"


@pytest.mark.parametrize(
    ("training", "code", "path"),
    [
        ({"parts": {"middle": {}}}, "DPC232", "/training/parts/middle"),
        ({"parts": 3}, "DPC203", "/training/parts"),
        ({"parts": {"high": None}}, "DPC203", "/training/parts/high"),
        ({"parts": {"high": {"epochs": "2"}}}, "DPC203", "/training/parts/high/epochs"),
        ({"parts": {"low": {"seed": 1}}}, "DPC218", "/training/parts/low/seed"),
        ({"parts": {"high": {"resolution": 480}}}, "DPC233", "/training/parts/high/resolution"),
    ],
)
def test_mistakes_are_told_once_at_their_place(training: Any, code: str, path: str) -> None:
    assert [(d.code, d.path) for d in compiled(training).diagnostics] == [(code, path)]


def test_a_mistake_for_all_trainings_is_told_once() -> None:
    assert [d.path for d in compiled({"epochs": "2"}).diagnostics] == ["/training/epochs"]


def test_one_half_alone_is_a_model_of_its_own() -> None:
    result = compile_job({"model_type": "wan22_t2v_low", "dataset": VIDEOS}, job_id="example")

    assert [file.name for file in result.files] == ["train.toml", "dataset.toml"]


def test_a_model_with_one_training_knows_no_parts() -> None:
    result = compile_job({"model_type": "wan13", "dataset": VIDEOS, "training": {"parts": {"high": {}}}})

    assert [(d.code, d.path) for d in result.diagnostics] == [("DPC232", "/training/parts")]


def test_splitting_leaves_a_single_training_alone() -> None:
    training = {"epochs": 3, "parts": {"high": {"epochs": 4}}}

    assert split_training(training, ONLY) == (training, None)
    assert split_training(training, HIGH) == ({"epochs": 3}, {"epochs": 4})
    assert list(check_parts(training, ONLY, "job.json", ("training",))) == []


def test_any_models_can_be_trained_together_by_one_file(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(
        "name: pair\ntitle: Two at once\nextends: flux\ntrainings: {dev: flux, quick: flux_schnell}\n"
    )
    job = {"model_type": "pair", "dataset": {"type": "images", "images_url": "https://example.com/i.zip"}}
    result = compile_job(job, catalogue=Catalogue(folders=(tmp_path,)), job_id="example")

    assert [file.name for file in result.files] == ["train.dev.toml", "train.quick.toml", "dataset.toml"]


@pytest.mark.parametrize("target", ["nowhere", "wan_family", "pair"])
def test_a_training_that_cannot_be_trained_is_told_in_the_spec(tmp_path: Path, target: str) -> None:
    (tmp_path / "pair.yaml").write_text(
        f"name: pair\ntitle: Two at once\nextends: flux\ntrainings:\n  dev: flux\n  other: {target}\n"
    )
    job = {"model_type": "pair", "dataset": {"type": "images", "images_url": "https://example.com/i.zip"}}
    result = compile_job(job, catalogue=Catalogue(folders=(tmp_path,)))

    assert [(d.code, d.path, d.line) for d in result.diagnostics] == [("DPC304", "/trainings/other", 6)]
