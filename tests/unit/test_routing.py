"""Every name in `training` goes to the one place where the trainer reads it, or is told."""

from __future__ import annotations

from typing import Any

import pytest

from dpcompile.keypath import KeyPath
from dpcompile.resolve import Layer
from dpcompile.routing import Routed, Router, key_paths
from dpcompile.values import identical
from tests.unit.jobs import naming_of, places


def route(training: object, model: str = "flux", *, directories: int = 1, layer: Layer = "job") -> Routed:
    return Router(naming_of(model), lambda scope, name: key_paths(scope, name, directories)).route(
        layer, "job.json", ("training",), training
    )


def values(routed: Routed) -> dict[KeyPath, Any]:
    assert routed.diagnostics == []
    return {a.key: a.value for a in routed.assignments if not a.removed}


@pytest.mark.parametrize(
    ("training", "key", "value"),
    [
        pytest.param({"epochs": 3}, ("train", "epochs"), 3, id="own name"),
        pytest.param({"learning_rate": 1e-4}, ("train", "optimizer", "lr"), 1e-4, id="friendly name"),
        pytest.param({"lora_rank": 8}, ("train", "adapter", "rank"), 8, id="friendly name of the adapter"),
        pytest.param({"rank": 8}, ("train", "adapter", "rank"), 8, id="name of two tables, settled by the spec"),
        pytest.param({"lr": 1e-4}, ("train", "optimizer", "lr"), 1e-4, id="own name of a table"),
        pytest.param({"optimizer": {"lr": 1e-4}}, ("train", "optimizer", "lr"), 1e-4, id="in its table"),
        pytest.param({"momentum": 0.9}, ("train", "optimizer", "momentum"), 0.9, id="argument of some optimizer"),
        pytest.param({"optimizer": {"new_thing": 1}}, ("train", "optimizer", "new_thing"), 1, id="unknown argument"),
        pytest.param({"shift": 3.0}, ("train", "model", "shift"), 3.0, id="key of the model"),
        pytest.param({"model": {"type": "flux"}}, ("train", "model", "type"), "flux", id="the model's own type"),
        pytest.param({"min_ar": 0.4}, ("dataset", "min_ar"), 0.4, id="for the whole dataset"),
        pytest.param({"num_repeats": 2}, ("dataset", "num_repeats"), 2, id="dataset before directory"),
        pytest.param(
            {"control_path": "/c"}, ("dataset", "directory", 0, "control_path"), "/c", id="key of directories only"
        ),
        pytest.param(
            {"directory": {"num_repeats": 2}}, ("dataset", "directory", 0, "num_repeats"), 2, id="in directory"
        ),
        pytest.param({"resolution": 512}, ("dataset", "resolutions"), [512], id="a bare resolution"),
        pytest.param({"resolution": [512, 768]}, ("dataset", "resolutions"), [512, 768], id="a list of resolutions"),
    ],
)
def test_name_goes_where_the_trainer_reads_it(training: dict[str, Any], key: KeyPath, value: object) -> None:
    routed = route(training)

    assert routed.diagnostics == []
    assert [a.key for a in routed.assignments] == [key]
    assert identical(routed.assignments[0].value, value)


@pytest.mark.parametrize(
    ("model", "key"),
    [("flux", "transformer_dtype"), ("qwen", "transformer_dtype"), ("z_image_turbo", "diffusion_model_dtype")],
)
def test_transformer_dtype_goes_to_the_key_that_the_model_has(model: str, key: str) -> None:
    assert values(route({"transformer_dtype": "float8"}, model)) == {("train", "model", key): "float8"}


def test_setting_remembers_where_it_was_written() -> None:
    [nested] = route({"optimizer": {"a/b": 1}}).assignments

    assert (nested.origin.layer, nested.origin.file) == ("job", "job.json")
    assert nested.origin.pointer == "/training/optimizer/a~1b"


def test_key_of_directories_goes_to_each_of_them() -> None:
    routed = route({"directory": {"num_repeats": 2}}, directories=2)

    assert values(routed) == {("dataset", "directory", n, "num_repeats"): 2 for n in (0, 1)}


def test_null_takes_a_default_away() -> None:
    [gone] = route({"flux_shift": None}).assignments

    assert gone.removed
    assert gone.key == ("train", "model", "flux_shift")


@pytest.mark.parametrize("table", ["adapter", "monitoring"])
def test_null_takes_a_whole_table_away_that_the_trainer_can_do_without(table: str) -> None:
    [gone] = route({table: None}).assignments

    assert gone.removed
    assert gone.key == ("train", table)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ([0, 0.99], [0.0, 0.99]),
        ([0.9, 0.99], [0.9, 0.99]),
        ([1, 2], [1, 2]),
        ([[1, 0.5], [1, 2]], [[1.0, 0.5], [1, 2]]),
        ({"a": [1, 0.5]}, {"a": [1.0, 0.5]}),
        ([True, 0.5], [True, 0.5]),
        ([2**53, 0.5], [float(2**53), 0.5]),
        ([2**53 + 1, 0.5], [2**53 + 1, 0.5]),
    ],
)
def test_whole_numbers_beside_decimals_become_decimals_where_nothing_is_lost(given: object, written: object) -> None:
    [assigned] = route({"optimizer": {"unknown_argument": given}}).assignments

    assert identical(assigned.value, written)


