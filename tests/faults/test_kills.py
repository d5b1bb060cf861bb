"""kill -9 at each step of a renewal and of a login, then a restart; judged by the provider's own log.

I1 one renewal in flight, I2 an answered refresh token is never sent again, I4 the newest set or a truthful state,
I6 generations grow by one, I8 a rejected password is not sent again, I13 disconnect wins.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import (
    CHECKOUT,
    Provider,
    Server,
    connect,
    example_connector,
    install_connector,
    running_provider,
    wait_for,
)
from tests.faults.server import LOGIN_POINTS, RENEWAL_POINTS, SESSION_POINTS

FAULTY = (sys.executable, str(CHECKOUT / "tests/faults/server.py"))
# Until here nothing was sent, so a restart renews with the same refresh token and nothing is lost.
HARMLESS = {"claim.before"}
KEPT = {"keep.after"}


def answered_tokens_sent_again(log: list[dict[str, Any]]) -> list[str]:
    """I2, as the provider saw it: fingerprints of refresh tokens that came again after they were answered."""
    answered: set[str] = set()
    again = []
    for row in log:
        if row.get("grant_type") != "refresh_token":
            continue
        fingerprint = row["refresh_token_fingerprint"]
        if fingerprint in answered:
            again.append(fingerprint)
        if row["outcome"] == "token":
            answered.add(fingerprint)
    return again


def get(server: Server, connection_id: str) -> dict[str, Any]:
    """The connection as REST shows it."""
    found: dict[str, Any] = server.ask("GET", f"/v1/connections/{connection_id}").json()
    return found


def die_while(server: Server, method: str, path: str, body: Any = None) -> None:
    """Send a request during which the server dies."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.ask(method, path, body, timeout_s=20)
    assert server.wait_until_dead() == -9


def steps(points: Sequence[str], *short: str) -> list[Any]:
    """The points, those that `make test` runs as well marked so."""
    return [pytest.param(each, marks=pytest.mark.short if each in short else ()) for each in points]


@pytest.mark.parametrize("step", steps(RENEWAL_POINTS, "claim.after"))
def test_a_renewal_killed_at(step: str, tmp_path: Path) -> None:
    """The newest token set, or a state that says truthfully why not; never a second send of an answered token."""
    with running_provider("--access-ttl", "120") as provider:
        faulty = Server(tmp_path / "data", tmp_path / "log", (*FAULTY, f"renewal:{step}")).start()
        server = Server(faulty.data, faulty.log, port=faulty.port)
        try:
            connector = install_connector(faulty, example_connector(provider.port))
            connection = connect(faulty, connector, provider.username, provider.password).json()
            die_while(faulty, "POST", f"/v1/connections/{connection['id']}/renew")
            server.start()
            judge_renewal(step, server, provider, connection["id"])
        finally:
            faulty.stop()
            server.stop()


def judge_renewal(step: str, server: Server, provider: Provider, connection_id: str) -> None:
    """After the restart."""
    sent_before = [row for row in provider.log() if row.get("grant_type") == "refresh_token"]
    time.sleep(2.5)  # the scheduler has looked twice
    after = get(server, connection_id)
    call = server.ask("GET", f"/v1/proxy/{connection_id}/me")
    assert [] == answered_tokens_sent_again(provider.log())
    if step in HARMLESS:
        assert [] == sent_before
        assert ("active", 200) == (after["state"], call.status)
        renewed = server.ask("POST", f"/v1/connections/{connection_id}/renew")
        assert (200, 2) == (renewed.status, renewed.json()["generation"])
    elif step in KEPT:
        assert ("active", 2, 200) == (after["state"], after["generation"], call.status)
    else:
        assert ("uncertain", "renewal_outcome_unknown", 1) == (after["state"], after["reason"], after["generation"])
        refused = server.ask("POST", f"/v1/connections/{connection_id}/renew")
        assert (409, "renewal_not_possible") == (refused.status, refused.code)
        assert call.status == 200 or call.code == "connection_needs_reconnect"
    again = connect(server, "acme-example", provider.username, provider.password)
    assert (200, connection_id, "active") == (again.status, again.json()["id"], again.json()["state"])
    assert [] == answered_tokens_sent_again(provider.log())


@pytest.mark.parametrize("step", steps(LOGIN_POINTS, "insert.before"))
def test_a_login_killed_at(step: str, tmp_path: Path) -> None:
    """No connection or a whole one; the password was sent at most once, and another login works."""
    with running_provider("--access-ttl", "120") as provider:
        faulty = Server(tmp_path / "data", tmp_path / "log", (*FAULTY, f"login:{step}")).start()
        server = Server(faulty.data, faulty.log, port=faulty.port)
        try:
            connector = install_connector(faulty, example_connector(provider.port))
            body = {"connector": connector, "owner": "o", "username": "demo", "password": provider.password}
            die_while(faulty, "POST", "/v1/connections", body)
            server.start()
            time.sleep(2.5)
            stored = server.ask("GET", "/v1/connections").json()["data"]
            sent = [row for row in provider.log() if row.get("grant_type") == "password"]
            assert len(sent) <= 1
            assert (step == "insert.after") == (len(stored) == 1)
            again = connect(server, connector, provider.username, provider.password, owner="o")
            assert again.status == (200 if stored else 201)
            assert 200 == server.ask("GET", f"/v1/proxy/{again.json()['id']}/me").status
        finally:
            faulty.stop()
            server.stop()


