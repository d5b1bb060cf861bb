"""Renewal, as an outsider reads the contract; each invariant judged by the provider's own log."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import ADMIN_KEY, Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, shown, sign_in
from tests.end_to_end.scripted.provider import (
    PASSWORD,
    USERNAME,
    Answer,
    Scripted,
    Seen,
    fingerprint,
    scripted_provider,
)

KEPT = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-renewal")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def renew(server: Server, connection: dict[str, Any]) -> Any:
    """POST …/renew."""
    return server.ask("POST", f"/v1/connections/{connection['id']}/renew")


def refreshes(provider: Scripted) -> list[Seen]:
    """Each refresh request that came, in order."""
    return [seen for seen in provider.seen("/token") if b"grant_type=refresh_token" in seen.body]


def judge(provider: Scripted) -> None:
    """I1: never two at once; I2: a refresh token that was answered with a token never comes again."""
    rows = refreshes(provider)
    answered: set[str] = set()
    for row in rows:
        token = row.form()["refresh_token"]
        assert token not in answered
        if row.outcome == "token":
            answered.add(token)
    for earlier, later in itertools.pairwise(rows):
        assert earlier.ended is not None
        assert earlier.ended <= later.started + 0.05


def late(provider: Scripted, seconds: float) -> Any:
    """An honest answer that comes late."""

    def answer(seen: Seen) -> Answer:
        found = provider.honest(seen)
        found.after_s = seconds
        return found

    return answer


def test_many_explicit_renewals_are_one_at_a_time(server: Server, provider: Scripted) -> None:
    """I1, I2, I6: thirty callers of …/renew; generations grow by one."""
    connection = connected(server, provider)
    provider.always["/token"] = late(provider, 0.1)

    with ThreadPoolExecutor(30) as pool:
        replies = list(pool.map(lambda _: renew(server, connection), range(30)))

    assert {200} == {each.status for each in replies}, {each.body for each in replies if each.status != 200}
    judge(provider)
    assert 1 + len(refreshes(provider)) == shown(server, connection)["generation"]


@pytest.mark.parametrize("moment", ["ended", "stale"])
def test_a_caller_that_hangs_up_aborts_nothing(server: Server, provider: Scripted, moment: str) -> None:
    """I5: the renewal ends, and is made once."""
    provider.ttl = 1 if moment == "ended" else 3600
    connection = connected(server, provider)
    provider.ttl = 3600
    if moment == "ended":
        time.sleep(1.1)
    else:
        provider.end_access_tokens()
    provider.then("/token", late(provider, 1.0))
    wire = socket.create_connection(("127.0.0.1", server.port))
    wire.sendall(
        f"GET /v1/proxy/{connection['id']}/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n\r\n".encode()
    )
    wait_for(lambda: refreshes(provider), 5, 0.02)
    wire.close()
    second = call(server, connection)

    assert 200 == second.status
    assert 1 == len(refreshes(provider))
    assert 2 == shown(server, connection)["generation"]


def test_a_hanging_provider_slows_nobody_else(server: Server, provider: Scripted) -> None:
    """I10, I11: while fifty callers wait on one provider, calls on another keep their latency."""
    with scripted_provider() as hanging:
        stuck = connected(server, hanging)
        fine = connected(server, provider)
        call(server, fine)
        hanging.end_access_tokens()
        hanging.always["/token"] = Answer(503, {}, after_s=4)
        hanging.always["/api/slow"] = Answer(200, b"", pieces=tuple((b"x", 0.5) for _ in range(8)))
        callers = [threading.Thread(target=call, args=(server, stuck, path)) for path in ["me", "slow"] * 25]
        for each in callers:
            each.start()
        time.sleep(0.5)
        took = []
        for _ in range(20):
            started = time.monotonic()
            assert 200 == call(server, fine).status
            took.append(time.monotonic() - started)
        made = time.monotonic()
        another = sign_in(server, fine["connector"], "bob")
        made = time.monotonic() - made
        renewed = renew(server, fine)
        for each in callers:
            each.join()

    assert sorted(took)[-2] < 0.3, took
    assert 201 == another.status
    assert made < 1.5
    assert 200 == renewed.status


# --- the outcome table


def test_an_invalid_grant_needs_the_person(server: Server, provider: Scripted) -> None:
    """`needs_reconnect`; the access token in hand is used while it lives; nothing is sent again."""
    connection = connected(server, provider)
    provider.then("/token", Answer(400, {"error": "invalid_grant"}))

    first = renew(server, connection)
    second = renew(server, connection)
    state = shown(server, connection)

    assert 409 == first.status
    assert "needs_reconnect" == state["state"]
    assert state["reason"]
    assert second.status == 409
    assert 1 == len(refreshes(provider))
    assert 200 == call(server, connection).status


def test_an_invalid_grant_falls_back_to_the_kept_password(server: Server, provider: Scripted) -> None:
    """`refresh_then_password` with a password that the person let us keep."""
    connection = connected(server, provider, password=KEPT)
    provider.then("/token", Answer(400, {"error": "invalid_grant"}))

    reply = renew(server, connection)

    assert (200, 2) == (reply.status, reply.json()["generation"]), reply.body
    assert ["refresh_token", "password"] == [seen.form()["grant_type"] for seen in provider.seen("/token")[1:]]


@pytest.mark.parametrize("error", ["invalid_client", "unsupported_grant_type", "invalid_scope"])
def test_a_wrong_set_up_is_the_connectors(server: Server, provider: Scripted, error: str) -> None:
    """The connection stays, no password is sent."""
    connection = connected(server, provider, password=KEPT)
    provider.then("/token", Answer(401 if error == "invalid_client" else 400, {"error": error}))

    reply = renew(server, connection)

    assert reply.status >= 400
    assert "active" == shown(server, connection)["state"]
    assert 2 == len(provider.seen("/token"))
    assert 200 == call(server, connection).status


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(503, {}), id="503"),
        pytest.param(Answer(500, {"error": "invalid_grant"}), id="500 with invalid_grant"),
        pytest.param(Answer(429, {}, {"Retry-After": "1"}), id="429"),
        pytest.param(Answer(503, {}, {"Retry-After": "1"}), id="503 with Retry-After"),
    ],
)
def test_a_passing_failure_keeps_the_token_set(server: Server, provider: Scripted, answer: Answer) -> None:
    """State active with `last_error`; the next renewal with the same refresh token works."""
    connection = connected(server, provider, password=KEPT)
    provider.then("/token", answer)

    failed = renew(server, connection)
    between = shown(server, connection)
    again = wait_for(lambda: (reply := renew(server, connection)).status == 200 and reply, 12, 0.3)

    assert failed.status in (429, 502, 503), failed.body
    assert "active" == between["state"]
    assert between["last_error"]
    # The scheduler may have been first: each request but the one that failed made a generation.
    assert len(provider.seen("/token")) - 1 == again.json()["generation"]
    assert not shown(server, connection)["last_error"]
    assert {"refresh_token"} == {seen.form()["grant_type"] for seen in provider.seen("/token")[1:]}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(reset=True), id="no answer"),
        pytest.param(Answer(200, {"access_token": "abcdefgh"}, cut=10), id="cut"),
        pytest.param(Answer(200, b"<html>"), id="unreadable"),
        pytest.param(Answer(200, b"{" + b" " * 1_048_600), id="too large"),
    ],
)
@pytest.mark.parametrize("rotation", ["rotating", "stable"])
def test_an_unknown_outcome(server: Server, provider: Scripted, answer: Answer, rotation: str) -> None:
    """With `rotating` never sent again, and `uncertain`; with `stable` sent again."""
    provider.rotating = rotation == "rotating"
    provider.then("/token", provider.honest)
    params = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}
    connection = connected(server, provider, refresh={"rotation": rotation, "params": params})
    provider.then("/token", answer)

    renew(server, connection)
    if rotation == "stable":
        wait_for(lambda: renew(server, connection).status == 200, 12, 0.3)
        assert "active" == shown(server, connection)["state"]
        assert 1 == len({seen.form()["refresh_token"] for seen in refreshes(provider)[:2]})
        assert 2 <= len(refreshes(provider))
        return
    state = shown(server, connection)
    again = renew(server, connection)
    time.sleep(1.5)

    assert "uncertain" == state["state"]
    assert (409, "renewal_not_possible") == (again.status, again.code)
    assert 1 == len(refreshes(provider))
    assert 200 == call(server, connection).status
    provider.end_access_tokens()
    ended = call(server, connection)
    assert (409, "connection_needs_reconnect") == (ended.status, ended.code), ended.body
    after = shown(server, connection)
    assert ("needs_reconnect", "renewal_outcome_unknown") == (after["state"], after["reason"])
    assert 1 == len(refreshes(provider))
    fresh = sign_in(server, connection["connector"])
    assert (200, "active") == (fresh.status, fresh.json()["state"])
    assert 200 == call(server, connection).status


def test_an_unknown_outcome_uses_the_kept_password(server: Server, provider: Scripted) -> None:
    """If the strategy allows; the refresh token isn't sent again."""
    connection = connected(server, provider, password=KEPT)
    provider.then("/token", Answer(reset=True))

    renew(server, connection)
    wait_for(lambda: shown(server, connection)["generation"] == 2 or renew(server, connection).status == 200, 12, 0.3)

    assert 1 == len(refreshes(provider))
    assert "active" == shown(server, connection)["state"]


