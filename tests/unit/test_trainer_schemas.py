"""The schemas of what the trainer reads: whole, well-formed, and strict where the trainer is.

The lists of names are frozen here on purpose: a key that gets lost from a schema would be refused to users, or
worse, routed elsewhere, and nothing but this file would notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dpcompile.resources import DataDirs
from dpcompile.schema import strict_validator

Schema = dict[str, Any]

FILES = {n: DataDirs.default().schemas / f"diffusion_pipe.{n}.schema.json" for n in ("train", "dataset")}
TRAIN, DATASET = (json.loads(FILES[name].read_text("utf-8")) for name in ("train", "dataset"))
COMMIT = "8f83dbf25d03219df705570ec03e62be04bc402f"
DEFS = TRAIN["$defs"]
ARGUMENTS: dict[str, Schema] = DEFS["optimizer_arguments"]
OPTIMIZERS: dict[str, Schema] = DEFS["optimizers"]

TABLES: dict[str, tuple[Schema, Schema]] = {
    "root": (TRAIN, TRAIN),
    **{n: (DEFS[n], TRAIN) for n in ("model", "adapter", "fuse_adapter", "optimizer", "monitoring", "eval_dataset")},
    "dataset": (DATASET, DATASET),
    "directory": (DATASET["$defs"]["directory"], DATASET),
}
SHARED = """
    resolutions enable_ar_bucket min_ar max_ar num_ar_buckets ar_buckets frame_buckets size_buckets
    num_repeats caption_prefix skip_empty_caption cache_shuffle_num cache_shuffle_delimiter shuffle_tags
    shuffle_metadata online_captions
