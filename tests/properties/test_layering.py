"""The strongest layer that speaks wins, says what it shadowed, and every value knows where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.keypath import KeyPath, parse_pointer
from dpcompile.resolve import PRECEDENCE, Assignment, Layer, Origin, ResolvedConfig, Setting, layered
from tests.properties.fitting import fits, values
from tests.properties.strategies import (
    CATALOGUE,
    SPECS,
    Drawn,
    Target,
    jobs,
    key_of,
    keys_of,
    models,
    parts_of,
    settable,
    ways,
)
from tests.properties.test_routing import as_written
from tests.properties.trees import at, same

# --- the law, on made-up stacks ---------------------------------------------------------------------------

_KEYS: tuple[KeyPath, ...] = (
    ("train", "epochs"),
    ("train", "adapter", "rank"),
    ("train", "adapter", "dtype"),
    ("train", "optimizer", "lr"),
    ("dataset", "directory", 0, "num_repeats"),
)
_TABLES: tuple[KeyPath, ...] = (("train", "adapter"), ("train", "optimizer"))
layers: st.SearchStrategy[Layer] = st.sampled_from(PRECEDENCE)


@st.composite
def stacks(draw: st.DrawFn) -> list[Assignment]:
    """Assignments in any order, each with a pointer of its own."""
    stack = []
    for number in range(draw(st.integers(0, 14))):
        removed = draw(st.integers(0, 3)) == 0
        key = draw(st.sampled_from((*_KEYS, *_TABLES) if removed else _KEYS))
        origin = Origin(layer=draw(layers), file="x.json", pointer=f"/{number}")
        value = None if removed else draw(st.sampled_from((1, 2, True, "a", [1])))
        stack.append(Assignment(key=key, value=value, origin=origin, removed=removed))
    return stack


def literal(stack: Sequence[Assignment]) -> dict[KeyPath, list[Assignment]]:
    """The law, read aloud: key -> what is said of it since it was last removed, the strongest first."""
    said: dict[KeyPath, list[Assignment]] = {}
    for key in {a.key for a in stack if not a.removed}:
        about_key = [a for a in stack if a.key == key or (a.removed and key[: len(a.key)] == a.key)]
        from_the_strongest = [
            a for layer in reversed(PRECEDENCE) for a in reversed(about_key) if a.origin.layer == layer
        ]
        for statement in from_the_strongest:
            if statement.removed:
                break
            said.setdefault(key, []).append(statement)
    return said


@given(stacks())
def test_layers_follow_the_law(stack: list[Assignment]) -> None:
    expected = literal(stack)
    actual = layered(stack)
    assert actual.keys() == expected.keys()
    for key, (winner, *others) in expected.items():
        assert actual[key] == Setting(value=winner.value, origin=winner.origin, shadowed=tuple(others))


@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_layers_in_the_list_does_not_count(stack: list[Assignment], random: Any) -> None:
    by_layer: dict[Layer, list[Assignment]] = {
        layer: [a for a in stack if a.origin.layer == layer] for layer in PRECEDENCE
    }
    order = list(PRECEDENCE)
    random.shuffle(order)
    assert layered([a for layer in order for a in by_layer[layer]]) == layered(stack)


@given(stacks())
def test_what_is_removed_last_is_absent(stack: list[Assignment]) -> None:
    gone = Assignment(
        key=("train", "adapter"), value=None, origin=Origin(layer="derived", file=None, pointer=""), removed=True
    )
    settings = layered([*stack, gone])
    assert not any(key[:2] == ("train", "adapter") for key in settings)


# --- the law, from end to end ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spec_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs")


# Settings that no other one drops or excludes: what the law says of them is all there is to say.
_WITHOUT_NEIGHBOURS: tuple[Target, ...] = (
    ("root", "epochs"),
    ("root", "warmup_steps"),
    ("root", "caching_batch_size"),
    ("root", "steps_per_print"),
    ("root", "map_num_proc"),
    ("adapter", "rank"),
    ("optimizer", "weight_decay"),
    ("optimizer", "eps"),
    ("dataset", "num_ar_buckets"),
    ("model", "sigmoid_scale"),
)


@given(st.data())
def test_set_beats_job_beats_preset_beats_spec(spec_folder: Path, data: st.DataObject) -> None:
    parent = SPECS[data.draw(models.filter(lambda name: parts_of(SPECS[name]) == ("",)))]
    target = data.draw(st.sampled_from([t for t in _WITHOUT_NEIGHBOURS if t in settable(parent)]))
    scope, name = target
    value = values(settable(parent)[target].schema)
    says: dict[str, Any] = {
        layer: data.draw(value) for layer in data.draw(st.sets(st.sampled_from(("spec", "preset", "job", "set"))))
    }
    spec: dict[str, Any] = {"name": "variant", "title": "Variant", "extends": parent.name}
    if "spec" in says:
        spec["defaults"] = {scope: {name: says["spec"]}}
    spec["presets"] = {
        "mine": {"title": "Mine", "description": "Mine.", "values": {scope: {name: says.get("preset", 1)}}}
    }
    (spec_folder / "variant.yaml").write_text(yaml.safe_dump(spec), "utf-8")
    kind = "images" if parent.media.images else "videos"
    job: dict[str, Any] = {"model_type": "variant", "dataset": {"type": kind, f"{kind}_url": "/data"}, "training": {}}
    if "preset" in says:
        job["preset"] = "mine"
    way = ways(parent, target)[-1]
    if "job" in says:
        job["training"] = {way[0]: says["job"]} if len(way) == 1 else {way[0]: {way[1]: says["job"]}}
    sets = [f"training.{'.'.join(way)}={json.dumps(says['set'])}"] if "set" in says else []
    config = compile_job(job, catalogue=Catalogue(folders=(spec_folder,)), sets=sets).config
    assert config is not None
    told = [layer for layer in ("set", "job", "preset", "spec") if layer in says]
    setting = config.settings.get(key_of(target))
    if told:
        assert setting is not None
        assert same(setting.value, as_written(says[told[0]]))
        assert [setting.origin.layer, *(a.origin.layer for a in setting.shadowed)][: len(told)] == told
        for layer, shadowed in zip(told[1:], setting.shadowed, strict=False):
            assert same(shadowed.value, as_written(says[layer]))


@given(st.data())
def test_null_takes_a_default_away_and_nothing_else(data: st.DataObject) -> None:
    spec = SPECS[data.draw(models)]
    removable = {t: f for t, f in settable(spec).items() if not f.required}
    target = data.draw(st.sampled_from(sorted(removable)))
    way = data.draw(st.sampled_from(ways(spec, target)))
    kind = "images" if spec.media.images else "videos"
    job: dict[str, Any] = {"model_type": spec.name, "dataset": {"type": kind, f"{kind}_url": "/data"}}
    before = compile_job(job, catalogue=CATALOGUE, job_id="j").config
    job["training"] = {way[0]: None} if len(way) == 1 else {way[0]: {way[1]: None}}
    after = compile_job(job, catalogue=CATALOGUE, job_id="j").config
    assert before is not None
    assert after is not None
    gone = keys_of(spec, target)
    untouched = {k: s for k, s in before.settings.items() if k not in gone}
    brought_back = {d.assignment.key for d in before.dropped}
    assert {k: s for k, s in after.settings.items() if k not in brought_back} == untouched
    assert not gone & after.settings.keys()


# --- where values come from ---------------------------------------------------------------------------------


def origin_value(origin: Origin, documents: Mapping[str, Any]) -> Any:
    """What stands at the place that an origin names. Raises LookupError where nothing does."""
    assert origin.file is not None
    return at(documents[origin.file], list(parse_pointer(origin.pointer)))


def spec_documents() -> dict[str, Any]:
    """Every shipped spec by the name that origins give it, read by another reader than the compiler's."""
    folder = CATALOGUE.dirs.specs
    return {
        f"model_specs/{p.relative_to(folder).as_posix()}": yaml.safe_load(p.read_text("utf-8"))
        for p in folder.rglob("*.yaml")
    }


