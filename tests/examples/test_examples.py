"""The example jobs: what comes of the valid ones, byte for byte, and what is said about the invalid ones.

`valid/NAME.json` is a job; `valid/NAME/` holds what it compiles to: the TOML files, `plan.json` for some, and
`findings.txt` where something is remarked although the job can be run. `invalid/NAME.*` is a job, or what somebody
took for one; `invalid/NAME.expected.json` lists everything that must be said about it, and nothing else may be.

`UPDATE_EXAMPLES=1 pytest tests/examples` writes the folders below `valid/` anew; look at the difference before you
commit it. A new `plan.json` is asked for by an empty file of that name.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toml
from jsonschema import Draft202012Validator

from dpcompile import Catalogue, CompileResult, compile_job
from dpcompile.cli import main
from dpcompile.codes import CODES
from dpcompile.diagnostics import Diagnostic
from dpcompile.narrow import narrowed_job
from dpcompile.plan import from_json
from dpcompile.report import as_json, as_text
from dpcompile.resources import DataDirs
from dpcompile.secrecy import SECRET_FIELDS
from dpcompile.values import identical

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.json"))
EXPECTED = ".expected.json"
INVALID = sorted(p for p in (HERE / "invalid").iterdir() if not p.name.endswith(EXPECTED))
UPDATE = bool(os.environ.get("UPDATE_EXAMPLES"))

# One catalogue for all: reading the specs is most of the work.
CATALOGUE = Catalogue()
JOB_SCHEMA = json.loads((DataDirs.default().schemas / "job.schema.json").read_text("utf-8"))
KEYS = ["code", "severity", "path", "message", "hint", "file", "line", "column"]

every_valid = pytest.mark.parametrize("job", VALID, ids=lambda p: p.stem)
every_invalid = pytest.mark.parametrize("job", INVALID, ids=lambda p: p.stem)
one_in_ten = pytest.mark.parametrize("job", [*VALID[::10], *INVALID[::10]], ids=lambda p: p.stem)


def value_of(job: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(job.read_text("utf-8-sig"))
    return value


every_bare = pytest.mark.parametrize("job", [p for p in VALID if "input" not in value_of(p)], ids=lambda p: p.stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run of the command left behind."""

    code: int
    out: str
    err: str


