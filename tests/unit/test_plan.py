"""A plan is written to JSON and read back whole; whatever was changed on the way is refused with a PlanError."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dpcompile.plan import PLAN_VERSION, STEP_KINDS, Plan, PlanError, canonical, from_json
from dpcompile.values import identical
from tests.unit.jobs import plan_of

PLAN = plan_of("wan13", {"epochs": 3}, data="both", launch={"env": {"X": "ü"}})
JSON: dict[str, Any] = json.loads(json.dumps(PLAN.to_json()))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    value = copy.deepcopy(JSON)
    change(value)
    return value


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The value with the id that fits its content, as someone who knows the rule would write it."""
    content = {k: v for k, v in value.items() if k != "id"}
    return {**value, "id": hashlib.sha256(canonical(content).encode()).hexdigest()}


def test_plan_is_read_back_whole() -> None:
    assert from_json(JSON) == PLAN
    assert from_json(JSON).to_json() == PLAN.to_json()


def test_blanks_and_order_of_the_text_do_not_matter() -> None:
    assert from_json(json.loads(json.dumps(JSON, indent=4, sort_keys=True, ensure_ascii=False))) == PLAN


def test_id_stands_first_and_is_the_hash_of_the_canonical_rest() -> None:
    assert next(iter(PLAN.to_json())) == "id"
    assert sealed(JSON)["id"] == PLAN.id


def test_same_job_gives_the_same_id_and_another_job_another() -> None:
    assert plan_of().id == plan_of().id
    assert plan_of().id != plan_of(training={"epochs": 3}).id


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Plan)])
def test_every_part_of_a_plan_is_part_of_its_id(name: str) -> None:
    other: Any = {"version": 3}.get(name, "other")
    if isinstance(getattr(PLAN, name), tuple):
        other = ()
    elif name != "version" and not isinstance(getattr(PLAN, name), str):
        other = {"x": "y"}

    assert dataclasses.replace(PLAN, **{name: other}).id != PLAN.id


def test_canonical_text_is_one_for_one_value() -> None:
    assert canonical({"b": 1, "a": ["ü", 0.5]}) == '{"a":["\\u00fc",0.5],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_file_is_found_by_its_name() -> None:
    assert PLAN.file("train.toml").path.endswith("/train.toml")
    with pytest.raises(KeyError):
        PLAN.file("eval.toml")


def test_texts_are_all_texts_of_the_plan_names_included() -> None:
    texts = list(PLAN.texts())

    assert {PLAN.job_id, PLAN.file("train.toml").text, "X", "ü", "fetch-images", "deepspeed"} <= set(texts)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda v: v.update(version=3), "plan version 3 is not 2", id="newer"),
        pytest.param(lambda v: v.update(version="2"), "plan version '2' is not 2", id="version as text"),
        pytest.param(lambda v: v.update(version=True), "plan version True is not 2", id="version as true"),
        pytest.param(lambda v: v.update(version=2.0), "plan version 2.0 is not 2", id="version with decimals"),
        pytest.param(lambda v: v.pop("version"), "plan version None is not 2", id="no version"),
        pytest.param(lambda v: v.pop("steps"), "plan has no steps", id="no steps"),
        pytest.param(lambda v: v.update(more=1), "plan has an unknown part: 'more'", id="unknown part"),
        pytest.param(lambda v: v.update(job_id=1), "plan.job_id must be text", id="text as number"),
        pytest.param(lambda v: v.update(steps={}), "plan.steps must be a list", id="list as object"),
        pytest.param(lambda v: v.update(folders=[]), "plan.folders must be an object", id="object as list"),
        pytest.param(lambda v: v["folders"].update(x=1), "plan.folders.x must be text", id="number in texts"),
        pytest.param(lambda v: v.update(model=None), "plan.model must be an object", id="null model"),
        pytest.param(lambda v: v["files"].append("x"), "a file must be an object", id="file as text"),
        pytest.param(lambda v: v["files"][0].pop("text"), "a file has no text", id="file without text"),
        pytest.param(lambda v: v["files"][0].update(mode=7), "a file has an unknown part: 'mode'", id="file with more"),
        pytest.param(lambda v: v["secrets"][0].update(env="HF"), "a secret.env must be a list", id="env as text"),
        pytest.param(
            lambda v: v["secrets"][0].update(required=1), "required must be true or false", id="required as 1"
        ),
        pytest.param(
            lambda v: v["secrets"][0].update(env=[1]), "a secret.env must be a list of texts", id="env of numbers"
        ),
        pytest.param(lambda v: v["steps"][0].update(kind="rm"), "unknown kind of step: 'rm'", id="unknown kind"),
        pytest.param(lambda v: v["steps"][0].update(kind=[]), "unknown kind of step: []", id="kind as list"),
        pytest.param(lambda v: v["steps"][0].update(args=[]), "a step's args must be an object", id="args as list"),
        pytest.param(lambda v: v["steps"].append(v["steps"][0]), "two steps are called fetch-images", id="step twice"),
        pytest.param(
            lambda v: v["steps"].reverse(), "step publish needs train, which does not come before it", id="wrong order"
        ),
        pytest.param(
            lambda v: v["steps"][1].update(needs=["x"]),
            "step caption-images needs x, which does not",
            id="unknown need",
        ),
        pytest.param(
            lambda v: v["steps"][0].update(needs=["fetch-images"]), "step fetch-images needs fetch-images", id="circle"
        ),
    ],
)
def test_every_malformed_plan_is_refused_with_a_word(change: Callable[[dict[str, Any]], object], told: str) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        from_json(sealed(changed(change)))


