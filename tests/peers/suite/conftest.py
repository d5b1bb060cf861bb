"""What every test of the suite has: a mark that keeps it out of `make test`, time for a first install, a keyturn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import Server, running_server

FIRST_INSTALL_S = 1500  # Directus compiles two modules, and others may be installing at the same time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them slow, and let whichever comes first wait for its server's installation."""
    for item in items:
        if item.nodeid.startswith("tests/peers/suite/"):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(FIRST_INSTALL_S))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A keyturn with nothing in it."""
    with running_server(tmp_path) as running:
        yield running
