"""`dpcompile init`: a starter job that is right for its model as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from jsonschema import Draft202012Validator

from tests.unit.commands.support import dpcompile, written
from tests.unit.jobs import ALL_MODELS, WORKING_MODELS, spec_of

every_model = pytest.mark.parametrize("model", ALL_MODELS)


@pytest.mark.parametrize("model", WORKING_MODELS)
def test_starter_job_has_no_finding_even_under_strict(model: str, tmp_path: Path) -> None:
    path = written(tmp_path, dpcompile("init", model).out)

    done = dpcompile("check", path, "--strict", "--format", "json")

    assert (done.code, done.json) == (0, [])


@every_model
def test_starter_job_fits_the_schema_for_editors(model: str) -> None:
    schema = dpcompile("schema", "job", "--model", model).json

    Draft202012Validator(schema).validate(dpcompile("init", model).json)


@every_model
def test_editors_find_the_schema_that_the_job_names(model: str) -> None:
    address = urlsplit(dpcompile("init", model).json["$schema"])

    path = Path(url2pathname(address.path))
    assert address.scheme == "file"
    assert json.loads(path.read_text("utf-8")) == dpcompile("schema", "job").json


@every_model
def test_starter_job_says_what_would_be_so_anyway(model: str, tmp_path: Path) -> None:
    """So nothing changes for who takes a line out."""
    starter = dpcompile("init", model).json
    without = {**starter, "training": {}}

    full, bare = (
        dpcompile("render", written(tmp_path, value), "--job-id", "x", "--format", "json").json["files"]
        for value in (starter, without)
    )

    assert full == bare


@every_model
def test_starter_job_brings_the_media_that_the_model_takes(model: str) -> None:
    starter = dpcompile("init", model).json

    kind = starter["dataset"]["type"]
    assert getattr(spec_of(model).media, kind)
    assert starter["model_type"] == model
    frames = {"frame_buckets", "size_buckets"} & starter["training"].keys()
    assert frames or kind == "images"


def test_json_alone_goes_to_stdout_and_the_advice_beside_it() -> None:
    done = dpcompile("init", "flux")

    assert isinstance(done.json, dict)
    assert "dpcompile schema job --model flux > job.schema.json" in done.err


def test_alias_gives_the_job_of_its_model() -> None:
    assert dpcompile("init", spec_of("flux").aliases[0]).out == dpcompile("init", "flux").out


@pytest.mark.parametrize(
    ("name", "told"), [("nope", 'there is no model "nope"'), ("wan_family", "is only there for other specs to extend")]
)
def test_model_that_cannot_be_trained_is_told(name: str, told: str) -> None:
    done = dpcompile("init", name)

    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_broken_spec_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: Mine\nextends: flux\ndefaults: {root: {epochs: many}}\n", "utf-8"
    )

    done = dpcompile("init", "mine", "--specs", tmp_path)

    assert (done.code, done.out) == (1, "")
    assert f"{(tmp_path / 'mine.yaml').as_posix()}:4:" in done.err