@pytest.mark.parametrize(
    ("training", "code", "pointer"),
    [
        pytest.param({"nonsense": 1}, "DPC208", "/training/nonsense", id="unknown"),
        pytest.param({"dtype": "float16"}, "DPC209", "/training/dtype", id="two meanings"),
        pytest.param({"type": "lora"}, "DPC209", "/training/type", id="two meanings of a type"),
        pytest.param({"adapter": {"epochs": 1}}, "DPC210", "/training/adapter/epochs", id="wrong table"),
        pytest.param({"optimizer": {"epochs": 1}}, "DPC210", "/training/optimizer/epochs", id="no argument"),
        pytest.param({"ckpt_path": "/x"}, "DPC211", "/training/ckpt_path", id="another model's"),
        pytest.param({"output_dir": "/x"}, "DPC213", "/training/output_dir", id="made by dpcompile"),
        pytest.param({"model": {"type": "wan"}}, "DPC213", "/training/model/type", id="another model type"),
        pytest.param({"caption_dropout_rate": 0.1}, "DPC214", "/training/caption_dropout_rate", id="another trainer's"),
        pytest.param({"seed": 1}, "DPC218", "/training/seed", id="never read"),
        pytest.param({"model": {"clip_path": "/x"}}, "DPC218", "/training/model/clip_path", id="unread by this model"),
        pytest.param({"epochs": None}, "DPC230", "/training/epochs", id="needed, taken away"),
        pytest.param({"model": None}, "DPC230", "/training/model", id="needed table taken away"),
        pytest.param({"optimizer": None}, "DPC230", "/training/optimizer", id="needed optimizer taken away"),
        pytest.param({"adapter": "lora"}, "DPC203", "/training/adapter", id="a table as text"),
        pytest.param({"monitoring": []}, "DPC203", "/training/monitoring", id="a table as list"),
        pytest.param({"passthrough": {"root": {}}}, "DPC217", "/training/passthrough/root", id="empty passthrough"),
    ],
)
def test_what_cannot_be_routed_is_told_and_not_set(training: dict[str, Any], code: str, pointer: str) -> None:
    routed = route(training)

    assert places(routed.diagnostics) == [(code, pointer)]
    assert routed.assignments == []


@pytest.mark.parametrize(
    ("training", "remedy"),
    [
        ({"dtype": "float16"}, "Say which: model_dtype or lora_dtype."),
        ({"optimizer": "adamw"}, 'Write "optimizer_type": "adamw".'),
        ({"adapter": "lora"}, 'Write "adapter_type": "lora".'),
        ({"adapter": "none"}, "For a full fine-tune write null, without quotes."),
        (
            {"directory": []},
            "It holds for every folder; settings of one folder stand in dataset.directories of the job.",
        ),
        ({"dataset": "dataset.toml"}, "dpcompile writes the path of the dataset file itself."),
        ({"clip_path": "/x"}, "Use model.diffusers_path."),
        ({"nonsense": 1}, "If a newer trainer reads it, send it with passthrough."),
    ],
)
def test_remedy_names_what_to_write(training: dict[str, Any], remedy: str) -> None:
    assert [d.hint for d in route(training).diagnostics] == [remedy]


@pytest.mark.parametrize(
    ("model", "training", "remedy"),
    [
        ("flux", {"batch_size": [1, 2]}, "Write one number, or a list of pairs: [[resolution, size], ...]."),
        ("flux", {"batch_size": 2.5}, "Write one number, or a list of pairs: [[resolution, size], ...]."),
        ("flux", {"batch_size": "1"}, "Write 1 without quotes."),
        ("flux", {"batch_size": 0}, ""),
        ("flux", {"resolutions": [512, [768, 512]]}, "width and height, such as [[768, 512]], but not both."),
        ("flux", {"ar_buckets": [1.0, [3, 2]]}, "width and height, such as [[1, 1], [3, 2]], but not both."),
        (
            "flux",
            {"size_buckets": [[512, 512]]},
            "Write each size as [width, height, frames], the frames of an image being 1.",
        ),
        ("sdxl", {"debiased_estimation_loss": False}, "Leave it out to have it off; false switches it on too."),
        (
            "z_image",
            {"text_encoders": [{"path": "/a", "type": "lumina2"}] * 2},
            "takes paths, a list, instead of path.",
        ),
    ],
)
def test_a_value_of_the_wrong_shape_is_told_how_to_write_it(model: str, training: dict[str, Any], remedy: str) -> None:
    hints = {found.hint for found in route(training, model).diagnostics}

    assert len(hints) == 1
    hint = hints.pop()
    assert hint.endswith(remedy) if remedy else not hint


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"path": "/a", "type": "lumina"}, 'type in the first of text_encoders must be "lumina2", but is "lumina"'),
        ({"path": "/a"}, '"type" is missing in the first of text_encoders'),
        ({"type": "lumina2"}, '"path" or "paths" is missing in the first of text_encoders'),
        ({"path": "/a", "typ": 1, "type": "lumina2"}, '"typ" is not a field of the first of text_encoders'),
        ("/a", 'the first of text_encoders must be an object, but is text "/a"'),
    ],
)
def test_a_place_in_a_list_is_counted_from_one(encoder: object, message: str) -> None:
    assert [found.message for found in route({"text_encoders": [encoder]}, "z_image").diagnostics] == [message]


