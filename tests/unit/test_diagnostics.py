from __future__ import annotations

import dataclasses

import pytest

from dpcompile.diagnostics import Diagnostic, Severity, has_errors


def found(severity: Severity) -> Diagnostic:
    return Diagnostic(code="DPC201", severity=severity, path="/x", message="something")


def test_a_finding_needs_no_more_than_code_severity_place_and_message() -> None:
    bare = found("error")

    assert (bare.hint, bare.file, bare.line, bare.column) == ("", None, None, None)


def test_a_finding_cannot_be_changed_but_compared_and_counted_once() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        found("error").message = "another"  # type: ignore[misc]
    assert len({found("error"), found("error"), found("info")}) == 2


@pytest.mark.parametrize(
    ("severities", "forbids"),
    [
        ((), False),
        (("info",), False),
        (("warning", "info"), False),
        (("error",), True),
        (("warning", "info", "error"), True),
    ],
)
def test_only_an_error_forbids_going_on(severities: tuple[Severity, ...], forbids: bool) -> None:
    assert has_errors(found(severity) for severity in severities) is forbids
