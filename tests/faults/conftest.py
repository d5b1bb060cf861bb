"""Faults take their time: `make test` runs the short form, `make test-faults` all of it and reports the random runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.runs import points, report

HERE = "tests/faults/"
POINTS = "crash_points"  # the property that tests/faults/test_each_write.py records


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the random runs take; known only where this folder is named on the command line."""
    report.add_options(parser)


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
    rows = report.rows_of(reports)
    of_a_session = config.getoption("fault_runs", 0) > 0  # not the short ones of `make test`
    if not rows or not (of_a_session or any(row["wrong"] for row in rows)):
        return
    path = report.write(config, rows)
    terminalreporter.section("random fault runs")
    terminalreporter.write_line(report.summary(rows))
    terminalreporter.write_line(f"written to {path}")
