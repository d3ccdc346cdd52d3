"""`dpcompile check`: every finding of every job, in the form that was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dpcompile.diagnostics import Diagnostic
from tests.unit.commands.support import dpcompile, written
from tests.unit.jobs import job


def test_job_without_findings_is_called_ok(good: Path) -> None:
    done = dpcompile("check", good)

    assert (done.code, done.out, done.err) == (0, f"{good}: ok\n", "no findings in 1 job\n")


def test_finding_is_told_with_place_and_remedy(bad: Path) -> None:
    done = dpcompile("check", bad)

    first, second = done.out.splitlines()
    line = next(n for n, text in enumerate(bad.read_text("utf-8").splitlines(), 1) if "nonsense" in text)
    assert first == f'{bad}:{line}:5: error DPC208: the trainer reads no setting named "nonsense"'
    assert second.startswith("    ")
    assert (done.code, done.err) == (1, "1 error in 1 job\n")


def test_several_jobs_are_all_checked_and_counted(good: Path, bad: Path, warned: Path) -> None:
    done = dpcompile("check", good, bad, warned)

    assert done.code == 1
    assert [line for line in done.out.splitlines() if ": ok" in line] == [f"{good}: ok"]
    assert f"{bad}:" in done.out
    assert f"{warned}:" in done.out
    assert done.err == "1 error, 1 warning in 3 jobs\n"


def test_one_bad_job_among_good_ones_is_enough_for_1(good: Path, bad: Path) -> None:
    assert dpcompile("check", bad, good).code == 1
    assert dpcompile("check", good, bad).code == 1


def test_job_that_is_named_twice_is_checked_once(good: Path, bad: Path) -> None:
    done = dpcompile("check", good, good, bad, bad)

    assert done.out.count(": ok") == 1
    assert done.out.count("DPC208") == 1
    assert done.err == "1 error in 2 jobs\n"


@pytest.mark.parametrize(
    ("name", "plain", "strict"), [("good", 0, 0), ("noted", 0, 0), ("warned", 0, 1), ("bad", 1, 1)]
)
def test_strict_counts_warnings_and_not_notes(
    request: pytest.FixtureRequest, name: str, plain: int, strict: int
) -> None:
    path: Path = request.getfixturevalue(name)

    assert dpcompile("check", path).code == plain
    assert dpcompile("check", path, "--strict").code == strict
    assert dpcompile("check", path, "--strict", "--format", "json").code == strict
    assert dpcompile("check", path, "--strict").out == dpcompile("check", path).out


def test_json_is_one_list_of_the_findings_of_all_jobs(good: Path, bad: Path, noted: Path) -> None:
    done = dpcompile("check", good, bad, noted, "--format", "json")

    assert done.err == ""
    assert [list(entry) for entry in done.json] == [
        ["code", "severity", "path", "message", "hint", "file", "line", "column"]
    ] * 2
    assert [(e["code"], e["file"]) for e in done.json] == [("DPC208", str(bad)), ("DPC215", str(noted))]
    assert all(isinstance(Diagnostic(**entry), Diagnostic) for entry in done.json)


def test_json_without_findings_is_an_empty_list(good: Path) -> None:
    assert dpcompile("check", good, "--format", "json").out == "[]\n"


def test_github_gets_an_annotation_for_each_finding(bad: Path, warned: Path, noted: Path) -> None:
    done = dpcompile("check", bad, warned, noted, "--format", "github")

    assert [line.partition(" file=")[0] for line in done.out.splitlines()] == ["::error", "::warning", "::notice"]
    assert f"file={bad},line=" in done.out
    assert done.err == ""


def test_github_without_findings_gets_nothing(good: Path) -> None:
    assert dpcompile("check", good, "--format", "github").out == ""


@pytest.mark.parametrize(("form", "out"), [("text", "<stdin>: ok\n"), ("json", "[]\n"), ("github", "")])
def test_dash_reads_the_job_from_stdin(form: str, out: str) -> None:
    done = dpcompile("check", "-", "--format", form, stdin=json.dumps(job()))

    assert (done.code, done.out) == (0, out)


def test_finding_in_stdin_names_it_as_its_file() -> None:
    done = dpcompile("check", "-", "--format", "json", stdin=json.dumps(job(training={"nonsense": 1})))

    [entry] = done.json
    assert (entry["file"], entry["line"]) == ("<stdin>", 1)


def test_empty_stdin_is_told() -> None:
    assert "<stdin>: error DPC103" in dpcompile("check", "-").out


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "no_such.json", "there is no such file"),
        (lambda folder: folder, "this is a folder"),
        (lambda folder: "a\0b.json", "the file cannot be read"),
        (lambda folder: folder / ("x" * 300), "the file cannot be read: File name too long"),
    ],
    ids=["missing", "folder", "zero byte", "too long"],
)
def test_file_that_cannot_be_read_is_told_and_the_others_are_checked(
    tmp_path: Path, good: Path, make: object, told: str
) -> None:
    assert callable(make)
    done = dpcompile("check", make(tmp_path), good)

    assert done.code == 1
    assert "error DPC101" in done.out
    assert told in done.out
    assert f"{good}: ok" in done.out


_WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Root may read everything, unless it is started without the right to."""


@pytest.mark.skipif(bool(_WITHOUT_PRIVILEGE) and not shutil.which("setpriv"), reason="root may read everything")
def test_file_without_permission_is_told(good: Path) -> None:
    good.chmod(0)

    command = [*_WITHOUT_PRIVILEGE, sys.executable, "-m", "dpcompile", "check", str(good)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    assert "error DPC101: the file may not be read" in done.stdout


def test_pipe_is_read_like_a_file(good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", str(good), str(pipe)]):
        assert dpcompile("check", pipe).out == f"{pipe}: ok\n"


def test_file_that_is_far_too_large_is_told_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no room, and nobody could read it

    done = dpcompile("check", path)

    assert done.code == 1
    assert "DPC109" in done.out


def test_options_of_jobs_hold_for_all_of_them(tmp_path: Path) -> None:
    paths = [written(tmp_path, job("qwen"), f"{n}.json") for n in (1, 2)]

    done = dpcompile("check", *paths, "--set", "epochs=x", "--preset", "vram_24gb", "--format", "json")

    # The same finding in the same place is told once.
    assert [(e["code"], e["file"]) for e in done.json] == [("DPC203", "--set")]


def test_name_of_a_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, job(), "\x1b[2J\nevil: ok.json")

    out = dpcompile("check", path).out

    assert "\x1b" not in out
    assert out.count("\n") == 1