def test_an_unclassified_refusal_of_a_refresh_is_tried_three_times(server: Server, provider: Scripted) -> None:
    """Malformed, any status but 2xx: three tries with back-off, then needs_reconnect."""
    connection = connected(server, provider)
    provider.always["/token"] = Answer(418, b"?")

    wait_for(lambda: renew(server, connection) and shown(server, connection)["state"] == "needs_reconnect", 25, 0.5)

    assert 3 == len(refreshes(provider))
    assert "provider_answer_unknown" == shown(server, connection)["reason"]


def test_a_challenge_of_a_renewal_by_password(server: Server, provider: Scripted) -> None:
    """`needs_reconnect`, `challenge_required`; the password isn't sent again."""
    provider.token_extra = {"refresh_token": None}
    connection = connected(server, provider, password=KEPT)
    provider.then("/token", Answer(400, {"error": "mfa_required", "mfa_token": "m"}))

    renew(server, connection)
    state = shown(server, connection)
    renew(server, connection)

    assert ("needs_reconnect", "challenge_required") == (state["state"], state["reason"])
    assert 2 == len(provider.seen("/token"))


def test_an_unclassified_answer_to_the_kept_password(server: Server, provider: Scripted) -> None:
    """Not repeated: `needs_reconnect`, `provider_answer_unknown`."""
    provider.token_extra = {"refresh_token": None}
    connection = connected(server, provider, password=KEPT)
    provider.always["/token"] = Answer(400, {"error": "brand_new"})

    renew(server, connection)
    state = shown(server, connection)
    renew(server, connection)

    assert ("needs_reconnect", "provider_answer_unknown") == (state["state"], state["reason"])
    assert 2 == len(provider.seen("/token"))


