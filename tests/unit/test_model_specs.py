"""The shipped model specs: each fits its schema, and what they say of one another holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dpcompile.resources import DataDirs
from dpcompile.schema import strict_validator
from dpcompile.spec import merge
from dpcompile.trainer import MEDIA_KEYS

DIRS = DataDirs.default()
SCHEMA: dict[str, Any] = json.loads((DIRS.schemas / "model_spec.schema.json").read_text("utf-8"))
JOB_SCHEMA: dict[str, Any] = json.loads((DIRS.schemas / "job.schema.json").read_text("utf-8"))
FILES = sorted(DIRS.specs.rglob("*.yaml"))
FLOAT8 = {"float8", "float8_e4m3fn", "float8_e5m2"}
# Read for every model type (train.py:107-108, 310), so no spec declares them.
COMMON_KEYS = {"type", "dtype"}
OWN = ("name", "title", "aliases", "abstract", "extends", "trainings")
TRAINER: dict[str, Any] = json.loads((DIRS.schemas / "diffusion_pipe.train.schema.json").read_text("utf-8"))


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return value


RAW = {path.stem: read(path) for path in FILES}


def chain(name: str) -> list[dict[str, Any]]:
    """The files of a spec, the most general first."""
    links = [RAW[name]]
    while links[0]["name"] != "base":
        links.insert(0, RAW[links[0].get("extends", "base")])
        assert len(links) < 10, f"{name} extends itself"
    return links


def merged(name: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for link in chain(name):
        result = merge({k: v for k, v in result.items() if k not in OWN}, link)
    return result


TRAINABLE = {name: merged(name) for name, raw in RAW.items() if not raw.get("abstract")}
every_file = pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
every_model = pytest.mark.parametrize("name", sorted(TRAINABLE))


def value_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a field's value, without what is only said about it."""
    return {k: v for k, v in field.items() if k not in ("description", "default", "required") and k[:2] != "x-"}