# The old session lives: what is kept finds that out. Later ones have lost it, and say so.
LIVES = {"declared.before", "declared.after", "logout.before"}
FEW = {"insecure_http: true": "insecure_http: true\nsession: {logout_first: true}"}
KEEPS = {
    "keep: never": "keep: required, reason: The provider gives nothing else.",
    "strategy: refresh_only": "strategy: password_only",
}


@pytest.mark.parametrize("step", steps(SESSION_POINTS, "logout.after"))
def test_a_login_after_a_logout_killed_at(step: str, tmp_path: Path) -> None:
    """The session that lives, or a state that says that it was ended; nobody waits for a token that is dead."""
    with running_provider("--access-ttl", "120") as provider:
        faulty = Server(tmp_path / "data", tmp_path / "log", (*FAULTY, f"session:{step}")).start()
        server = Server(faulty.data, faulty.log, port=faulty.port)
        try:
            connector = install_connector(faulty, example_connector(provider.port, **FEW))
            connection = connect(faulty, connector, provider.username, provider.password).json()
            body = {"connector": connector, "owner": "owner-1", "username": "demo", "password": provider.password}
            die_while(faulty, "POST", "/v1/connections", body)
            server.start()
            time.sleep(2.5)  # the scheduler has looked twice
            after = get(server, connection["id"])
            call = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
            again = connect(server, connector, provider.username, provider.password)

            assert [] == answered_tokens_sent_again(provider.log())
            if step in LIVES:
                assert ("active", 200) == (after["state"], call.status)
            else:
                lost = "grant_lost" if step in ("logout.after", "over.before") else "session_ended"
                assert ("needs_reconnect", lost) == (after["state"], after["reason"])
                assert "connection_needs_reconnect" == call.code
            assert (200, connection["id"], "active") == (again.status, again.json()["id"], again.json()["state"])
        finally:
            faulty.stop()
            server.stop()


@pytest.mark.parametrize("step", steps(SESSION_POINTS, "over.after"))
def test_a_renewal_after_a_logout_killed_at(step: str, tmp_path: Path) -> None:
    """The kept password brings a session back; it is sent twice at most, and the person is not needed."""
    with running_provider("--access-ttl", "120") as provider:
        faulty = Server(tmp_path / "data", tmp_path / "log", (*FAULTY, f"session:{step}")).start()
        server = Server(faulty.data, faulty.log, port=faulty.port)
        try:
            connector = install_connector(faulty, example_connector(provider.port, **FEW, **KEEPS))
            connection = connect(faulty, connector, provider.username, provider.password).json()
            die_while(faulty, "POST", f"/v1/connections/{connection['id']}/renew")
            server.start()
            time.sleep(2.5)
            renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")
            call = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
            sent = [row for row in provider.log() if row.get("grant_type") == "password"]

            assert (200, 200) == (renewed.status, call.status)
            assert "active" == renewed.json()["state"]
            assert {"issued"} == {row["outcome"] for row in sent}
            assert (
                len(sent) <= 4
            )  # to connect, the one that was killed, the scheduler's, and the one that was asked for
        finally:
            faulty.stop()
            server.stop()


def test_a_kill_while_the_provider_holds_the_answer(tmp_path: Path) -> None:
    """The provider has rotated and the answer never comes: uncertain, and the old refresh token is not sent again."""
    with running_provider("--access-ttl", "120") as provider:
        server = Server(tmp_path / "data", tmp_path / "log").start()
        try:
            connector = install_connector(server, example_connector(provider.port))
            connection = connect(server, connector, provider.username, provider.password).json()
            provider.fault(endpoint="refresh", mode="hold", when="after", times=1)
            caller = threading.Thread(
                target=_quietly, args=(server, "POST", f"/v1/connections/{connection['id']}/renew")
            )
            caller.start()
            provider.wait_until_holding()
            server.kill()
            caller.join()
            provider.ask("POST", "/debug/release", {})
            server.start()
            state = wait_for(lambda: get(server, connection["id"])["state"] == "uncertain" and "uncertain")
            assert "uncertain" == state
            assert [] == answered_tokens_sent_again(provider.log())
        finally:
            server.stop()


def _quietly(server: Server, method: str, path: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.ask(method, path, timeout_s=30)


def test_a_disconnect_beats_a_renewal_across_a_kill(tmp_path: Path) -> None:
    """I13: disconnected while a renewal is out, killed before its answer: nothing is stored, nothing is sent again."""
    with running_provider("--access-ttl", "120") as provider:
        server = Server(tmp_path / "data", tmp_path / "log").start()
        try:
            connector = install_connector(server, example_connector(provider.port))
            connection = connect(server, connector, provider.username, provider.password).json()
            provider.fault(endpoint="refresh", mode="hold", when="after", times=1)
            caller = threading.Thread(
                target=_quietly, args=(server, "POST", f"/v1/connections/{connection['id']}/renew")
            )
            caller.start()
            provider.wait_until_holding()
            ended = server.ask("DELETE", f"/v1/connections/{connection['id']}").json()
            server.kill()
            caller.join()
            provider.ask("POST", "/debug/release", {})
            server.start()
            time.sleep(2)
            assert ended["state"] in ("disconnecting", "disconnected")
            assert get(server, connection["id"])["state"] in ("disconnecting", "disconnected")
            assert 410 == server.ask("GET", f"/v1/proxy/{connection['id']}/me").status
            assert [] == answered_tokens_sent_again(provider.log())
        finally:
            server.stop()
