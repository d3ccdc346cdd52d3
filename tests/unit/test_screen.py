"""What `models` and `why` print for people: that it fits a terminal of 80 columns, and leaves nothing out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dpcompile import Catalogue
from dpcompile.cli import cli

JOB = {
    "model_type": "wan14b_t2v",
    "preset": "vram_24gb",
    "dataset": {"type": "videos", "videos_url": "https://example.com/ohwx.zip"},
    "training": {"learning_rate": 1e-4, "ar_buckets": [0.5, 1.0, 2.0]},
}
MODELS = [spec.name for _, spec, _ in Catalogue().all() if spec]


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("DPCOMPILE_SPECS", raising=False)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.json").write_text(json.dumps(JOB, indent=2), "utf-8")
    return "job.json"


def printed(*arguments: str) -> str:
    return CliRunner().invoke(cli, arguments, standalone_mode=False).stdout


def told(*arguments: str) -> str:
    return CliRunner().invoke(cli, arguments, standalone_mode=False).stderr


def too_wide(text: str) -> list[str]:
    """Lines over 80 columns that could have been broken at a blank."""
    return [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()]


def test_list_of_models_fits() -> None:
    text = printed("models")

    assert too_wide(text) == []
    assert [line.split()[0] for line in text.splitlines()[1:]] == MODELS


def test_wide_screens_show_more_of_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def columns(width: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", width)
        return printed("models").splitlines()[0].split("  ")

    assert [word.strip() for word in columns("80") if word.strip()] == ["NAME", "TITLE", "TRAINS ON"]
    assert "TYPE" in " ".join(columns("100"))


def test_narrow_screens_show_name_and_title(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    assert printed("models").splitlines()[0].split() == ["NAME", "TITLE"]


@pytest.mark.parametrize("name", MODELS)
def test_page_of_model_fits_and_is_complete(name: str) -> None:
    text = printed("models", name)
    facts = json.loads(printed("models", name, "--format", "json"))

    assert too_wide(text) == []
    for field in facts["fields"]:
        assert f"\n  {field}: " in text
    for word in (*facts["aliases"], *facts["paths"], *facts["presets"], *(s["repo"] for s in facts["sources"])):
        assert word in text


def test_page_of_model_tells_the_spec_s_default_not_the_trainer_s() -> None:
    assert "flux_shift: true or false; default true" in printed("models", "flux")
    assert "flux_shift: true or false; default false" in printed("models", "qwen")


def test_list_as_json_is_an_array() -> None:
    listed = json.loads(printed("models", "--format", "json"))

    assert [model["name"] for model in listed] == MODELS
    assert all({"name", "title", "aliases", "toml_type"} <= model.keys() for model in listed)


def test_why_tells_the_same_keys_as_its_json(job: str) -> None:
    text = printed("why", job)

    keys = [entry["key"] for entry in json.loads(printed("why", job, "--format", "json"))]
    assert [line.split(" = ")[0] for line in text.splitlines() if " = " in line] == keys


def test_why_names_lines_and_layers(job: str) -> None:
    lines = printed("why", job, "--set", "epochs=5").splitlines()

    assert "train.epochs = 5                        --set training.epochs" in lines
    assert any(line.startswith("train.optimizer.lr = 0.0001  ") and line.endswith("  job.json:9") for line in lines)
    assert any(line.endswith(" (preset)") for line in lines)
    assert any(line.startswith("    instead of ") and line.endswith(" (defaults)") for line in lines)
    assert too_wide("\n".join(line for line in lines if "/" not in line.partition(" = ")[2])) == []


def test_why_tells_what_went(job: str) -> None:
    assert "dataset.min_ar is not set: ar_buckets takes its place" in printed("why", job)
    assert "dataset.min_ar is not set" not in printed("why", job, "train.optimizer")
    assert told("why", job, "dataset.min_ar").startswith("dataset.min_ar is not set: ar_buckets takes its place")


@pytest.mark.parametrize("key", ["lr", "optimizer.lr", "learning_rate"])
def test_why_knows_what_was_meant(job: str, key: str) -> None:
    assert told("why", job, key) == f"nothing is set at {key}; did you mean train.optimizer.lr?\n"


def test_why_reads_standard_input() -> None:
    done = CliRunner().invoke(cli, ["why", "-", "train.optimizer.lr"], input=json.dumps(JOB), standalone_mode=False)

    assert done.stdout.startswith("train.optimizer.lr = 0.0001             <stdin>:1\n")
