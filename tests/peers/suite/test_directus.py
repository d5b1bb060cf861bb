"""Directus by the catalogue's connector: JSON, nested values, one 401 for everything, tokens that outlive a logout."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Server
from tests.peers.running import Peer, running_peer
from tests.peers.suite.relay import Relay, relay_to
from tests.peers.suite.subjects import (
    SUBJECTS,
    accepted,
    call_me,
    connected,
    connector_text,
    directly,
    full_name,
    install,
    log_in,
    name_in,
    refresh_token_of,
    refreshes,
    state_of,
    tokens_of,
)

NAME = "directus"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The server as it comes, but for the half second that each login takes."""
    with running_peer(NAME, LOGIN_STALL_TIME="0") as running:
        yield running


@pytest.fixture
def relay(peer: Peer) -> Iterator[Relay]:
    """What goes to the server."""
    with relay_to(peer) as running:
        yield running


def totp(secret: str, at: float) -> str:
    """The six digits of RFC 6238 at a time."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def access_token(peer: Peer, username: str | None, password: str | None) -> str:
    """Log in past keyturn."""
    answer = directly(peer, "POST", "/auth/login", {"email": username, "password": password})
    assert answer.status == 200, answer.body
    found: str = answer.json()["data"]["access_token"]
    return found


def test_milliseconds_are_milliseconds(peer: Peer, server: Server) -> None:
    """`data.expires` 300000 is five minutes, not three days."""
    token_set = tokens_of(server, connected(server, peer))
    assert token_set.expires_at is not None

    assert 300 == round(token_set.expires_at - token_set.issued_at)


def test_the_server_waits_half_a_second_at_each_login(server: Server) -> None:
    """A slow answer is no failed one: neither a wrong password nor a right one is sent twice."""
    with running_peer(NAME) as peer, relay_to(peer) as relay:
        connector = install(server, peer, connector_text(peer, relay.host))
        begun = time.monotonic()
        refused = log_in(server, peer, connector, password="wrong-password-canary")
        took = time.monotonic() - begun
        created = log_in(server, peer, connector)

        assert took >= 0.5
        assert (422, "provider_credentials_rejected") == (refused.status, refused.code)
        assert 201 == created.status
        assert [401, 200] == [each.status for each in relay.sent("POST", "/auth/login")]


def test_a_username_that_is_no_address_never_leaves(peer: Peer, relay: Relay, server: Server) -> None:
    """The form knows what Directus would say, so no login is spent on it."""
    connector = install(server, peer, connector_text(peer, relay.host))
    refused = log_in(server, peer, connector, username="alice")

    assert (422, "validation_failed") == (refused.status, refused.code)
    assert [] == relay.log


def test_access_tokens_outlive_a_refresh_and_a_logout(peer: Peer, server: Server) -> None:
    """Ours is the new one after a refresh; at disconnecting the refresh token dies, by an empty 204."""
    connection = connected(server, peer)
    old = tokens_of(server, connection)
    server.ask("POST", f"/v1/connections/{connection}/renew")
    new = tokens_of(server, connection)
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert {"result": "done", "tries": 1, "revoked": ["refresh_token"]} == ended["revocation"]
    assert (True, True) == (accepted(peer, old.access_token.reveal()), accepted(peer, new.access_token.reveal()))
    assert (False, False) == (refreshes(peer, refresh_token_of(old)), refreshes(peer, refresh_token_of(new)))


def test_a_refresh_token_that_somebody_spent(peer: Peer, server: Server) -> None:
    """401 `INVALID_CREDENTIALS` to a refresh is a lost grant, not a wrong password; the token in hand goes on."""
    connection = connected(server, peer)
    assert refreshes(peer, refresh_token_of(tokens_of(server, connection)))
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
    lost = state_of(server, connection)
    call = call_me(server, peer, connection)
    again = log_in(server, peer, NAME)

    assert (409, "connection_needs_reconnect") == (renewed.status, renewed.code)
    assert ("needs_reconnect", "grant_lost") == (lost["state"], lost["reason"])
    assert full_name(peer) == name_in(peer, call)
    assert (200, connection, "active") == (again.status, again.json()["id"], again.json()["state"])


def test_a_403_is_about_rights(peer: Peer, relay: Relay, server: Server) -> None:
    """What may not be read is `FORBIDDEN`, and no renewal is tried for it."""
    connection = connected(server, peer, connector_text(peer, relay.host))
    assert call_me(server, peer, connection).status == 200
    reply = server.ask("GET", f"/v1/proxy/{connection}/items/nothing_of_that_name")

    assert 403 == reply.status
    assert [] == relay.sent("POST", SUBJECTS[NAME].refresh[0])


@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh", "/auth/logout"])
def test_calls_reach_no_place_where_tokens_are_made(peer: Peer, relay: Relay, server: Server, path: str) -> None:
    """The allowed URLs leave /auth out."""
    connection = connected(server, peer, connector_text(peer, relay.host))
    seen = len(relay.log)
    refused = server.ask("POST", f"/v1/proxy/{connection}{path}", {})

    assert (403, "url_not_allowed") == (refused.status, refused.code)
    assert seen == len(relay.log)


def test_keyturn_stops_long_before_the_server_suspends(server: Server) -> None:
    """Twenty-five wrong passwords suspend an account; after five the sixth isn't sent, nor is the right one."""
    with running_peer(NAME, LOGIN_STALL_TIME="0") as peer, relay_to(peer) as relay:
        connector = install(server, peer, connector_text(peer, relay.host))
        refused = [log_in(server, peer, connector, password=f"wrong-{number}") for number in range(30)]
        right = log_in(server, peer, connector)
        past_us = directly(peer, "POST", "/auth/login", {"email": peer.username, "password": peer.password})

        assert [422] * 5 + [429] * 25 == [reply.status for reply in refused]
        assert [4, 3, 2, 1, 0] == [reply.json()["tries_left"] for reply in refused[:5]]
        assert (429, "login_budget_spent") == (right.status, right.code)
        assert 5 == len(relay.sent("POST", "/auth/login"))
        assert 200 == past_us.status


