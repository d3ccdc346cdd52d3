"""Finding model specs: shipped ones, and those of the user's own folders, good and broken."""

from __future__ import annotations

import json
import shutil
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import Diagnostic
from dpcompile.resources import DataDirs
from dpcompile.spec import ROOT_SPEC

DIRS = DataDirs.default()
SHIPPED = Catalogue()
MODELS = [name for name, spec, _ in SHIPPED.all() if spec]
ABSTRACT = [name for name in SHIPPED.names() if name not in MODELS]

NEW = """\
name: brand_new
title: Brand New
aliases: [bn-1]
toml_type: unheard_of
media: {images: true, videos: true, frame_rate: 24, frame_rule: {multiple: 8, offset: 1}}
capabilities: {lora: true, lokr: false, full_finetune: true, float8: true}
fields:
  weights: {type: string, format: path, required: true, description: The weights.}
  sparkle: {type: number, minimum: 0, description: How much it sparkles.}
paths:
  weights: brand_new/weights.safetensors
sources:
  - {to: brand_new, repo: someone/brand-new, files: ["*.safetensors"], confidence: inferred, evidence: A guess.}
defaults:
  root: {epochs: 7}
  model: {sparkle: 0.25}
  dataset: {frame_buckets: [1, 33]}
"""
ON_SDXL = "name: mine\ntitle: Mine\nextends: sdxl\n"

