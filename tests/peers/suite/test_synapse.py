"""Synapse by the catalogue's Matrix connector: JSON, milliseconds, its own error codes, a refresh token with grace."""

from __future__ import annotations

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

NAME = "synapse"
V3 = "/_matrix/client/v3"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The server as it comes, but for the limits of logins."""
    with running_peer(NAME) as running:
        yield running


@pytest.fixture
def relay(peer: Peer) -> Iterator[Relay]:
    """What goes to the server."""
    with relay_to(peer) as running:
        yield running


def refreshes_seen(relay: Relay) -> int:
    """How often a refresh token was sent."""
    return len(relay.sent("POST", SUBJECTS[NAME].refresh[0]))


@pytest.mark.parametrize("username", ["alice", "@alice:localhost"])
def test_an_account_by_either_name_is_one_connection(peer: Peer, server: Server, username: str) -> None:
    """The Matrix ID that the server confirms is what counts, not what was typed."""
    connection = connected(server, peer)
    again = log_in(server, peer, "matrix", username=username)
    shown = state_of(server, connection)

    assert (200, connection) == (again.status, again.json()["id"])
    assert ("@alice:localhost", "@alice:localhost") == (shown["name"], shown["unique_id"])


def test_a_second_login_ends_the_first_ones_device(peer: Peer, server: Server) -> None:
    """Each login is a device of its own; the old one is logged out, the new one is not."""
    connection = connected(server, peer)
    old = tokens_of(server, connection).access_token.reveal()
    log_in(server, peer, "matrix")
    new = tokens_of(server, connection).access_token.reveal()
    deadline = time.monotonic() + 10
    while accepted(peer, old) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (False, True) == (accepted(peer, old), accepted(peer, new))


def test_a_refresh_token_comes_only_where_it_is_asked_for(peer: Peer, server: Server) -> None:
    """Without `refresh_token: true` there is a connection that ends with its token, and it says so."""
    text = connector_text(peer, changes={"    refresh_token: true # else there is none\n": ""})
    connection = connected(server, peer, text)
    token_set = tokens_of(server, connection)
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

    assert token_set.refresh_token is None
    assert token_set.expires_at is not None
    assert 86_390 <= token_set.expires_at - token_set.issued_at <= 86_400
    assert (409, "renewal_not_possible") == (renewed.status, renewed.code)


def test_a_form_is_no_login(peer: Peer, server: Server) -> None:
    """400 `M_NOT_JSON` says nothing of the password; its prose reaches nobody."""
    identifier = '    identifier: {type: m.id.user, user: "{{ username }}"}\n'
    text = connector_text(peer, changes={identifier: "", "  encoding: json\n": "  encoding: form\n"})
    refused = log_in(server, peer, install(server, peer, text))

    assert (502, "provider_bad_response") == (refused.status, refused.code)
    assert "M_NOT_JSON" == refused.json()["provider"]["error"]
    assert b"Content not JSON" not in refused.body


def test_a_server_without_password_logins(peer: Peer, server: Server) -> None:
    """400 `M_UNKNOWN` about the login is the operator's business; here by a login type that there isn't."""
    text = connector_text(peer, changes={"type: m.login.password": "type: m.login.magic"})
    refused = log_in(server, peer, install(server, peer, text))

    assert (424, "provider_grant_disabled") == (refused.status, refused.code)


def test_a_device_that_was_logged_out_elsewhere(peer: Peer, server: Server) -> None:
    """`soft_logout: false`: one refresh is tried, the server knows it no more, and the person is asked."""
    connection = connected(server, peer)
    assert call_me(server, peer, connection).status == 200
    directly(peer, "POST", f"{V3}/logout", token=tokens_of(server, connection).access_token.reveal())
    call = call_me(server, peer, connection)
    lost = state_of(server, connection)

    assert (409, "connection_needs_reconnect") == (call.status, call.code)
    assert ("needs_reconnect", "grant_lost") == (lost["state"], lost["reason"])


def test_a_401_that_asks_for_the_password_again_is_no_stale_token(peer: Peer, relay: Relay, server: Server) -> None:
    """Ending another device wants the person: a 401 without `errcode` goes to the caller, and nothing is renewed."""
    connection = connected(server, peer, connector_text(peer, relay.host))
    assert call_me(server, peer, connection).status == 200
    other = directly(peer, "POST", f"{V3}/login", {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": peer.password,
    }).json()["device_id"]  # fmt: skip
    reply = server.ask("DELETE", f"/v1/proxy/{connection}/devices/{other}", {})

    assert 401 == reply.status
    assert "flows" in reply.json()
    assert 0 == refreshes_seen(relay)
    assert 1 == state_of(server, connection)["generation"]


def test_the_old_access_token_lives_on_after_a_refresh(peer: Peer, server: Server) -> None:
    """Ours is the new one; the old one ends by itself, or with its device."""
    connection = connected(server, peer)
    old = tokens_of(server, connection).access_token.reveal()
    server.ask("POST", f"/v1/connections/{connection}/renew")
    new = tokens_of(server, connection).access_token.reveal()
    in_between = (accepted(peer, old), accepted(peer, new))
    server.ask("DELETE", f"/v1/connections/{connection}")

    assert old != new
    assert (True, True) == in_between
    assert (False, False) == (accepted(peer, old), accepted(peer, new))


def test_the_old_refresh_token_after_the_new_token_was_used(peer: Peer, server: Server) -> None:
    """403 for who sends it; the pair that keyturn holds is none the worse."""
    connection = connected(server, peer)
    spent = refresh_token_of(tokens_of(server, connection))
    server.ask("POST", f"/v1/connections/{connection}/renew")
    used = call_me(server, peer, connection)
    reused = refreshes(peer, spent)
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

    assert full_name(peer) == name_in(peer, used)
    assert not reused
    assert (200, 3) == (renewed.status, renewed.json()["generation"])


def test_a_refresh_by_somebody_else_before_the_first_use(peer: Peer, server: Server) -> None:
    """It kills our new access token and leaves our refresh token dead: said as a lost grant, nothing is hammered."""
    connection = connected(server, peer)
    spent = refresh_token_of(tokens_of(server, connection))
    server.ask("POST", f"/v1/connections/{connection}/renew")
    assert refreshes(peer, spent)
    call = call_me(server, peer, connection)
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

    assert 401 == call.status
    assert "M_UNKNOWN_TOKEN" == call.json()["errcode"]
    assert (409, "connection_needs_reconnect") == (renewed.status, renewed.code)
    assert "grant_lost" == state_of(server, connection)["reason"]


def test_an_expired_access_token_still_logs_out(server: Server) -> None:
    """Disconnected long after its end: the server is told, and the refresh token is dead."""
    with running_peer(NAME, ACCESS_TTL="1") as peer:
        connection = connected(server, peer)
        token_set = tokens_of(server, connection)
        time.sleep(1.5)
        had_ended = not accepted(peer, token_set.access_token.reveal())
        ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

        assert had_ended
        assert {"result": "done", "tries": 1, "revoked": ["access_token"]} == ended["revocation"]
        assert not refreshes(peer, refresh_token_of(token_set))


def test_a_logout_of_what_is_gone_is_done(peer: Peer, server: Server) -> None:
    """401 `M_UNKNOWN_TOKEN` at disconnecting: there is nothing left to end, and nothing is tried for a day."""
    connection = connected(server, peer)
    directly(peer, "POST", f"{V3}/logout", token=tokens_of(server, connection).access_token.reveal())
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert ("disconnected", "done") == (ended["state"], ended["revocation"]["result"])


def test_too_many_logins(server: Server) -> None:
    """429 with `retry_after_ms`: the caller is told how long, by the server's milliseconds; no password is blamed."""
    with running_peer(NAME, RATE_LIMIT="1") as peer, relay_to(peer) as relay:
        connector = install(server, peer, connector_text(peer, relay.host))
        login = {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"}, "password": peer.password,
        }  # fmt: skip
        statuses = [directly(peer, "POST", f"{V3}/login", login).status for _ in range(6)]
        limited = log_in(server, peer, connector)

        assert [200] * 5 + [429] == statuses
        assert (429, "provider_rate_limited") == (limited.status, limited.code)
        assert 300 <= limited.json()["retry_after"] <= 340
        assert 300 <= int(limited.headers["retry-after"]) <= 340
        assert "tries_left" not in limited.json()
        assert 1 == len(relay.sent("POST", f"{V3}/login"))
