"""What the tests of the checks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpcompile.catalogue import Catalogue
from tests.unit.checks.support import JobCheck


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    return Catalogue()


@pytest.fixture
def check(shipped: Catalogue, tmp_path: Path) -> JobCheck:
    return JobCheck(catalogue=shipped, folder=tmp_path)
