"""The [optimizer] table: which class, and what its constructor takes."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from tests.unit.checks.support import JobCheck

MUON = {"type": "genericoptim", "muon": True}
SUBSPACE = {"type": "genericoptim", "momentum_type": "sm"}
RELEASE = {"gradient_release": True}
NEEDS_RATE = """
name: my_model
title: My Model
extends: qwen
capabilities: {needs_lr: true}
"""


@pytest.mark.parametrize(
    ("model", "optimizer", "code", "key"),
    [
        ("qwen", {"type": "adamw_optimizer"}, "DPC411", "type"),
        ("qwen", {"type": "adafactor"}, "DPC411", "type"),
        ("qwen", {"type": "sgd", "betas": [0.9, 0.99]}, "DPC412", "betas"),
        ("qwen", {"warm_up": 3}, "DPC412", "warm_up"),
        ("qwen", {"type": "adamw8bit", "args": "x"}, "DPC412", "args"),
        ("qwen", {"type": "Ranger21", "disable_lr_scheduler": True}, "DPC413", "type"),
        ("qwen", {**SUBSPACE, "rank": 64, "proj_type": "svd"}, "DPC413", "momentum_type"),
        ("qwen", {"type": "genericoptim", "update_proj_gap": 200}, "DPC413", "update_proj_gap"),
        ("qwen", {"type": "SAM"}, "DPC414", "type"),
        ("qwen", RELEASE, "DPC415", "gradient_release"),
        ("anima_base", RELEASE, "DPC415", "gradient_release"),
        ("cosmos_predict2_2b", {**RELEASE, "lr": 0}, "DPC415", "gradient_release"),
        ("qwen", {"type": "sgd", "beta2_half_life": 5000}, "DPC416", "beta2_half_life"),
        ("qwen", {"betas": None, "beta2_half_life": 5000}, "DPC416", "beta2_half_life"),
        ("qwen", {"type": "Adan", "betas": [0.9, 0.9, 0.9], "beta2_half_life": 5000}, "DPC416", "beta2_half_life"),
        ("qwen", {**MUON, "adamuon": True}, "DPC418", "adamuon"),
        ("qwen", {"type": "AdamW8bitKahan"}, "DPC419", "type"),
    ],
)
def test_told(check: JobCheck, model: str, optimizer: dict[str, Any], code: str, key: str) -> None:
    found = [d for d in check(model, {"optimizer": optimizer}).diagnostics if d.code == code]

    assert [d.path for d in found] == [f"/training/optimizer/{key}"]


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        ("qwen", {"type": "adamw"}),
        ("qwen", {"type": "AdamW_Optimi"}),
        ("qwen", {"type": "adamw8bit"}),
        # The defaults that these do not take go away by themselves.
        ("qwen", {"type": "sgd", "momentum": 0.9}),
        ("qwen", {"type": "automagic"}),
        ("qwen", {"type": "Prodigy"}),
        ("qwen", MUON),
        ("qwen", {**SUBSPACE, "rank": 64, "proj_type": "svd", "update_proj_gap": 200}),
        ("qwen", {"beta2_half_life": 5000}),
        ("sdxl", RELEASE),
    ],
)
def test_left_in_peace(check: JobCheck, model: str, optimizer: dict[str, Any]) -> None:
    assert check(model, {"optimizer": optimizer}).codes == []


def test_every_optimizer_that_works_does_so_by_its_name_alone(check: JobCheck, shipped: Catalogue) -> None:
    for name in shipped.trainer.optimizer_entries:
        kind = shipped.trainer.optimizer(name)
        assert kind is not None
        found = check("qwen", {"optimizer_type": name})
        needs = ["DPC413"] * len(set(kind.required) - {"lr"})
        warned = ["DPC419"] if kind.warning and name != "automagic" else []
        assert found.codes == (["DPC414"] if kind.unusable else needs + warned), name


def test_capitals_count(check: JobCheck) -> None:
    found = check("qwen", {"optimizer_type": "adafactor"}).only

    assert found.hint == 'Write "AdaFactor": capitals count.'


def test_unknown_optimizer_without_likeness(check: JobCheck) -> None:
    found = check("qwen", {"optimizer_type": "rocket"}).only

    assert "adamw_optimi" in found.hint
    assert "automagic" in found.hint


def test_optimizer_is_called_as_it_was_written(check: JobCheck) -> None:
    assert check("qwen", {"optimizer_type": "AdamW8bitKahan"}).only.message.startswith("AdamW8bitKahan: ")


def test_misspelt_argument(check: JobCheck) -> None:
    found = check("qwen", {"optimizer": {"weigth_decay": 0.1}}).only

    assert found.hint == 'Did you mean "weight_decay"?'


def test_place_within_an_argument(check: JobCheck) -> None:
    found = check("qwen", {"optimizer": {"type": "adamw", "betas": [0.9, 1.0]}}).only

    assert (found.code, found.path) == ("DPC205", "/training/optimizer/betas/1")


def test_one_bad_argument_does_not_hide_another(check: JobCheck) -> None:
    found = check("qwen", {"optimizer": {"lr": "fast", "momentum": 0.9}})

    assert found.codes == ["DPC203", "DPC412"]


def test_rate_taken_away_is_told_at_the_null(check: JobCheck) -> None:
    found = check("qwen", {"epochs": 5, "learning_rate": None})

    assert (found.only.code, found.only.path) == ("DPC413", "/training/learning_rate")
    assert found.source(found.only) == '"learning_rate": null'


def test_rate_that_the_model_needs(check: JobCheck) -> None:
    training = {"optimizer": {"type": "Prodigy", "lr": None}}

    assert check("qwen", training).codes == []
    found = check("my_model", training, spec=NEEDS_RATE).only
    assert (found.code, found.message) == ("DPC413", "My Model needs lr")


def test_gradient_release_needs_a_rate(check: JobCheck) -> None:
    found = check("sdxl", {"optimizer": {"type": "adamw", "lr": None, **RELEASE}}).only

    assert (found.code, found.path) == ("DPC413", "/training/optimizer/lr")


@pytest.mark.parametrize(("stages", "gpus", "fits"), [(1, 1, True), (2, 2, True), (1, 2, False), (2, 4, False)])
def test_gradient_release_wants_one_gpu_for_each_stage(check: JobCheck, stages: int, gpus: int, fits: bool) -> None:
    training = {"pipeline_stages": stages, "optimizer": RELEASE}

    found = check("sdxl", training, launch={"num_gpus": gpus})

    assert found.codes == ([] if fits else ["DPC415"])


def test_gradient_release_counts_all_machines(check: JobCheck) -> None:
    assert check("sdxl", {"optimizer": RELEASE}, launch={"hosts": ["a", "b"]}).codes == ["DPC415"]


@pytest.mark.parametrize("name", ["muon", "adamuon", "normuon"])
def test_muon_on_a_small_lora(check: JobCheck, name: str) -> None:
    training = {"lora_rank": 16, "optimizer": {"type": "genericoptim", name: True}}

    found = check("qwen", training).only

    assert (found.code, found.path) == ("DPC436", f"/training/optimizer/{name}")
    assert "32" in found.hint


@pytest.mark.parametrize(("rank", "factor", "runs"), [(8, 8, False), (31, 31, False), (8, 32, True), (32, 8, True)])
def test_muon_on_a_lokr(check: JobCheck, rank: int, factor: int, runs: bool) -> None:
    adapter = {"type": "lokr", "rank": rank, "decompose_factor": factor}

    found = check("qwen", {"adapter": adapter, "optimizer": MUON})

    assert found.places("DPC436") == ([] if runs else ["/training/optimizer/muon"])
    assert runs or f"a LoKr of rank {rank} and decompose_factor {factor}:" in found.only.message


@pytest.mark.parametrize("training", [{"lora_rank": 32}, {"adapter": None}, {"adapter_type": "lokr", "lora_rank": 8}])
def test_muon_where_it_runs(check: JobCheck, training: dict[str, Any]) -> None:
    assert check("qwen", {**training, "optimizer": MUON}).codes == []


def test_projection_reaches_one_of_several_groups(check: JobCheck) -> None:
    optimizer = {"type": "genericoptim", "rank": 64, "proj_type": "svd", "update_proj_gap": 200}

    found = check("sdxl", {"optimizer": optimizer}).only

    assert (found.code, found.path) == ("DPC419", "/training/optimizer/rank")


def test_a_rate_for_each_part_leaves_nothing_for_the_optimizer_s_own(check: JobCheck) -> None:
    parts = {"unet_lr": 4e-5, "text_encoder_1_lr": 2e-5, "text_encoder_2_lr": 2e-5}

    found = check("sdxl", {**parts, "learning_rate": 1e-4})

    assert found.only.code == "DPC439"
    assert found.only.path == "/training/learning_rate"
    assert "has no effect" in found.only.message
    assert check("sdxl", parts).codes == []
    assert check("sdxl", {"unet_lr": 4e-5, "learning_rate": 1e-4}).codes == []


def test_nothing_is_clipped_beside_gradient_release(check: JobCheck) -> None:
    found = check("wan13", {"optimizer": {"type": "adamw", "lr": 1e-4, **RELEASE}, "gradient_clipping": 0.5})

    assert found.places("DPC439") == ["/training/gradient_clipping"]
    assert check("wan13", {"gradient_clipping": 0.5}).codes == []
    assert check("cosmos_predict2_2b", {"optimizer": {"type": "adamw", "lr": 1e-4, **RELEASE}}).codes == []


def test_a_rate_of_zero_beside_gradient_release_has_three_remedies(check: JobCheck) -> None:
    training = {"optimizer": {**RELEASE, "lr": 1e-5}, "self_attn_lr": 0}

    hint = check("cosmos_predict2_2b", training).only.hint

    assert hint.endswith(
        "give self_attn_lr a rate above 0, or set it to null, so that those weights are trained at lr."
    )


def test_reasons_go_on_after_the_colon(check: JobCheck) -> None:
    assert "cannot work in the trainer: it needs to run" in check("sdxl", {"optimizer": {"type": "SAM"}}).only.message


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("Muon", 'Use genericoptim with "muon": true.'),
        ("SAM", "Choose another optimizer."),
        ("AdaFactor", 'Set "relative_step": false to use lr.'),
        ("SPlus", "Keep it if that is known and meant; else choose another optimizer."),
    ],
)
def test_a_remedy_that_is_known_is_the_hint(check: JobCheck, kind: str, hint: str) -> None:
    found = check("sdxl", {"optimizer": {"type": kind, "lr": 1e-4}}).only

    assert found.hint == hint
    assert hint not in found.message


def test_one_of_several_values_is_named(check: JobCheck) -> None:
    found = check("sdxl", {"optimizer": {"betas": [0.9, 2]}}).only

    assert found.message == "the second of betas must be at most 1, but is 2"