def test_a_suspended_account_looks_like_a_wrong_password(server: Server) -> None:
    """At the login it can't be told apart, and the help says so; at a refresh Directus says it, and so do we."""
    with running_peer(NAME, LOGIN_STALL_TIME="0") as peer:
        connection = connected(server, peer)
        for _ in range(27):
            directly(peer, "POST", "/auth/login", {"email": peer.username, "password": "wrong"})
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
        lost = state_of(server, connection)
        refused = log_in(server, peer, NAME)

        assert (409, "connection_needs_reconnect") == (renewed.status, renewed.code)
        assert ("needs_reconnect", "provider_account_locked") == (lost["state"], lost["reason"])
        assert (422, "provider_credentials_rejected") == (refused.status, refused.code)
        assert "suspended" in refused.json()["help"]


def test_two_factor_authentication(server: Server) -> None:
    """No code and a wrong code are told from a wrong password; with the right one there is a connection."""
    with running_peer(NAME, LOGIN_STALL_TIME="0") as peer:
        token = access_token(peer, peer.second_username, peer.second_password)
        made = directly(peer, "POST", "/users/me/tfa/generate", {"password": peer.second_password}, token)
        secret = made.json()["data"]["secret"]
        body = {"secret": secret, "otp": totp(secret, time.time())}
        assert directly(peer, "POST", "/users/me/tfa/enable", body, token).status == 204
        connector = install(server, peer, connector_text(peer))

        def with_code(**fields: str) -> tuple[int, str | None]:
            reply = log_in(server, peer, connector, peer.second_username, peer.second_password, **fields)
            return reply.status, reply.code

        none = with_code()
        wrong = with_code(otp=totp(secret, time.time() + 86_400))
        right = with_code(otp=totp(secret, time.time()))
        connection = server.ask("GET", "/v1/connections").json()["data"][0]["id"]
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

        assert (422, "provider_otp_invalid") == none == wrong
        assert (201, None) == right
        assert (200, 2) == (renewed.status, renewed.json()["generation"])