SPEC_DOCUMENTS = spec_documents()


def assert_provenance(config: ResolvedConfig, documents: Mapping[str, Any]) -> None:
    for key, setting in config.settings.items():
        if setting.origin.layer == "derived":
            if setting.origin.file is not None:
                origin_value(setting.origin, documents)
            continue
        said_of_it: list[Setting | Assignment] = [setting, *setting.shadowed]
        for said in said_of_it:
            if said.origin.layer != "derived":
                assert_made_from(key, said.value, origin_value(said.origin, documents), said.origin)


def assert_made_from(key: KeyPath, value: Any, written: Any, origin: Origin) -> None:
    if key[-1] == "skip_empty_caption" and isinstance(written, str):
        assert value is (written != "empty")
    elif "/paths/" in origin.pointer:
        assert same_or_below_models(value, written), (key, value, written)
    else:
        assert same(value, as_written(written)) or same(value, [written]) or same(value, written), (key, value, written)


def same_or_below_models(value: Any, written: Any) -> bool:
    if isinstance(written, str):
        return bool(value == written or str(value).endswith(f"/models/{written}"))
    if isinstance(written, list):
        return len(value) == len(written) and all(map(same_or_below_models, value, written))
    return all(same_or_below_models(value[k], v) for k, v in written.items())


def result_of(document: Any, sets: Sequence[str] = ()) -> CompileResult:
    return compile_job(document, catalogue=CATALOGUE, sets=sets)