def test_no_refresh_token_and_no_password(server: Server, provider: Scripted) -> None:
    """409 renewal_not_possible, the connection stays; at its end it needs the person, with a link."""
    provider.ttl = 2
    provider.token_extra = {"refresh_token": None}
    connection = connected(server, provider)

    renewed = renew(server, connection)
    before = shown(server, connection)
    time.sleep(2.1)
    ended = call(server, connection)

    assert (409, "renewal_not_possible") == (renewed.status, renewed.code)
    assert ("active", True) == (before["state"], before["expires_soon"])
    assert (409, "connection_needs_reconnect") == (ended.status, ended.code)
    assert "/c/" in ended.json()["next_action"]["url"]
    assert 1 == len(provider.seen("/token"))


def test_a_paused_connection_is_not_renewed_by_a_call(server: Server, provider: Scripted) -> None:
    """No calls, no renewals."""
    connection = connected(server, provider)
    server.ask("POST", f"/v1/connections/{connection['id']}/pause")

    reply = renew(server, connection)
    called = call(server, connection)

    assert (409, "connection_paused") == (called.status, called.code)
    assert (409, "connection_paused") == (reply.status, reply.code)
    assert [] == refreshes(provider)


def test_a_login_during_a_renewal_wins(server: Server, provider: Scripted) -> None:
    """A renewal answer that arrives after a login's loses, and is revoked."""
    connection = connected(server, provider)
    provider.then("/token", late(provider, 1.5))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(renew, server, connection)
        wait_for(lambda: refreshes(provider), 5, 0.02)
        login = sign_in(server, connection["connector"])
        running.result()

    state = shown(server, connection)
    assert 200 == login.status
    assert (2, "active") == (state["generation"], state["state"])
    wait_for(lambda: 4 <= len({seen.refresh for seen in provider.seen("/revoke")}), 10)
    assert 200 == call(server, connection).status
    live = {fingerprint(value) for value in provider.secrets} - {seen.refresh for seen in provider.seen("/revoke")}
    assert 2 == len(live)


