"""`dpcompile audit`: what it prints and how it ends; and that the shipped schemas and specs fit their own trainer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpcompile.audit.findings import KINDS
from dpcompile.audit.known import Keys, Known, Reading, load_known
from dpcompile.catalogue import Catalogue
from dpcompile.commands.audit import _TITLES
from tests.unit.audit.support import write
from tests.unit.commands.support import dpcompile


@pytest.fixture(scope="module")
def shipped() -> Known:
    return load_known(Catalogue())


def mirrored(known: Known) -> dict[str, str]:
    """A trainer of our own that reads all that is known, and nothing else."""
    lines = ["import toml", "args = parser.parse_args()", "config = toml.load(open(args.config))"]
    lines += ["dataset_config = toml.load(open(config['dataset']))", *reads(known.keys)]
    lines += ["kind = config['optimizer']['type'].lower()"]
    lines += [f"if kind == {name!r}: pass" for name in sorted(known.optimizers)]
    files = {}
    for n, (name, kind) in enumerate(sorted(known.types.items())):
        lines += [f"if config['model']['type'] == {name!r}:"]
        lines += [f"    from models import m{n}", f"    m{n}.Pipeline(config)"]
        body = ["class Pipeline:", "    def __init__(self, config):", *(f"        {s}" for s in reads(kind.keys))]
        files[f"models/m{n}.py"] = "\n".join(body)
    return {"train.py": "\n".join(lines), **files}


def reads(keys: Keys) -> Iterator[str]:
    for scope in sorted(keys):
        for name, key in keys[scope].items():
            if key.reading is Reading.YES:
                yield f"{expression(scope)}.get({name!r})"


def expression(scope: str) -> str:
    start = {"root": "config", "dataset": "dataset_config", "directory": "dataset_config['directory'][0]"}
    if scope in start:
        return start[scope]
    return "config" + "".join(
        f"[{part.removesuffix('[]')!r}]" + "[0]" * part.endswith("[]") for part in scope.split(".")
    )


def test_a_trainer_that_reads_what_is_known_gives_no_findings(tmp_path: Path, shipped: Known) -> None:
    done = dpcompile("audit", write(tmp_path, mirrored(shipped)))

    assert (done.code, done.out) == (0, "")
    assert done.err == f"no findings in {tmp_path}\n"


def test_findings_are_grouped_with_places_and_hints(tmp_path: Path, shipped: Known) -> None:
    files = mirrored(shipped)
    files["train.py"] = files["train.py"].replace("config.get('max_steps')", "config.get('most_steps')")
    files["train.py"] += "\nif config['model']['type'] == 'fresh':\n    m0.Pipeline(config)\n"

    done = dpcompile("audit", write(tmp_path, files))

    lines = done.out.splitlines()
    assert done.code == 1
    assert [line for line in lines if not line.startswith(" ")] == [
        "New model types",
        "New keys",
        "Keys that are no longer read",
    ]
    last = files["train.py"].count("\n")
    assert lines[1].startswith(f'  train.py:{last}: the model type "fresh" is new: Pipeline in models/m0.py:1;')
    assert '"most_steps" is now read at the top of train.toml' in done.out
    assert '  train.py: "max_steps" is no longer read at the top of train.toml; it was in train.py:' in done.out
    assert "    Describe it in schemas/diffusion_pipe.train.schema.json." in lines
    assert done.err == f"3 findings: 1 new type, 1 new key, 1 gone key in {tmp_path}\n"


def test_json_has_all_findings(tmp_path: Path, shipped: Known) -> None:
    files = mirrored(shipped)
    files["train.py"] += "\nconfig['adapter']['fresh']\n"

    done = dpcompile("audit", write(tmp_path, files), "--format", "json")

    assert done.code == 1
    assert done.json["checkout"] == str(tmp_path)
    assert done.json["findings"] == [
        {
            "kind": "new_key",
            "scope": "adapter",
            "name": "fresh",
            "types": [],
            "file": "train.py",
            "line": files["train.py"].count("\n"),
            "message": '"fresh" is now read in [adapter]',
            "hint": "Describe it in schemas/diffusion_pipe.train.schema.json.",
        }
    ]


def test_json_without_findings(tmp_path: Path, shipped: Known) -> None:
    done = dpcompile("audit", write(tmp_path, mirrored(shipped)), "--format", "json")

    assert (done.code, done.json["findings"]) == (0, [])


def test_a_spec_of_ones_own_makes_a_model_type_known(tmp_path: Path, shipped: Known) -> None:
    files = mirrored(shipped)
    files["models/fresh.py"] = (
        "class F:\n    def __init__(self, config):\n        config['model']['extra'], config['model']['dtype']\n"
    )
    files["train.py"] += "\nif config['model']['type'] == 'fresh':\n    from models import fresh\n    fresh.F(config)\n"
    specs = tmp_path / "specs"
    write(specs, {"fresh.yaml": OWN})
    write(tmp_path / "checkout", files)

    done = dpcompile("audit", tmp_path / "checkout", "--specs", specs)

    assert (done.code, done.out, done.err.splitlines()[:-1]) == (0, "", [])


OWN = """
name: fresh
title: Fresh
extends: base
toml_type: fresh
media: {images: true, videos: false, pixel_multiple: 16}
saved_format: {lora: adapter_model.safetensors}
capabilities: {lora: true, lokr: false, full_finetune: false, float8: false}
sources: []
fields:
  extra: {type: string, description: More.}
"""


def test_a_broken_spec_of_ones_own_is_told(tmp_path: Path, shipped: Known) -> None:
    write(tmp_path / "specs", {"own.yaml": "name: [\n"})

    done = dpcompile("audit", write(tmp_path / "checkout", mirrored(shipped)), "--specs", tmp_path / "specs")

    assert (done.code, done.out) == (1, "")
    assert "own.yaml" in done.err


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_what_is_no_checkout_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("", "utf-8")

    done = dpcompile("audit", tmp_path / name)

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith(f"Error: {tmp_path / name}: ")


def test_odd_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, {"models/\x1b[31m.py": "def f(:\n"})

    done = dpcompile("audit", tmp_path)

    assert done.code == 1
    assert "\x1b" not in done.out + done.err


def test_every_kind_has_a_title() -> None:
    assert tuple(_TITLES) == KINDS


def test_contributing_tells_the_way_and_its_spec_is_in_order(tmp_path: Path, repo_root: Path) -> None:
    text = (repo_root / "CONTRIBUTING.md").read_text("utf-8")
    way = text.partition("## When upstream gains a model\n")[2]
    (spec,) = re.findall(r"^```yaml\n(.*?)^```$", way, re.MULTILINE | re.DOTALL)
    (tmp_path / "newimage.yaml").write_text(spec, "utf-8")

    assert [kind for kind in KINDS if f"`{kind}`" not in way] == []
    assert dpcompile("models", "--specs", tmp_path).err == ""
    assert dpcompile("init", "newimage", "--specs", tmp_path).code == 0
