"""The register of codes: each has one severity and one title, is given somewhere, and is given nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dpcompile
from dpcompile import codes
from dpcompile.codes import CODES, finding

FAMILIES = {"1": "documents", "2": "job", "3": "spec", "4": "checks", "5": "render and verify", "6": "data", "7": "run"}
TABLES = [value for name, value in vars(codes).items() if name.isupper() and name[0] == "_"]


def mentioned() -> set[str]:
    """The codes in the code of the package and of the worker, apart from the register itself."""
    roots = (Path(dpcompile.__file__).parent, Path(__file__).parents[2] / "worker")
    texts = (p.read_text("utf-8") for root in roots for p in root.rglob("*.py") if p != Path(codes.__file__))
    return {code for text in texts for code in re.findall(r"DPC\d+", text)}


def test_every_code_stands_in_one_table_only() -> None:
    # The tables are merged, so a number in two of them would lose one of its meanings unseen.
    assert len(TABLES) > 1
    assert sum(len(table) for table in TABLES) == len(CODES)


def test_every_code_is_given_somewhere_and_only_registered_ones_are() -> None:
    assert mentioned() == set(CODES)


def test_codes_are_in_order() -> None:
    assert list(CODES) == sorted(CODES)


@pytest.mark.parametrize("code", CODES.values(), ids=lambda c: c.code)
def test_entry_has_its_form(code: codes.Code) -> None:
    assert CODES[code.code] is code
    assert re.fullmatch(r"DPC[1-9]\d\d", code.code)
    assert code.code[3] in FAMILIES
    assert code.severity in ("error", "warning", "info")
    assert code.title == code.title.strip()
    assert code.title[-1] not in ".:;"


def test_titles_tell_the_codes_apart() -> None:
    titles = [code.title for code in CODES.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("code", "severity"), [("DPC201", "error"), ("DPC220", "warning"), ("DPC215", "info")])
def test_a_finding_has_the_severity_of_its_code(code: str, severity: str) -> None:
    assert finding(code, "/x", "something").severity == severity


def test_a_finding_may_be_given_another_severity() -> None:
    assert finding("DPC201", "/x", "something", severity="warning").severity == "warning"


def test_a_finding_says_what_it_was_given() -> None:
    found = finding("DPC220", "/dataset", "not used", "Take it out.", file="job.json")

    assert (found.code, found.path, found.message, found.hint, found.file) == (
        "DPC220",
        "/dataset",
        "not used",
        "Take it out.",
        "job.json",
    )


def test_a_finding_needs_a_registered_code() -> None:
    with pytest.raises(KeyError):
        finding("DPC999", "", "something")
