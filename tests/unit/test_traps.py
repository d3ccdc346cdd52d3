"""docs/traps.md: every trap has its place, and the codes that it names are there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpcompile.codes import CODES
from dpcompile.compiler import compile_job
from dpcompile.resources import DataDirs
from tests.unit.jobs import CATALOGUE
from tests.unit.trapjobs import TRAP_JOBS

PAGE = Path(__file__).parents[2] / "docs" / "traps.md"
FATES = {
    "check",
    "by construction",
    "dataset inspection",
    "model files",
    "worker supervision",
    "not our business",
}
_LOOKED_FOR = {"check": "DPC", "dataset inspection": "DPC6", "model files": "DPC7"}
"""Fates that have a code, and what one of the codes begins with."""
HOW_MANY = 185
ABOUT_US = {"DPC448": "an evaluation set that we make ourselves", "DPC452": "the place for the result"}
"""Codes of checks that are not about the trainer."""
BEYOND = {
    "DPC601": "a folder that is not on this machine",
    "DPC614": "a dataset file that is no TOML",
    "DPC615": "a file that cannot be decoded",
    "DPC623": "a file that cannot be opened",
    "DPC632": "the same picture twice",
    "DPC633": "captions without the trigger word",
    "DPC634": "sub-folders",
    "DPC635": "how much is cropped",
}
"""Codes of the inspection for what stands in no list of traps."""

_ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.*) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One line of the table."""

    number: int
    what: str
    fate: str
    codes: tuple[str, ...]
    why: str


TRAPS = [
    Trap(number=int(number), what=what, fate=fate, codes=tuple(codes.split(", ")) if codes.strip() else (), why=why)
    for number, what, fate, codes, why in _ROW.findall(PAGE.read_text("utf-8"))
]


def test_every_trap_stands_there_once() -> None:
    assert [trap.number for trap in TRAPS] == list(range(1, HOW_MANY + 1))


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap.number))
def test_fate(trap: Trap) -> None:
    assert trap.fate in FATES
    assert trap.what.strip()
    assert trap.why.strip()
    # What is looked for is told by a code; what is nobody's is told by none.
    assert trap.fate not in _LOOKED_FOR or any(code.startswith(_LOOKED_FOR[trap.fate]) for code in trap.codes)
    assert not trap.codes or trap.fate != "not our business"


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.codes], ids=lambda trap: str(trap.number))
def test_codes_exist_and_have_pages(trap: Trap) -> None:
    for code in trap.codes:
        assert code in CODES
        assert (DataDirs.default().explanations / f"{code}.md").exists()


def test_every_fate_is_explained() -> None:
    text = PAGE.read_text("utf-8")

    assert [fate for fate in FATES if f"| {fate} | " not in text.partition("| number |")[0]] == []


def test_every_check_of_the_trainer_s_ways_is_named() -> None:
    named = {code for trap in TRAPS for code in trap.codes}

    assert {code for code in CODES if code.startswith("DPC4")} - named == set(ABOUT_US)


def test_every_finding_of_the_inspection_is_named() -> None:
    named = {code for trap in TRAPS for code in trap.codes}

    assert {code for code in CODES if code.startswith("DPC6")} - named == set(BEYOND)


def test_every_check_has_a_job_that_falls_into_the_trap() -> None:
    assert sorted(TRAP_JOBS) == [trap.number for trap in TRAPS if trap.fate == "check"]


@pytest.mark.parametrize("number", TRAP_JOBS)
def test_a_job_with_the_trap_is_told_and_the_one_that_was_meant_is_not(number: int) -> None:
    [codes] = [trap.codes for trap in TRAPS if trap.number == number]
    wrong, right = (compile_job(TRAP_JOBS[number].job(right=each), catalogue=CATALOGUE) for each in (False, True))

    assert {found.code for found in wrong.diagnostics} & set(codes), wrong.diagnostics
    assert [found for found in right.diagnostics if found.severity != "info"] == []
    assert right.ok
