"""What is rendered is read as meant, by TOML 1.0 and by the trainer's parser; verify sees every difference."""

from __future__ import annotations

import json
import pickle
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import pytest
import toml
from hypothesis import assume, event, given
from hypothesis import strategies as st

from dpcompile.compiler import compile_job
from dpcompile.diagnostics import has_errors
from dpcompile.keypath import KeyPath
from dpcompile.render import RenderedFile, render
from dpcompile.resolve import Origin, ResolvedConfig, Setting
from dpcompile.verify import verify
from tests.properties.fitting import NASTY_TEXTS, scalars, texts, wild_json
from tests.properties.strategies import CATALOGUE, SPECS, Drawn, jobs, key_of, models, settable, ways
from tests.properties.trees import place, same

V = TypeVar("V")
ORIGIN = Origin(layer="job", file="job.json", pointer="/training/x")
ESCAPES = ('"', "\n", "\x00", "{{", "{%", "#", "é", '"""', "'", "\\", "]", "}", "=", "\u2028", "😀")


# --- random configs ------------------------------------------------------------------------------------------


@st.composite
def names(draw: st.DrawFn) -> str:
    """A key of the schemas, or any text that may or may not be a key."""
    known = sorted({name for _, name in settable(SPECS[draw(models)])})
    return draw(st.one_of(st.sampled_from(known), st.sampled_from(("a", "b-c", "0")), texts))


tables: st.SearchStrategy[str] = st.sampled_from(
    ("model", "adapter", "optimizer", "monitoring", "new-table", "x y", "a.b")
)
anything: st.SearchStrategy[Any] = st.one_of(scalars, texts, wild_json).filter(lambda value: value is not None)


@st.composite
def configs(draw: st.DrawFn, values: st.SearchStrategy[Any] = anything) -> ResolvedConfig:
    """Any keys with any values, in every place that a config has."""
    settings: dict[KeyPath, Any] = {("train", name): draw(values) for name in ("output_dir", "dataset")}
    for _ in range(draw(st.integers(0, 6))):
        name = draw(names())
        number = draw(st.integers(0, 2))
        key = draw(
            st.sampled_from(
                [
                    ("train", name),
                    ("train", draw(tables), name),
                    ("dataset", name),
                    ("dataset", "directory", number, name),
                    ("eval", name),
                ]
            )
        )
        settings[key] = draw(values)
    return ResolvedConfig(settings={k: Setting(value=v, origin=ORIGIN) for k, v in _dense(settings).items()})


def _dense(settings: Mapping[KeyPath, V]) -> dict[KeyPath, V]:
    """Directories counted from 0 without gaps, and no key that is a table as well, as the compiler makes them."""
    numbers = sorted({key[2] for key in settings if len(key) == 4 and isinstance(key[2], int)})
    moved = {
        (*k[:2], numbers.index(k[2]), k[3]) if len(k) == 4 and isinstance(k[2], int) else k: v
        for k, v in settings.items()
    }
    above = {key[:n] for key in moved for n in range(1, len(key))}
    return {key: value for key, value in moved.items() if key not in above}


def expected(config: ResolvedConfig, part: str) -> dict[str, Any]:
    """The tree that a file must hold, built by hand."""
    tree: dict[str, Any] = {}
    for key, setting in config.settings.items():
        if key[0] != part:
            continue
        node = tree
        for step in key[1:-1]:
            if isinstance(step, int):
                rows = node["directory"]
                while len(rows) <= step:
                    rows.append({})
                node = rows[step]
            elif step == "directory":
                node.setdefault("directory", [])
            else:
                node = node.setdefault(step, {})
        node[str(key[-1])] = setting.value
    return tree


def as_the_trainer(name: str, text: str) -> Any:
    """train.toml goes through JSON (train.py:284 at 8f83dbf), dataset files are pickled as they are (train.py:394)."""
    read = toml.loads(text)
    if name.startswith("train"):
        return json.loads(json.dumps(read))
    return pickle.loads(pickle.dumps(read))


def writable(config: ResolvedConfig) -> ResolvedConfig:
    """The settings that can be written at all: to draw until all of them can would take too long."""
    settings = {
        k: s for k, s in config.settings.items() if not render(ResolvedConfig(settings={k: s}), CATALOGUE.dirs)[1]
    }
    return ResolvedConfig(settings=_dense(settings))


def without_inline_tables(config: ResolvedConfig) -> bool:
    """The compiler refuses tables inside dataset values before it renders; a config made by hand may hold some."""
    return not any(key[0] != "train" and _holds_table(setting.value) for key, setting in config.settings.items())


def _holds_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_table, value)))