Own = Callable[..., Catalogue]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A catalogue with a folder of one's own: `own(mine="…", **{"sub/other.yml": "…"})`."""

    def make(**files: str) -> Catalogue:
        for name, text in files.items():
            path = tmp_path / (name if "." in name else f"{name}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return Catalogue(folders=[tmp_path])

    return make


def compiled(catalogue: Catalogue, model: str, **training: Any) -> CompileResult:
    job = {
        "model_type": model,
        "dataset": {"type": "images", "images_url": "https://example.com/photos.zip"},
        "training": training,
    }
    return compile_job(json.dumps(job), file="job.json", catalogue=catalogue)


def train_toml(result: CompileResult) -> dict[str, Any]:
    assert result.ok, result.diagnostics
    return tomllib.loads(next(f.text for f in result.files if f.name == "train.toml"))


def told(found: tuple[Diagnostic, ...]) -> list[tuple[str, str, str]]:
    """Code, severity and file name of each finding."""
    return [(d.code, d.severity, Path(d.file or "").name) for d in found]


# ---- shipped specs


def test_shipped_models_are_there_and_nothing_is_wrong_with_them() -> None:
    assert {"flux", "sdxl", "wan13", "wan14b_t2v", "wan14b_i2v", "qwen", "z_image_turbo"} <= set(MODELS)
    assert SHIPPED.problems() == ()
    assert [found for _, _, found in SHIPPED.all() if found] == []


def test_names_hold_abstract_specs_too_but_models_do_not() -> None:
    assert ROOT_SPEC in ABSTRACT
    assert set(SHIPPED.names()) == {*MODELS, *ABSTRACT}
    assert list(SHIPPED.names()) == sorted(SHIPPED.names())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_found_by_its_name_in_any_case_and_by_each_alias(name: str) -> None:
    spec = SHIPPED.find(name)

    assert spec is not None
    assert spec.name == name
    assert spec.chain[0].name == ROOT_SPEC
    assert spec.chain[-1].name == name
    for word in (name.upper(), *spec.aliases, *(alias.upper() for alias in spec.aliases)):
        assert SHIPPED.find(word) is spec


@pytest.mark.parametrize("name", ABSTRACT)
def test_an_abstract_spec_is_no_model_and_nothing_is_wrong_with_it(name: str) -> None:
    assert SHIPPED.find(name) is None
    assert SHIPPED.load(name) == (None, ())
    message, hint = SHIPPED.unknown_model(name)
    assert "cannot be trained" in message
    assert any(model in hint for model in MODELS)


def test_an_abstract_spec_is_told_with_the_models_that_extend_it() -> None:
    specs = (SHIPPED.find(name) for name in MODELS)
    wan = {spec.name for spec in specs if spec and "wan_family" in [link.name for link in spec.chain]}

    hint = SHIPPED.unknown_model("wan_family")[1]

    assert "wan13" in wan
    assert set(hint.removeprefix("Models that extend it: ").removesuffix(".").replace(" and ", ", ").split(", ")) == wan


def test_an_unknown_model_is_told_with_what_looks_alike() -> None:
    message, hint = SHIPPED.unknown_model("quen")

    assert message == 'there is no model "quen"'
    assert hint.startswith('Did you mean "qwen"')
    assert hint.endswith(f"`dpcompile models` lists all {len(MODELS)}.")


def test_a_model_with_two_names_alike_is_proposed_once() -> None:
    assert SHIPPED.unknown_model("flux2")[1].startswith('Did you mean "flux2_dev"? ')


def test_an_unknown_model_that_is_like_no_other_is_told_with_all_there_are() -> None:
    assert all(model in SHIPPED.unknown_model("stable_cascade_9")[1] for model in MODELS)


@pytest.mark.parametrize("name", ["", "no_such_model", "flux.yaml", "../flux", "flux/flux"])
def test_what_is_no_name_is_not_found(name: str) -> None:
    assert SHIPPED.find(name) is None
    with pytest.raises(KeyError):
        SHIPPED.load(name)


def test_a_spec_is_built_once() -> None:
    assert SHIPPED.load("flux")[0] is SHIPPED.load("flux")[0]


def test_shipped_files_are_called_the_same_on_every_machine() -> None:
    spec = SHIPPED.find("wan13")
    assert spec is not None
    assert [link.file for link in spec.chain][0::2] == ["model_specs/base.yaml", "model_specs/wan/wan_family.yaml"]


def test_every_key_of_every_model_type_is_known() -> None:
    keys = SHIPPED.model_keys()

    assert "wan" in keys["ckpt_path"]
    assert "flux" not in keys["ckpt_path"]
    assert {"flux", "qwen_image"} <= keys["diffusers_path"]
    assert len(keys["dtype"]) == len({spec.toml_type for _, spec, _ in SHIPPED.all() if spec})


def test_settings_of_other_trainers_are_known() -> None:
    assert SHIPPED.foreign_keys()["scheduler"].keys() == {"of", "remedy"}


# ---- a model is one file


def test_a_new_file_is_a_model_at_once_with_a_type_and_fields_nobody_heard_of(own: Own) -> None:
    result = compiled(own(brand_new=NEW), "brand_new")

    assert result.diagnostics == ()
    train = train_toml(result)
    assert train["model"] == {
        "type": "unheard_of",
        "dtype": "bfloat16",
        "weights": "/runpod-volume/diffusion_pipe_working_folder/models/brand_new/weights.safetensors",
        "sparkle": 0.25,
    }
    assert train["epochs"] == 7
    assert train["micro_batch_size_per_gpu"] == 1
    assert result.plan is not None
    [download] = [step.args["repo"] for step in result.plan.steps if step.kind == "download"]
    assert download == "someone/brand-new"


def test_its_fields_are_settings_of_jobs(own: Own) -> None:
    catalogue = own(brand_new=NEW)

    assert train_toml(compiled(catalogue, "bn-1", sparkle=0.5))["model"]["sparkle"] == 0.5
    assert told(compiled(catalogue, "brand_new", sparkle=-1).diagnostics) == [("DPC205", "error", "job.json")]
    [unknown] = compiled(catalogue, "brand_new", sparkl=1).diagnostics
    assert '"sparkle"' in unknown.hint


def test_its_alias_is_found(own: Own) -> None:
    catalogue = own(brand_new=NEW)
    assert catalogue.find("BN-1") is catalogue.find("brand_new")


def test_a_spec_extends_a_shipped_model_and_says_only_what_differs(own: Own) -> None:
    text = ON_SDXL + "paths: {checkpoint_path: /models/mine.safetensors}\ndefaults: {adapter: {rank: 8}}\n"

    train = train_toml(compiled(own(mine=text), "mine"))

    assert train["model"]["checkpoint_path"] == "/models/mine.safetensors"
    assert train["model"]["type"] == "sdxl"
    assert train["adapter"]["rank"] == 8


def test_a_spec_extends_an_abstract_family(own: Own) -> None:
    text = "name: mine\ntitle: Mine\nextends: wan14b_family\npaths: {ckpt_path: my/wan}\n"

    train = train_toml(compiled(own(mine=text), "mine"))

    assert train["model"]["type"] == "wan"
    assert train["model"]["ckpt_path"].endswith("/models/my/wan")


def test_a_spec_extends_one_of_the_users_own_wherever_it_lies(own: Own) -> None:
    parent = "name: my_family\ntitle: Family\nabstract: true\nextends: sdxl\ndefaults: {root: {epochs: 3}}\n"
    child = "name: mine\ntitle: Mine\nextends: my_family\n"
    catalogue = own(**{"deep/er/family.yml": parent, "MINE.YAML": child})

    assert train_toml(compiled(catalogue, "mine"))["epochs"] == 3
    [asked] = compiled(catalogue, "my_family").diagnostics
    assert (asked.code, asked.hint) == ("DPC206", "Models that extend it: mine.")


def test_null_takes_away_what_was_inherited(own: Own) -> None:
    text = ON_SDXL + "defaults: {root: {warmup_steps: null}, optimizer: {betas: null}}\npresets: {v_prediction: null}\n"
    catalogue = own(mine=text)

    train = train_toml(compiled(catalogue, "mine"))

    assert "warmup_steps" not in train
    assert "betas" not in train["optimizer"]
    spec = catalogue.find("mine")
    assert spec is not None
    assert spec.presets == {}


def test_null_for_what_nobody_set_does_no_harm(own: Own) -> None:
    text = NEW.replace("fields:\n", "fields:\n  shimmer: null\n") + "unread: {shift: null}\nnames: {glow: null}\n"
    assert compiled(own(brand_new=text), "brand_new").ok


def test_a_preset_of_ones_own_is_a_preset(own: Own) -> None:
    preset = "presets: {quick: {title: Quick, description: Quick., values: {root: {epochs: 1}}}}\n"
    job = {"model_type": "mine", "preset": "quick", "dataset": {"type": "images", "images_url": "/data"}}

    assert train_toml(compile_job(job, catalogue=own(mine=ON_SDXL + preset)))["epochs"] == 1


def test_a_name_goes_before_an_alias(own: Own) -> None:
    catalogue = own(mine=ON_SDXL.replace("name: mine", "name: flux-dev"))

    spec = catalogue.find("flux-dev")

    assert spec is not None
    assert spec.toml_type == "sdxl"


def test_several_folders_are_one_catalogue_and_each_file_counts_once(tmp_path: Path) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "spec.yaml").write_text(ON_SDXL.replace("mine", name), encoding="utf-8")
    again = tmp_path / "a" / ".." / "b"

    catalogue = Catalogue(folders=[tmp_path, tmp_path / "a", tmp_path / "b", again])

    assert {"one", "two"} <= set(catalogue.names())
    assert catalogue.problems() == ()