@given(jobs(most_settings=6))
def test_every_origin_names_the_place_of_its_value(drawn: Drawn) -> None:
    config = result_of(drawn.document).config
    assume(config is not None)
    assert config is not None
    assert_provenance(config, {"job.json": drawn.document, **SPEC_DOCUMENTS})


@given(jobs(), st.data())
def test_every_origin_of_set_names_its_place(drawn: Drawn, data: st.DataObject) -> None:
    """--set over a job: the pointers of `--set` resolve in the tree that the texts spell."""
    fields = {t: f for t, f in settable(drawn.spec).items() if t[0] != "directory"}
    tree: dict[str, Any] = {}
    sets = []
    for target in data.draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=3)):
        value = data.draw(values(fields[target].schema))
        way = ways(drawn.spec, target)[-1]
        sets.append(f"training.{'.'.join(way)}={json.dumps(value)}")
        node = tree.setdefault("training", {})
        for part in way[:-1]:
            node = node.setdefault(part, {})
        node[way[-1]] = value
    config = result_of(drawn.document, sets).config
    assume(config is not None)
    assert config is not None
    assert_provenance(config, {"job.json": drawn.document, "--set": tree, **SPEC_DOCUMENTS})


# --- the order of keys ---------------------------------------------------------------------------------------


def reordered(node: Any, random: Any) -> Any:
    """The same tree, its objects' keys in another order."""
    if isinstance(node, list):
        return [reordered(item, random) for item in node]
    if not isinstance(node, dict):
        return node
    items = [(key, reordered(value, random)) for key, value in node.items()]
    random.shuffle(items)
    return dict(items)


@given(jobs(most_settings=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show_in_the_files(drawn: Drawn, random: Any) -> None:
    first = compile_job(drawn.document, catalogue=CATALOGUE)
    second = compile_job(reordered(drawn.document, random), catalogue=CATALOGUE)
    assert first.files == second.files


@given(jobs(most_settings=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show_in_the_plan(drawn: Drawn, random: Any) -> None:
    first = compile_job(drawn.document, catalogue=CATALOGUE).plan
    second = compile_job(reordered(drawn.document, random), catalogue=CATALOGUE).plan
    assert (first and first.id) == (second and second.id)
    assert json.dumps(first and first.to_json()) == json.dumps(second and second.to_json())


@given(jobs(most_settings=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show_in_comments(drawn: Drawn, random: Any) -> None:
    first = compile_job(drawn.document, catalogue=CATALOGUE, comments=True)
    second = compile_job(reordered(drawn.document, random), catalogue=CATALOGUE, comments=True)
    assert first.files == second.files


@pytest.mark.parametrize("order", list(permutations(("decompose_factor", "fuse_adapters", "adapter"))))
def test_a_table_taken_away_is_gone_wherever_in_the_job_that_stands(order: tuple[str, ...]) -> None:
    said = {"decompose_factor": -1, "fuse_adapters": [], "adapter": None}
    document = {
        "model_type": "anima_aesthetic",
        "dataset": {"type": "images", "images_url": "https://example.com/a.zip"},
        "training": {name: said[name] for name in order},
    }

    found = compile_job(document, catalogue=CATALOGUE).diagnostics
    assert {(d.code, d.path) for d in found} == {
        ("DPC212", "/training/decompose_factor"),
        ("DPC212", "/training/fuse_adapters"),
    }


@given(jobs(most_settings=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_show_in_what_is_found(drawn: Drawn, random: Any) -> None:
    """The findings stand in the order of the job; of two that contradict each other (DPC212) the later is told."""

    def found(document: Any) -> tuple[list[str], bool]:
        told = compile_job(document, catalogue=CATALOGUE).diagnostics
        return sorted(repr(d) for d in told if d.code != "DPC212"), any(d.code == "DPC212" for d in told)

    assert found(drawn.document) == found(reordered(drawn.document, random))


@given(jobs(most_settings=6))
def test_text_and_value_give_the_same(drawn: Drawn) -> None:
    """A job is the same as decoded value, as JSON text and as bytes, but for lines, and the order by them."""
    value = compile_job(drawn.document, catalogue=CATALOGUE)
    text = compile_job(json.dumps(drawn.document), catalogue=CATALOGUE)
    raw = compile_job(json.dumps(drawn.document, ensure_ascii=False, indent=1).encode(), catalogue=CATALOGUE)
    assert value.files == text.files == raw.files
    assert value.plan == text.plan == raw.plan
    codes = [sorted((d.code, d.path, d.message) for d in r.diagnostics) for r in (value, text, raw)]
    assert codes[0] == codes[1] == codes[2]
    assert all(d.line is not None for d in text.diagnostics if d.file == "job.json")


def test_fits_is_strict() -> None:
    assert not fits({"type": "integer"}, True)
    assert not fits({"type": "integer"}, 1.0)
