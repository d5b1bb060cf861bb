"""Waits that take long, as an outsider reads the contract."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.running import wait_for
from tests.end_to_end.scripted.connectors import call, connected, shown
from tests.end_to_end.scripted.provider import Scripted, scripted_provider
from tests.end_to_end.two_servers import late, refreshes, two_servers


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def test_waiting_for_anothers_renewal_ends_after_ten_seconds(tmp_path: Path, provider: Scripted) -> None:
    """409 renewal_in_progress at another process; who asked at the one that sent waits for the answer, and is served.

    The renewal itself goes on and is kept.
    """
    with two_servers(tmp_path) as (one, another), ThreadPoolExecutor(2) as pool:
        connection = connected(one, provider)
        assert 200 == call(another, connection).status
        provider.end_access_tokens()
        provider.then("/token", late(provider, 14))
        first = pool.submit(call, one, connection)
        wait_for(lambda: refreshes(provider), 8, 0.02)
        started = time.monotonic()
        waited = call(another, connection)
        took = time.monotonic() - started
        served = first.result(20)

        assert (409, "renewal_in_progress") == (waited.status, waited.code)
        assert waited.headers["retry-after"]
        assert 9 < took < 13
        assert 200 == served.status
        wait_for(lambda: shown(another, connection)["generation"] == 2, 8)
        assert 200 == call(another, connection).status
        # The host counts as one that hangs after 10 s: a probe may have come, with a token that nobody issued.
        sent = [each for each in refreshes(provider) if each.refresh == refreshes(provider)[0].refresh]
        assert ["token"] == [each.outcome for each in sent]