def test_the_shipped_folder_may_be_named_as_ones_own() -> None:
    catalogue = Catalogue(folders=[DIRS.specs])

    assert catalogue.problems() == ()
    assert compiled(catalogue, "flux").ok


# ---- what can be wrong with a file


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        pytest.param("name: mine\ntitle: [\n", "DPC301", 3, id="broken"),
        pytest.param("name: mine\n\ttitle: x\n", "DPC301", 2, id="tab"),
        pytest.param("", "DPC103", None, id="empty"),
        pytest.param("# nothing\n", "DPC103", None, id="comments only"),
        pytest.param("- name: mine\n", "DPC111", None, id="list"),
        pytest.param("name: mine\ntitle: a\ntitle: b\n", "DPC307", 3, id="key twice"),
        pytest.param("title: Mine\n", "DPC302", 1, id="no name"),
        pytest.param("name: Mine\ntitle: Mine\n", "DPC302", 1, id="name in capitals"),
        pytest.param("name: 4\ntitle: Mine\n", "DPC302", 1, id="name is a number"),
        pytest.param(ON_SDXL + "defalts: {}\n", "DPC302", 4, id="unknown part"),
        pytest.param(ON_SDXL + "defaults:\n  roots: {}\n", "DPC302", 5, id="unknown table"),
        pytest.param(ON_SDXL + "aliases: mine2\n", "DPC302", 4, id="alias no list"),
        pytest.param(ON_SDXL + "fields: {a: {type: float}}\n", "DPC302", 4, id="unknown type"),
        pytest.param(ON_SDXL + "names: {a: optimizer}\n", "DPC302", 4, id="name without table"),
        pytest.param(ON_SDXL + "sources: [{to: a, repo: b/c}]\n", "DPC302", 4, id="source without files"),
        pytest.param(ON_SDXL + "sources: [{to: ../a, repo: b/c, file: d}]\n", "DPC302", 4, id="source escapes"),
        pytest.param(ON_SDXL + "presets:\n  P: {}\n", "DPC302", 4, id="preset in capitals"),
        pytest.param(ON_SDXL.replace("sdxl", "mine"), "DPC304", 3, id="extends itself"),
        pytest.param(ON_SDXL.replace("sdxl", "sdxll"), "DPC304", 3, id="extends nothing"),
        pytest.param(ON_SDXL + "defaults:\n  root:\n    epocs: 3\n", "DPC305", 6, id="no such key"),
        pytest.param(ON_SDXL + "defaults:\n  model:\n    v_pred: 'yes'\n", "DPC305", 6, id="value of another type"),
        pytest.param(ON_SDXL + "fields:\n  a: {pattern: '[', description: x}\n", "DPC305", 5, id="pattern"),
        pytest.param(ON_SDXL + "names:\n  glow: model.glow\n", "DPC305", 5, id="name leads nowhere"),
        pytest.param("name: mine\ntitle: Mine\n", "DPC306", 1, id="not complete"),
        pytest.param(ON_SDXL + "paths: {checkpoint_path: null}\n", "DPC306", 1, id="a path is needed"),
    ],
)
def test_a_broken_spec_that_the_job_uses_is_an_error_at_its_own_line(
    own: Own, text: str, code: str, line: int | None
) -> None:
    result = compiled(own(mine=text), "mine")

    assert not result.ok
    found = [d for d in result.diagnostics if d.code == code]
    assert found
    assert {(d.severity, Path(d.file or "").name) for d in found} == {("error", "mine.yaml")}
    assert line is None or found[0].line == line
    assert all(d.column for d in found if d.line)


