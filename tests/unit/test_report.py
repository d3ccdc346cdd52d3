"""Findings as text, JSON and GitHub annotations: every part of them, and nothing that a message smuggles in."""

from __future__ import annotations

import json

import pytest

from dpcompile.diagnostics import Diagnostic, Severity
from dpcompile.report import as_github, as_json, as_text, legible, place, printable, summary, to_json


def found(
    severity: Severity = "error",
    *,
    message: str = "something is wrong",
    hint: str = "",
    file: str | None = "job.json",
    path: str = "/x",
    line: int | None = 14,
) -> Diagnostic:
    column = None if line is None else 5
    return Diagnostic(
        code="DPC417", severity=severity, path=path, message=message, hint=hint, file=file, line=line, column=column
    )


def test_json_form_is_the_promised_one() -> None:
    assert to_json(found(hint="mend it")) == {
        "code": "DPC417",
        "severity": "error",
        "path": "/x",
        "message": "something is wrong",
        "hint": "mend it",
        "file": "job.json",
        "line": 14,
        "column": 5,
    }
    assert list(to_json(found())) == ["code", "severity", "path", "message", "hint", "file", "line", "column"]


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        (r'trigger "\u732b"', "utf-8", 'trigger "猫"'),
        (r'trigger "\u732b"', "latin-1", r'trigger "\u732b"'),
        (r'"\u00e9t\u00e9"', "latin-1", '"été"'),
        (r'"\ud83d\ude00"', "utf-8", '"😀"'),
        (r'a half "\ud83d"', "utf-8", r'a half "\ud83d"'),
        (r'a backslash "\\u732b"', "utf-8", r'a backslash "\\u732b"'),
        (r'both "\\\u732b"', "utf-8", r'both "\\猫"'),
        (r'the other way round "\u202e"', "utf-8", r'the other way round "\u202e"'),
        (r'a bell "\u0007"', "utf-8", r'a bell "\u0007"'),
        (r'cut off "\u73..."', "utf-8", r'cut off "\u73..."'),
    ],
)
def test_letters_take_the_place_of_their_escapes(text: str, encoding: str, shown: str) -> None:
    assert legible(text, encoding) == shown


def test_json_is_ascii_and_reads_back() -> None:
    text = as_json({"ü": ["\u2028", "\udcff"]})

    assert text.isascii()
    assert json.loads(text) == {"ü": ["\u2028", "\udcff"]}


@pytest.mark.parametrize(
    ("file", "path", "line", "shown"),
    [
        ("job.json", "/x", 14, "job.json:14:5"),
        ("job.json", "/x", None, "job.json:/x"),
        ("job.json", "", None, "job.json"),
        (None, "", None, "dpcompile"),
        ("--set", "/training/epochs", None, "--set:/training/epochs"),
        ("a\nb.json", "", None, "a\\nb.json"),
    ],
)
def test_place_is_shown_as_far_as_it_is_known(file: str | None, path: str, line: int | None, shown: str) -> None:
    assert place(found(file=file, path=path, line=line)) == shown


def test_text_has_a_line_for_the_finding_and_one_for_the_remedy() -> None:
    assert as_text([found(hint="mend it"), found("info")]) == (
        "job.json:14:5: error DPC417: something is wrong\n    mend it\njob.json:14:5: info DPC417: something is wrong"
    )
    assert as_text([]) == ""


@pytest.mark.parametrize("evil", ["a\nb", "a\rb", "\x1b[2J", "\x07", "\u202eevil", "\x9b31m", "\u2028", "\udcff"])
def test_no_control_character_reaches_the_terminal(evil: str) -> None:
    shown = as_text([found(message=evil, hint=evil, file=evil)])

    assert shown.count("\n") == 1
    assert shown.replace("\n", "").isprintable()


def test_printable_text_stays_as_it_is() -> None:
    assert printable("é 日本 “…” ~/job.json") == "é 日本 “…” ~/job.json"


@pytest.mark.parametrize(("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "notice")])
def test_github_annotation_has_level_and_place(severity: Severity, level: str) -> None:
    assert as_github([found(severity, hint="mend it.")]) == (
        f"::{level} file=job.json,line=14,col=5,title=DPC417::something is wrong. mend it."
    )


def test_github_annotation_leaves_out_what_is_not_known() -> None:
    assert as_github([found(file=None, line=None)]) == "::error title=DPC417::something is wrong"


@pytest.mark.parametrize(
    ("message", "file", "shown"),
    [
        ("100% a\nb\rc", "job.json", "::error file=job.json,title=DPC417::100%25 a%0Ab%0Dc"),
        ("a, b: c", "a,b:c.json", "::error file=a%2Cb%3Ac.json,title=DPC417::a, b: c"),
        ("x", "a%2Cb", "::error file=a%252Cb,title=DPC417::x"),
        ("::error::x", "job.json", "::error file=job.json,title=DPC417::::error::x"),
    ],
)
def test_github_annotation_is_one_command_whatever_it_holds(message: str, file: str, shown: str) -> None:
    assert as_github([found(message=message, file=file, line=None)]) == shown


@pytest.mark.parametrize(
    ("severities", "words"),
    [
        ([], "no findings"),
        (["error"], "1 error"),
        (["error", "error", "warning"], "2 errors, 1 warning"),
        (["info", "warning", "info", "error"], "1 error, 1 warning, 2 notes"),
    ],
)
def test_summary_counts_by_severity(severities: list[Severity], words: str) -> None:
    assert summary([found(severity) for severity in severities]) == words