@given(configs())
def test_a_config_renders_and_is_read_alike_or_is_refused(config: ResolvedConfig) -> None:
    files, found = render(config, CATALOGUE.dirs)
    if found:
        event("refused")
        assert {d.code for d in found} <= {"DPC501", "DPC502"}
        assert files == ()
        return
    event("rendered")
    assert list(verify(files, config)) == []
    for file in files:
        part = file.name.removesuffix(".toml")
        assert file.text.isascii()
        assert same(tomllib.loads(file.text), expected(config, part))
        if part == "train" or without_inline_tables(config):
            assert same(as_the_trainer(file.name, file.text), expected(config, part))
    assert {f.name for f in files} == {f"{key[0]}.toml" for key in config.settings}


@given(configs().map(writable))
def test_comments_change_nothing(config: ResolvedConfig) -> None:
    plain, found = render(config, CATALOGUE.dirs)
    assume(not found)
    commented, _ = render(config, CATALOGUE.dirs, comments=True)
    assert list(verify(commented, config)) == []
    for one, other in zip(plain, commented, strict=True):
        assert same(tomllib.loads(one.text), tomllib.loads(other.text))
        assert same(as_the_trainer("train.toml", one.text), as_the_trainer("train.toml", other.text))


@given(configs(values=st.one_of(st.sampled_from(NASTY_TEXTS), st.lists(st.sampled_from(ESCAPES)).map("".join))), texts)
def test_no_text_breaks_out(config: ResolvedConfig, file: str) -> None:
    """Neither from values nor, with comments, from the name of the job's file."""
    origin = Origin(layer="job", file=f"a\n{file}", pointer="/training/x\ny = 1")
    config = ResolvedConfig(settings={k: Setting(value=s.value, origin=origin) for k, s in config.settings.items()})
    files, found = render(config, CATALOGUE.dirs, comments=True)
    assert all(d.code == "DPC502" for d in found), found
    for rendered in files:
        assert same(tomllib.loads(rendered.text), expected(config, rendered.name.removesuffix(".toml")))
        assert same(as_the_trainer(rendered.name, rendered.text), expected(config, rendered.name.removesuffix(".toml")))


# --- random jobs -----------------------------------------------------------------------------------------------


@given(jobs(most_settings=6))
def test_files_of_jobs_are_read_as_meant(drawn: Drawn) -> None:
    result = compile_job(drawn.document, catalogue=CATALOGUE)
    assert "DPC504" not in {d.code for d in result.diagnostics}
    for file in result.files:
        assert result.config is not None
        meant = expected(result.config, file.name.removesuffix(".toml"))
        assert same(tomllib.loads(file.text), meant)
        assert same(as_the_trainer(file.name, file.text), meant)


@given(st.data())
def test_passed_through_values_are_read_as_meant(data: st.DataObject) -> None:
    """Unchecked values get no further than values that are checked: written right, or refused."""
    spec = SPECS[data.draw(models)]
    kind = "images" if spec.media.images else "videos"
    passed: dict[str, Any] = {}
    for _ in range(data.draw(st.integers(1, 3))):
        table = data.draw(st.sampled_from(("root", "model", "optimizer", "dataset", "directory", "mine", "a.b", "x y")))
        place(passed, (table, data.draw(names())), data.draw(wild_json))
    job = {
        "model_type": spec.name,
        "dataset": {"type": kind, f"{kind}_url": "/data"},
        "training": {"passthrough": passed},
    }
    result = compile_job(job, catalogue=CATALOGUE)
    assert "DPC504" not in {d.code for d in result.diagnostics}, result.diagnostics
    assert result.ok == (not has_errors(result.diagnostics))
    for file in result.files:
        assert result.config is not None
        meant = expected(result.config, file.name.removesuffix(".toml"))
        assert same(tomllib.loads(file.text), meant)
        assert same(as_the_trainer(file.name, file.text), meant)


@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_nasty_texts_of_a_job_arrive_whole(text: str) -> None:
    """Through a setting, a list, the trigger word and the environment."""
    job = {
        "model_type": "flux",
        "dataset": {"type": "images", "images_url": "/data", "trigger_word": text},
        "training": {"caption_prefix": text, "passthrough": {"root": {"list": [text, text], "table": {"k": text}}}},
        "launch": {"env": {"X": text}},
    }
    result = compile_job(job, catalogue=CATALOGUE)
    assert result.plan is not None, result.diagnostics
    train, dataset = (as_the_trainer(f.name, f.text) for f in result.files)
    assert dataset["caption_prefix"] == text
    assert train["list"] == [text, text]
    assert train["table"] == {"k": text}
    steps = {step.id: step.args for step in result.plan.steps}
    assert steps["train"]["env"] == {"X": text}
    assert steps["caption-images"]["trigger_word"] == text