@pytest.mark.parametrize(
    "text",
    [
        "name: mine\ntitle: [\n",
        "",
        ON_SDXL + "defalts: {}\n",
        ON_SDXL.replace("sdxl", "mine"),
        ON_SDXL.replace("sdxl", "sdxll"),
        ON_SDXL + "defaults: {root: {epocs: 3}}\n",
        "name: mine\ntitle: Mine\n",
    ],
)
def test_a_broken_spec_that_the_job_does_not_use_is_a_warning(own: Own, text: str) -> None:
    result = compiled(own(mine=text), "sdxl")

    assert result.ok
    assert result.diagnostics
    assert {(d.severity, Path(d.file or "").name) for d in result.diagnostics} == {("warning", "mine.yaml")}


def test_a_broken_spec_hides_no_good_one(own: Own) -> None:
    result = compiled(own(brand_new=NEW, broken="name: ["), "brand_new")

    assert result.ok
    assert {severity for _, severity, _ in told(result.diagnostics)} == {"warning"}


def test_an_unknown_model_is_told_beside_broken_specs(own: Own) -> None:
    # The model may be in the broken file, or misspelt: both are said.
    codes = [d.code for d in compiled(own(broken="name: ["), "flx").diagnostics]

    assert "DPC206" in codes
    assert "DPC301" in codes


def test_a_spec_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()

    [found] = Catalogue(folders=[tmp_path]).problems()

    assert (found.code, found.severity) == ("DPC301", "error")


def test_a_spec_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes("name: müne".encode("latin-1"))

    assert told(Catalogue(folders=[tmp_path]).problems()) == [("DPC102", "error", "mine.yaml")]


