"""Two servers on one data directory: what one does counts at the other; judged by the provider's own log.

Invariants I1, I3, I6, I7, I9; the product's "New calls are refused from the moment … commits".
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Reply, Server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import CLIENT_ID, CLIENT_SECRET, PASSWORD, Answer, Scripted, scripted_provider
from tests.end_to_end.two_servers import EVENTS_S, SOON_S, late, open_stream, refreshes, renew, two_servers

Pair = tuple[Server, Server]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers for this file, whose first start was at the same moment."""
    with two_servers(tmp_path_factory.mktemp("two-servers")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def test_the_first_start_of_both_at_once(pair: Pair, provider: Scripted) -> None:
    """One key, one database: what either made the other can open."""
    first, second = pair
    of_first, of_second = connected(first, provider), connected(second, provider)

    assert [200, 200] == [call(second, of_first).status, call(first, of_second).status]
    assert 1 == len(list(first.data.glob("*.key")))


def test_a_hundred_callers_of_both_at_one_ended_token(pair: Pair, provider: Scripted) -> None:
    """I1, I3: one refresh, and all go on with what it brought."""
    connection = connected(pair[0], provider)
    for each in pair:
        call(each, connection)
    provider.end_access_tokens()
    provider.then("/token", late(provider, 0.5))

    with ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(lambda n: call(pair[n % 2], connection, "echo"), range(100)))
    went_on_with = {seen.bearer() for seen in provider.seen("/api/echo", outcome="ok")}

    assert [] == [each.body for each in replies if each.status != 200]
    assert 1 == len(refreshes(provider))
    assert 1 == len(went_on_with)
    assert 2 == shown(pair[1], connection)["generation"]


def test_a_crowd_of_the_other_that_never_called_before(pair: Pair, provider: Scripted) -> None:
    """A token that ended by its own time: the other server waits for the renewal, and makes none."""
    provider.ttl = 1
    connection = connected(pair[0], provider)
    provider.ttl = 3600
    time.sleep(1.1)
    provider.then("/token", late(provider, 0.8))
    with ThreadPoolExecutor(31) as pool:
        first = pool.submit(call, pair[0], connection, "echo")
        wait_for(lambda: refreshes(provider), 5, 0.02)
        replies = list(pool.map(lambda _: call(pair[1], connection, "echo"), range(30)))

    assert [200] * 31 == [each.status for each in [first.result(), *replies]]
    assert 1 == len(refreshes(provider))
    assert 1 == len({seen.bearer() for seen in provider.seen("/api/echo")})


def pause(server: Server, connection: dict[str, Any], key: dict[str, Any]) -> Reply:
    """Stop it for a while."""
    return server.ask("POST", f"/v1/connections/{connection['id']}/pause")


def disconnect(server: Server, connection: dict[str, Any], key: dict[str, Any]) -> Reply:
    """End it."""
    return server.ask("DELETE", f"/v1/connections/{connection['id']}")


def revoke_key(server: Server, connection: dict[str, Any], key: dict[str, Any]) -> Reply:
    """Revoke the API key that calls are made with."""
    return server.ask("DELETE", f"/v1/api-keys/{key['id']}")


@pytest.mark.parametrize(
    ("stop", "refusal"),
    [
        pytest.param(pause, (409, "connection_paused"), id="pause"),
        pytest.param(disconnect, (410, "connection_disconnected"), id="disconnect"),
        pytest.param(revoke_key, (401, "unauthenticated"), id="revoked key"),
    ],
)
def test_what_is_stopped_at_one_is_refused_by_the_other(
    pair: Pair, provider: Scripted, stop: Callable[..., Reply], refusal: tuple[int, str]
) -> None:
    """Within a second, though it had all in memory; its streams are cut; what was not stopped goes on."""
    connection, untouched = connected(pair[0], provider), connected(pair[0], provider)
    key = pair[0].ask("POST", "/v1/api-keys", {"name": "brief", "scopes": ["call"]}).json()
    stream = open_stream(pair[1], provider, connection, key=key["key"])
    other_stream = open_stream(pair[1], provider, untouched)
    warm = call(pair[1], connection, key=key["key"])

    stopped = stop(pair[0], connection, key)
    stopped_at = time.monotonic()
    first_refusal = wait_for(
        lambda: (reply := call(pair[1], connection, key=key["key"])).status != 200 and reply, SOON_S, 0.02
    )
    stream.thread.join(EVENTS_S / 2)

    assert 200 == warm.status
    assert stopped.status in (200, 204), stopped.body
    assert refusal == (first_refusal.status, first_refusal.code)
    assert stream.ended_at is not None
    assert stream.ended_at - stopped_at < SOON_S
    assert other_stream.ended_at is None
    assert 200 == call(pair[1], untouched).status
    disconnect(pair[0], untouched, key)  # else a server that is stopped would wait for its stream


def test_a_renewal_at_one_reaches_the_others_memory(pair: Pair, provider: Scripted) -> None:
    """I6, I7: within a second the other serves the new token, without being refused first, and never the old again."""
    connection = connected(pair[0], provider)
    call(pair[1], connection, "echo")
    old = provider.seen("/api/echo")[-1].bearer()
    renewed = renew(pair[0], connection)

    def served() -> str:
        call(pair[1], connection, "echo")
        return provider.seen("/api/echo")[-1].bearer()

    wait_for(lambda: served() != old, SOON_S, 0.02)
    afterwards = [served() for _ in range(20)]

    assert 2 == renewed.json()["generation"]
    assert old not in afterwards
    assert 1 == len(set(afterwards))
    assert [] == [seen for seen in provider.seen("/api/echo") if seen.outcome == "stale"]
    assert 1 == len(refreshes(provider))