# --- stopping and dying


def test_sigterm_in_mid_renewal(tmp_path: Path, provider: Scripted) -> None:
    """I15: the renewal ends and is kept; the waiting call gets its answer; no intent is left; within 30 s."""
    with running_server(tmp_path) as server:
        connection = connected(server, provider)
        provider.end_access_tokens()
        provider.then("/token", late(provider, 1.5))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(call, server, connection)
            wait_for(lambda: refreshes(provider), 5, 0.02)
            started = time.monotonic()
            status = server.stop()
            took = time.monotonic() - started
            reply = running.result()
        server.start()
        after = shown(server, connection)

        assert 0 == status
        assert took < 15
        assert 200 == reply.status, reply.body
        assert ("active", 2) == (after["state"], after["generation"])
        assert 200 == call(server, connection).status
    assert 1 == len(refreshes(provider))


def test_kill_after_the_provider_rotated(tmp_path: Path, provider: Scripted) -> None:
    """I4: truthfully uncertain, the old refresh token never sent again, the token in hand still used."""
    server = Server(tmp_path / "data", tmp_path / "log").start()
    try:
        connection = connected(server, provider)
        provider.then("/token", late(provider, 1.0))

        def renewed() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                renew(server, connection)

        caller = threading.Thread(target=renewed)
        caller.start()
        wait_for(lambda: refreshes(provider), 5, 0.02)
        server.kill()
        caller.join()
        server.start()
        reply = renew(server, connection)
        state = shown(server, connection)

        assert (409, "renewal_not_possible") == (reply.status, reply.code)
        assert "uncertain" == state["state"]
        assert 1 == len(refreshes(provider))
        assert 200 == call(server, connection).status
    finally:
        server.stop()


def test_events_and_why_tell_the_story(server: Server, provider: Scripted) -> None:
    """State, cause, whose move, what is tried next; every send in the audit (I16), no secret."""
    connection = connected(server, provider)
    renew(server, connection)
    provider.then("/token", Answer(400, {"error": "invalid_grant"}))
    renew(server, connection)

    why = server.ask("GET", f"/v1/connections/{connection['id']}/why")
    events = server.ask("GET", f"/v1/connections/{connection['id']}/events")
    audit = server.ask("GET", "/v1/audit?limit=200")

    assert "needs_reconnect" == why.json()["state"]
    assert why.json()["who"]
    assert {"status": 400, "error": "invalid_grant"} == why.json()["provider"]
    assert "with status 400 and the error invalid_grant" in why.json()["text"]
    of_it = [row for row in audit.json()["data"] if row["connection"] == connection["id"]]
    refused = [row for row in of_it if row["action"] == "refresh.answered"]
    assert [("grant_lost", 400, "invalid_grant")] == [
        (row["outcome"], row["facts"]["status"], row["facts"]["error"]) for row in refused
    ]
    text = why.body + events.body + audit.body
    assert not any(secret.encode() in text for secret in [PASSWORD, *provider.secrets])
    assert USERNAME not in json.dumps(audit.json())
    mine = [row for row in audit.json()["data"] if row["connection"] == connection["id"]]
    assert 3 <= len(mine)
