"""`dpcompile models`: the catalogue, and everything about one model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.commands.support import dpcompile
from tests.unit.jobs import ALL_MODELS, MODELS, spec_of

every_model = pytest.mark.parametrize("model", ALL_MODELS)


def test_table_has_a_line_for_each_model_that_can_be_trained() -> None:
    done = dpcompile("models")

    head, *lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert head.split() == ["NAME", "TITLE", "TRAINS", "ON"]
    assert [line.split()[0] for line in lines] == list(ALL_MODELS)
    assert set(MODELS) <= set(ALL_MODELS)
    assert all(spec_of(line.split()[0]).title in line for line in lines)


def test_json_of_all_models_holds_what_tells_them_apart() -> None:
    listed = {entry["name"]: entry for entry in dpcompile("models", "--format", "json").json}

    assert list(listed) == list(ALL_MODELS)
    for name, entry in listed.items():
        spec = spec_of(name)
        assert (entry["title"], entry["toml_type"], entry["aliases"]) == (
            spec.title,
            spec.toml_type,
            list(spec.aliases),
        )
        assert entry["presets"] == list(spec.presets)
        assert entry["file"] == spec.chain[-1].file
        assert {"licence", "media", "capabilities"} <= entry.keys()


@every_model
def test_page_of_a_model_names_every_setting_path_source_and_preset(model: str) -> None:
    spec = spec_of(model)
    done = dpcompile("models", model)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{model}: {spec.title}\n")
    for name, field in spec.fields.items():
        assert (f"\n  {name}: " in done.out) is not bool(field.owned)
    words = [*spec.aliases, *spec.merged["paths"], *(s["repo"] for s in spec.sources), *spec.presets]
    assert [word for word in words if word not in done.out] == []


@every_model
def test_json_of_a_model_holds_all_about_it(model: str) -> None:
    spec = spec_of(model)

    told = dpcompile("models", model, "--format", "json").json

    assert set(told["fields"]) == {name for name, field in spec.fields.items() if not field.owned}
    assert told["paths"] == spec.merged["paths"]
    assert [s["repo"] for s in told["sources"]] == [s["repo"] for s in spec.sources]
    assert set(told["presets"]) == set(spec.presets)
    assert {"unread", "defaults", "notes", "capabilities"} <= told.keys()


def test_gated_model_and_its_licence_are_told() -> None:
    text = " ".join(dpcompile("models", "flux").out.split())

    assert "gated: needs a token" in text
    assert "Non-Commercial" in text


def test_default_that_the_model_has_for_adapters_is_told() -> None:
    assert 'default "float8" when an adapter is trained' in " ".join(dpcompile("models", "flux").out.split())


def test_alias_in_any_case_leads_to_its_model() -> None:
    assert dpcompile("models", "FLUX-dev").out == dpcompile("models", "flux").out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("flx", 'there is no model "flx". Did you mean "flux"?'),
        ("nope", f"Models: {', '.join(ALL_MODELS[:-1])} and {ALL_MODELS[-1]}."),
        ("wan_family", "Models that extend it: wan13, "),
        ("base", "is only there for other specs to extend"),
    ],
)
def test_model_that_is_not_there_is_told_with_those_that_are(name: str, told: str) -> None:
    done = dpcompile("models", name)

    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_model_of_ones_own_is_listed_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ntitle: My own\nextends: flux\naliases: [own]\n", "utf-8")

    listed = {e["name"]: e for e in dpcompile("models", "--specs", tmp_path, "--format", "json").json}

    assert listed["mine"]["file"] == (tmp_path / "mine.yaml").as_posix()
    assert dpcompile("models", "own", "--specs", tmp_path).out.startswith("mine: My own\n")


def test_broken_spec_is_told_and_the_others_are_still_listed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ntitle: [\n", "utf-8")

    done = dpcompile("models", "--specs", tmp_path)

    assert done.code == 1
    assert "mine.yaml:" in done.err
    assert len(done.out.splitlines()) == 1 + len(ALL_MODELS)
    assert dpcompile("models", "flux", "--specs", tmp_path).code == 0


def test_text_of_a_spec_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text('name: mine\ntitle: "a\\e[2Jb"\nextends: flux\nnotes: ["c\\e[2Jd"]\n', "utf-8")

    for arguments in (("models",), ("models", "mine")):
        assert "\x1b" not in dpcompile(*arguments, "--specs", tmp_path).out
