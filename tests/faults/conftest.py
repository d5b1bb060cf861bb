"""Faults take their time: `make test` runs the short form, `make test-faults` all of it and reports the random runs."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.run_campaign import SOURCES
from scripts.written_by_runs import heading, put
from tests.faults.runs import points, report
from tests.faults.runs.operations import OPERATIONS
from tests.faults.runs.system_calls import BLOWS

HERE = "tests/faults/"
POINTS = "crash_points"  # the property that tests/faults/test_each_write.py records


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the random runs take; known only where this folder is named on the command line."""
    report.add_options(parser)
    parser.getgroup("crash points").addoption(
        "--points-page", type=Path, help="write the table of crash points into this page, if every test of them passed"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before any worker starts."""
    report.choose_base(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """What is drawn is drawn once, however many workers there are."""
    report.hand_base_down(node.config, node.workerinput)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Say the first seed before anything runs, so that a session that hangs or is ended can be played again."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and (line := report.drawn(session.config)):
        terminal.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Call everything here slow that does not say that it is short."""
    for item in items:
        if item.nodeid.startswith(HERE) and item.get_closest_marker("short") is None:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables of the crash points and of the random runs."""
    reports = [each for several in terminalreporter.stats.values() for each in several]
    called = [each for each in reports if getattr(each, "when", "") == "call"]
    recorded = [value for each in called for name, value in each.user_properties if name == POINTS]
    if recorded:
        terminalreporter.section("crash points")
        terminalreporter.write_line(f"{sum(sum(row['points'].values()) for row in recorded)} points")
        terminalreporter.write_line(points.table(recorded))
        page: Path | None = config.getoption("points_page", None)
        passed = [each for each in called if each.passed and any(name == POINTS for name, _ in each.user_properties)]
        if page is not None and len(passed) == len(OPERATIONS) * len(BLOWS):
            _write_points(page, recorded)
            terminalreporter.write_line(f"written into {page}")
    rows = report.rows_of(reports)
    of_a_session = config.getoption("fault_runs", 0) > 0  # not the short ones of `make test`
    if not rows or not (of_a_session or any(row["wrong"] for row in rows)):
        return
    path = report.write(config, rows)
    terminalreporter.section("random fault runs")
    terminalreporter.write_line(report.summary(rows))
    terminalreporter.write_line(f"written to {path}")


def _write_points(page: Path, recorded: list[dict[str, Any]]) -> None:
    number = sum(sum(row["points"].values()) for row in recorded)
    what = f"{number:,} points were struck, and each left what it may leave"
    said = heading(
        what,
        command=f'make test-faults FAULTS="--points-page {page}"',
        sources=SOURCES,
        days=[datetime.datetime.now(datetime.UTC).date()],
    )
    put(page, "points", f"{said}\n\n{points.table(recorded)}")