"""
KEYS = {
    "root": """
        output_dir dataset eval_datasets epochs max_steps micro_batch_size_per_gpu
        image_micro_batch_size_per_gpu eval_micro_batch_size_per_gpu eval_image_micro_batch_size_per_gpu
        gradient_accumulation_steps gradient_clipping warmup_steps lr_scheduler force_constant_lr huber_delta
        smooth_l1_beta uncond_fraction save_every_n_epochs save_every_n_steps save_every_n_examples save_dtype
        checkpoint_every_n_epochs checkpoint_every_n_minutes eval_every_n_epochs eval_every_n_steps
        eval_every_n_examples eval_before_first_step eval_gradient_accumulation_steps pipeline_stages
        partition_method partition_split activation_checkpointing reentrant_activation_checkpointing
        blocks_to_swap disable_block_swap_for_eval compile caching_batch_size map_num_proc video_clip_mode
        steps_per_print logging_steps x_axis_examples model adapter optimizer monitoring
        resume_from_checkpoint regenerate_cache seed pseudo_huber_c image_eval_micro_batch_size_per_gpu lora
    """,
    "model": "type dtype",
    "adapter": """
        type rank dtype dropout decompose_factor rank_dropout exclude_modules init_from_existing fuse_adapters
        alpha
    """,
    "fuse_adapter": "path weight",
    "optimizer": "type lr betas eps weight_decay gradient_release beta2_half_life",
    "monitoring": "enable_wandb wandb_api_key wandb_tracker_name wandb_run_name",
    "eval_dataset": "name config",
    "dataset": SHARED + "subsample_ratio directory",
    "directory": SHARED + "path mask_path control_path default_mask_file",
}
REQUIRED = {
    "root": "output_dir dataset epochs model optimizer",
    "model": "type dtype",
    "adapter": "type rank",
    "fuse_adapter": "path",
    "optimizer": "type",
    "eval_dataset": "name config",
    "dataset": "directory",
    "directory": "path",
}
ANNOTATED = {
    "x-owned": {
        "root": "output_dir dataset eval_datasets",
        "model": "type",
        "directory": "path",
        "dataset": "directory",
    },
    "x-dead": {
        "root": """
            resume_from_checkpoint regenerate_cache seed pseudo_huber_c image_eval_micro_batch_size_per_gpu lora
        """,
        "adapter": "alpha",
        "dataset": "online_captions",
        "directory": "online_captions",
    },
    "x-secret": {"monitoring": "wandb_api_key"},
    "x-only": {"adapter": "dropout decompose_factor rank_dropout"},
    "x-models": {"adapter": "fuse_adapters", "fuse_adapter": "weight"},
    "x-not-models": {"root": "huber_delta smooth_l1_beta", "adapter": "exclude_modules"},
    "format": {
        "root": "output_dir dataset",
        "adapter": "init_from_existing",
        "fuse_adapter": "path",
        "eval_dataset": "config",
        "directory": "path mask_path control_path default_mask_file",
    },
}
FRACTIONS = {
    "root": """
        gradient_clipping force_constant_lr huber_delta smooth_l1_beta uncond_fraction checkpoint_every_n_minutes
    """,
    "adapter": "dropout rank_dropout",
    "fuse_adapter": "weight",
    "optimizer": "lr eps weight_decay beta2_half_life",
    "dataset": "min_ar max_ar num_repeats subsample_ratio",
    "directory": "min_ar max_ar num_repeats",
}
EXCLUDES = {
    ("root", "save_every_n_examples"): "save_every_n_steps",
    ("root", "eval_every_n_examples"): "eval_every_n_steps",
    ("root", "checkpoint_every_n_epochs"): "checkpoint_every_n_minutes",
    ("root", "huber_delta"): "smooth_l1_beta",
    ("root", "force_constant_lr"): "lr_scheduler warmup_steps",
    ("dataset", "ar_buckets"): "min_ar max_ar num_ar_buckets",
    ("dataset", "size_buckets"): """
        resolutions enable_ar_bucket ar_buckets min_ar max_ar num_ar_buckets frame_buckets
    """,
}
_TORCH = "lr weight_decay maximize foreach differentiable fused"
_OPTIMI = "lr betas weight_decay eps decouple_lr max_lr kahan_sum foreach triton"
_EIGHT_BITS = "lr betas eps weight_decay amsgrad optim_bits args min_8bit_size is_paged"
BUILTIN = {
    "adamw": f"{_TORCH} betas eps amsgrad capturable",
    "adamw8bit": _EIGHT_BITS,
    "adamw_optimi": _OPTIMI,
    "stableadamw": _OPTIMI,
    "sgd": f"{_TORCH} momentum dampening nesterov",
    "adamw8bitkahan": f"{_EIGHT_BITS} stabilize",
    "offload": "lr betas eps weight_decay amsgrad maximize offload_gradients minimal_size",
    "automagic": """
        lr min_lr max_lr lr_bump eps clip_threshold beta2 weight_decay do_paramiter_swapping
        paramiter_swapping_factor
    """,
    "genericoptim": """
        lr betas eps weight_decay correct_bias momentum_type second_moment_type correct_dim cpu_offload
        kahan_buffer_offload muon adamuon normuon polar_express automagic min_lr max_lr lr_bump
        lr_decrease_factor skip_invalid_grads rank proj_type update_proj_gap
    """,
}
FALLBACK = """
    AccSGD AdaBelief AdaBound AdaDelta AdaFactor AdaGC Adai Adalite Adam AdaMax AdamC AdamG AdaMod AdamP
    AdamS AdamWSN Adan AdaNorm AdaPNM AdaShift AdaSmooth AdaTAM AdEMAMix ADOPT AggMo Aida Alice Amos Ano
    APOLLO ApolloDQN ASGD AvaGrad BCOS CAME Conda DAdaptAdaGrad DAdaptAdam DAdaptAdan DAdaptLion DAdaptSGD
    DASH DeMo DiffGrad DualAdam EmoFact EmoLynx EmoNavi EXAdam FAdam Fira FlashAdamW FOCUS Fromage FTRL
    GaLore Grams Gravity GrokFastAdamW Kate Kron Lamb LaProp LARS Lion LoRARite MADGRAD Magma MARS MSVAG
    NAdam Nero NovoGrad PAdam PID PNM Prodigy QHAdam QHM RACS RAdam Ranger Ranger21 RMSprop ROSE SaRA
    ScalableShampoo ScheduleFreeAdamW ScheduleFreeRAdam ScheduleFreeSGD SCION SCIONLight SGDP SGDSaI SGDW
    Shampoo SignSGD SimplifiedAdEMAMix SM3 SOAP SPAM SpectralSphere SPlus SRMM StableSPAM SWATS TAM Tiger
    VSGD Yogi
"""
UNUSABLE = """
    A2Grad AdaGO AdaHessian AdaLOMO AdamMini AdaMuon AliG BSAM DistributedMuon DynamicLossScaler
    FriendlySAM GSAM LBFGS LOMO Lookahead LookSAM Muon MuonClip NorMuon OrthoGrad PCGrad RotoGrad
    SafeFP16Optimizer SAM ScheduleFreeWrapper SophiaH TRAC WSAM
"""
WARNED = """
    adamw8bitkahan automagic offload ScheduleFreeAdamW ScheduleFreeRAdam ScheduleFreeSGD SPlus AdaFactor
    Adai LoRARite Ranger21 SpectralSphere
