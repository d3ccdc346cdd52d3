"""The table of other trainers' settings: its form, no name of ours in it, and only names of ours in its remedies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from dpcompile.resources import DataDirs
from dpcompile.trainer import SCOPES, Field, TrainerKeys, load_trainer

DIRS = DataDirs.default()
TEXT = (DIRS.schemas / "foreign_keys.yaml").read_text("utf-8")
TABLE: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)
TABLES = frozenset(SCOPES) - {"root"}
TOOLS = frozenset(
    {
        "DiffSynth-Studio",
        "Diffusers' example scripts",
        "Hugging Face Trainer",
        "OneTrainer",
        "Replicate's flux-fine-tuner",
        "SimpleTuner",
        "ai-toolkit",
        "axolotl",
        "fal trainers",
        "kohya sd-scripts",
        "musubi-tuner",
        "older diffusion-pipe",
        "other trainers",
    }
)

VALUES = frozenset({"logit_normal", "single_beginning", "single_middle", "flux_shift", "qwen_image"})
"""Words with underscores that are values, or other trainers' words, and so stand without backticks."""

each_entry = pytest.mark.parametrize(("name", "entry"), TABLE.items(), ids=TABLE.keys())


@pytest.fixture(scope="module")
def trainer() -> TrainerKeys:
    return load_trainer(DIRS)


@pytest.fixture(scope="module")
def specs() -> list[Mapping[str, Any]]:
    return [yaml.safe_load(path.read_text("utf-8")) for path in sorted(DIRS.specs.rglob("*.yaml"))]


@pytest.fixture(scope="module")
def scopes(trainer: TrainerKeys, specs: list[Mapping[str, Any]]) -> Mapping[str, frozenset[str]]:
    """The keys of each scope that a job may set, the `[model]` keys of all model types together."""
    known = {scope: {n for n, field in trainer.scopes[scope].items() if settable(field)} for scope in SCOPES}
    known["model"] |= {name for spec in specs for name, field in spec.get("fields", {}).items() if field}
    return {scope: frozenset(names) for scope, names in known.items()}


@pytest.fixture(scope="module")
def friendly(specs: list[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(n for spec in specs for block in ("names", "aliases_of_names") for n in spec.get(block, {}))


@pytest.fixture(scope="module")
def job_fields() -> frozenset[str]:
    """The job's own fields, written with dots; those inside `training` are not among them."""
    schema = json.loads((DIRS.schemas / "job.schema.json").read_text("utf-8"))
    return frozenset(n for n in fields_of(schema, schema["$defs"]) if not n.startswith("training"))


def settable(field: Field) -> bool:
    return not field.owned and not field.dead


def fields_of(schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    schema = {**schema, **defs.get(schema.get("$ref", "").removeprefix("#/$defs/"), {})}
    for name, inner in schema.get("properties", {}).items():
        yield prefix + name
        yield from fields_of(inner, defs, f"{prefix}{name}.")


def test_no_name_stands_there_twice() -> None:
    node = yaml.compose(TEXT, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    names = [key.value for key, _ in node.value]
    assert sorted(names) == sorted(set(names))


def test_the_file_is_ascii() -> None:
    assert TEXT.isascii()


@each_entry
def test_entry_has_its_form(name: str, entry: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert entry.keys() == {"of", "remedy"}
    assert entry["of"]
    assert len(entry["of"]) == len(set(entry["of"]))
    assert set(entry["of"]) <= TOOLS
    assert re.fullmatch(r"[A-Z].*\.", entry["remedy"])
    assert "  " not in entry["remedy"]


@each_entry
def test_name_is_not_one_that_jobs_accept(
    name: str, entry: dict[str, Any], trainer: TrainerKeys, specs: list[Mapping[str, Any]], friendly: frozenset[str]
) -> None:
    # Owned and dead keys too: each has a finding of its own, which says more.
    read = [str(scope) for scope in SCOPES if name in trainer.scopes[scope]]
    read += [f"[model] of {spec['name']}" for spec in specs if name in spec.get("fields", {})]
    assert read == []
    assert not trainer.takes_argument(name), "an argument of some optimizer"
    assert name not in friendly
    assert name not in {*SCOPES, "passthrough"}


@each_entry
def test_remedy_names_what_exists(
    name: str,
    entry: dict[str, Any],
    scopes: Mapping[str, frozenset[str]],
    friendly: frozenset[str],
    job_fields: frozenset[str],
) -> None:
    outside, inside = entry["remedy"].split("`")[::2], entry["remedy"].split("`")[1::2]
    assert len(outside) == len(inside) + 1, "a backtick is missing"
    unknown = [n for n in inside if not exists(n, scopes, friendly, job_fields)]
    assert unknown == []
    # Names of ours that forgot their backticks would escape the check above.
    bare = {w for text in outside for w in re.findall(r"\b[a-z]+(?:[_.][a-z0-9_]+)+\b", text)}
    assert bare <= VALUES


def exists(
    mentioned: str,
    scopes: Mapping[str, frozenset[str]],
    friendly: frozenset[str],
    job_fields: frozenset[str],
) -> bool:
    """Whether someone who writes the name as it stands there is understood, and in one way only."""
    if mentioned in job_fields or mentioned in friendly or mentioned in TABLES:
        return True
    table, dot, key = mentioned.partition(".")
    if dot:
        return table in TABLES and key in scopes[table]
    homes = [scope for scope in SCOPES if mentioned in scopes[scope]]
    return len(homes) == 1


@pytest.mark.parametrize(
    "wrong", ["save_precision", "adapter.alpha", "model.type", "root.epochs", "output.token", "type"]
)
def test_the_check_of_names_finds_wrong_ones(
    wrong: str, scopes: Mapping[str, frozenset[str]], friendly: frozenset[str], job_fields: frozenset[str]
) -> None:
    assert not exists(wrong, scopes, friendly, job_fields)


@pytest.mark.parametrize(
    "right",
    ["launch.resume", "save_dtype", "learning_rate", "optimizer.gradient_release", "adapter", "guidance", "steps"],
)
def test_the_check_of_names_knows_right_ones(
    right: str, scopes: Mapping[str, frozenset[str]], friendly: frozenset[str], job_fields: frozenset[str]
) -> None:
    assert exists(right, scopes, friendly, job_fields)


def test_it_knows_what_published_configs_hold() -> None:
    """The keys and tables of other trainers that were counted in published diffusion-pipe configs."""
    seen = (
        "scheduler training save deepspeed output timestep_start timestep_end caption_extension caption_ext "
        "target_frames frame_extraction mixed_precision cache_latents random_flip datasets"
    )
    assert set(seen.split()) - TABLE.keys() == set()
