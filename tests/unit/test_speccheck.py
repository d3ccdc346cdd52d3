"""What is wrong with a model spec beyond its schema.

Shipped specs are not checked at run time, so the first test here is what guards them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.diagnostics import Diagnostic
from dpcompile.resources import DataDirs
from dpcompile.schema import strict_validator
from dpcompile.spec import SpecFile
from dpcompile.speccheck import check_spec, job_defaults_schema
from dpcompile.trainer import load_trainer

DIRS = DataDirs.default()
TRAINER = load_trainer(DIRS)
SPEC_SCHEMA: dict[str, Any] = json.loads((DIRS.schemas / "model_spec.schema.json").read_text("utf-8"))
JOB_SCHEMA: dict[str, Any] = json.loads((DIRS.schemas / "job.schema.json").read_text("utf-8"))
COMPLETE = strict_validator({"$ref": "#/$defs/complete", "$defs": SPEC_SCHEMA["$defs"]})
JOB_DEFAULTS = strict_validator(job_defaults_schema(JOB_SCHEMA))
SHIPPED = {name: spec for name, spec, _ in Catalogue().all() if spec}
BASE = SHIPPED["flux"].chain[0]
ALONE: dict[str, Any] = {
    "name": "mine",
    "title": "Mine",
    "toml_type": "brand_new",
    "media": {"images": True, "videos": False},
    "capabilities": {"lora": True, "lokr": False, "full_finetune": True, "float8": False},
}
"""A complete spec that builds on nothing but the defaults of every model."""


def check(*chain: SpecFile) -> tuple[Diagnostic, ...]:
    return check_spec(chain, TRAINER, COMPLETE, JOB_DEFAULTS)


def link(value: dict[str, Any], file: str = "mine.yaml") -> SpecFile:
    return SpecFile(file=file, name=value["name"], value=value, text="")


def on_flux(**parts: Any) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec that extends flux."""
    return check(*SHIPPED["flux"].chain, link({"name": "mine", "title": "Mine", "extends": "flux", **parts}))


def told(found: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    return [(d.code, d.path) for d in found]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_are_in_order(name: str) -> None:
    assert check(*SHIPPED[name].chain) == ()


def test_no_shipped_spec_escapes_the_test_above() -> None:
    files = {path.stem for path in DIRS.specs.rglob("*.yaml")}
    linked = {link.name for spec in SHIPPED.values() for link in spec.chain}
    assert files == linked


# ---- complete


def test_a_complete_spec_of_its_own_is_in_order() -> None:
    assert check(BASE, link(ALONE)) == ()


@pytest.mark.parametrize("part", ["toml_type", "media", "capabilities"])
def test_a_missing_part_is_told(part: str) -> None:
    found = check(BASE, link({k: v for k, v in ALONE.items() if k != part}))

    assert {(d.code, d.severity, d.file) for d in found} == {("DPC306", "error", "mine.yaml")}
    for finding in found:
        assert '"mine"' in finding.message
        assert f'"{part}"' in finding.message
        assert finding.hint


@pytest.mark.parametrize(("part", "key"), [("media", "images"), ("media", "videos"), ("capabilities", "float8")])
def test_a_missing_statement_is_told(part: str, key: str) -> None:
    less = {**ALONE, part: {k: v for k, v in ALONE[part].items() if k != key}}

    [found] = check(BASE, link(less))

    assert found.code == "DPC306"
    assert f'"{key}" is missing in "{part}"' in found.message


@pytest.mark.parametrize(
    ("taken", "key"),
    [({"media": {"pixel_multiple": None}}, "pixel_multiple"), ({"capabilities": {"lora": None}}, "lora")],
)
def test_what_null_took_away_is_missing(taken: dict[str, Any], key: str) -> None:
    [found] = on_flux(**taken)

    assert found.code == "DPC306"
    assert f'"{key}" is missing' in found.message


@pytest.mark.parametrize("part", ["fields", "unread", "presets"])
def test_entries_must_say_what_they_are(part: str) -> None:
    [found] = [d for d in on_flux(**{part: {"new_thing": {}}}) if "new_thing" in d.message][:1]
    assert found.code == "DPC306"


# ---- fields


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "array", "items": {"type": "object", "properties": {"pattern": {"type": "string"}}}},
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
        {"type": "object", "x-only": {"type": "lokr"}},
        {"type": "array", "default": [{"type": "lumina2", "pattern": "("}]},
        {"enum": [{"type": "nonsense"}]},
        {"const": {"pattern": "["}},
        {"type": "integer", "required": False},
    ],
    ids=json.dumps,
)
def test_fields_may_be_any_json_schema(field: dict[str, Any]) -> None:
    assert on_flux(fields={"new_thing": {"description": "New.", **field}}) == ()


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "pattern": "["},
        {"type": "array", "items": {"type": "string", "pattern": "(?<n"}},
        {"type": "array", "items": {"properties": {"a": {"pattern": "*"}}}},
        {"anyOf": [{"type": "integer"}, {"pattern": "+"}]},
        {"type": ["string", "string"]},
    ],
    ids=json.dumps,
)
def test_a_field_that_describes_no_value_is_told_at_its_place(field: dict[str, Any]) -> None:
    [found] = on_flux(fields={"new_thing": {"description": "New.", **field}})

    assert (found.code, found.path, found.file) == ("DPC305", "/fields/new_thing", "mine.yaml")
    assert '"new_thing"' in found.message