def test_name_of_another_trainer_that_means_the_same_is_taken_and_told() -> None:
    routed = route({"network_dim": 8})

    assert [(a.key, a.value) for a in routed.assignments] == [(("train", "adapter", "rank"), 8)]
    assert [(d.code, d.severity, d.hint) for d in routed.diagnostics] == [("DPC215", "info", "Write lora_rank.")]


@pytest.mark.parametrize(
    ("training", "code", "pointer", "broken"),
    [
        ({"epochs": "ten"}, "DPC203", "/training/epochs", ("train", "epochs")),
        ({"epochs": 0}, "DPC205", "/training/epochs", ("train", "epochs")),
        ({"save_dtype": "int8"}, "DPC204", "/training/save_dtype", ("train", "save_dtype")),
        ({"optimizer": {"betas": [0.9, 2]}}, "DPC205", "/training/optimizer/betas/1", ("train", "optimizer", "betas")),
        ({"min_ar": -1}, "DPC205", "/training/min_ar", ("dataset", "min_ar")),
        ({"resolution": -1}, "DPC203", "/training/resolution", ("dataset", "resolutions")),
    ],
)
def test_value_that_does_not_fit_is_told_where_it_stands_and_marked_broken(
    training: dict[str, Any], code: str, pointer: str, broken: KeyPath
) -> None:
    routed = route(training)

    assert (code, pointer) in places(routed.diagnostics)
    assert routed.broken == {broken}
    assert routed.assignments == []


def test_a_broken_key_of_directories_is_broken_in_each() -> None:
    routed = route({"directory": {"num_repeats": "two"}}, directories=2)

    assert routed.broken == {("dataset", "directory", n, "num_repeats") for n in (0, 1)}
    assert len(routed.diagnostics) == 1


def test_secret_is_checked_but_never_set() -> None:
    pointer = "/training/monitoring/wandb_api_key"
    assert route({"monitoring": {"wandb_api_key": "0123456789"}}) == Routed(secrets={"wandb_api_key": pointer})

    wrong = route({"monitoring": {"wandb_api_key": 12345678}})
    assert places(wrong.diagnostics) == [("DPC203", "/training/monitoring/wandb_api_key")]
    assert "12345678" not in wrong.diagnostics[0].message + wrong.diagnostics[0].hint


@pytest.mark.parametrize(
    ("training", "pointer"),
    [
        ({"alpha": 16}, "/training/alpha"),
        ({"lora_alpha": 16}, "/training/lora_alpha"),
        ({"network_alpha": 16}, "/training/network_alpha"),
        ({"linear_alpha": 16}, "/training/linear_alpha"),
        ({"adapter": {"alpha": 16}}, "/training/adapter/alpha"),
        ({"adapter": {"lora_alpha": 16}}, "/training/adapter/lora_alpha"),
    ],
)
def test_alpha_is_kept_apart_until_the_rank_is_known(training: dict[str, Any], pointer: str) -> None:
    routed = route(training)

    assert [(a.value, a.pointer) for a in routed.alphas] == [(16, pointer)]
    assert (routed.assignments, routed.diagnostics) == ([], [])


def test_passthrough_is_set_as_it_is_with_a_warning_for_each_key() -> None:
    routed = route({"passthrough": {"root": {"epochs": "ten"}, "mine": {"x": [1, 0.5]}, "directory": {"y": 1}}})

    assert {a.key: a.value for a in routed.assignments} == {
        ("train", "epochs"): "ten",
        ("train", "mine", "x"): [1, 0.5],
        ("dataset", "directory", 0, "y"): 1,
    }
    assert [(d.code, d.severity) for d in routed.diagnostics] == [("DPC216", "warning")] * 3


@pytest.mark.parametrize(("layer", "codes"), [("job", []), ("set", ["DPC203"])])
def test_training_that_is_no_object_is_told_once(layer: Layer, codes: list[str]) -> None:
    """The schema of the job tells it for the job itself."""
    assert [d.code for d in route("fast", layer=layer).diagnostics] == codes


@pytest.mark.parametrize(
    ("scope", "paths"),
    [
        ("root", [("train", "x")]),
        ("model", [("train", "model", "x")]),
        ("mine", [("train", "mine", "x")]),
        ("dataset", [("dataset", "x")]),
        ("directory", [("dataset", "directory", 0, "x"), ("dataset", "directory", 1, "x")]),
    ],
)
def test_scope_says_which_file_and_table_a_key_stands_in(scope: str, paths: list[KeyPath]) -> None:
    assert key_paths(scope, "x", 2) == paths
