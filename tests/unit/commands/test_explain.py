"""`dpcompile explain`: the page of a code, however it is written."""

from __future__ import annotations

import pytest

from dpcompile.codes import CODES
from dpcompile.resources import DataDirs
from tests.unit.commands.support import dpcompile

PAGES = DataDirs.default().explanations


@pytest.mark.parametrize("code", ["417", "DPC417", "dpc417", "Dpc417"])
def test_page_is_found_however_the_code_is_written(code: str) -> None:
    done = dpcompile("explain", code)

    assert (done.code, done.err) == (0, "")
    assert done.out == (PAGES / "DPC417.md").read_text("utf-8")


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page_that_names_it(code: str) -> None:
    done = dpcompile("explain", code)

    assert done.code == 0
    assert code in done.out.splitlines()[0]


@pytest.mark.parametrize("code", ["999", "DPC999", "", "x", "../DPC417", "DPC417.md", "\x1b[31m"])
def test_unknown_code_is_wrong_usage(code: str) -> None:
    done = dpcompile("explain", code)

    assert (done.code, done.out) == (2, "")
    assert "there is no code" in done.err
    assert "\x1b" not in done.err


def test_codes_that_look_alike_are_named() -> None:
    assert "Near it: " in dpcompile("explain", "DPC4177").err
