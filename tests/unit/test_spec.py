"""A model spec made of the files that it extends. The shipped ones are tested in test_model_specs.py."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from dpcompile.resources import DataDirs
from dpcompile.spec import (
    DEFAULT_BLOCKS,
    Media,
    SpecFile,
    make_spec,
    merge,
    merge_chain,
    model_fields,
    scope_name,
    value_blocks,
    within,
)
from dpcompile.trainer import SCOPES, load_trainer

BASE: dict[str, Any] = {
    "name": "base",
    "title": "Everything",
    "abstract": True,
    "aliases": ["all"],
    "media": {"pixel_multiple": 16, "masks": True},
    "defaults": {"root": {"epochs": 100, "steps_per_print": 1}, "job": {"launch": {"num_gpus": 1}}},
    "names": {"lora_rank": "adapter.rank"},
    "unread": {"guidance": {"why": "It is not read."}},
}
WAN: dict[str, Any] = {
    "name": "wan",
    "title": "Wan",
    "toml_type": "wan",
    "media": {"images": True, "videos": True, "frame_rate": 16, "frame_rule": {"multiple": 4, "offset": 1}},
    "fields": {
        "ckpt_path": {"type": "string", "required": True, "description": "The folder."},
        "min_t": {"type": "number", "minimum": 0, "description": "The lowest."},
    },
    "defaults": {"root": {"epochs": 50}},
    "aliases_of_names": {"network_dim": "lora_rank"},
    "presets": {"small": {"title": "Small", "description": "Small.", "values": {"root": {"epochs": 1}}}},
    "sources": [{"to": "wan"}],
}
TRAINER = load_trainer(DataDirs.default())


def file(value: Mapping[str, Any]) -> SpecFile:
    return SpecFile(file=f"{value['name']}.yaml", name=value["name"], value=value, text="")


# ---- merge


@pytest.mark.parametrize(
    ("base", "variant", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}, {"a": {"b": {"c": 1, "d": 2}}}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": [{"x": 1}]}, {"a": [{"y": 1}]}, {"a": [{"y": 1}]}),
        ({"a": {"x": 1}}, {"a": 5}, {"a": 5}),
        ({"a": 5}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": 1}}),
        ({"a": True}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": ""}, {"a": ""}),
    ],
    ids=repr,
)
def test_maps_are_merged_and_all_else_is_replaced(
    base: dict[str, Any], variant: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge(base, variant) == merged


@pytest.mark.parametrize(
    ("base", "variant", "merged"),
    [
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": None}, {}),
        ({}, {"a": None}, {}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        ({"a": 1}, {"a": {"x": None}}, {"a": {}}),
        ({"a": 1}, {"a": [None]}, {"a": [None]}),
    ],
    ids=repr,
)
def test_null_takes_away_and_is_never_left_over(
    base: dict[str, Any], variant: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge(base, variant) == merged


def test_merging_changes_neither_of_the_two() -> None:
    base, variant = {"a": {"x": 1}, "b": {"y": {}}}, {"a": {"x": None, "z": 1}, "b": {"y": {"k": 1}}}
    before = copy.deepcopy((base, variant))

    merge(base, variant)

    assert (base, variant) == before


# ---- chains


def test_who_a_spec_is_is_not_inherited() -> None:
    merged = merge_chain((file(BASE), file({"name": "mine", "extends": "base"})))

    assert merged.keys() & {"title", "aliases", "abstract"} == set()
    assert (merged["name"], merged["extends"]) == ("mine", "base")

    below = merge_chain((file(BASE), file({"name": "mine", "extends": "base"}), file({"name": "last"})))

    assert (below["name"], "extends" in below) == ("last", False)


def test_what_a_spec_says_is_inherited_through_all_files() -> None:
    leaf = {"name": "mine", "title": "Mine", "extends": "wan", "defaults": {"root": {"steps_per_print": None}}}

    merged = merge_chain((file(BASE), file(WAN), file(leaf)))

    assert merged["defaults"]["root"] == {"epochs": 50}
    assert merged["names"] == {"lora_rank": "adapter.rank"}
    assert merged["media"]["pixel_multiple"] == 16


def test_a_null_in_the_first_file_is_not_left_over() -> None:
    assert merge_chain((file({"name": "base", "unread": {"a": None}}),))["unread"] == {}


# ---- model specs


def test_a_spec_is_made_of_its_chain() -> None:
    spec = make_spec((file(BASE), file(WAN)), TRAINER)

    assert (spec.name, spec.title, spec.aliases, spec.toml_type) == ("wan", "Wan", (), "wan")
    assert [link.name for link in spec.chain] == ["base", "wan"]
    assert spec.names == {"lora_rank": "adapter.rank"}
    assert spec.aliases_of_names == {"network_dim": "lora_rank"}
    assert spec.unread == {"guidance": {"why": "It is not read."}}
    assert spec.presets.keys() == {"small"}
    assert spec.sources == ({"to": "wan"},)
    assert spec.job_defaults == {"launch": {"num_gpus": 1}}
    assert spec.capabilities == {}


def test_a_spec_has_the_models_own_fields_and_those_of_every_model() -> None:
    spec = make_spec((file(BASE), file(WAN)), TRAINER)

    assert spec.fields.keys() == {"type", "dtype", "ckpt_path", "min_t"}
    assert spec.fields["ckpt_path"].required
    assert not spec.fields["min_t"].required
    assert spec.fields["min_t"].scope == "model"
    assert not spec.fields["min_t"].validator.is_valid(-1)


def test_a_variant_changes_a_field_and_null_takes_one_away() -> None:
    fields = {"min_t": {"maximum": 1}, "ckpt_path": None}
    spec = make_spec((file(BASE), file(WAN), file({"name": "v", "title": "V", "fields": fields})), TRAINER)

    assert spec.fields.keys() == {"type", "dtype", "min_t"}
    assert spec.fields["min_t"].schema == {**WAN["fields"]["min_t"], "maximum": 1}


def test_null_for_a_field_that_nobody_declares_does_no_harm() -> None:
    leaf = {**WAN, "fields": {"guidance": None}, "unread": {"shift": None}, "names": {"rank": None}}

    spec = make_spec((file({**BASE, "names": {}, "unread": {}}), file(leaf)), TRAINER)

    assert spec.fields.keys() == {"type", "dtype"}
    assert (spec.unread, spec.names) == ({}, {})


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (
            {"images": True, "videos": True, "frame_rate": 16, "frame_rule": {"multiple": 4, "offset": 1}},
            Media(
                images=True,
                videos=True,
                frame_rate=16,
                pixel_multiple=16,
                frame_multiple=4,
                frame_offset=1,
                edit=False,
                masks=True,
            ),
        ),
        (
            {"images": True, "videos": False, "pixel_multiple": 32, "edit": True, "masks": False},
            Media(
                images=True,
                videos=False,
                frame_rate=None,
                pixel_multiple=32,
                frame_multiple=None,
                frame_offset=0,
                edit=True,
                masks=False,
            ),
        ),
    ],
    ids=["videos", "images"],
)
def test_media_are_what_the_files_say(media: dict[str, Any], expected: Media) -> None:
    leaf = {"name": "m", "title": "M", "toml_type": "x", "media": media}

    assert make_spec((file(BASE), file(leaf)), TRAINER).media == expected


def test_specs_are_compared_by_identity() -> None:
    chain = (file(BASE), file(WAN))
    assert make_spec(chain, TRAINER) != make_spec(chain, TRAINER)


def test_fields_are_made_of_their_schemas() -> None:
    fields = model_fields({"a": {"type": "integer", "required": True}, "b": {}})

    assert [(f.name, f.scope, f.required) for f in fields.values()] == [("a", "model", True), ("b", "model", False)]


# ---- values


def test_every_table_of_values_is_found_with_its_place() -> None:
    settings: dict[str, Any] = {scope: {"key": n} for n, scope in enumerate(SCOPES)}
    value: dict[str, Any] = dict.fromkeys(DEFAULT_BLOCKS, settings)
    value["presets"] = {"p": {"title": "P", "values": settings}}

    found = list(value_blocks(value))

    places = [(block,) for block in DEFAULT_BLOCKS] + [("presets", "p", "values")]
    assert found == [((*place, scope), scope, {"key": n}) for place in places for n, scope in enumerate(SCOPES)]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"defaults": {}},
        {"defaults": {"job": {"launch": {"num_gpus": 1}}}},
        {"defaults": {"root": {}}},
        {"presets": {}},
        {"presets": {"p": None}},
        {"presets": {"p": {"title": "P"}}},
    ],
    ids=repr,
)
def test_where_no_values_are_none_are_found(value: dict[str, Any]) -> None:
    assert list(value_blocks(value)) == []


# ---- words


@pytest.mark.parametrize(
    ("scope", "name", "inside"),
    [
        ("root", "the top of train.toml", "at the top of train.toml"),
        ("dataset", "the top of dataset.toml", "at the top of dataset.toml"),
        ("directory", "[[directory]]", "in [[directory]]"),
        ("model", "[model]", "in [model]"),
        ("optimizer", "[optimizer]", "in [optimizer]"),
    ],
)
def test_scopes_are_called_what_people_see_in_the_files(scope: Any, name: str, inside: str) -> None:
    assert scope_name(scope) == name
    assert within(scope) == inside
