"""What specs, presets and dpcompile itself say, as assignments with their origin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.folders import Folders
from dpcompile.keypath import KeyPath
from dpcompile.layers import eval_settings, excluded_keys, job_default_origin, spec_assignments, without_conditional
from dpcompile.resolve import Assignment, layered
from tests.unit.jobs import CATALOGUE, config, config_of, spec_of

FOLDERS = Folders(volume="/v", job_id="j")
MODELS = "/v/diffusion_pipe_working_folder/models"

OWN_SPEC = """
name: mine
title: Mine
extends: z_image_turbo
paths:
  diffusion_model: {diffusion_model}
  merge_adapters: null
defaults:
  root: {{epochs: 7, warmup_steps: null}}
presets:
  first: {{title: First, description: One., values: {{root: {{epochs: 8}}, directory: {{num_repeats: 2}}}}}}
  second: {{title: Second, description: Two., values: {{root: {{epochs: 9}}}}}}
"""


def by_spec(name: str, preset: str | None = None, *, directories: int = 1) -> list[Assignment]:
    return list(spec_assignments(spec_of(name), preset, FOLDERS, directories))


def values(assignments: Iterable[Assignment], *table: str) -> dict[KeyPath, Any]:
    return {k: s.value for k, s in layered(assignments).items() if k[: len(table)] == table}


def own(folder: Path, diffusion_model: str = "mine/a.safetensors") -> Catalogue:
    (folder / "mine.yaml").write_text(OWN_SPEC.format(diffusion_model=diffusion_model), "utf-8")
    return Catalogue(folders=[folder])


def test_paths_of_a_spec_lie_below_the_models_folder() -> None:
    assert values(by_spec("flux"))["train", "model", "diffusers_path"] == f"{MODELS}/flux"


def test_paths_inside_lists_and_tables_are_found_and_nothing_else_is_changed() -> None:
    model = values(by_spec("z_image_turbo"))

    assert model["train", "model", "text_encoders"] == [
        {"path": f"{MODELS}/z_image/qwen_3_4b.safetensors", "type": "lumina2"}
    ]
    assert model["train", "model", "merge_adapters"] == [
        f"{MODELS}/z_image/zimage_turbo_training_adapter_v2.safetensors"
    ]


@pytest.mark.parametrize(
    ("written", "path"),
    [("mine/a.safetensors", f"{MODELS}/mine/a.safetensors"), ("/data/a.safetensors", "/data/a.safetensors")],
)
def test_absolute_path_of_a_spec_stays(tmp_path: Path, written: str, path: str) -> None:
    spec = own(tmp_path, written).find("mine")
    assert spec is not None

    model = values(spec_assignments(spec, None, FOLDERS, 1))

    assert model["train", "model", "diffusion_model"] == path
    assert ("train", "model", "merge_adapters") not in model


def test_null_in_a_spec_takes_the_default_of_its_base_away(tmp_path: Path) -> None:
    spec = own(tmp_path).find("mine")
    assert spec is not None

    settings = values(spec_assignments(spec, None, FOLDERS, 1))

    assert ("train", "warmup_steps") not in settings
    assert settings["train", "epochs"] == 7


def test_only_the_chosen_preset_speaks_and_it_is_stronger_than_the_spec(tmp_path: Path) -> None:
    spec = own(tmp_path).find("mine")
    assert spec is not None

    settings = layered(spec_assignments(spec, "first", FOLDERS, 2))

    epochs = settings["train", "epochs"]
    assert (epochs.value, epochs.origin.layer) == (8, "preset")
    assert epochs.origin.pointer == "/presets/first/values/root/epochs"
    assert [s.origin.layer for s in epochs.shadowed] == ["spec", "defaults"]
    assert [settings["dataset", "directory", n, "num_repeats"].value for n in (0, 1)] == [2, 2]


def test_trainer_wide_defaults_are_told_apart_from_those_of_the_spec() -> None:
    origins = {a.key: a.origin for a in by_spec("wan13")}

    assert (origins["train", "epochs"].layer, origins["train", "epochs"].file) == ("defaults", "model_specs/base.yaml")
    assert origins["dataset", "frame_buckets"].layer == "spec"
    assert origins["dataset", "frame_buckets"].file == "model_specs/wan/wan_family.yaml"
    assert origins["dataset", "frame_buckets"].pointer == "/defaults/dataset/frame_buckets"


@pytest.mark.parametrize(("adapter", "dtype"), [(True, "float8"), (False, None)])
def test_defaults_for_adapters_hold_only_with_one(adapter: bool, dtype: str | None) -> None:
    present = without_conditional(by_spec("flux"), adapter=adapter, evaluation=False)

    assert values(present).get(("train", "model", "transformer_dtype")) == dtype


@pytest.mark.parametrize(("evaluation", "every"), [(True, 1), (False, None)])
def test_defaults_for_evaluation_hold_only_with_a_set(evaluation: bool, every: int | None) -> None:
    present = without_conditional(by_spec("flux"), adapter=True, evaluation=evaluation)

    assert values(present).get(("train", "eval_every_n_epochs")) == every


def test_job_default_names_the_spec_file_that_sets_it() -> None:
    origin = job_default_origin(spec_of("flux"), ("dataset", "image_repeats"))

    assert (origin.layer, origin.file) == ("defaults", "model_specs/base.yaml")
    assert origin.pointer == "/defaults/job/dataset/image_repeats"


@pytest.mark.parametrize(
    ("model", "data", "repeats"),
    [
        ("flux", "images", [1]),
        ("wan14b_i2v", "videos", [5]),
        ("wan13", "both", [1, 5]),
        (
            "wan13",
            {"type": "both", "images_url": "/i", "videos_url": "/v", "image_repeats": 2, "video_repeats": 3},
            [2, 3],
        ),
    ],
)
def test_repeats_of_the_job_go_to_its_directories(model: str, data: Any, repeats: list[int]) -> None:
    made = config_of(model, data=data)

    assert [made.get("dataset", "directory", n, "num_repeats") for n in range(len(repeats))] == repeats
    assert made.get("dataset", "directory", len(repeats), "num_repeats") is None


@pytest.mark.parametrize(("policy", "skip"), [("skip", True), ("error", True), ("empty", False)])
def test_missing_caption_says_whether_the_trainer_skips_such_files(policy: str, skip: bool) -> None:
    data = {"type": "images", "images_url": "/i", "missing_caption": policy}

    made = config_of(data=data).settings["dataset", "skip_empty_caption"]

    assert made.value is skip
    assert made.origin.pointer == "/dataset/missing_caption"


def test_paths_that_dpcompile_makes_are_derived_and_name_where_they_come_from() -> None:
    made = config_of("wan13", data="both").settings

    for key in (("train", "output_dir"), ("train", "dataset"), ("train", "model", "type")):
        assert made[key].origin.layer == "derived"
    assert made["train", "model", "type"].origin.file == "model_specs/wan/wan_family.yaml"
    assert [made["dataset", "directory", n, "path"].origin.pointer for n in (0, 1)] == [
        "/dataset/images_url",
        "/dataset/videos_url",
    ]


def test_evaluation_set_gets_the_same_top_level_settings_and_its_own_directories() -> None:
    made = config_of("wan13", data={"type": "both", "images_url": "/i", "videos_url": "/v", "eval": {"fraction": 0.1}})

    top = {k[1:]: s.value for k, s in made.settings.items() if k[0] == "dataset" and len(k) == 2}
    assert {k[1:]: s.value for k, s in made.settings.items() if k[0] == "eval" and len(k) == 2} == top
    [listed] = made.get("train", "eval_datasets")
    assert listed["config"].endswith("/eval.toml")
    training = {made.get("dataset", "directory", n, "path") for n in (0, 1)}
    evaluation = {made.get("eval", "directory", n, "path") for n in (0, 1)}
    assert len(training | evaluation) == 4


def test_settings_of_directories_are_not_taken_over_to_the_evaluation_set() -> None:
    made = config(
        {
            ("dataset", "resolutions"): [512],
            ("dataset", "directory", 0, "num_repeats"): 3,
            ("eval", "directory", 0, "path"): "/e",
        }
    )

    assert [a.key for a in eval_settings(made.settings, [])] == [("eval", "resolutions")]


def test_settings_that_take_the_place_of_others_are_read_from_schemas_and_specs() -> None:
    excluded = excluded_keys(spec_of("flux"), CATALOGUE.trainer)

    assert ("train", "model", "flux_shift") in excluded["train", "model", "shift"]
    assert ("train", "warmup_steps") in excluded["train", "force_constant_lr"]
    assert ("dataset", "resolutions") in excluded["dataset", "size_buckets"]
