"""The same job gives the same bytes on any machine, and a plan is what it says it is."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan, PlanError, from_json
from tests.properties.command import run_apart
from tests.properties.strategies import CATALOGUE, Drawn, jobs
from tests.properties.trees import at, leaves

JOBS: dict[str, dict[str, Any]] = {
    "wan": {
        "id": "sync-1",
        "input": {
            "model_type": "wan14b_t2v",
            "preset": "vram_24gb",
            "dataset": {
                "type": "both",
                "images_url": "https://user:long-password@host/a.zip",
                "videos_url": "s3://bucket/clips.zip",
                "trigger_word": "ohwx é 日本",
                "eval": {"fraction": 0.05},
            },
            "training": {
                "learning_rate": 1e-4,
                "resolution": 512,
                "optimizer": {"weight_decay": None},
                "directory": {"shuffle_tags": True},
                "passthrough": {"root": {"b": 1, "a": {"y": 1, "x": 2}}, "new": {"k": "v"}},
            },
            "launch": {"env": {"B": "1", "A": "2"}, "num_gpus": 2},
        },
    },
    "z_image": {
        "model_type": "z-image-turbo",
        "dataset": {"type": "images", "images_url": "https://h/ü.zip"},
        "training": {"text_encoders": [{"type": "lumina2", "path": "/x/it's.safetensors"}], "shift": 3},
        "output": {"method": "huggingface", "huggingface": {"repo_id": "o/n"}},
        "api_keys": {"huggingface_token": "hf_abcdefghijklmnop"},
    },
    "wrong": {
        "model_type": "flux",
        "dataset": {"type": "images"},
        "training": {"learning_rat": 1, "min_t": 0.5, "rank": "8", "passthrough": {"root": {"x": [1, "a"]}}},
        "colour": "red",
    },
}

PLACES: tuple[dict[str, Any], ...] = (
    {"env": {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "HOME": "/nonexistent"}},
    {"env": {"LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "2", "TZ": "America/New_York"}, "flags": ("-O",)},
    {"env": {"LANG": "de_DE.ISO-8859-1", "PYTHONHASHSEED": "3", "PYTHONUTF8": "0", "USER": "someone"}},
    {
        "env": {
            "PYTHONHASHSEED": "4",
            "COLUMNS": "20",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "FORCE_COLOR": "1",
            "HF_TOKEN": "hf_from-environment",
            "WANDB_API_KEY": "from-environment",
        },
        "flags": ("-OO", "-B"),
    },
)
COMMANDS = (("render", "--comments", "--format", "json"), ("plan",))


@pytest.mark.parametrize("name", JOBS)
def test_the_same_bytes_anywhere(name: str, tmp_path: Path) -> None:
    """Four surroundings, each with another folder, locale, time zone, hash seed, level of optimisation."""
    (tmp_path / "job.json").write_text(json.dumps(JOBS[name]), "utf-8")
    for command in COMMANDS:
        outs: list[tuple[bytes, bytes]] = []
        for place in PLACES:
            cwd = tmp_path / f"cwd{len(outs)}"
            cwd.mkdir(exist_ok=True)
            (cwd / "job.json").write_bytes((tmp_path / "job.json").read_bytes())
            ended = run_apart(*command, "job.json", cwd=cwd, **place)
            assert ended.code == (1 if name == "wrong" else 0), ended.text
            assert ended.out.isascii()
            outs.append((ended.out, ended.err))
        assert len(set(outs)) == 1, (command, outs)


def test_a_file_and_stdin_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(JOBS["wan"]), "utf-8")
    for command in (("render",), ("plan",)):
        from_file = run_apart(*command, str(tmp_path / "job.json"))
        from_stdin = run_apart(*command, "-", stdin=json.dumps(JOBS["wan"]).encode())
        assert from_file.out == from_stdin.out
        assert from_file.code == from_stdin.code


@given(jobs())
def test_compiling_twice_gives_the_same(drawn: Drawn) -> None:
    """Nothing is kept from one job to the next, and the job itself is left alone."""
    before = copy.deepcopy(drawn.document)
    first = compile_job(drawn.document, catalogue=CATALOGUE)
    second = compile_job(drawn.document, catalogue=CATALOGUE)
    assert first == second
    assert drawn.document == before


def test_a_fresh_catalogue_gives_the_same() -> None:
    for job in JOBS.values():
        assert compile_job(job) == compile_job(job, catalogue=CATALOGUE)


# --- plans -----------------------------------------------------------------------------------------------------


def by_hand(value: Any) -> str:
    """Canonical JSON, written without the compiler's own function."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{by_hand(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(by_hand, value)) + "]"
    return json.dumps(value)