def test_a_field_may_be_taken_away() -> None:
    assert on_flux(fields={"bypass_guidance_embedding": None}) == ()


# ---- values


@pytest.mark.parametrize("block", ["defaults", "defaults_with_adapter", "defaults_with_eval"])
def test_values_that_the_model_takes_are_in_order(block: str) -> None:
    values = {
        "root": {"epochs": 5, "warmup_steps": None},
        "model": {"guidance": 3.5, "dtype": "float16"},
        "adapter": {"rank": 8},
        "optimizer": {"type": "sgd", "momentum": 0.9},
        "dataset": {"resolutions": [512]},
        "directory": {"caption_prefix": "a "},
        "monitoring": {"enable_wandb": False},
    }
    assert on_flux(**{block: values}) == ()
    assert on_flux(presets={"p": {"title": "P", "description": "P.", "values": values}}) == ()


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        ({"root": {"epocs": 5}}, "/root/epocs", 'Did you mean "epochs"?'),
        ({"root": {"epochs": "5"}}, "/root/epochs", "Write 5 without quotes."),
        ({"root": {"epochs": 0}}, "/root/epochs", "at least 1"),
        ({"root": {"epochs": "many"}}, "/root/epochs", "In YAML, text needs no quotes"),
        ({"root": {"rank": 8}}, "/root/rank", "the top of train.toml"),
        ({"model": {"ckpt_path": "x"}}, "/model/ckpt_path", "Declare it under `fields`"),
        ({"model": {"transformer_dtype": "fp16"}}, "/model/transformer_dtype", 'Write "float16".'),
        ({"adapter": {"lora_rank": 8}}, "/adapter/lora_rank", "Its name there is rank."),
        ({"optimizer": {"learning_rate": 8}}, "/optimizer/learning_rate", "Its name there is lr."),
        ({"dataset": {"resolutions": [512, "x"]}}, "/dataset/resolutions", "list of numbers"),
        ({"directory": {"path": "/x"}}, "/directory/path", "cannot be set by a spec"),
        ({"root": {"output_dir": "/x"}}, "/root/output_dir", "cannot be set by a spec"),
        ({"root": {"seed": 1}}, "/root/seed", "cannot be set by a spec"),
        ({"monitoring": {"wandb_api_key": "abcdefgh"}}, "/monitoring/wandb_api_key", "secret"),
    ],
    ids=lambda v: json.dumps(v) if isinstance(v, dict) else None,
)
def test_a_value_that_the_model_does_not_take_is_told_at_its_place(
    values: dict[str, Any], place: str, words: str
) -> None:
    preset = {"title": "P", "description": "P.", "values": values}
    for parts, prefix in (({"defaults": values}, "/defaults"), ({"presets": {"p": preset}}, "/presets/p/values")):
        [found] = on_flux(**parts)
        assert (found.code, found.path, found.file) == ("DPC305", prefix + place, "mine.yaml")
        assert words in f"{found.message} {found.hint}"
        assert "abcdefgh" not in f"{found.message} {found.hint}"


def test_a_mistake_in_what_is_extended_is_told_there() -> None:
    parent = link({**ALONE, "name": "parent", "defaults": {"root": {"epocs": 1}}}, "parent.yaml")
    child = link({"name": "child", "title": "Child", "toml_type": "brand_new", "extends": "parent"}, "child.yaml")

    [found] = check(BASE, parent, child)

    assert (found.code, found.path, found.file) == ("DPC305", "/defaults/root/epocs", "parent.yaml")


def test_paths_must_fit_their_fields() -> None:
    assert told(on_flux(paths={"diffusers_path": "other", "transformer_path": None})) == []
    assert told(on_flux(paths={"diffusers_path": ["a"]})) == [("DPC305", "/paths/diffusers_path")]
    assert told(on_flux(paths={"ckpt_path": "a"})) == [("DPC305", "/paths/ckpt_path")]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"paths": {"diffusers_path": None}}, "diffusers_path"),
        ({"defaults": {"model": {"dtype": None}}}, "dtype"),
        ({"fields": {"new_thing": {"type": "string", "required": True, "description": "New."}}}, "new_thing"),
    ],
    ids=str,
)
def test_what_the_trainer_needs_must_have_a_value(parts: dict[str, Any], name: str) -> None:
    [found] = on_flux(**parts)

    assert (found.code, found.file) == ("DPC306", "mine.yaml")
    assert f"[model] {name}" in found.message


