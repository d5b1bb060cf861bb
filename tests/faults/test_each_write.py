"""Each single write, sync, rename and truncation of an operation is struck, one at a time, from outside the process.

The number of points is printed at the end of `make test-faults`. What a point left behind is measured by the
provider's journal; REST says only what a connection claims, and what a caller gets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.runs.operations import OPERATIONS
from tests.faults.runs.points import Lane, Operation, Points
from tests.faults.runs.system_calls import BLOWS, Blow

LANES = 7  # a point is mostly waiting


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, list[Lane]]]:
    """The lanes that are open, by the program of their servers."""
    found: dict[Any, list[Lane]] = {}
    try:
        yield found
    finally:
        for each in itertools.chain(*found.values()):
            each.close()


@pytest.fixture
def lanes(
    operation: Operation,
    opened: dict[Any, list[Lane]],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[list[Lane]]:
    """Lanes for the operation of the test; opened again after a test that failed."""
    failed = request.session.testsfailed
    if operation.command not in opened:
        where = tmp_path_factory.mktemp("lanes")
        with ThreadPoolExecutor(LANES) as pool:
            found = pool.map(lambda n: Lane.opened(where / f"lane-{n}", operation.command), range(LANES))
            opened[operation.command] = list(found)
    yield opened[operation.command]
    if request.session.testsfailed > failed:
        for each in opened.pop(operation.command):
            each.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("blow", BLOWS, ids=[each.name for each in BLOWS])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_each_call(
    operation: Operation, blow: Blow, lanes: list[Lane], record_property: Callable[[str, object], None]
) -> None:
    """Whichever call is struck, the grant is kept or its state is truthful, and ten seconds later all is served."""
    points = Points(operation, blow)
    points.strike_all(lanes)
    record_property("crash_points", {"operation": operation.name, "blow": blow.name, "points": points.struck()})

    assert not points.wrong, "\n".join(map(str, points.wrong))
    assert points.struck(), "no call was struck"