def plan_of(drawn: Drawn) -> Plan:
    plan = compile_job(drawn.document, catalogue=CATALOGUE).plan
    assume(plan is not None)
    assert plan is not None
    return plan


@given(jobs())
def test_the_id_of_a_plan_is_the_digest_of_its_content(drawn: Drawn) -> None:
    form = plan_of(drawn).to_json()
    content = {key: value for key, value in form.items() if key != "id"}
    assert form["id"] == hashlib.sha256(by_hand(content).encode("ascii")).hexdigest()


@given(jobs())
def test_a_plan_survives_being_written_and_read(drawn: Drawn) -> None:
    plan = plan_of(drawn)
    form = plan.to_json()
    assert from_json(form) == plan
    for text in (json.dumps(form), json.dumps(form, ensure_ascii=False, indent=2, sort_keys=True)):
        again = from_json(json.loads(text))
        assert again == plan
        assert again.id == plan.id
        assert again.to_json() == json.loads(text)


@given(jobs(), st.data())
def test_a_changed_plan_is_refused(drawn: Drawn, data: st.DataObject) -> None:
    """One byte of its text, or one value of it."""
    form = json.loads(json.dumps(plan_of(drawn).to_json()))
    path, value = data.draw(st.sampled_from(list(leaves(form))))
    others: list[Any] = [None, "x", 0, 1, 1.0, True, False, [], {}, f"{value} "]
    other = data.draw(st.sampled_from([v for v in others if json.dumps(v) != json.dumps(value)]))
    changed = copy.deepcopy(form)
    at(changed, path[:-1])[path[-1]] = other
    with pytest.raises(PlanError):
        from_json(changed)


@given(jobs(), st.data())
def test_a_changed_byte_is_refused(drawn: Drawn, data: st.DataObject) -> None:
    form = plan_of(drawn).to_json()
    text = json.dumps(form)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = (
        text[:at] + data.draw(st.sampled_from('0129aZ_"{}[]:, \\').filter(lambda c: c != text[at])) + text[at + 1 :]
    )
    try:
        value = json.loads(changed)
    except ValueError:
        return  # not even JSON
    if json.dumps(value, sort_keys=True) == json.dumps(form, sort_keys=True):
        return  # the same plan, a blank more or less
    with pytest.raises(PlanError):
        from_json(value)


@given(jobs(), st.data())
def test_a_plan_with_a_part_more_or_less_is_refused(drawn: Drawn, data: st.DataObject) -> None:
    form = json.loads(json.dumps(plan_of(drawn).to_json()))
    tables = [form, *form["files"], *form["secrets"], *form["steps"]]
    table = data.draw(st.sampled_from(tables))
    if data.draw(st.booleans()):
        table["more"] = 1
    else:
        del table[data.draw(st.sampled_from(sorted(table)))]
    with pytest.raises(PlanError):
        from_json(form)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
        lambda i: st.one_of(st.lists(i), st.dictionaries(st.sampled_from(("id", "version", "steps", "files", "x")), i)),
    )
)
def test_what_is_no_plan_is_refused(value: Any) -> None:
    with pytest.raises(PlanError):
        from_json(value)
    with pytest.raises(PlanError):
        from_json(
            {
                "version": 1,
                "id": "x",
                "job_id": "a",
                "compiler": "0",
                "trainer": {},
                "model": {},
                "folders": {},
                "files": [],
                "secrets": [],
                "steps": [value],
            }
        )
