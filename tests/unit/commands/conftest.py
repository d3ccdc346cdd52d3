"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.commands.support import written
from tests.unit.jobs import job


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A job in which nothing is wrong."""
    return written(tmp_path, job(training={"epochs": 3}), "good.json")


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    """A job with a warning and nothing worse."""
    return written(tmp_path, job(training={"passthrough": {"root": {"x": 1}}}), "warned.json")


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """A job with a note and nothing worse."""
    return written(tmp_path, job(training={"network_dim": 8}), "noted.json")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A job with an error."""
    return written(tmp_path, job(training={"nonsense": 1}), "bad.json")
