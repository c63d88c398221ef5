"""What every test gets: Hypothesis without deadlines, and a rule for parts that this machine lacks."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import FixedClock

# Shared machines stall now and then: a deadline would fail tests for that alone.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=100)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is meant to be there (DIGEST_TESTS_COMPLETE), a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("DIGEST_TESTS_COMPLETE") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may be missing: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was not tested, and why: one line for each missing part, not one for each test."""
    reasons = Counter(
        report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.stats.get("skipped", ())
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:4} {reason.replace('Skipped:', 'skipped:')}")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(dt.datetime(2026, 11, 16, 8, 0, tzinfo=dt.UTC))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs beside the project; skipped, visibly, where it is missing."""
    if not REAL_DATA.is_dir():
        pytest.skip("no folder of real inputs beside the project")
    return REAL_DATA
