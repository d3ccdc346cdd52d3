"""A name that no route fits is explained by what its author most likely meant."""

from __future__ import annotations

import pytest

from dpcompile.diagnostics import Diagnostic
from dpcompile.misnamed import explain_unknown, explain_unknown_in
from dpcompile.trainer import Scope
from tests.unit.jobs import naming_of


def explained(name: str, model: str = "flux") -> Diagnostic:
    return explain_unknown(naming_of(model), name, "/training/x", "job.json")


def explained_in(scope: Scope, name: str, model: str = "flux") -> Diagnostic:
    return explain_unknown_in(naming_of(model), scope, name, "/training/x", "job.json")


@pytest.mark.parametrize(
    ("name", "model", "code", "message", "hint"),
    [
        pytest.param(
            "trigger_word",
            "flux",
            "DPC210",
            "is no setting of the trainer but a field of the job",
            "Write it outside training: dataset.trigger_word.",
            id="field of the job",
        ),
        pytest.param("num_gpus", "flux", "DPC210", "a field of the job", "launch.num_gpus", id="field of launch"),
        pytest.param(
            "ckpt_path",
            "flux",
            "DPC211",
            "wan; flux does not read it",
            "",
            id="another model's key",
        ),
        pytest.param(
            "parts",
            "wan22_t2v_high",
            "DPC232",
            '"parts" is for models that are trained in parts',
            "Write its settings directly in training.",
            id="parts of one training",
        ),
        pytest.param(
            "min_t", "flux", "DPC218", "does not act on min_t for FLUX.1 [dev]", "Take it out.", id="not acted upon"
        ),
        pytest.param(
            "vae_path",
            "flux",
            "DPC218",
            "VAE comes from",
            "Use model.diffusers_path.",
            id="not acted upon, with remedy",
        ),
        pytest.param(
            "lr_scheduler_type", "flux", "DPC214", "Hugging Face Trainer", "`lr_scheduler`", id="another trainer's"
        ),
        pytest.param(
            "learnig_rate", "flux", "DPC208", 'no setting named "learnig_rate"', '"learning_rate"', id="misspelt"
        ),
        pytest.param("xyzzy", "flux", "DPC208", "xyzzy", "If a newer trainer reads it", id="nothing like it"),
    ],
)
def test_flat_name_is_explained(name: str, model: str, code: str, message: str, hint: str) -> None:
    found = explained(name, model)

    assert found.code == code
    assert message in found.message
    assert hint in found.hint
    assert (found.path, found.file) == ("/training/x", "job.json")


@pytest.mark.parametrize(
    ("scope", "name", "code", "message", "hint"),
    [
        pytest.param(
            "optimizer",
            "learning_rate",
            "DPC210",
            "inside optimizer the trainer's own name is lr",
            'Write "lr" here, or "learning_rate" directly in training.',
            id="friendly name in its table",
        ),
        pytest.param(
            "optimizer",
            "lora_rank",
            "DPC210",
            "is not read in [optimizer]; it sets adapter.rank",
            'Write "lora_rank" directly in training.',
            id="friendly name in another table",
        ),
        pytest.param(
            "model",
            "epochs",
            "DPC210",
            "the trainer reads it at the top of train.toml",
            'Write "epochs" directly in training.',
            id="key of the top",
        ),
        pytest.param(
            "adapter",
            "lr",
            "DPC210",
            "the trainer reads it in [optimizer]",
            'Write "optimizer": {"lr": …}, or "lr" directly in training.',
            id="key of another table",
        ),
        pytest.param(
            "monitoring",
            "dtype",
            "DPC210",
            "the trainer reads it in [model] or in [adapter]",
            'Write "model": {"dtype": …} or "adapter": {"dtype": …}.',
            id="key of two tables",
        ),
        pytest.param("model", "ckpt_path", "DPC211", "wan; flux does not read it", "", id="another model's key"),
        pytest.param("adapter", "ckpt_path", "DPC208", "in adapter", "passthrough", id="no hint of models elsewhere"),
        pytest.param("model", "flux_shfit", "DPC208", "in model", '"flux_shift"', id="misspelt"),
        pytest.param("adapter", "network_module", "DPC214", "kohya", "", id="another trainer's"),
    ],
)
def test_key_in_a_table_is_explained(scope: Scope, name: str, code: str, message: str, hint: str) -> None:
    found = explained_in(scope, name)

    assert found.code == code
    assert message in found.message
    assert hint in found.hint


def test_what_dpcompile_makes_itself_is_never_proposed() -> None:
    assert "output_dir" not in explained("output_dirr").hint
    assert "eval_datasets" not in explained("eval_dataset").hint


def test_what_the_trainer_never_acts_on_is_never_proposed() -> None:
    assert "pseudo_huber_c" not in explained("pseudo_huber_cc").hint


def test_only_keys_of_the_same_table_are_proposed_in_it() -> None:
    assert "rank" in explained_in("adapter", "rankk").hint
    assert '"rank"' not in explained_in("monitoring", "rankk").hint
