"""`dpcompile render`: the TOML files, printed or written, and nothing half done."""

from __future__ import annotations

import json
import os
import resource
import tomllib
from pathlib import Path

import pytest

from dpcompile.compiler import compile_job
from dpcompile.plan import from_json
from tests.unit.commands.support import contents, dpcompile, environment, process, written
from tests.unit.jobs import CATALOGUE, dataset, job


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """A job with an evaluation set, and so with a third file."""
    return written(tmp_path, job(data={**dataset("images"), "eval": {"fraction": 0.1}}), "evaluated.json")


def files(path: Path, *, comments: bool = False) -> dict[str, str]:
    result = compile_job(path.read_bytes(), file=str(path), catalogue=CATALOGUE, comments=comments)
    return {file.name: file.text for file in result.files}


# --- printed ------------------------------------------------------------------------------------------------


def test_files_are_printed_one_after_the_other_under_their_names(evaluated: Path) -> None:
    done = dpcompile("render", evaluated)

    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if line.startswith("# ----")] == [
        "# ---- train.toml",
        "# ---- dataset.toml",
        "# ---- eval.toml",
    ]
    assert done.out == "\n".join(f"# ---- {name}\n{text}" for name, text in files(evaluated).items())


def test_json_holds_files_and_findings(warned: Path) -> None:
    done = dpcompile("render", warned, "--format", "json")

    assert (done.code, done.err) == (0, "")
    assert list(done.json) == ["files", "diagnostics"]
    assert done.json["files"] == files(warned)
    assert [d["code"] for d in done.json["diagnostics"]] == ["DPC216"]


def test_json_of_a_job_with_errors_holds_no_files(bad: Path) -> None:
    done = dpcompile("render", bad, "--format", "json")

    assert (done.code, done.err) == (1, "")
    assert done.json["files"] == {}
    assert [d["code"] for d in done.json["diagnostics"]] == ["DPC208"]


def test_job_with_errors_prints_no_file(bad: Path) -> None:
    done = dpcompile("render", bad)

    assert (done.code, done.out) == (1, "")
    assert "error DPC208" in done.err


def test_comments_say_where_values_came_from_and_change_none(good: Path) -> None:
    plain = dpcompile("render", good, "--format", "json").json["files"]
    commented = dpcompile("render", good, "--comments", "--format", "json").json["files"]

    assert commented == files(good, comments=True)
    assert f"epochs = 3  # job: {good}#/training/epochs\n" in commented["train.toml"]
    assert {n: tomllib.loads(t) for n, t in commented.items()} == {n: tomllib.loads(t) for n, t in plain.items()}


@pytest.mark.parametrize("name", ["a\nepochs = 9\n.json", "a\r[model]\r.json", "# \x1b[2J é.json"])
def test_comments_cannot_be_broken_out_of_by_the_name_of_the_job(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, job(training={"epochs": 3}), name)
    plain = dpcompile("render", path, "--format", "json").json["files"]

    commented = dpcompile("render", path, "--comments", "--format", "json").json["files"]

    assert {n: tomllib.loads(t) for n, t in commented.items()} == {n: tomllib.loads(t) for n, t in plain.items()}


# --- written ------------------------------------------------------------------------------------------------