"""
PHASES = """
    startup model_init dataset_init cache post_cache post_load first_step epoch_end save
"""
ANNOTATIONS = """
    x-upstream x-source x-form x-fails-at x-owned x-dead x-secret x-excludes x-only x-models x-not-models
    x-class x-builtin x-swallows-unknown x-unusable x-warning
"""


def merged(schema: Mapping[str, Any], document: Schema) -> Schema:
    """The schema with its outermost `$ref` followed; what stands beside the `$ref` wins."""
    own = dict(schema)
    while "$ref" in own:
        target: Any = document
        for part in own.pop("$ref").removeprefix("#/").split("/"):
            target = target[part]
        own = {**target, **own}
    return own


def field(table: str, key: str) -> Schema:
    schema, document = TABLES[table]
    return merged(schema["properties"][key], document)


def argument(optimizer: str, name: str) -> Schema:
    return merged(OPTIMIZERS[optimizer]["properties"][name], TRAIN)


def accepts(schema: Mapping[str, Any], value: object, document: Schema = TRAIN) -> bool:
    return bool(strict_validator({**schema, "$defs": document["$defs"]}).is_valid(value))


def walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


SAMPLES: tuple[Any, ...] = (True, 1, 0.5, "x", [0.5], {})
FIELDS = [(table, key) for table, (schema, _) in TABLES.items() for key in schema["properties"]]


@pytest.mark.parametrize("name", FILES)
def test_file_is_a_schema_of_the_pinned_commit(name: str) -> None:
    schema = json.loads(FILES[name].read_text("ascii"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://dpcompile.dev/schemas/{FILES[name].name}"
    assert schema["x-upstream"] == {"repo": "tdrussell/diffusion-pipe", "commit": COMMIT, "date": "2026-08-20"}


@pytest.mark.parametrize("name", FILES)
def test_every_reference_and_annotation_is_known(name: str) -> None:
    document = {"train": TRAIN, "dataset": DATASET}[name]
    for node in walk(document):
        if isinstance(node, dict):
            merged(node, document)  # KeyError where a reference leads nowhere
            assert {k for k in node if k.startswith("x-")} <= set(ANNOTATIONS.split())


@pytest.mark.parametrize("table", KEYS)
def test_no_key_is_lost(table: str) -> None:
    schema = TABLES[table][0]
    assert set(schema["properties"]) == set(KEYS[table].split())
    assert schema.get("required", []) == REQUIRED.get(table, "").split()
    assert schema["additionalProperties"] is (table in ("model", "optimizer"))


@pytest.mark.parametrize(("table", "key"), FIELDS)
def test_field_says_what_it_is_and_where_it_is_read(table: str, key: str) -> None:
    schema = field(table, key)
    # The nested schemas of arguments and settings lie where the schema of schemas does not look.
    Draft202012Validator.check_schema(schema)
    assert re.fullmatch(r"[A-Z].{15,}\.", schema["description"])
    assert re.fullmatch(r"[\w/]+\.(py|toml):\d+", schema["x-source"])
    assert schema.get("x-fails-at", "save") in PHASES.split()
    if "default" in schema:
        assert accepts(schema, schema["default"], TABLES[table][1])


@pytest.mark.parametrize("annotation", ANNOTATED)
def test_annotated_keys(annotation: str) -> None:
    found = {table: {k for k in TABLES[table][0]["properties"] if annotation in field(table, k)} for table in TABLES}
    assert {t: k for t, k in found.items() if k} == {t: set(k.split()) for t, k in ANNOTATED[annotation].items()}


def test_annotations_name_what_exists() -> None:
    found = {(t, k): field(t, k).get("x-excludes") for t, k in FIELDS if t != "directory"}
    assert {k: v for k, v in found.items() if v} == {k: v.split() for k, v in EXCLUDES.items()}
    for table, key in FIELDS:
        schema = field(table, key)
        assert set(schema.get("x-excludes", ())) <= set(TABLES[table][0]["properties"]) - {key}
        assert schema.get("x-only", {"type": "lora"})["type"] in field("adapter", "type")["enum"]
        assert set(schema.get("x-dead", {"why": "", "instead": ""})) == {"why", "instead"}
    assert field("adapter", "fuse_adapters")["x-models"] == ["flux", "chroma"]
    assert field("root", "huber_delta")["x-not-models"] == ["sdxl", "ltx-video", "cosmos"]


def test_no_list_of_model_types_stands_in_the_way_of_a_new_one() -> None:
    assert "enum" not in DEFS["model"]["properties"]["type"]


def test_no_optimizer_and_no_argument_is_lost() -> None:
    assert [n for n, e in OPTIMIZERS.items() if e["x-builtin"]] == list(BUILTIN)
    for name, arguments in BUILTIN.items():
        assert set(OPTIMIZERS[name]["properties"]) == set(arguments.split()), name
    assert {n for n, e in OPTIMIZERS.items() if "x-unusable" in e} == set(UNUSABLE.split())
    assert {n for n, e in OPTIMIZERS.items() if "x-warning" in e} == set(WARNED.split())
    assert set(OPTIMIZERS) == {*BUILTIN, *FALLBACK.split(), *UNUSABLE.split()}
    # Built-in names are compared without regard to case and first, so no other entry could be reached (train.py:656).
    assert not {n for n, e in OPTIMIZERS.items() if not e["x-builtin"] and n.lower() in BUILTIN}
    assert {a for e in OPTIMIZERS.values() for a in e["properties"]} == set(ARGUMENTS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_arguments_are_typed_and_told(optimizer: str) -> None:
    entry = OPTIMIZERS[optimizer]
    assert set(entry["required"]) <= set(entry["properties"])
    for schema in (argument(optimizer, name) for name in entry["properties"]):
        Draft202012Validator.check_schema(schema)
        assert schema["description"].endswith(".")
        assert schema["x-source"] == "train.py:666"
        assert {"type", "anyOf", "x-dead"} & set(schema)
        assert not accepts(schema, None)
        # Nothing that TOML can hold works, so nothing may pass.
        assert "x-dead" not in schema or not any(map(partial(accepts, schema), SAMPLES))


@pytest.mark.parametrize(("table", "key"), [f for f in FIELDS if "x-dead" not in field(*f)])
def test_types_are_strict(table: str, key: str) -> None:
    schema, document = field(table, key), TABLES[table][1]
    flag = accepts(schema, True, document)
    assert flag is accepts(schema, False, document)
    assert not (flag and accepts(schema, 1, document))
    fractions = key in FRACTIONS.get(table, "").split()
    assert accepts(schema, 0.5, document) is fractions
    assert fractions or not accepts(schema, 1.0, document)
    assert not accepts(schema, None, document)


AT_LEAST_ONE = """
    max_steps gradient_accumulation_steps save_every_n_epochs save_every_n_steps save_every_n_examples pipeline_stages
    checkpoint_every_n_epochs eval_gradient_accumulation_steps caching_batch_size steps_per_print logging_steps
