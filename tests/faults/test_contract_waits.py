"""Waits that take long, as an outsider reads the contract."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, shown
from tests.end_to_end.scripted.provider import Answer, Scripted, Seen, scripted_provider


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-more")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def refreshes(provider: Scripted) -> list[Seen]:
    """Each refresh request that came, in order."""
    return [seen for seen in provider.seen("/token") if b"grant_type=refresh_token" in seen.body]


def late(provider: Scripted, seconds: float) -> Any:
    """An honest answer that comes late."""

    def answer(seen: Seen) -> Answer:
        found = provider.honest(seen)
        found.after_s = seconds
        return found

    return answer


def test_waiting_for_anothers_renewal_ends_after_ten_seconds(server: Server, provider: Scripted) -> None:
    """409 renewal_in_progress; the renewal itself goes on and is kept."""
    connection = connected(server, provider)
    provider.end_access_tokens()
    provider.then("/token", late(provider, 12))
    started = time.monotonic()

    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: call(server, connection), range(2)))
    took = time.monotonic() - started
    wait_for(lambda: shown(server, connection)["generation"] == 2, 8)

    assert (409, "renewal_in_progress") in {(each.status, each.code) for each in replies}
    assert {(409, "renewal_in_progress"), (200, None)} >= {(each.status, each.code) for each in replies}
    assert 9 < took < 14
    assert 1 == len(refreshes(provider))
