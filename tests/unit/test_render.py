"""Templates write every setting once, reach nothing but settings, and say where values came from when asked."""

from __future__ import annotations

import dataclasses
import shutil
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest

from dpcompile.codes import CODES
from dpcompile.keypath import KeyPath
from dpcompile.render import TEMPLATES, RenderedFile, TemplateError, render
from dpcompile.resolve import ResolvedConfig
from dpcompile.resources import DataDirs
from dpcompile.verify import verify
from tests.unit.jobs import MODELS, config, config_of

DIRS = DataDirs.default()


def rendered(config: ResolvedConfig, *, comments: bool = False, dirs: DataDirs = DIRS) -> dict[str, str]:
    files, found = render(config, dirs, comments=comments)
    assert found == ()
    return {file.name: file.text for file in files}


def with_templates(folder: Path, name: str, old: str, new: str) -> DataDirs:
    """The data folders with one change in one template."""
    templates = folder / "templates"
    shutil.copytree(DIRS.templates, templates)
    text = (templates / name).read_text("utf-8")
    assert old in text
    (templates / name).write_text(text.replace(old, new, 1), "utf-8")
    return dataclasses.replace(DIRS, templates=templates)


@pytest.mark.parametrize("model", MODELS)
def test_files_of_every_model_hold_just_the_settings(model: str) -> None:
    made = config_of(model)
    texts = rendered(made)

    assert list(texts) == ["train.toml", "dataset.toml"]
    train = tomllib.loads(texts["train.toml"])
    assert train["model"] == {str(name): s.value for name, s in made.table("train", "model").items()}
    dataset = tomllib.loads(texts["dataset.toml"])
    assert dataset.pop("directory") == [{str(n): s.value for n, s in made.table("dataset", "directory", 0).items()}]
    assert dataset == {str(name): s.value for name, s in made.table("dataset").items()}


def test_file_without_settings_is_not_written() -> None:
    assert list(rendered(config({("train", "epochs"): 1}))) == ["train.toml"]
    assert list(rendered(config({("eval", "resolutions"): [512]}))) == ["eval.toml"]
    assert rendered(config({})) == {}


def test_two_directories_become_two_tables_in_order() -> None:
    texts = rendered(config({("dataset", "directory", n, "path"): f"/{n}" for n in (1, 0)}))

    assert tomllib.loads(texts["dataset.toml"]) == {"directory": [{"path": "/0"}, {"path": "/1"}]}


def test_key_that_the_template_does_not_name_is_written_all_the_same() -> None:
    texts = rendered(config({("train", "epochs"): 1, ("train", "brand_new"): 2, ("train", "mine", "x"): 3}))

    assert tomllib.loads(texts["train.toml"]) == {"epochs": 1, "brand_new": 2, "mine": {"x": 3}}
    assert "# Other\nbrand_new = 2\n" in texts["train.toml"]


@pytest.mark.parametrize("table", ["mine", "a b", "a.b", "1"])
def test_name_of_a_table_is_quoted_where_it_must_be(table: str) -> None:
    texts = rendered(config({("train", table, "x"): 1}))

    assert tomllib.loads(texts["train.toml"]) == {table: {"x": 1}}


def test_what_is_not_set_is_not_written() -> None:
    text = rendered(config({("train", "epochs"): 1}))["train.toml"]

    assert text.split("\n") == ["", "# Length and batches", "epochs = 1", ""]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (("train", "x"), "\ud800", "DPC501"),
        (("train", "x"), object(), "DPC501"),
        (("train", "x"), ["ok", {"a": None}], "DPC501"),
        (("dataset", "x"), {"a": 1}, "DPC501"),
        (("dataset", "directory", 0, "x"), [[{"a": 1}]], "DPC501"),
        (("eval", "x"), {"a": 1}, "DPC501"),
        (("train", ""), 1, "DPC502"),
        (("train", "a]b", "x"), 1, "DPC502"),
        (("train", "mine", "ü"), 1, "DPC502"),
    ],
)
def test_what_the_trainer_could_not_read_is_told_instead_of_written(key: KeyPath, value: Any, code: str) -> None:
    files, found = render(config({("train", "epochs"): 1, key: value}), DIRS)

    assert files == ()
    assert [(d.code, d.severity, d.file) for d in found] == [(code, CODES[code].severity, "job.json")]
    assert found[0].path.startswith("/training/x")


def test_everything_that_cannot_be_written_is_told_at_once() -> None:
    _files, found = render(config({("train", "x"): None, ("dataset", "y"): {"a": 1}}), DIRS)

    assert len(found) == 2


def test_dataset_files_hold_no_inline_table() -> None:
    """The trainer pickles what it reads there, and tables of its parser cannot be (utils/dataset.py:1176)."""
    made = config_of("wan13", data={"type": "images", "images_url": "/i", "eval": {"fraction": 0.1}})
    texts = rendered(made, comments=True)

    for name in ("dataset.toml", "eval.toml"):
        assert "{" not in texts[name]
    assert "eval_datasets = [{" in texts["train.toml"]


