from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dpcompile import resources
from dpcompile.resources import DataDirs


def make_data(root: Path) -> None:
    for name in ("templates", "model_specs", "schemas"):
        (root / name).mkdir(parents=True)


def test_shipped_data_comes_before_the_checkout(tmp_path: Path) -> None:
    package = tmp_path / "dpcompile"
    make_data(package / "_data")
    make_data(tmp_path)

    assert resources._find(package) == DataDirs(
        templates=package / "_data" / "templates",
        specs=package / "_data" / "model_specs",
        schemas=package / "_data" / "schemas",
        explanations=package / "explanations",
    )


def test_checkout_is_used_where_nothing_was_shipped(tmp_path: Path) -> None:
    package = tmp_path / "dpcompile"
    make_data(tmp_path)

    assert resources._find(package) == DataDirs(
        templates=tmp_path / "templates",
        specs=tmp_path / "model_specs",
        schemas=tmp_path / "schemas",
        explanations=package / "explanations",
    )


@pytest.mark.parametrize("missing", ["templates", "model_specs", "schemas"])
def test_half_a_set_is_no_set(tmp_path: Path, missing: str) -> None:
    package = tmp_path / "dpcompile"
    make_data(package / "_data")
    (package / "_data" / missing).rmdir()
    make_data(tmp_path)

    assert resources._find(package).schemas == tmp_path / "schemas"


def test_no_data_anywhere_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    package = tmp_path / "dpcompile"

    with pytest.raises(RuntimeError) as caught:
        resources._find(package)

    text = str(caught.value)
    assert str(package / "_data") in text
    assert str(tmp_path) in text
    assert "install dpcompile again" in text


def test_this_checkout_uses_its_own_data(repo_root: Path) -> None:
    dirs = DataDirs.default()

    assert dirs.templates == repo_root / "templates"
    assert dirs.specs == repo_root / "model_specs"
    assert dirs.schemas == repo_root / "schemas"
    assert all(getattr(dirs, f.name).is_dir() for f in dataclasses.fields(dirs))


def test_no_stale_copy_of_the_data_lies_in_the_package(repo_root: Path) -> None:
    assert not (repo_root / "dpcompile" / "_data").exists()
