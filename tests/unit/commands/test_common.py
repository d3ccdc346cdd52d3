"""What several commands share: reading jobs, spec folders, widths."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpcompile.commands.common import Common, compile_file, exit_code, read_file, screen_width, shown_name, wrapped
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import MAX_BYTES
from tests.unit.commands.support import written
from tests.unit.jobs import CATALOGUE, job


@pytest.mark.parametrize(("name", "shown"), [("-", "<stdin>"), ("job.json", "job.json"), ("./-", "./-")])
def test_only_a_dash_alone_is_stdin(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_file_is_read_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\r\n")

    assert read_file(str(tmp_path / "x")) == b"\xff\r\n"


def test_no_more_is_read_than_shows_that_it_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b" " * (MAX_BYTES + 100))

    data = read_file(str(tmp_path / "x"))

    assert isinstance(data, bytes)
    assert len(data) == MAX_BYTES + 1


def test_options_reach_the_compiler(tmp_path: Path) -> None:
    path = written(tmp_path, job("qwen"))
    common = Common(sets=("epochs=7",), preset="vram_24gb", volume="/mnt", job_id="mine")

    plan = compile_file(str(path), common, CATALOGUE).plan

    assert plan is not None
    assert (plan.job_id, plan.folders["volume"], plan.model["preset"]) == ("mine", "/mnt", "vram_24gb")
    assert "epochs = 7" in plan.file("train.toml").text


def test_spec_folders_of_option_and_environment_are_each_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPCOMPILE_SPECS", "/b::/a")

    assert Common(specs=("/a", "/a")).catalogue().folders == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("300", 100)])
def test_lines_are_as_wide_as_the_terminal_but_not_endless(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert screen_width() == width


def test_wrapped_text_keeps_its_indent_and_its_long_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    assert wrapped("  one two three four five", later="    ").split("\n") == ["  one two three four", "    five"]
    assert wrapped("a-very-long-word/that-cannot-be-broken", later="") == "a-very-long-word/that-cannot-be-broken"


def test_only_errors_count_for_the_exit_code() -> None:
    warning = Diagnostic(code="DPC216", severity="warning", path="", message="x")
    error = Diagnostic(code="DPC208", severity="error", path="", message="x")

    assert [exit_code(found) for found in ([], [warning], [warning, error])] == [0, 0, 1]
