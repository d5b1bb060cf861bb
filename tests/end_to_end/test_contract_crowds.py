"""Crowds at one token, and what a disconnecting connection still keeps: held from outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.running import Server, running_server
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


def test_a_hundred_and_fifty_callers_at_an_ended_token(server: Server, provider: Scripted) -> None:
    """I3: one renewal, and all go on with its result."""
    provider.ttl = 1
    connection = connected(server, provider)
    provider.ttl = 3600
    time.sleep(1.1)
    provider.then("/token", late(provider, 0.5))

    with ThreadPoolExecutor(150) as pool:
        replies = list(pool.map(lambda _: call(server, connection), range(150)))

    assert [] == [each.body for each in replies if each.status != 200]
    assert 1 == len(refreshes(provider))


def test_what_is_kept_for_the_revocation_is_shown(server: Server, provider: Scripted) -> None:
    """`stored` says what is kept, since when, until when: the tokens of a disconnecting connection, 24 h at most."""
    connection = connected(server, provider)
    provider.always["/revoke"] = Answer(503, {})
    server.ask("DELETE", f"/v1/connections/{connection['id']}")

    after = shown(server, connection)

    assert "disconnecting" == after["state"]
    assert after["stored"]["refresh_token"]
    assert after["stored"]["refresh_token"]["until"]


def test_a_stale_answer_in_a_crowd_renews_once(server: Server, provider: Scripted) -> None:
    """I3: a hundred and twenty callers, one renewal, all go on with its result."""
    connection = connected(server, provider)
    provider.end_access_tokens()
    provider.then("/token", late(provider, 0.5))

    with ThreadPoolExecutor(120) as pool:
        statuses = list(pool.map(lambda _: call(server, connection, "echo").status, range(120)))

    assert [200] * 120 == statuses
    assert 1 == len(refreshes(provider))
    assert 2 == shown(server, connection)["generation"]