def test_a_refused_token_that_the_other_has_replaced(pair: Pair, provider: Scripted) -> None:
    """The call is sent once more with the new one, before this server could hear of it, and nothing is renewed."""
    connection = connected(pair[0], provider)
    call(pair[1], connection, "echo")
    answered = threading.Event()

    def renewed_meanwhile(_: Any) -> Answer:
        assert 200 == renew(pair[0], connection).status
        answered.set()
        return Answer(401, {"error": "invalid_token"})

    provider.then("/api/echo", renewed_meanwhile)
    reply = call(pair[1], connection, "echo")

    assert answered.is_set()
    assert 200 == reply.status
    assert 1 == len(refreshes(provider))


def test_the_login_budget_is_one(pair: Pair, provider: Scripted) -> None:
    """I9: five wrong passwords of one account, however they are spread, also at the same moment."""
    connector = install(pair[0], connector_for(provider))
    counted = [sign_in(pair[n % 2], connector, "ann", f"wrong-{n}") for n in range(5)]
    spent = [sign_in(each, connector, "ann", PASSWORD) for each in pair]
    passwords = len(provider.seen("/token"))
    with ThreadPoolExecutor(12) as pool:
        crowd = list(pool.map(lambda n: sign_in(pair[n % 2], connector, "bob", f"wrong-{n}"), range(12)))

    assert [4, 3, 2, 1, 0] == [each.json()["tries_left"] for each in counted]
    assert [(429, "login_budget_spent")] * 2 == [(each.status, each.code) for each in spent]
    assert 5 == passwords
    assert {422: 5, 429: 7} == Counter(each.status for each in crowd)
    assert 10 == len(provider.seen("/token"))


def test_a_client_that_is_mended_at_one(pair: Pair, provider: Scripted) -> None:
    """The other's alarm, of three that were refused, ends; calls carry the new client id where step 9 names it."""
    headers = {"Authorization": "Bearer {{ access_token }}", "X-Client": "{{ client_id }}"}
    connector = install(pair[0], connector_for(provider, request={"headers": headers}))
    *refused, kept_waiting, warm = (sign_in(pair[0], connector, owner=f"o-{n}").json() for n in range(5))

    def sent_as(server: Server) -> str | None:
        assert 200 == call(server, warm, "echo").status
        return provider.seen("/api/echo")[-1].header("x-client")

    call(pair[0], kept_waiting, "echo")
    provider.end_access_tokens()
    assert 200 == call(pair[0], warm, "echo").status
    provider.then("/token", *[Answer(401, {"error": "invalid_client"})] * 3)
    alarmed = [call(pair[0], each, "echo") for each in (*refused, kept_waiting)]
    sent = len(refreshes(provider))
    client = {"client_id": f"{CLIENT_ID}-2", "client_secret": CLIENT_SECRET}
    pair[1].ask("PUT", f"/v1/connectors/{connector}/client", client)
    wait_for(lambda: call(pair[0], kept_waiting, "echo").status == 200, SOON_S, 0.05)
    wait_for(lambda: sent_as(pair[0]) == client["client_id"], SOON_S, 0.05)

    assert [(424, "connector_client_rejected")] * 4 == [(each.status, each.code) for each in alarmed]
    assert 4 == sent
    assert client["client_id"] == sent_as(pair[1])


def make_due(data: Path, connector: str) -> None:
    """Say of every connection of a connector that its renewal is due."""
    database = sqlite3.connect(data / "keyturn.db", timeout=10)
    with database:
        database.execute("UPDATE connections SET renews_at = 1, look_at = 1 WHERE connector = ?", (connector,))
    database.close()


def test_both_find_the_same_due(pair: Pair, provider: Scripted) -> None:
    """I1: of twenty connections that both servers see due in one second, each is renewed once."""
    names = [f"user-{n}" for n in range(20)]
    provider.accounts |= {name: (PASSWORD, f"id of {name}") for name in names}
    connector = install(pair[0], connector_for(provider))
    connections = [sign_in(pair[0], connector, name).json() for name in names]
    provider.always["/token"] = late(provider, 0.3)
    make_due(pair[0].data, connector)
    wait_for(lambda: all(shown(pair[1], each)["generation"] >= 2 for each in connections), 20)
    time.sleep(1.5)

    assert {1} == set(Counter(seen.form()["refresh_token"] for seen in refreshes(provider)).values())
    assert 20 == len(refreshes(provider))
    assert {2} == {shown(pair[1], each)["generation"] for each in connections}


def test_one_is_stopped_in_the_middle_of_a_renewal(pair: Pair, provider: Scripted) -> None:
    """It keeps what it renews; those who wait at the other go on with it, and the other stays."""
    third = Server(pair[0].data, pair[0].data.parent / "log-c").start()
    connection = connected(third, provider)
    provider.end_access_tokens()
    provider.then("/token", late(provider, 1.0))
    with ThreadPoolExecutor(21) as pool:
        of_third = pool.submit(call, third, connection, "echo")
        wait_for(lambda: refreshes(provider), 5, 0.02)
        waiting = [pool.submit(call, pair[1], connection, "echo") for _ in range(20)]
        status = third.stop()
        replies = [each.result() for each in [of_third, *waiting]]

    assert 0 == status
    assert [200] * 21 == [each.status for each in replies]
    assert 1 == len(refreshes(provider))
    assert 200 == call(pair[0], connection).status