def test_other_files_in_the_folder_are_left_alone(own: Own) -> None:
    assert own(**{"README.md": "{", "job.json": "{", "notes.txt": ": :"}).problems() == ()


# ---- names that are taken


def test_a_name_of_a_shipped_spec_is_taken_and_stops_the_job(own: Own) -> None:
    result = compiled(own(mine=ON_SDXL.replace("name: mine", "name: flux")), "flux")

    assert told(result.diagnostics) == [("DPC303", "error", "mine.yaml")]
    assert "model_specs/flux/flux.yaml" in result.diagnostics[0].message
    assert "extends: flux" in result.diagnostics[0].hint


def test_a_name_that_two_own_specs_have_is_told_at_the_second(own: Own) -> None:
    catalogue = own(a=ON_SDXL, b=ON_SDXL)

    [found] = catalogue.problems()

    assert (found.code, Path(found.file or "").name, found.path, found.line) == ("DPC303", "b.yaml", "/name", 1)
    assert "a.yaml" in found.message
    assert not compiled(catalogue, "mine").ok


@pytest.mark.parametrize("alias", ["flux", "flux-dev", "base", "brand_new", "bn-1"])
def test_an_alias_that_another_spec_has_is_told_at_its_place(own: Own, alias: str) -> None:
    catalogue = own(brand_new=NEW, mine=ON_SDXL + f"aliases: [fine, {alias}]\n")

    [found] = catalogue.problems()

    assert (found.code, found.path, Path(found.file or "").name) == ("DPC303", "/aliases/1", "mine.yaml")
    assert f'"{alias}"' in found.message


# ---- extends


def test_a_circle_is_told_with_all_that_are_in_it(own: Own) -> None:
    catalogue = own(
        a="name: a\ntitle: A\nextends: b\n", b="name: b\ntitle: B\nextends: c\n", c="name: c\ntitle: C\nextends: a\n"
    )

    found = catalogue.load("a")[1]

    assert told(found) == [("DPC304", "error", "c.yaml")]
    assert "a -> b -> c -> a" in found[0].message
    assert {d.code for d in catalogue.problems()} == {"DPC304"}


def test_extending_an_unknown_spec_is_told_with_what_looks_alike(own: Own) -> None:
    [found] = own(mine=ON_SDXL.replace("sdxl", "wan_familiy")).problems()

    assert (found.code, found.path) == ("DPC304", "/extends")
    assert '"wan_familiy"' in found.message
    assert '"wan_family"' in found.hint


def test_a_mistake_in_a_spec_that_others_extend_is_told_once(own: Own) -> None:
    catalogue = own(
        parent=ON_SDXL.replace("mine", "parent") + "defaults: {root: {epocs: 3}}\n",
        one="name: one\ntitle: One\nextends: parent\n",
        two="name: two\ntitle: Two\nextends: parent\n",
    )

    assert told(catalogue.problems()) == [("DPC305", "error", "parent.yaml")]
    assert told(compiled(catalogue, "one").diagnostics) == [("DPC305", "error", "parent.yaml")]
    assert told(compiled(catalogue, "flux").diagnostics) == [("DPC305", "warning", "parent.yaml")]


# ---- the folder itself


def test_a_folder_that_does_not_exist_is_told_by_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    [found] = Catalogue(folders=[missing]).problems()

    assert (found.code, found.severity, found.file) == ("DPC308", "error", str(missing))
    assert "does not exist" in found.message
    assert "--specs" in found.hint


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(ON_SDXL, encoding="utf-8")

    [found] = Catalogue(folders=[file]).problems()

    assert found.code == "DPC308"
    assert "not a folder" in found.message


def test_an_empty_folder_is_no_mistake(tmp_path: Path) -> None:
    assert Catalogue(folders=[tmp_path]).problems() == ()


# ---- the texts of files


def test_texts_are_known_by_the_names_that_findings_give(own: Own) -> None:
    catalogue = own(mine=ON_SDXL)
    spec = catalogue.find("mine")
    assert spec is not None

    assert catalogue.text_of(spec.chain[-1].file) == ON_SDXL
    assert catalogue.text_of("model_specs/base.yaml") == (DIRS.specs / "base.yaml").read_text("utf-8")
    assert catalogue.text_of("model_specs/flux/flux.yaml") is None
    assert catalogue.text_of("job.json") is None


