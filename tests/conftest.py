"""What all tests share: Hypothesis profiles, the root of the repository, a line about what was left out."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

REPO_ROOT = Path(__file__).resolve().parents[1]

# In the background of a script interrupts are ignored, and so they would be in every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Read by huggingface_hub when it is imported. No test asks its real servers: a test that forgets to name a double of
# the Hub finds nobody there. Usage figures would go to them whatever endpoint is set, and Xet storage is not in the double.
os.environ |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}

settings.register_profile("dev", max_examples=100, deadline=None)
# Without chance, so that a red run is red again, and a green one does not turn red by itself.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("deep", settings.get_profile("dev"), max_examples=100_000)


def _profile() -> str:
    return os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")


settings.load_profile(_profile())


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout (or the unpacked source distribution) that these tests belong to."""
    return REPO_ROOT


def pytest_report_header() -> str:
    return f"hypothesis profile: {_profile()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("torch") is None:
        skip = pytest.mark.skip(reason="PyTorch is not installed")
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    # A test that is left out and that nobody sees is a defect, so this is always said.
    left_out = _skipped(terminalreporter) + _unselected(config)
    terminalreporter.write_line(f"left out: {'; '.join(left_out) or 'nothing'}")


def _skipped(terminalreporter: pytest.TerminalReporter) -> list[str]:
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    return [f"{count} skipped ({reason})" for reason, count in sorted(reasons.items())]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # A skip is told as (file, line, "Skipped: the reason").
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _unselected(config: pytest.Config) -> list[str]:
    # Taken from the command line, because under xdist the number of deselected tests is not known here.
    chosen = {"-m": config.option.markexpr, "-k": config.option.keyword}
    notes = [f"all but {option} {value!r}" for option, value in chosen.items() if value]
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        notes.append(f"all but {' '.join(config.args)}")
    return notes