def test_files_and_plan_are_written_and_told(evaluated: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"

    done = dpcompile("render", evaluated, "-o", out)

    there = contents(out)
    plan = from_json(json.loads(there.pop("plan.json")))
    assert (done.code, done.out) == (0, "")
    assert there == files(evaluated)
    assert {file.name: file.text for file in plan.files} == there
    assert done.err.splitlines() == [f"wrote {out / name}" for name in (*files(evaluated), "plan.json")]


def test_files_are_written_and_printed_as_json_at_once(good: Path, tmp_path: Path) -> None:
    done = dpcompile("render", good, "-o", tmp_path / "out", "--format", "json")

    assert done.json["files"] == files(good)
    assert contents(tmp_path / "out").keys() == {"train.toml", "dataset.toml", "plan.json"}


def test_lines_end_alike_on_every_machine(good: Path, tmp_path: Path) -> None:
    dpcompile("render", good, "-o", tmp_path / "out")

    assert all(b"\r" not in path.read_bytes() for path in (tmp_path / "out").iterdir())


def test_evaluation_file_of_an_earlier_job_is_taken_away(evaluated: Path, good: Path, tmp_path: Path) -> None:
    """It would be taken for this job's."""
    out = tmp_path / "out"
    dpcompile("render", evaluated, "-o", out)
    assert (out / "eval.toml").exists()

    dpcompile("render", good, "-o", out)

    assert contents(out).keys() == {"train.toml", "dataset.toml", "plan.json"}


def test_other_files_in_the_folder_are_left_alone(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "notes.txt").write_text("mine", "utf-8")
    (out / "sub" / "train.toml").write_text("mine", "utf-8")
    (out / "train.toml").write_text("old", "utf-8")

    dpcompile("render", good, "-o", out)

    assert (out / "notes.txt").read_text("utf-8") == "mine"
    assert (out / "sub" / "train.toml").read_text("utf-8") == "mine"
    assert (out / "train.toml").read_text("utf-8") == files(good)["train.toml"]
    assert {path.name for path in out.iterdir()} == {"sub", "notes.txt", "train.toml", "dataset.toml", "plan.json"}


def test_job_with_errors_leaves_the_folder_as_it_was(bad: Path, good: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert dpcompile("render", bad, "-o", out).code == 1
    assert not out.exists()

    dpcompile("render", good, "-o", out)
    before = contents(out)
    assert dpcompile("render", bad, "-o", out).code == 1
    assert contents(out) == before


def test_files_can_be_read_by_others_as_the_umask_says(good: Path, tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        dpcompile("render", good, "-o", tmp_path / "out")
    finally:
        os.umask(old)

    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o644}


def test_link_is_replaced_and_what_it_leads_to_left_alone(good: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.toml"
    target.write_text("mine", "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.toml").symlink_to(target)

    dpcompile("render", good, "-o", tmp_path / "out")

    assert target.read_text("utf-8") == "mine"
    assert (tmp_path / "out" / "train.toml").read_text("utf-8") == files(good)["train.toml"]


# --- what cannot be written ---------------------------------------------------------------------------------


def refused(good: Path, out: Path | str) -> str:
    done = dpcompile("render", good, "-o", out)

    assert (done.code, done.out) == (1, "")
    assert f"{out}: error DPC113: the files cannot be written: " in done.err
    assert "wrote" not in done.err
    return done.err.partition("cannot be written: ")[2].splitlines()[0]


def test_file_in_the_place_of_the_folder_is_told(good: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", "utf-8")

    assert refused(good, tmp_path / "out") == "File exists"
    assert refused(good, tmp_path / "out" / "below") == "Not a directory"
    assert (tmp_path / "out").read_text("utf-8") == "mine"


def test_folder_in_the_place_of_a_file_is_told_and_nothing_else_left_behind(good: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "train.toml").mkdir(parents=True)

    assert refused(good, tmp_path / "out") == "Is a directory"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.toml"]


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A folder in which nothing can be made. Root may write everywhere but in the kernel's own folders."""
    if os.geteuid() == 0:
        return Path("/proc")
    (tmp_path / "read_only").mkdir(mode=0o500)
    return tmp_path / "read_only"


def test_folder_that_cannot_be_written_to_is_told(good: Path, read_only: Path) -> None:
    assert refused(good, read_only)
    assert refused(good, read_only / "below")


def test_name_that_no_folder_can_have_is_told(good: Path, tmp_path: Path) -> None:
    assert refused(good, tmp_path / ("x" * 300)) == "File name too long"


def test_full_disk_leaves_the_old_files_whole(good: Path, evaluated: Path, tmp_path: Path) -> None:
    """A process that may not write more than 100 bytes into a file, as on a disk that is nearly full."""
    out = tmp_path / "out"
    dpcompile("render", evaluated, "-o", out)
    before = contents(out)

    done = process(
        *("render", good, "-o", out),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        env=environment(PYTHONDONTWRITEBYTECODE="1"),  # or it would leave cut-off bytecode behind
    )

    assert done.returncode == 1
    assert "error DPC113: the files cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(out) == before