@pytest.mark.parametrize("name", ["job_id", "id"])
def test_plan_that_does_not_match_its_id_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match="was changed after it was compiled"):
        from_json({**JSON, name: "x"})


def test_plan_without_id_is_refused() -> None:
    with pytest.raises(PlanError, match="plan has no id"):
        from_json(changed(lambda v: v.pop("id")))


@pytest.mark.parametrize("value", [None, [], "plan", 1, {}, {"version": 1}])
def test_what_is_no_plan_at_all_is_refused(value: object) -> None:
    with pytest.raises(PlanError):
        from_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1, 2}, pytest.param(10**5000, id="huge")])
def test_value_that_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(PlanError, match="a value that JSON does not have"):
        from_json(changed(lambda v: v["steps"][0]["args"].update(x=value)))


def test_endless_nesting_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(PlanError):
        from_json(changed(lambda v: v["steps"][0]["args"].update(x=deep)))


Place = tuple[str | int, ...]


def all_places(node: Any, here: Place = ()) -> list[Place]:
    """Every place in a JSON value, the root included."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [here, *(place for key, value in below for place in all_places(value, (*here, key)))]


PLACES = all_places(JSON)[1:]
FINITE: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)
OTHERS: st.SearchStrategy[Any] = st.one_of(FINITE, st.sampled_from((float("inf"), float("-inf"))))
"""With values that JSON does not have."""


@st.composite
def mutants(draw: st.DrawFn, others: st.SearchStrategy[Any] = OTHERS) -> dict[str, Any]:
    """The plan with one place taken out, replaced, doubled or joined by another."""
    value = copy.deepcopy(JSON)
    place = draw(st.sampled_from(PLACES))
    node: Any = value
    last: Any = place[-1]
    for key in place[:-1]:
        node = node[key]
    match draw(st.sampled_from(("drop", "replace", "replace", "double", "join"))):
        case "drop":
            del node[last]
        case "replace":
            node[last] = draw(others)
        case "double" if isinstance(node, list):
            node.insert(0, copy.deepcopy(node[last]))
        case "join" if isinstance(node, dict):
            node[draw(st.text(max_size=3))] = draw(others)
        case _:
            node[last] = [node[last]]
    assume(not identical(value, JSON))
    return value


@given(mutants())
def test_every_change_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        from_json(value)


@given(mutants(FINITE))
def test_nothing_of_a_resealed_plan_is_lost_or_ignored(value: dict[str, Any]) -> None:
    """With a fitting id a change is refused for its shape, or stands in the plan as it was written."""
    value = sealed(value)
    try:
        plan = from_json(value)
    except PlanError:
        return
    assert identical(json.loads(json.dumps(plan.to_json())), value)


def test_kinds_of_steps_are_those_of_the_words() -> None:
    assert STEP_KINDS == ("fetch", "caption", "inspect", "download", "train", "publish")
    assert PLAN_VERSION == 2