# ---- defaults live in the specs only

Leaf = tuple[tuple[str, ...], object]


def leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


BASE: dict[str, Any] = yaml.safe_load((DIRS.specs / "base.yaml").read_text("utf-8"))
OTHER_CHOICES = {
    "partition_method": "uniform",
    "video_clip_mode": "multiple_overlapping",
    "missing_caption": "skip",
    "method": "volume",
    "dtype": "float32",
    "save_dtype": "float32",
}
ONLY_CHOICE = {("defaults", "job", "captioning", kind, "captioner") for kind in ("images", "videos")}
"""Defaults of fields that take no other value."""
DEFAULTS = [
    leaf
    for block in ("defaults", "defaults_with_eval")
    for leaf in leaves(BASE[block], (block,))
    if leaf[0] not in ONLY_CHOICE
]


def another(path: tuple[str, ...], value: object) -> object:
    """A valid value other than the default."""
    if path[-2:] == ("adapter", "type"):
        return "lokr"
    if path[-2:] == ("optimizer", "type"):
        return "stableadamw"
    match value:
        case bool():
            return not value
        case int():
            return value * 2
        case float():
            return value / 2
        case list():
            return [another(path, item) for item in value]
    return OTHER_CHOICES.get(path[-1], f"another {path[-1]}")


def everything_that_comes_out(dirs: DataDirs, sets: tuple[str, ...] = ()) -> str:
    """Plan and files of a job that says no more than it must, and of one that evaluates on other data."""
    data = {"type": "both", "images_url": "/data/images", "videos_url": "/data/videos"}
    catalogue = Catalogue(dirs)
    texts = []
    for dataset in (data, {**data, "eval": {"images_url": "/data/eval"}}):
        result = compile_job({"model_type": "wan13", "dataset": dataset}, catalogue=catalogue, sets=sets)
        assert result.plan is not None, result.diagnostics
        texts.append(json.dumps(result.plan.to_json()))
    return "\n".join(texts)


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Leaf], DataDirs]:
    """A copy of the shipped specs in which one leaf of base.yaml has another value."""
    specs = tmp_path_factory.mktemp("specs") / "model_specs"
    shutil.copytree(DIRS.specs, specs)

    def change(leaf: Leaf) -> DataDirs:
        changed = json.loads(json.dumps(BASE))
        (*above, last), value = leaf
        node = changed
        for part in above:
            node = node[part]
        node[last] = value
        (specs / "base.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
        return replace(DIRS, specs=specs)

    return change


@pytest.mark.parametrize("leaf", DEFAULTS, ids=lambda leaf: ".".join(leaf[0]))
def test_every_default_comes_from_the_spec_alone(leaf: Leaf, change: Callable[[Leaf], DataDirs]) -> None:
    path, value = leaf
    # Two GPUs, so that two pipeline stages can be made.
    sets = ("launch.num_gpus=2",) if path[-1] == "pipeline_stages" else ()
    usual = everything_that_comes_out(change(leaf), sets)

    assert everything_that_comes_out(change((path, another(path, value))), sets) != usual


def test_the_schema_of_jobs_has_no_defaults() -> None:
    schema = json.loads((DIRS.schemas / "job.schema.json").read_text("utf-8"))

    def keywords(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            # Below `properties` stand names of fields, not keywords.
            for key, value in node.items():
                if key in ("properties", "$defs"):
                    yield from (word for inner in value.values() for word in keywords(inner))
                else:
                    yield key
                    yield from keywords(value)
        elif isinstance(node, list):
            yield from (word for inner in node for word in keywords(inner))

    found = set(keywords(schema))
    assert "description" in found
    assert "default" not in found


def test_defaults_that_are_left_out_above_have_no_other_value() -> None:
    schema = json.loads((DIRS.schemas / "job.schema.json").read_text("utf-8"))
    for path in ONLY_CHOICE:
        section = schema["$defs"]["captioning"]["properties"][path[3]]
        assert len(section["properties"][path[4]]["enum"]) == 1
