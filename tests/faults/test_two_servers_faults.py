"""Two servers on one data directory, one of them killed or put to sleep; judged by the provider's own log.

I1 one renewal in flight, I2 an answered refresh token is never sent again, I4 the newest set or a truthful state,
I6 no older token set replaces a newer one, I7 no stale token once a newer one has committed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keyturn.engine.renewal.leasing import LEASE_S
from tests.end_to_end.running import CHECKOUT, Reply, Server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, shown
from tests.end_to_end.scripted.provider import Scripted, fingerprint, scripted_provider
from tests.end_to_end.two_servers import SOON_S, late, open_stream, refreshes, renew, two_servers

FAULTY = (sys.executable, str(CHECKOUT / "tests/faults/server.py"))
KEPT = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def in_background(server: Server, connection: dict[str, Any]) -> threading.Thread:
    """Ask for a renewal, whatever becomes of the answer."""

    def ask() -> None:
        with contextlib.suppress(http.client.HTTPException, OSError):
            renew(server, connection)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def sleep(server: Server) -> None:
    """SIGSTOP: it does nothing, and doesn't know it.

    Not in the middle of a write, which would keep every other process from writing for as long (docs/reliability.md):
    what is shown here is what a process misses.
    """
    assert server.process is not None
    for _ in range(50):
        os.kill(server.process.pid, signal.SIGSTOP)
        if _others_can_write(server.data / "keyturn.db"):
            return
        os.kill(server.process.pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("it writes all the time")


def _others_can_write(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=0.5)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def wake(server: Server) -> None:
    """SIGCONT."""
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGCONT)


def timed(server: Server, connection: dict[str, Any]) -> tuple[Reply, float]:
    """A renewal, and the seconds that it took."""
    began = time.monotonic()
    return renew(server, connection), time.monotonic() - began


@pytest.mark.short
def test_a_holder_that_dies_before_it_sends(tmp_path: Path, provider: Scripted) -> None:
    """What was never claimed nobody waits for: the other renews at once, and it is sent once."""
    with two_servers(tmp_path, command=(*FAULTY, "renewal:claim.before")) as (first, second):
        connection = connected(second, provider)
        in_background(first, connection)
        died = first.wait_until_dead()
        reply, took = timed(second, connection)

        assert -9 == died
        assert (200, 2) == (reply.status, reply.json()["generation"])
        assert took < LEASE_S / 3
        assert 1 == len(refreshes(provider))


@pytest.mark.parametrize("rotation", ["rotating", "stable"])
def test_a_holder_that_dies_while_the_provider_answers(tmp_path: Path, provider: Scripted, rotation: str) -> None:
    """At once the other says truthfully what is unknown, and sends again only where the connector allows it."""
    provider.rotating = rotation == "rotating"
    params = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}
    with two_servers(tmp_path) as (first, second):
        connection = connected(first, provider, refresh={"rotation": rotation, "params": params})
        provider.then("/token", late(provider, 2.0))
        in_background(first, connection)
        wait_for(lambda: refreshes(provider), 5, 0.02)
        first.kill()
        reply, took = timed(second, connection)
        after = shown(second, connection)
        time.sleep(2.5)  # the scheduler has looked twice

        assert took < LEASE_S / 3
        if rotation == "stable":
            assert (200, 2, "active") == (reply.status, after["generation"], after["state"])
            assert 2 == len(refreshes(provider))
        else:
            assert (409, "renewal_not_possible") == (reply.status, reply.code)
            assert ("uncertain", 1) == (after["state"], after["generation"])
            assert 1 == len(refreshes(provider))
        assert 200 == call(second, connection).status


def test_a_holder_that_sleeps_past_its_lease(tmp_path: Path, provider: Scripted) -> None:
    """Its late answer is kept while nobody has a newer one, and else revoked; nothing is sent twice."""
    with two_servers(tmp_path) as (first, second):
        unsure = connected(first, provider)
        replaced = connected(first, provider, password=KEPT)
        for each in (unsure, replaced):
            call(second, each)
        provider.then("/token", late(provider, 1.5), late(provider, 1.5))
        asking = [in_background(first, each) for each in (unsure, replaced)]
        wait_for(lambda: len(refreshes(provider)) == 2, 5, 0.02)
        sleep(first)
        try:
            before = {fingerprint(value) for value in provider.secrets}
            took_over = wait_for(lambda: renew(second, replaced).status == 200, LEASE_S + 10, 0.2)
            wait_for(lambda: renew(second, unsure).code == "renewal_not_possible", LEASE_S + 10, 0.2)
            truthful = shown(second, unsure)
            newer = {value for value in provider.secrets if fingerprint(value) not in before}
        finally:
            wake(first)
        for thread in asking:
            thread.join(30)
        kept = wait_for(lambda: (found := shown(second, unsure))["generation"] == 2 and found, 10)
        revoked = wait_for(lambda: provider.seen("/revoke"), 10)

        assert took_over
        assert ("uncertain", 1) == (truthful["state"], truthful["generation"])
        assert "active" == kept["state"]
        assert {1} == set(Counter(seen.refresh for seen in refreshes(provider)).values()), "each was sent once"
        assert ("active", 2) == ((state := shown(first, replaced))["state"], state["generation"])
        assert {seen.refresh for seen in revoked} <= before
        for server in (first, second):
            wait_for(lambda server=server: call(server, unsure).status == 200, SOON_S, 0.05)
            assert 200 == call(server, replaced, "echo").status
            assert provider.seen("/api/echo")[-1].bearer() in newer


def test_a_server_that_slept_hears_what_it_missed(tmp_path: Path, provider: Scripted) -> None:
    """Paused, renewed and revoked while it could not listen: within a second of waking nothing old is used."""
    with two_servers(tmp_path) as (first, second):
        paused, renewed = connected(first, provider), connected(first, provider)
        key = first.ask("POST", "/v1/api-keys", {"name": "brief", "scopes": ["call"]}).json()
        stream = open_stream(second, provider, paused)
        for each in (paused, renewed):
            assert 200 == call(second, each, "echo", key=key["key"]).status
        old = provider.seen("/api/echo")[-1].bearer()
        sleep(second)
        try:
            assert 200 == first.ask("POST", f"/v1/connections/{paused['id']}/pause").status
            assert 204 == first.ask("DELETE", f"/v1/api-keys/{key['id']}").status
            assert 200 == renew(first, renewed).status
        finally:
            wake(second)
        time.sleep(SOON_S / 2)
        of_key, of_paused = call(second, renewed, key=key["key"]), call(second, paused)
        of_renewed = call(second, renewed, "echo")
        stream.thread.join(5)

        assert (401, "unauthenticated") == (of_key.status, of_key.code)
        assert (409, "connection_paused") == (of_paused.status, of_paused.code)
        assert 200 == of_renewed.status
        assert old != provider.seen("/api/echo")[-1].bearer()
        assert stream.ended_at is not None
        assert 1 == len(refreshes(provider))
