"""What an audit expects: the schemas and the shipped model specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpcompile.audit.known import NAMED_NOWHERE, TYPES, Known, Reading, load_known
from dpcompile.catalogue import Catalogue
from dpcompile.trainer import SCOPES


@pytest.fixture(scope="module")
def shipped() -> Known:
    return load_known(Catalogue())


def test_every_shipped_model_type_is_listed(shipped: Known) -> None:
    assert set(shipped.types) <= TYPES


def test_every_scope_of_the_trainer_is_there(shipped: Known) -> None:
    assert set(SCOPES) - {"model"} <= set(shipped.keys)


def test_keys_that_the_code_does_not_name_are_dead_in_the_schema(shipped: Known) -> None:
    dead = {name for name, key in shipped.keys["root"].items() if key.reading is Reading.NO}

    assert dead == NAMED_NOWHERE


@pytest.mark.parametrize(
    ("scope", "name", "reading"),
    [
        ("root", "epochs", Reading.YES),
        ("root", "adapter", Reading.YES),
        ("root", "lora", Reading.MAYBE),
        ("adapter", "alpha", Reading.MAYBE),
        ("optimizer", "gradient_release", Reading.YES),
        ("optimizer", "lr", Reading.MAYBE),
        ("optimizer", "momentum", Reading.MAYBE),
        ("eval_datasets[]", "name", Reading.YES),
        ("adapter.fuse_adapters[]", "weight", Reading.YES),
        ("directory", "path", Reading.YES),
        ("dataset", "directory", Reading.YES),
    ],
)
def test_how_sure_a_key_is_read(shipped: Known, scope: str, name: str, reading: Reading) -> None:
    assert shipped.keys[scope][name].reading is reading


def test_keys_of_model_types(shipped: Known) -> None:
    keys = shipped.types["z_image"].keys

    assert keys["model"]["diffusion_model"].reading is Reading.YES
    assert keys["model"]["diffusion_model"].source.startswith("models/base.py:")
    assert keys["model"]["min_t"].reading is Reading.NO
    assert set(keys["model.text_encoders[]"]) == {"path", "paths", "type"}
    # What one spec of a type takes counts, though another one names it in `unread`.
    assert shipped.types["wan"].keys["model"]["min_t"].reading is Reading.YES


def test_optimizers_are_those_of_the_trainer_itself(shipped: Known) -> None:
    assert {"adamw", "genericoptim"} <= shipped.optimizers
    assert "Lion" not in shipped.optimizers


def test_specs_of_ones_own_count(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "name: own\ntitle: Own\nextends: sdxl\nfields:\n  extra: {type: string, description: More.}\n", "utf-8"
    )
    catalogue = Catalogue(folders=[tmp_path])

    assert catalogue.problems() == ()
    assert load_known(catalogue).types["sdxl"].keys["model"]["extra"].reading is Reading.YES


def test_a_whole_table_that_is_gone_would_be_told(shipped: Known) -> None:
    tables = ("model", "adapter", "optimizer", "monitoring")
    assert {shipped.keys["root"][name].reading for name in tables} == {Reading.YES}