def test_comments_say_where_each_value_came_from() -> None:
    texts = rendered(config_of("flux", {"epochs": 3}), comments=True)

    assert "epochs = 3  # job: job.json#/training/epochs\n" in texts["train.toml"]
    assert "warmup_steps = 100  # defaults: model_specs/base.yaml#/defaults/root/warmup_steps\n" in texts["train.toml"]
    assert "# spec: model_specs/flux/flux.yaml#/paths/diffusers_path\n" in texts["train.toml"]
    assert "# derived: job.json#/dataset/images_url\n" in texts["dataset.toml"]


def test_every_value_has_a_comment_when_comments_are_asked_for() -> None:
    for text in rendered(config_of("wan13", data="both"), comments=True).values():
        assert all("  # " in line for line in text.splitlines() if " = " in line)


@pytest.mark.parametrize("model", MODELS)
def test_comments_change_no_value(model: str) -> None:
    made = config_of(model, preset=None)
    plain, commented = rendered(made), rendered(made, comments=True)

    assert {n: tomllib.loads(t) for n, t in commented.items()} == {n: tomllib.loads(t) for n, t in plain.items()}
    assert list(verify([RenderedFile(name=n, text=t) for n, t in commented.items()], made)) == []


@pytest.mark.parametrize(
    "name", ["a\nevil = 1", "a\r\nevil = 1", "a\x00b", "\x1b[31m", "# ü", "a\u2028evil = 1", "\udcff"]
)
def test_no_file_name_breaks_out_of_its_comment(name: str) -> None:
    text = rendered(config({("train", "epochs"): 1}, file=name), comments=True)["train.toml"]

    assert tomllib.loads(text) == {"epochs": 1}
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ["{{ value('epochs') }}", "{% raw %}", "{# x #}", '"\n[model]\ntype = "x"'])
def test_values_are_never_read_as_templates(text: str) -> None:
    assert tomllib.loads(rendered(config({("train", "x"): text}))["train.toml"]) == {"x": text}


@pytest.mark.parametrize(
    ("new", "error"),
    [
        pytest.param("{{ setings([]) }}", jinja2.UndefinedError, id="misspelt function"),
        pytest.param("{{ epochs }}", jinja2.UndefinedError, id="a value without value()"),
        pytest.param("{% if epochs %}{% endif %}", jinja2.UndefinedError, id="a condition on nothing"),
        pytest.param("{{ value('epoch') }}", TemplateError, id="misspelt key"),
        pytest.param("{{ value('model.no_such_key') }}", TemplateError, id="key that is not set"),
        pytest.param("{{ value('model') }}", TemplateError, id="a table as a value"),
    ],
)
def test_template_that_asks_for_what_is_not_there_raises(tmp_path: Path, new: str, error: type[Exception]) -> None:
    dirs = with_templates(tmp_path, "train.toml.j2", "{% for table in tables() %}", new + "{% for table in tables() %}")

    with pytest.raises(error):
        render(config_of(), dirs)


@pytest.mark.parametrize(
    ("template", "old", "new", "mistake"),
    [
        pytest.param(
            "train.toml.j2",
            '("Other", none),',
            "",
            "train.toml: brand_new is missing",
            id="what no line names is dropped",
        ),
        pytest.param(
            "train.toml.j2",
            "[{{ name(table) }}]",
            "",
            "train.toml: model.type is missing",
            id="heads of tables are dropped",
        ),
        pytest.param(
            "dataset.toml.j2",
            "settings(keys(table))",
            "[]",
            "dataset.toml: directory.0.path is missing",
            id="empty table",
        ),
        pytest.param(
            "train.toml.j2",
            "{% for line in",
            "added = 1\n{% for line in",
            "train.toml: added was invented",
            id="added key",
        ),
        pytest.param(
            "dataset.toml.j2",
            "\n[[directory]]\n",
            "\n[[directory]]\nadded = 1\n",
            "dataset.toml: directory.0.added was invented",
            id="added key of a directory",
        ),
        pytest.param("train.toml.j2", "{{ line }}", "{{ line }} }", "train.toml is not TOML", id="spoilt lines"),
    ],
)
def test_template_that_drops_or_invents_something_is_caught_by_verify(
    tmp_path: Path, template: str, old: str, new: str, mistake: str
) -> None:
    keys: list[KeyPath] = [("train", "output_dir"), ("train", "brand_new"), ("train", "model", "type")]
    made = config(dict.fromkeys([*keys, ("dataset", "directory", 0, "path")], "x"))
    assert list(verify(render(made, DIRS)[0], made)) == []

    files, found = render(made, with_templates(tmp_path, template, old, new))

    assert found == ()
    assert any(d.message.startswith(mistake) for d in verify(files, made))


def test_key_that_a_template_forgets_is_written_with_the_rest(tmp_path: Path) -> None:
    dirs = with_templates(tmp_path, "train.toml.j2", '["output_dir", "dataset"]', '["dataset"]')
    made = config_of()

    assert list(verify(render(made, dirs)[0], made)) == []


def test_every_part_of_a_config_has_its_template() -> None:
    assert TEMPLATES == {"train": "train.toml.j2", "dataset": "dataset.toml.j2", "eval": "dataset.toml.j2"}
    assert {path.name for path in DIRS.templates.iterdir()} == set(TEMPLATES.values())
