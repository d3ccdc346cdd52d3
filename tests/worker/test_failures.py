"""Every exception ends as a failure with a code, in words."""

from __future__ import annotations

import errno
import os

import pytest

from worker.errors import StepFailed
from worker.failures import as_diagnostic, in_words, trace


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(number: int) -> None:
    failure = in_words(OSError(number, os.strerror(number), "data/x.zip"), "fetch-images")
    assert (failure.code, failure.message) == ("DPC704", "the disk is full: data/x.zip")
    assert failure.resumable
    assert "Make room" in failure.hint


def test_a_full_disk_under_an_open_file_has_no_name() -> None:
    assert in_words(OSError(errno.ENOSPC, "No space left on device"), "x").message == "the disk is full"


def test_a_file_that_may_not_be_read() -> None:
    failure = in_words(PermissionError(errno.EACCES, "Permission denied", "models/flux"), "download-1")
    assert (failure.code, failure.message) == ("DPC705", "download-1: Permission denied: models/flux")


def test_no_memory() -> None:
    assert in_words(MemoryError(), "caption-images").code == "DPC705"


def test_what_nobody_expected_is_a_bug_on_one_line() -> None:
    failure = in_words(KeyError("a\nb"), "train")
    assert failure.code == "DPC709"
    assert failure.message == r"train: this is a bug in the worker: KeyError: 'a\nb'"


def test_a_failure_that_has_a_code_keeps_it() -> None:
    failed = StepFailed("DPC701", "x", "y")
    assert in_words(failed, "train") is failed
    assert as_diagnostic(failed, path="/input/api_keys") == {
        "code": "DPC701",
        "severity": "error",
        "path": "/input/api_keys",
        "message": "x",
        "hint": "y",
        "file": None,
        "line": None,
        "column": None,
    }


def test_a_trace_says_where() -> None:
    with pytest.raises(ValueError, match="here") as caught:
        raise ValueError("here")
    assert "test_a_trace_says_where" in trace(caught.value)