# --- mutations ---------------------------------------------------------------------------------------------------

_OTHER_VALUES = (
    "true",
    "1",
    "1.0",
    "-0.0",
    "0.0",
    '"1"',
    '"true"',
    "[]",
    "[1]",
    "[1.0]",
    '[""]',
    "{}",
    '""',
    "1979-05-27",
    "nan",
    "inf",
)
_NEW_LINES = (
    *(f"added = {v}" for v in _OTHER_VALUES),
    "[added]",
    "[[added]]",
    "[[directory]]",
    "[model]",
    "# comment",
    "",
    "a.b.c = 1",
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A file after someone's hands: a line gone, doubled, moved, added, or with another value."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("drop", "value", "digit", "add", "swap", "rename", "double"))):
            case "drop":
                del lines[at]
            case "value" if " = " in lines[at]:
                lines[at] = f"{lines[at].partition(' = ')[0]} = {draw(st.sampled_from(_OTHER_VALUES))}"
            case "digit" if lines[at]:
                column = draw(st.integers(0, len(lines[at]) - 1))
                lines[at] = lines[at][:column] + draw(st.sampled_from("019.,-e\"'[]{} xA_#")) + lines[at][column + 1 :]
            case "add":
                lines.insert(at, draw(st.sampled_from(_NEW_LINES)))
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "rename" if " = " in lines[at]:
                lines[at] = "x_" + lines[at]
            case "double":
                lines.insert(at, lines[at])
        if not lines:
            break
    return "\n".join(lines)


def meaning(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(jobs(most_settings=6), st.data())
def test_verify_sees_every_mutation_of_a_file(drawn: Drawn, data: st.DataObject) -> None:
    result = compile_job(drawn.document, catalogue=CATALOGUE)
    assume(result.ok)
    assert result.config is not None
    number = data.draw(st.integers(0, len(result.files) - 1))
    file = result.files[number]
    changed = RenderedFile(name=file.name, text=data.draw(mutated(file.text)))
    files = [*result.files[:number], changed, *result.files[number + 1 :]]
    found = list(verify(files, result.config))
    alike = same(meaning(file.text), meaning(changed.text))
    event("same meaning" if alike else "another meaning" if meaning(changed.text) is not None else "no TOML")
    assert bool(found) is not alike, (found, changed.text)
    assert {d.code for d in found} <= {"DPC504"}


@given(configs().map(writable), st.data())
def test_verify_sees_every_mutation_of_a_config(config: ResolvedConfig, data: st.DataObject) -> None:
    files, found = render(config, CATALOGUE.dirs)
    assume(not found and config.settings)
    key = data.draw(st.sampled_from(sorted(config.settings, key=repr)))
    settings = dict(config.settings)
    other = data.draw(st.sampled_from(list(neighbours(settings[key].value))))
    settings[key] = Setting(value=other, origin=ORIGIN)
    assert list(verify(files, ResolvedConfig(settings=settings)))
    del settings[key]
    assert list(verify(files, ResolvedConfig(settings=settings)))
    for missing in range(len(files)):
        assert list(verify([*files[:missing], *files[missing + 1 :]], config))


def neighbours(value: Any) -> Iterator[Any]:
    """Values that are easily taken for this one."""
    yield from ([value], {"value": value}, f"{value!r:.20}?")
    if isinstance(value, bool):
        yield from (int(value), not value, str(value).lower())
    elif isinstance(value, int):
        yield from (value + 1, -value - 1, str(value)[:4000])
        if abs(value) < 2**53:
            yield float(value)
    elif isinstance(value, float):
        yield from (value / 2 + 1e300, str(value))
        if value == 0.0:
            yield 0
    elif isinstance(value, str):
        yield from (value + " ", value + "\n", [*value, "x"])
    elif isinstance(value, list):
        yield from ([*value, 1], dict.fromkeys("ab"))
        if value:
            yield value[1:]
    elif isinstance(value, dict):
        yield from ({**value, "another": 1}, list(value))


def test_verify_tells_a_file_that_nobody_asked_for() -> None:
    config = ResolvedConfig(settings={("train", "a"): Setting(value=1, origin=ORIGIN)})
    files = [RenderedFile(name="train.toml", text="a = 1\n"), RenderedFile(name="more.toml", text="b = 1\n")]
    assert [d.file for d in verify(files, config)] == ["more.toml"]


def test_keys_stand_where_the_trainer_reads_them() -> None:
    """The oracle of these tests against `key_of`: both say the same of every setting."""
    for spec in SPECS.values():
        for target in settable(spec):
            config = ResolvedConfig(settings={key_of(target): Setting(value=1, origin=ORIGIN)})
            part = str(key_of(target)[0])
            assert expected(config, part), (target, ways(spec, target))