def path_strings(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """Every string in a value that its schema calls a path."""
    if schema.get("format") == "path":
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from path_strings(schema.get("items", {}), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from path_strings(schema.get("properties", {}).get(key, {}), item)


def spec_paths(spec: Mapping[str, Any]) -> list[str]:
    return [p for key, value in spec["paths"].items() for p in path_strings(spec["fields"][key], value)]


def sources(name: str) -> list[dict[str, Any]]:
    """What is downloaded for a model: its own files, or those of its trainings."""
    own: list[dict[str, Any]] = TRAINABLE[name].get("sources", [])
    return own + [s for part in TRAINABLE[name].get("trainings", {}).values() for s in sources(part)]


def tables(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every block of settings: where it stands, and its tables."""
    for block in ("defaults", "defaults_with_adapter", "defaults_with_eval"):
        yield block, spec.get(block, {})
    for name, preset in spec.get("presets", {}).items():
        yield f"presets.{name}", preset["values"]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(item)
    else:
        yield value


# ---- the files


@every_file
def test_fits_the_schema(path: Path) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in strict_validator(SCHEMA).iter_errors(read(path))]
    assert errors == []


@every_file
def test_is_named_like_its_file(path: Path) -> None:
    assert read(path)["name"] == path.stem


@every_file
def test_tells_editors_its_schema(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    target = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / target).resolve() == (DIRS.schemas / "model_spec.schema.json").resolve()


@every_file
def test_numbers_are_numbers(path: Path) -> None:
    # Most YAML readers, this one too, take 2e-5 without a decimal point for text.
    for text in (leaf for leaf in leaves(read(path)) if isinstance(leaf, str)):
        with pytest.raises(ValueError, match="could not convert"):
            float(text)


def test_file_names_are_unique() -> None:
    assert len(RAW) == len(FILES)


def test_names_and_aliases_are_unique() -> None:
    names = [n for raw in RAW.values() for n in (raw["name"], *raw.get("aliases", ()))]
    assert sorted(names) == sorted(set(names))


def test_specs_extend_specs() -> None:
    assert {raw["extends"] for raw in RAW.values() if "extends" in raw} <= RAW.keys()
    assert "extends" not in RAW["base"]
    assert RAW["base"]["abstract"] is True


@every_model
def test_is_complete(name: str) -> None:
    complete = strict_validator({"$ref": "#/$defs/complete", "$defs": SCHEMA["$defs"]})
    assert [f"{e.json_path}: {e.message}" for e in complete.iter_errors(TRAINABLE[name])] == []


# ---- fields


@every_model
def test_fields_say_what_they_are(name: str) -> None:
    for key, field in TRAINABLE[name]["fields"].items():
        assert {"description", "x-source"} <= field.keys(), key
        assert {"type", "enum", "const", "anyOf"} & field.keys(), key
        assert key not in COMMON_KEYS


@every_model
def test_fields_are_json_schemas_that_take_their_defaults(name: str) -> None:
    for key, field in TRAINABLE[name]["fields"].items():
        Draft202012Validator.check_schema(value_schema(field))
        if "default" in field:
            assert list(strict_validator(value_schema(field)).iter_errors(field["default"])) == [], key


@every_model
def test_fields_speak_of_fields(name: str) -> None:
    fields = TRAINABLE[name]["fields"]
    for key, field in fields.items():
        assert set(field.get("x-excludes", ())) <= fields.keys() - {key}, key
        assert set(field.get("x-required-unless", ())) <= fields.keys() - {key}, key
        for other, value in field.get("x-only", {}).items():
            assert list(strict_validator(value_schema(fields[other])).iter_errors(value)) == [], key


@every_model
def test_fields_speak_of_keys_and_values_that_there_are(name: str) -> None:
    for key, field in TRAINABLE[name]["fields"].items():
        for other, value in field.get("x-needs", {}).get("root", {}).items():
            known = value_schema(TRAINER["properties"][other])
            assert list(strict_validator(known).iter_errors(value)) == [], key
        for place in field.get("x-adds-loss", {}).get("ignores", ()):
            scope, _, other = place.partition(".")
            assert other in (TRAINER["properties"] if scope == "root" else MEDIA_KEYS), key
        for value in field.get("x-discouraged", {}):
            assert list(strict_validator(value_schema(field)).iter_errors(value)) == [], key


@every_model
def test_unread_keys_are_no_fields_and_lead_to_fields(name: str) -> None:
    spec = TRAINABLE[name]
    assert not spec["unread"].keys() & (spec["fields"].keys() | COMMON_KEYS)
    for entry in spec["unread"].values():
        scope, _, key = entry.get("instead", "model.dtype").partition(".")
        assert scope != "model" or key in spec["fields"].keys() | COMMON_KEYS, entry


# ---- values


@every_model
def test_model_values_fit_their_fields(name: str) -> None:
    spec = TRAINABLE[name]
    values = [("paths", key, value) for key, value in spec["paths"].items()]
    values += [(where, k, v) for where, block in tables(spec) for k, v in block.get("model", {}).items()]
    for where, key, value in values:
        if key == "dtype":
            assert value in ("float32", "float16", "bfloat16"), where
            continue
        errors = list(strict_validator(value_schema(spec["fields"][key])).iter_errors(value))
        assert errors == [], (where, key)


@every_model
def test_required_fields_have_a_value(name: str) -> None:
    spec = TRAINABLE[name]
    given = spec["paths"].keys() | spec["defaults"]["model"].keys()
    for key, field in spec["fields"].items():
        assert not field.get("required") or key in given, key
        unless = field.get("x-required-unless")
        assert not unless or key in given or set(unless) <= given, key


@every_model
def test_excluded_fields_are_not_set_together(name: str) -> None:
    spec = TRAINABLE[name]
    for where, block in tables(spec):
        values = {**spec["defaults"].get("model", {}), **block.get("model", {})}
        for key in values.keys() & spec["fields"].keys():
            assert not values.keys() & set(spec["fields"][key].get("x-excludes", ())), (where, key)


@every_model
def test_float8_and_block_swap_are_within_what_the_model_can(name: str) -> None:
    spec = TRAINABLE[name]
    can = spec["capabilities"]
    # Weights in float8 and block swapping need an adapter, so no default may ask for them without one.
    assert not FLOAT8 & {v for v in spec["defaults"].get("model", {}).values() if isinstance(v, str)}
    assert "blocks_to_swap" not in spec["defaults"]["root"]
    for where, block in tables(spec):
        chosen = {v for v in block.get("model", {}).values() if isinstance(v, str)}
        assert can["float8"] or not FLOAT8 & chosen, where
        assert block.get("root", {}).get("blocks_to_swap", 0) <= can.get("blocks_to_swap", 0), where


@every_model
def test_friendly_names_lead_somewhere(name: str) -> None:
    spec = TRAINABLE[name]
    names, aliases = spec["names"], spec["aliases_of_names"]
    assert not names.keys() & aliases.keys()
    assert all(target in names or "." in target for target in aliases.values())
    for target in (*names.values(), *aliases.values()):
        scope, _, key = target.partition(".")
        assert scope != "model" or key in spec["fields"].keys() | COMMON_KEYS, target
    reads = {"transformer_dtype", "diffusion_model_dtype"} & spec["fields"].keys()
    assert names.get("transformer_dtype") == (f"model.{reads.pop()}" if reads else None)


# ---- media


@every_model
def test_media_hang_together(name: str) -> None:
    spec = TRAINABLE[name]
    media = spec["media"]
    assert media["images"] or media["videos"]
    assert media["videos"] == ("frame_rate" in media) == ("frame_rule" in media)
    # Models of fixed sizes take no frame_buckets; their sizes have a length of their own.
    assert "size_buckets" in media or media["videos"] == ("frame_buckets" in spec["defaults"]["dataset"])


@every_model
def test_frame_buckets_are_usable_lengths(name: str) -> None:
    spec = TRAINABLE[name]
    for where, block in tables(spec):
        for frames in block.get("dataset", {}).get("frame_buckets", ()):
            rule = spec["media"]["frame_rule"]
            assert frames == 1 or (frames - rule["offset"]) % rule["multiple"] == 0, where


@every_model
def test_trainings_are_of_the_same_kind(name: str) -> None:
    spec = TRAINABLE[name]
    for part in spec.get("trainings", {}).values():
        assert "trainings" not in TRAINABLE[part]
        # They share one dataset.
        assert (TRAINABLE[part]["toml_type"], TRAINABLE[part]["media"]) == (spec["toml_type"], spec["media"])
        assert TRAINABLE[part]["defaults"]["dataset"] == spec["defaults"]["dataset"]


# ---- downloads


@every_model
def test_every_path_is_filled_by_a_source(name: str) -> None:
    spec = TRAINABLE[name]
    places = [source["to"] for source in sources(name)]
    for path in spec_paths(spec):
        assert any(path == to or path.startswith(f"{to}/") for to in places), path


@every_model
def test_every_source_is_used_by_a_path(name: str) -> None:
    spec = TRAINABLE[name]
    paths = spec_paths(spec)
    places = [source["to"] for source in spec.get("sources", ())]
    assert len(set(places)) == len(places)
    for to in places:
        assert any(path == to or path.startswith(f"{to}/") for path in paths), to


@every_model
def test_single_files_keep_their_kind(name: str) -> None:
    for source in sources(name):
        if "file" in source:
            assert Path(source["to"]).suffix == Path(source["file"]).suffix


# ---- promises of job.md

DEFAULTS = {
    "root": {
        "epochs": 100,
        "micro_batch_size_per_gpu": 1,
        "pipeline_stages": 1,
        "gradient_accumulation_steps": 4,
        "gradient_clipping": 1.0,
        "warmup_steps": 100,
        "save_every_n_epochs": 10,
        "checkpoint_every_n_minutes": 120,
        "activation_checkpointing": True,
        "partition_method": "parameters",
        "save_dtype": "bfloat16",
        "caching_batch_size": 1,
        "steps_per_print": 1,
        "video_clip_mode": "single_beginning",
    },
    "model": {"dtype": "bfloat16"},
    "adapter": {"type": "lora", "rank": 32, "dtype": "bfloat16"},
    "optimizer": {
        "type": "adamw_optimi",
        "lr": 2e-5,
        "betas": [0.9, 0.99],
        "weight_decay": 0.01,
        "eps": 1e-8,
    },
    "dataset": {
        "resolutions": [1024],
        "enable_ar_bucket": True,
        "min_ar": 0.5,
        "max_ar": 2.0,
        "num_ar_buckets": 7,
    },
}
DEFAULTS_WITH_EVAL = {
    "root": {
        "eval_every_n_epochs": 1,
        "eval_before_first_step": True,
        "eval_micro_batch_size_per_gpu": 1,
        "eval_gradient_accumulation_steps": 1,
    }
}
FRIENDLY_NAMES = {
    "learning_rate": "optimizer.lr",
    "lora_rank": "adapter.rank",
    "lora_dtype": "adapter.dtype",
    "model_dtype": "model.dtype",
    "batch_size": "root.micro_batch_size_per_gpu",
    "optimizer_type": "optimizer.type",
    "optimizer_betas": "optimizer.betas",
    "optimizer_weight_decay": "optimizer.weight_decay",
    "optimizer_eps": "optimizer.eps",
    "resolution": "dataset.resolutions",
    "frame_buckets": "dataset.frame_buckets",
}


def typed(value: Any) -> str:
    # 1, 1.0 and true are equal in Python but not for the trainer.
    return json.dumps(value, sort_keys=True)


def test_trainer_wide_defaults() -> None:
    base = RAW["base"]
    assert typed({k: v for k, v in base["defaults"].items() if k != "job"}) == typed(DEFAULTS)
    assert typed(base["defaults_with_eval"]) == typed(DEFAULTS_WITH_EVAL)


def test_friendly_names_of_todays_api() -> None:
    assert FRIENDLY_NAMES.items() <= RAW["base"]["names"].items()


def test_defaults_of_the_jobs_own_fields() -> None:
    job = RAW["base"]["defaults"]["job"]
    assert job["dataset"] == {"image_repeats": 1, "video_repeats": 5, "missing_caption": "error"}
    assert job["captioning"]["images"]["captioner"] == "joycaption"
    assert job["captioning"]["videos"]["captioner"] == "gemini"
    assert job["captioning"]["overwrite"] is False
    s3 = {"key_prefix": "diffusion-pipe-outputs"}
    assert job["output"] == {"method": "auto", "huggingface": {"private": True}, "s3": s3}
    assert job["launch"] == {"num_gpus": 1, "regenerate_cache": False, "trust_cache": False}
    whole = merge({"model_type": "flux", "dataset": {"type": "images"}}, job)
    assert [e.message for e in strict_validator(JOB_SCHEMA).iter_errors(whole)] == []


def test_job_defaults_stand_in_base_only() -> None:
    assert [name for name, raw in RAW.items() if "job" in raw.get("defaults", {})] == ["base"]


TODAYS_MODELS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "flux": ("flux", {"diffusers_path": "flux"}, {"black-forest-labs/FLUX.1-dev"}),
    "sdxl": ("sdxl", {"checkpoint_path": "sdXL_v10VAEFix.safetensors"}, {"timoshishi/sdXL_v10VAEFix"}),
    "wan13": ("wan", {"ckpt_path": "Wan/Wan2.1-T2V-1.3B"}, {"Wan-AI/Wan2.1-T2V-1.3B"}),
    "wan14b_t2v": ("wan", {"ckpt_path": "Wan/Wan2.1-T2V-14B"}, {"Wan-AI/Wan2.1-T2V-14B"}),
    "wan14b_i2v": ("wan", {"ckpt_path": "Wan/Wan2.1-I2V-14B-480P"}, {"Wan-AI/Wan2.1-I2V-14B-480P"}),
    "qwen": ("qwen_image", {"diffusers_path": "Qwen-Image"}, {"Qwen/Qwen-Image"}),
    "z_image_turbo": (
        "z_image",
        {
            "diffusion_model": "z_image/z_image_turbo_bf16.safetensors",
            "vae": "z_image/ae.safetensors",
            "text_encoders": [{"path": "z_image/qwen_3_4b.safetensors", "type": "lumina2"}],
            "merge_adapters": ["z_image/zimage_turbo_training_adapter_v2.safetensors"],
        },
        {"Comfy-Org/z_image_turbo", "ostris/zimage_turbo_training_adapter"},
    ),
}


@pytest.mark.parametrize("name", sorted(TODAYS_MODELS))
def test_models_of_todays_api(name: str) -> None:
    toml_type, paths, repos = TODAYS_MODELS[name]
    spec = TRAINABLE[name]
    assert (spec["toml_type"], spec["paths"]) == (toml_type, paths)
    assert {source["repo"] for source in spec["sources"]} == repos


@pytest.mark.parametrize("name", ["wan13", "wan14b_t2v", "wan14b_i2v", "qwen"])
def test_noise_levels_of_todays_api(name: str) -> None:
    assert TRAINABLE[name]["defaults"]["model"]["timestep_sample_method"] == "logit_normal"


@pytest.mark.parametrize("name", ["flux", "qwen"])
def test_float8_of_todays_api(name: str) -> None:
    assert TRAINABLE[name]["defaults_with_adapter"]["model"]["transformer_dtype"] == "float8"


def test_flux_shifts_by_resolution() -> None:
    assert TRAINABLE["flux"]["defaults"]["model"]["flux_shift"] is True


@pytest.mark.parametrize("name", ["wan13", "wan14b_t2v", "wan14b_i2v"])
def test_video_models_of_todays_api(name: str) -> None:
    spec = TRAINABLE[name]
    assert spec["defaults"]["dataset"]["frame_buckets"] == [1, 33]
    assert spec["media"]["images"] is (name != "wan14b_i2v")


# The trainer's limits: models/flux.py:412-421, wan/wan.py:386-392, qwen_image.py:491-497, z_image.py:95-101.
@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("flux", 34),
        ("sdxl", None),
        ("wan13", 28),
        ("wan14b_t2v", 38),
        ("wan14b_i2v", 38),
        ("qwen", 58),
        ("z_image_turbo", 28),
    ],
)
def test_blocks_that_can_be_swapped(name: str, limit: int | None) -> None:
    assert TRAINABLE[name]["capabilities"].get("blocks_to_swap") == limit


# to_layers of each class: models/flux.py:395-404, wan/wan.py:377-384, qwen_image.py:482-489, z_image.py:29-36,
# hidream.py:262-275, cosmos_predict2.py:424-434.
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("flux", 1 + 19 + 38 + 1),
        ("wan13", 1 + 30 + 1),
        ("wan14b_t2v", 1 + 40 + 1),
        ("qwen", 1 + 60 + 1),
        ("z_image_turbo", 1 + 30 + 1),
        ("hidream_i1_full", 2 + 16 + 1 + 32 + 1),
        ("anima_base", 2 + 28 + 1),
        ("sdxl", None),
    ],
)
def test_layers_that_are_divided_among_the_stages(name: str, layers: int | None) -> None:
    assert TRAINABLE[name]["capabilities"].get("layers") == layers


@every_model
def test_blocks_are_layers_and_there_are_more(name: str) -> None:
    can = TRAINABLE[name]["capabilities"]
    # Two blocks stay where they are, and there is a layer before all blocks and one behind them.
    assert can.get("layers", 99) >= can.get("blocks_to_swap", 0) + 4


# ---- the schema


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_property_of_the_schema_is_described() -> None:
    described = {k: v for k, v in SCHEMA["$defs"].items() if k != "complete"}
    assert list(_undescribed({**SCHEMA, "$defs": described}, "")) == []


def _undescribed(node: Any, where: str) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    for key, schema in node.get("properties", {}).items():
        if not isinstance(schema, dict) or not (schema.get("description") or "$ref" in schema):
            yield f"{where}/{key}"
    for key, schema in (*node.get("properties", {}).items(), *node.get("$defs", {}).items()):
        yield from _undescribed(schema, f"{where}/{key}")


@every_model
def test_every_shipped_source_says_how_sure_it_is_and_why(name: str) -> None:
    for source in sources(name):
        assert source["confidence"]
        assert source["evidence"]


MINIMAL = {"name": "mine", "title": "Mine"}
SOURCE = {"to": "mine", "repo": "a/b", "confidence": "inferred", "evidence": "none", "files": ["*"]}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": "Mine"}, "$.name"),
        ({"title": ""}, "$.title"),
        ({"colour": "red"}, "$"),
        ({"media": {"images": "yes"}}, "$.media.images"),
        ({"media": {"frame_rule": {"multiple": 4}}}, "$.media.frame_rule"),
        ({"media": {"pixel_multiple": 16.0}}, "$.media.pixel_multiple"),
        ({"capabilities": {"blocks_to_swap": 0}}, "$.capabilities.blocks_to_swap"),
        ({"capabilities": {"dora": True}}, "$.capabilities"),
        ({"fields": {"a": {"type": "text"}}}, "$.fields.a.type"),
        ({"fields": {"a": {"x-colour": "red"}}}, "$.fields.a"),
        ({"fields": {"a-b": {"type": "string"}}}, "$.fields"),
        ({"fields": {"a": {"required": ["b"]}}}, "$.fields.a.required"),
        ({"names": {"lr": "lr"}}, "$.names.lr"),
        ({"names": {"lr": "scheduler.lr"}}, "$.names.lr"),
        ({"presets": {"p": {"values": {"launch": {}}}}}, "$.presets.p.values"),
        ({"defaults": {"training": {}}}, "$.defaults"),
        ({"sources": [{**SOURCE, "file": "x"}]}, "$.sources[0].files"),
        ({"sources": [{k: v for k, v in SOURCE.items() if k != "files"}]}, "$.sources[0]"),
        ({"sources": [{**SOURCE, "to": "/models/mine"}]}, "$.sources[0].to"),
        ({"sources": [{**SOURCE, "repo": "https://huggingface.co/a/b"}]}, "$.sources[0].repo"),
    ],
)
def test_the_schema_refuses(change: dict[str, Any], place: str) -> None:
    assert [e.json_path for e in strict_validator(SCHEMA).iter_errors({**MINIMAL, **change})] == [place]


@pytest.mark.parametrize(
    "addition",
    [
        {},
        {"fields": {"inherited": None}, "unread": {"guidance": None}, "names": {"batch_size": None}},
        {"presets": {"vram_24gb": {"values": {"root": {"blocks_to_swap": 30}}}, "low_vram": None}},
        {"defaults": {"model": {"shift": 3}, "optimizer": {"betas": None}}},
        {
            "media": {
                "images": True,
                "videos": True,
                "frame_rate": 24,
                "frame_rule": {"multiple": 17, "offset": 0},
            }
        },
        {"media": {"resize_multiple": 32, "size_buckets": [[704, 1280, 1], [1280, 704, 121]]}},
        {"trainings": {"high": "mine_high_noise", "low": "mine_low_noise"}, "sources": [SOURCE]},
        {"fields": {"a": {"x-needs": {"above": 1, "root": {"pipeline_stages": 1}, "why": "it fails"}}}},
        {"fields": {"a": {"x-discouraged": {"float8": "too little is left"}}}},
    ],
)
def test_the_schema_takes(addition: dict[str, Any]) -> None:
    assert [e.message for e in strict_validator(SCHEMA).iter_errors({**MINIMAL, **addition})] == []
