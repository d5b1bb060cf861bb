"""What the tests of the wiring share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.fresh_tables import fresh_tables_at_once


@pytest.fixture(scope="module", autouse=True)
def _fresh_tables() -> Iterator[None]:
    with fresh_tables_at_once():
        yield