"""
FITTING: list[tuple[str, str, list[Any], list[Any]]] = [
    ("root", "epochs", [1, 1000], [0, -1]),
    ("root", "micro_batch_size_per_gpu", [1, [[512, 4], [1024, 1]]], [0, 1.5, [512, 4], [[512]], [[512, 0]], "1"]),
    ("root", "gradient_clipping", [0, 1, 1.0], [-0.1, "1"]),
    ("root", "warmup_steps", [0, 100], [-1]),
    ("root", "lr_scheduler", ["constant", "linear", "cosine"], ["Cosine", "polynomial"]),
    ("root", "huber_delta", [0.1], [0, -1]),
    ("root", "smooth_l1_beta", [0, 0.1], [-0.1]),
    ("root", "uncond_fraction", [0, 0.1, 1], [1.1, -0.1]),
    ("root", "save_dtype", ["bfloat16", "float8", "float8_e5m2"], ["bf16", "fp8", "torch.bfloat16"]),
    ("root", "checkpoint_every_n_minutes", [0.5, 120], [0]),
    ("root", "eval_every_n_steps", [0, 5], [-1]),
    ("root", "partition_method", ["parameters", "uniform", "manual", "type:^Block$"], ["profile", "type:", "type:a:b"]),
    ("root", "partition_split", [[], [10, 20]], [[0], [5.0], 10]),
    ("root", "activation_checkpointing", [True, False, "unsloth"], ["true", 1, "Unsloth"]),
    ("root", "video_clip_mode", ["single_beginning", "single_middle"], ["multiple_overlapping"]),
    ("root", "eval_datasets", [[{"name": "a", "config": "b"}]], [["a.toml"], [{"name": "a"}]]),
    ("adapter", "type", ["lora", "lokr"], ["loha", "LoRA"]),
    ("adapter", "rank", [1, 1000000], [0, 32.0, "32"]),
    ("adapter", "dropout", [0, 0.5], [1, -0.1]),
    ("adapter", "decompose_factor", [-1, 4], [0, -2, 4.0]),
    ("adapter", "exclude_modules", ["x.*", ["a", "b"]], [1, [1]]),
    ("adapter", "fuse_adapters", [[], [{"path": "x", "weight": 1}]], [["x"], [{"weight": 1}], [{"path": 1}]]),
    ("optimizer", "betas", [[0.9, 0.99], [0.9, 0.99, 0.999]], [[0.9], [0.9, 1.5], [0.9, "0.99"], 0.9]),
    ("optimizer", "lr", [1, 2e-5], [-1, "2e-5"]),
    ("optimizer", "beta2_half_life", [100], [0]),
    ("dataset", "resolutions", [[512], [512.5, 768], [[1280, 720]]], [[], [0], 512, [[1280]], [512, [512, 512]]]),
    ("dataset", "ar_buckets", [[1.0, 1.5], [[512, 512], [448, 576]]], [[], [0], [[1, 2, 3]]]),
    ("dataset", "min_ar", [0.5, 1], [0]),
    ("dataset", "num_ar_buckets", [1, 7], [0, 7.0]),
    ("dataset", "frame_buckets", [[1, 33], []], [[0], [33.0], 33]),
    ("dataset", "size_buckets", [[[512, 512, 33]]], [[], [[512, 512]], [[512, 512, 0]]]),
    ("dataset", "num_repeats", [1, 0.5], [0, -1]),
    ("dataset", "cache_shuffle_num", [0, 3], [-1]),
    ("dataset", "cache_shuffle_delimiter", [", ", "\n"], [""]),
    ("dataset", "subsample_ratio", [0.1, 1], [0, 1.1]),
]


@pytest.mark.parametrize(("table", "key", "good", "bad"), FITTING, ids=lambda v: v if isinstance(v, str) else "")
def test_what_the_trainer_takes(table: str, key: str, good: list[Any], bad: list[Any]) -> None:
    schema, document = field(table, key), TABLES[table][1]
    assert [v for v in good if not accepts(schema, v, document)] == []
    assert [v for v in bad if accepts(schema, v, document)] == []


@pytest.mark.parametrize("key", AT_LEAST_ONE.split())
def test_what_the_trainer_divides_by_or_counts_to(key: str) -> None:
    assert accepts(field("root", key), 1)
    assert not accepts(field("root", key), 0)


def test_optimizers_that_take_other_values_than_most() -> None:
    two, three = [0.9, 0.99], [0.9, 0.99, 0.999]
    for name in ("adamw", "adamw_optimi", "Prodigy", "Lion"):
        assert accepts(argument(name, "betas"), two)
        assert not accepts(argument(name, "betas"), three)
        assert not accepts(argument(name, "betas"), [0.9, 1.0])
    for name in ("CAME", "Adan", "AdEMAMix", "AdamG"):
        assert accepts(argument(name, "betas"), three)
        assert not accepts(argument(name, "betas"), two)
    assert accepts(argument("genericoptim", "betas"), [0.9, 1.0])
    assert not accepts(argument("genericoptim", "betas"), [1.0, 0.9])
    assert not accepts(argument("adamw8bit", "amsgrad"), True)
    assert not accepts(argument("adamw8bit", "optim_bits"), 8)
    assert OPTIMIZERS["adamw_optimi"]["required"] == OPTIMIZERS["stableadamw"]["required"] == ["lr"]
    assert not {n for n in ("DeMo", "Magma", "Adam", *BUILTIN) if "x-swallows-unknown" in OPTIMIZERS[n]}
    assert OPTIMIZERS["Lion"]["x-swallows-unknown"] is True


def test_whole_documents() -> None:
    train = {
        "output_dir": "/out",
        "dataset": "/d.toml",
        "epochs": 2,
        "save_every_n_epochs": 1,
        "model": {"type": "wan", "dtype": "bfloat16", "ckpt_path": "/m"},
        "adapter": {"type": "lora", "rank": 32},
        "optimizer": {"type": "adamw_optimi", "lr": 2e-5, "betas": [0.9, 0.99], "kahan_sum": True},
    }
    dataset = {"resolutions": [512], "directory": [{"path": "/d", "num_repeats": 5}]}
    for schema, document, required in ((TRAIN, train, REQUIRED["root"]), (DATASET, dataset, REQUIRED["dataset"])):
        validator = strict_validator(schema)
        assert validator.is_valid(document)
        assert not validator.is_valid({**document, "unheard_of": 1})
        for key in required.split():
            assert not validator.is_valid({k: v for k, v in document.items() if k != key})
