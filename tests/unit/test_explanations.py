"""Every code has a page, and what the pages show is true: each example gives its code, each fix does not.

In the sections `Example` and `Fix` a page holds fences of these kinds:

- `json`, `text`: a job, compiled as the text it is; `text` where it is not to be highlighted.
- `yaml`: a model spec, found as `my_model.yaml` in a folder of the user's own. Compiled is the job that follows
  it, or STANDARD_JOB.
- `sh`: commands in an empty folder with `dpcompile` at hand. A `json` fence before it is its `job.json`, else
  STANDARD_JOB is.
- `python`: code that leaves a CompileResult in `result`.
- `output`: what dpcompile says about the fences before it, in whole or in part; lines may be broken anywhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.codes import CODES
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.report import as_text
from dpcompile.resources import DataDirs

REPO_ROOT = Path(__file__).resolve().parents[2]
PAGES = DataDirs.default().explanations
INTERNAL = {"DPC504": "tells of a mistake in dpcompile itself, which no job is known to bring about"}
"""Codes without an example, and why there can be none."""
RUN = [code for code in CODES if code.startswith(("DPC6", "DPC7"))]
"""What only media or a run show. The pages quote what is said; the tests of those parts bring each about."""
COMPILED = [code for code in CODES if code not in INTERNAL and code not in RUN]

STANDARD_JOB = json.dumps(
    {
        "model_type": "my_model",
        "dataset": {"type": "images", "images_url": "https://example.com/photos.zip"},
        "training": {"epochs": 20, "learning_rate": 1e-4},
    },
    indent=2,
)
KINDS = ("json", "text", "yaml", "sh", "python", "output")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"\b(error|warning|info) (DPC\d{3})\b")
_MACHINE_PATH = re.compile(r"/(?:work|root|tmp|home|Users|opt|mnt)/|[A-Z]:\\Users")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a section: (severity, code) of each finding, and everything that was said."""

    found: tuple[tuple[str, str], ...]
    said: str
    ok: bool

    @property
    def codes(self) -> set[str]:
        return {code for _severity, code in self.found}

    @property
    def errors(self) -> set[str]:
        return {code for severity, code in self.found if severity == "error"}


def page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text("utf-8")


def section(code: str, title: str) -> str:
    """The text below `## title`, up to the next heading."""
    parts = re.split(r"^## (.*)$", page(code), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert title in found, f"{code} has no section {title!r}"
    return found[title]


def fences(code: str, title: str) -> dict[str, str]:
    """Kind -> content of the fences of a section, of which each kind stands at most once."""
    found = _FENCE.findall(section(code, title))
    kinds = [kind for kind, _content in found]
    assert set(kinds) <= set(KINDS), f"{code}: unknown kind of fence in {kinds}"
    assert len(set(kinds)) == len(kinds), f"{code}: a kind of fence stands twice in {title}"
    return dict(found)


def outcome(code: str, title: str, folder: Path) -> Outcome:
    shown = fences(code, title)
    if "sh" in shown:
        (folder / "job.json").write_text(shown.get("json", STANDARD_JOB), encoding="utf-8")
        return run_shell(shown["sh"], folder)
    if "python" in shown:
        names: dict[str, object] = {}
        exec(compile(shown["python"], f"{code}.md", "exec"), names)
        result = names["result"]
        assert isinstance(result, CompileResult)
        return of_result(result)
    specs = []
    if "yaml" in shown:
        (folder / "my_model.yaml").write_text(shown["yaml"], encoding="utf-8")
        specs = [folder]
    job = shown.get("json", shown.get("text", STANDARD_JOB if specs else None))
    assert job is not None, f"{code} has nothing to compile in {title}"
    return of_result(compile_job(job, file="job.json", catalogue=Catalogue(folders=specs)))


def of_result(result: CompileResult) -> Outcome:
    found = tuple((d.severity, d.code) for d in result.diagnostics)
    return Outcome(found=found, said=as_text(result.diagnostics), ok=result.ok)


def run_shell(commands: str, folder: Path) -> Outcome:
    """Runs commands in a folder, as a user without any settings of their own."""
    tool = folder / ".bin" / "dpcompile"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dpcompile "$@"\n', encoding="utf-8")
    tool.chmod(0o755)
    own = {"PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(REPO_ROOT)}
    kept = {k: v for k, v in os.environ.items() if k not in ("DPCOMPILE_SPECS", "NETWORK_VOLUME")}
    done = subprocess.run(
        ["bash", "-c", commands],
        cwd=folder,
        env={**kept, **own},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1), said
    return Outcome(found=tuple(_SAID.findall(said)), said=said, ok=done.returncode == 0)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.name for path in PAGES.iterdir()} == {f"{code}.md" for code in CODES}


def test_only_known_codes_go_without_example() -> None:
    assert set(INTERNAL) <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_form(code: str) -> None:
    text = page(code)
    lines = text.splitlines()

    assert lines[0] == f"# {code}: {CODES[code].title}"
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    # ASCII, so that no terminal is too old for it.
    assert text.isascii()
    assert not [line for line in lines if len(line) > 100]
    assert not [line for line in lines if line != line.rstrip()]
    assert not _MACHINE_PATH.search(text)
    expected = [] if code in INTERNAL else ["Example", "Fix"]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == expected


@pytest.mark.parametrize("code", CODES)
def test_severities_are_told_as_they_are(code: str) -> None:
    for severity, told in _SAID.findall(page(code)):
        assert told in CODES, f"{code} speaks of {told}, which does not exist"
        assert CODES[told].severity == severity


@pytest.mark.parametrize("code", CODES)
def test_other_codes_that_are_named_exist(code: str) -> None:
    assert set(re.findall(r"DPC\d{3}", page(code))) <= set(CODES)


@pytest.mark.parametrize("code", COMPILED)
def test_example_gives_its_code_and_no_other_error(code: str, tmp_path: Path) -> None:
    seen = outcome(code, "Example", tmp_path)

    assert (CODES[code].severity, code) in seen.found, seen.said
    assert seen.errors <= {code}, seen.said
    assert seen.ok == (CODES[code].severity != "error"), seen.said
    assert_told(code, "Example", seen)


@pytest.mark.parametrize("code", COMPILED)
def test_fix_mends_it(code: str, tmp_path: Path) -> None:
    seen = outcome(code, "Fix", tmp_path)

    assert code not in seen.codes, seen.said
    assert not seen.errors, seen.said
    assert seen.ok, seen.said
    assert_told(code, "Fix", seen)


@pytest.mark.parametrize("code", RUN)
def test_what_a_run_tells_is_quoted_and_brought_about(code: str) -> None:
    """The page shows the words; a test of the worker names the code."""
    assert f"{CODES[code].severity} {code}:" in fences(code, "Example")["output"]
    assert section(code, "Fix").strip()
    folder = REPO_ROOT / "tests" / ("worker" if code.startswith("DPC7") else "unit/inspection")
    tests = (path.read_text("utf-8") for path in folder.rglob("*.py"))
    assert any(code in text for text in tests)


def assert_told(code: str, title: str, seen: Outcome) -> None:
    """What a page quotes is what is said, however its lines are broken."""
    told = fences(code, title).get("output", "")
    assert " ".join(told.split()) in " ".join(seen.said.split())