# ---- defaults of the job's own fields


def test_defaults_of_the_jobs_fields_are_values_that_a_job_may_have() -> None:
    defaults = {
        "dataset": {"image_repeats": 3, "missing_caption": "skip"},
        "captioning": {"overwrite": True, "images": {"prompt": "Say it."}},
        "launch": {"env": {"A": "b"}, "time_limit_minutes": 60},
        "output": {"method": "s3", "s3": {"bucket": "b"}, "huggingface": {"repo_id": "a/b"}},
    }
    assert on_flux(defaults={"job": defaults}) == ()


@pytest.mark.parametrize(
    ("defaults", "place"),
    [
        ({"launch": {"num_gpus": "two"}}, "/launch/num_gpus"),
        ({"launch": {"gpus": 2}}, "/launch/gpus"),
        ({"model": {"dtype": "float16"}}, "/model"),
        ({"dataset": {"image_repeats": 0}}, "/dataset/image_repeats"),
        ({"captioning": {"images": 5}}, "/captioning/images"),
        ({"output": {"method": "ftp"}}, "/output/method"),
        # What only a job can say would be passed over in silence.
        ({"dataset": {"type": "images"}}, "/dataset/type"),
        ({"dataset": {"trigger_word": "ohwx"}}, "/dataset/trigger_word"),
        ({"dataset": {"images_url": "/data"}}, "/dataset/images_url"),
        ({"dataset": {"eval": {"fraction": 0.1}}}, "/dataset/eval"),
        ({"output": {"huggingface": {"token": "hf_abcdefgh"}}}, "/output/huggingface/token"),
        ({"output": {"upload_url": "https://example.com/put?sig=1"}}, "/output/upload_url"),
    ],
    ids=lambda v: json.dumps(v) if isinstance(v, dict) else None,
)
def test_other_defaults_of_the_jobs_fields_are_told_at_their_place(defaults: dict[str, Any], place: str) -> None:
    [found] = on_flux(defaults={"job": defaults})

    assert (found.code, found.path, found.file) == ("DPC305", f"/defaults/job{place}", "mine.yaml")
    assert "hf_abcdefgh" not in found.message


def test_messages_about_them_name_the_field_once() -> None:
    found = on_flux(defaults={"job": {"launch": {"num_gpus": 0, "gpus": 1}}})

    assert [d.message for d in found] == [
        '"gpus" is not a field of "launch"',
        "launch.num_gpus must be at least 1, but is 0",
    ]


@pytest.mark.parametrize(
    ("defaults", "name"),
    [
        ({"launch": {"num_gpus": None}}, "launch.num_gpus"),
        ({"captioning": {"images": {"prompt": None}}}, "captioning.images.prompt"),
    ],
    ids=str,
)
def test_defaults_of_the_jobs_fields_cannot_be_taken_away(defaults: dict[str, Any], name: str) -> None:
    [found] = on_flux(defaults={"job": defaults})

    assert (found.code, found.file) == ("DPC306", "mine.yaml")
    assert found.message.startswith(f"{name} ")


# ---- names


@pytest.mark.parametrize("target", ["adapter.rank", "model.guidance", "root.epochs", "optimizer.momentum", None])
def test_names_may_lead_to_any_key_of_the_model(target: str | None) -> None:
    assert on_flux(names={"my_name": target}, aliases_of_names={"their_name": target}) == ()


@pytest.mark.parametrize(
    "target", ["root.rank", "model.ckpt_path", "optimizer.rate", "directory.resolution", "adapter.lora_rank"]
)
def test_names_that_lead_nowhere_are_told_at_their_place(target: str) -> None:
    assert told(on_flux(names={"my_name": target})) == [("DPC305", "/names/my_name")]
    assert told(on_flux(aliases_of_names={"theirs": target})) == [("DPC305", "/aliases_of_names/theirs")]


def test_an_alias_may_lead_to_a_friendly_name_only_if_there_is_one() -> None:
    assert on_flux(aliases_of_names={"theirs": "lora_rank"}) == ()

    [found] = on_flux(aliases_of_names={"theirs": "lora_rnk"})

    assert (found.code, found.path) == ("DPC305", "/aliases_of_names/theirs")
    assert '"lora_rnk"' in found.message


def test_all_mistakes_are_told_at_once() -> None:
    found = on_flux(
        defaults={"root": {"epocs": 1, "steps_per_print": 0}, "model": {"dtype": None}},
        paths={"vae": "x"},
        names={"a": "root.b"},
    )
    assert len(found) == 5


def test_a_value_of_a_spec_is_told_as_one_of_a_job_is() -> None:
    [shape] = on_flux(defaults={"root": {"micro_batch_size_per_gpu": []}})
    [unknown] = on_flux(defaults={"root": {"epocs": 3}})

    assert shape.hint == "Write one number, or a list of pairs: [[resolution, size], ...]."
    assert unknown.message == '"epocs" is not a key that the trainer reads at the top of train.toml for this model'