class Command:
    """The `dpcompile` command, run in this process beside the examples, so that it names them without a path."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Output:
        with pytest.raises(SystemExit) as ending:
            main(list(arguments))
        said = self._capsys.readouterr()
        return Output(code=int(ending.value.code or 0), out=said.out, err=said.err)


@pytest.fixture
def command(job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(job.parent)
    for name in ("NETWORK_VOLUME", "DPCOMPILE_SPECS"):
        monkeypatch.delenv(name, raising=False)
    return Command(capsys)


def job_id(job: Path) -> str | None:
    """`example`, unless the job brings an id of its own."""
    return None if "id" in value_of(job) else "example"


def id_options(job: Path) -> tuple[str, ...]:
    return () if job_id(job) is None else ("--job-id", "example")


def compiled(job: Path) -> CompileResult:
    return compile_job(job.read_bytes(), file=job.name, catalogue=CATALOGUE, job_id=job_id(job))


def produced(job: Path) -> dict[str, str]:
    """Every file that belongs beside a valid job: name -> text."""
    result = compiled(job)
    assert result.plan is not None, as_text(result.diagnostics)
    texts = {file.name: file.text for file in result.files}
    if (job.with_suffix("") / "plan.json").exists():
        texts["plan.json"] = as_json(result.plan.to_json()) + "\n"
    if result.diagnostics:
        texts["findings.txt"] = as_text(result.diagnostics) + "\n"
    return texts


def kept(job: Path) -> dict[str, str]:
    """What lies beside a valid job, read without any change to its line ends."""
    return {path.name: path.read_bytes().decode("utf-8") for path in job.with_suffix("").iterdir()}


@every_valid
def test_valid_job_gives_the_expected_files(job: Path) -> None:
    texts = produced(job)
    if UPDATE:
        folder = job.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_bytes(text.encode("utf-8"))

    assert texts == kept(job)


def test_no_folder_is_left_over() -> None:
    folders = {path.name for path in (HERE / "valid").iterdir() if path.is_dir()}

    assert folders == {job.stem for job in VALID}


@every_valid
def test_render_prints_the_same(job: Path, command: Command) -> None:
    files = {name: text for name, text in kept(job).items() if name.endswith(".toml")}

    done = command("render", job.name, *id_options(job), "--format", "json")

    told = json.loads(done.out)
    assert done.code == 0
    assert told["files"] == files
    assert list(told) == ["files", "diagnostics"]
    assert command("render", job.name, *id_options(job)).out == "\n".join(
        f"# ---- {name}\n{text}" for name, text in told["files"].items()
    )


@every_valid
def test_render_writes_the_same(job: Path, command: Command, tmp_path: Path) -> None:
    done = command("render", job.name, *id_options(job), "--out", str(tmp_path / "out"))

    written = {path.name: path.read_bytes().decode("utf-8") for path in (tmp_path / "out").iterdir()}
    wanted = {"plan.json": written["plan.json"], **kept(job)}
    remarks = wanted.pop("findings.txt", "")
    assert done.code == 0
    assert done.out == ""
    assert done.err.startswith(remarks)
    assert written == wanted


@every_valid
def test_plan_can_be_read_and_holds_no_secret(job: Path, command: Command) -> None:
    done = command("plan", job.name, *id_options(job))

    plan = from_json(json.loads(done.out))
    texts = [done.out, *kept(job).values()]
    assert done.code == 0
    assert {file.name: file.text for file in plan.files}.items() <= kept(job).items()
    assert not [secret for secret in secrets_in(value_of(job)) for text in texts if secret in text]


def secrets_in(job: Mapping[str, Any]) -> list[str]:
    """What must not be shown: the secret fields, the wandb key, and the query of a signed address."""
    job = job.get("input", job)
    found = [node for place, _env in SECRET_FIELDS.values() for node in [at(job, *place)] if node]
    found += [key for key in [at(job, "training", "monitoring", "wandb_api_key")] if key]
    urls = [url for url in (at(job, "dataset", "images_url"), at(job, "dataset", "videos_url")) if url]
    return [*found, *(url.partition("?")[2] for url in urls if "?" in url)]


def at(node: Any, *place: str) -> Any:
    for part in place:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def test_some_examples_hold_secrets() -> None:
    assert sum(len(secrets_in(value_of(job))) for job in VALID) > 5


@every_valid
def test_trainer_reads_what_any_other_parser_reads(job: Path) -> None:
    for name, text in kept(job).items():
        if not name.endswith(".toml"):
            continue
        ours = tomllib.loads(text)
        # The trainer's own way: through JSON for the training file (train.py:379), plain for the dataset's
        # (train.py:394), which is then pickled for its worker processes.
        theirs = json.loads(json.dumps(toml.loads(text))) if name == "train.toml" else toml.loads(text)
        assert identical(ours, theirs)
        assert pickle.loads(pickle.dumps(theirs)) == ours
        assert text.isascii()


@every_valid
def test_check_accepts_valid_job(job: Path, command: Command) -> None:
    done = command("check", job.name, *id_options(job))

    assert done.code == 0
    assert done.out == kept(job).get("findings.txt", f"{job.name}: ok\n")


@every_valid
def test_strict_check_stops_at_warnings(job: Path, command: Command) -> None:
    warned = any(d.severity == "warning" for d in compiled(job).diagnostics)

    assert command("check", "--strict", job.name, *id_options(job)).code == int(warned)


@every_valid
def test_why_tells_every_rendered_key(job: Path, command: Command) -> None:
    done = command("why", job.name, *id_options(job), "--format", "json")

    told = json.loads(done.out)
    rendered = {"train": tomllib.loads(kept(job)["train.toml"])}
    assert done.code == 0
    assert all(list(entry) == ["key", "value", "origin", "shadowed"] for entry in told)
    assert all(list(entry["origin"]) == ["layer", "file", "pointer"] for entry in told)
    for entry in told:
        if entry["key"].startswith("train."):
            assert identical(entry["value"], at(rendered, *entry["key"].split(".")))
    keys = {entry["key"].removeprefix("train.").partition(".")[0] for entry in told}
    assert keys >= rendered["train"].keys()


@every_valid
def test_order_of_fields_does_not_matter(job: Path) -> None:
    turned = compile_job(reversed_fields(value_of(job)), catalogue=CATALOGUE, job_id=job_id(job))

    # As values, for the keys of an inline table stand in the order in which the job has them.
    for ours, theirs in zip(compiled(job).files, turned.files, strict=True):
        assert tomllib.loads(ours.text) == tomllib.loads(theirs.text)


def reversed_fields(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: reversed_fields(node[key]) for key in reversed(node)}
    return [reversed_fields(item) for item in node] if isinstance(node, list) else node


@every_bare
def test_envelope_makes_no_difference(job: Path) -> None:
    wrapped = compile_job({"id": "example", "input": value_of(job)}, catalogue=CATALOGUE)

    assert wrapped.files == compiled(job).files


@every_valid
def test_schema_for_editors_accepts_valid_job(job: Path) -> None:
    inner = value_of(job)
    inner = inner.get("input", inner)
    spec = CATALOGUE.find(inner["model_type"])
    assert spec is not None

    Draft202012Validator(narrowed_job(JOB_SCHEMA, spec, CATALOGUE)).validate(inner)


@every_invalid
def test_invalid_job_is_told_everything(job: Path) -> None:
    result = compile_job(job.read_bytes(), file=job.name, catalogue=CATALOGUE)

    left = list(result.diagnostics)
    missed = []
    for wanted in expected(job):
        match = next((found for found in left if fits(found, wanted)), None)
        if match is None:
            missed.append(wanted)
        else:
            left.remove(match)
    assert not missed, f"these were not told:\n{as_json(missed)}\ninstead:\n{as_text(result.diagnostics)}"
    assert not left, f"these are not in the list:\n{as_text(left)}"
    assert result.ok is not stops(job)
    assert bool(result.files) is result.ok


def expected(job: Path) -> list[dict[str, Any]]:
    """What must be said about an invalid job; severity is `error` where none is given."""
    told: list[dict[str, Any]] = json.loads(job.with_name(job.stem + EXPECTED).read_text("utf-8"))
    return told


def stops(job: Path) -> bool:
    return any(wanted.get("severity", "error") == "error" for wanted in expected(job))


def fits(found: Diagnostic, wanted: Mapping[str, Any]) -> bool:
    return (
        (found.code, found.path, found.severity) == (wanted["code"], wanted["path"], wanted.get("severity", "error"))
        and found.line == wanted.get("line", found.line)
        and wanted["message_contains"] in found.message
    )


@every_invalid
def test_expectations_are_well_formed(job: Path) -> None:
    for wanted in expected(job):
        assert wanted.keys() - {"line", "severity"} == {"code", "path", "message_contains"}
        assert wanted["code"] in CODES
        assert wanted["message_contains"]


@every_invalid
def test_check_tells_invalid_job(job: Path, command: Command) -> None:
    done = command("check", job.name, "--format", "json")

    told = json.loads(done.out)
    findings = compile_job(job.read_bytes(), file=job.name, catalogue=CATALOGUE).diagnostics
    assert done.code == int(stops(job))
    assert all(list(entry) == KEYS for entry in told)
    assert [Diagnostic(**entry) for entry in told] == list(findings)
    assert all(entry["file"] == job.name for entry in told)
    assert command("check", job.name).out == as_text(findings) + "\n"
    assert command("check", job.name, "--strict").code == int(stops(job) or warns(job))
    assert command("check", job.name, "--format", "github").out.count("\n") == len(findings)


def warns(job: Path) -> bool:
    return any(wanted.get("severity") == "warning" for wanted in expected(job))


@every_invalid
def test_no_secret_of_an_invalid_job_is_shown(job: Path) -> None:
    told = as_text(compile_job(job.read_bytes(), file=job.name, catalogue=CATALOGUE).diagnostics)

    assert "hf_example" not in told
    assert "secret-password" not in told
    assert "0123456789abcdef-example" not in told


@every_invalid
def test_nothing_is_rendered_of_a_job_with_errors(job: Path, command: Command, tmp_path: Path) -> None:
    done = command("render", job.name, "--format", "json", "--out", str(tmp_path / "out"))

    told = json.loads(done.out)
    assert done.code == int(stops(job))
    assert bool(told["files"]) is (tmp_path / "out").exists() is not stops(job)
    assert [list(entry) for entry in told["diagnostics"]] == [KEYS] * len(expected(job))


def test_every_expectation_has_its_job() -> None:
    wanted = {path.name.removesuffix(EXPECTED) for path in (HERE / "invalid").glob(f"*{EXPECTED}")}

    assert wanted == {job.stem for job in INVALID}


@one_in_ten
def test_process_does_as_the_command(job: Path, command: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dpcompile", "check", job.name],
        cwd=job.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )

    assert Output(code=done.returncode, out=done.stdout, err=done.stderr) == command("check", job.name)
