"""Authlib: invalid_request for a wrong password, no scope unless asked for, Basic without "+", one token at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Server
from tests.peers.running import Peer, running_peer
from tests.peers.suite.subjects import (
    ODD_SECRET,
    accepted,
    call_me,
    connected,
    connector_text,
    full_name,
    install,
    log_in,
    name_in,
    refresh_token_of,
    refreshes,
    state_of,
    tokens_of,
)

NAME = "authlib"
ITS_WORDS = """\
    - when: {status: [400], body: "error == 'invalid_request' && starts_with(error_description, 'Invalid ')"}
      class: wrong_password
"""


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The server as it comes."""
    with running_peer(NAME) as running:
        yield running


def test_a_wrong_password_in_words_that_nobody_told_us(peer: Peer, server: Server) -> None:
    """`invalid_request` alone says nothing of the password: without the connector's word nobody is blamed."""
    connector = install(server, peer, connector_text(peer, changes={ITS_WORDS: ""}))
    refused = log_in(server, peer, connector, password="wrong-password-canary")

    assert (502, "provider_bad_response") == (refused.status, refused.code)
    assert b"Invalid 'username'" not in refused.body


def test_no_scope_unless_it_is_asked_for(peer: Peer, server: Server) -> None:
    """Such a token may nothing; the test sees it before there is a connection."""
    text = connector_text(peer, changes={', scope: "read write"': ""})
    refused = log_in(server, peer, install(server, peer, text))

    assert (424, "connection_test_failed") == (refused.status, refused.code)
    assert 403 == refused.json()["provider"]["status"]
    assert [] == server.ask("GET", "/v1/connections").json()["data"]


def test_no_new_refresh_token_means_that_the_old_one_goes_on(server: Server) -> None:
    """With ROTATE=0 the answer names none: three renewals by the same one."""
    with running_peer(NAME, ROTATE="0") as peer:
        connection = connected(server, peer)
        first = refresh_token_of(tokens_of(server, connection))
        renewed = [server.ask("POST", f"/v1/connections/{connection}/renew").json()["generation"] for _ in range(3)]
        token_set = tokens_of(server, connection)
        ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

        assert [2, 3, 4] == renewed
        assert first == refresh_token_of(token_set)
        assert "done" == ended["revocation"]["result"]
        assert not accepted(peer, token_set.access_token.reveal())
        assert not refreshes(peer, first)


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        pytest.param("basic", (201, None), id="basic"),
        pytest.param("post", (424, "connector_client_rejected"), id="post"),
    ],
)
def test_basic_only(server: Server, authentication: str, expected: tuple[int, str | None]) -> None:
    """With BASIC_ONLY=1 a right secret in the body is as wrong as a wrong one; ours goes out in one way only."""
    with running_peer(NAME, BASIC_ONLY="1") as peer:
        text = connector_text(peer) + f"client: {{authentication: {authentication}}}\n"
        created = log_in(server, peer, install(server, peer, text))

        assert expected == (created.status, created.code)


def test_a_blank_in_the_secret_goes_as_percent_20(peer: Peer, server: Server) -> None:
    """The neighbours of what works: raw is refused (and so would "+" be, as RFC 6749 has it)."""
    client = {"client_id": "keyturn-odd", "client_secret": ODD_SECRET}
    text = connector_text(peer)
    raw = install(server, peer, text + "client: {authentication: basic_raw}\n", client)
    refused = log_in(server, peer, raw)
    encoded = install(server, peer, text, client)
    created = log_in(server, peer, encoded)

    assert (424, "connector_client_rejected") == (refused.status, refused.code)
    assert 201 == created.status, created.body


@pytest.mark.parametrize(
    ("tokens", "refresh_token_lives"),
    [
        pytest.param("[access_token]", True, id="the access token alone leaves the other"),
        pytest.param("[refresh_token]", False, id="the refresh token takes the other along"),
        pytest.param("[refresh_token, access_token]", False, id="both, as is the default"),
    ],
)
def test_which_token_is_revoked_matters(peer: Peer, server: Server, tokens: str, refresh_token_lives: bool) -> None:
    """With the right hint for each, so that none is looked for where it isn't and 200 means what it says."""
    text = connector_text(peer, changes={'oauth/revoke"}': f'oauth/revoke", tokens: {tokens}}}'})
    connection = connected(server, peer, text)
    token_set = tokens_of(server, connection)
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert "done" == ended["revocation"]["result"]
    assert not accepted(peer, token_set.access_token.reveal())
    assert refresh_token_lives == refreshes(peer, refresh_token_of(token_set))


def test_a_renewal_ends_the_old_tokens_at_once(peer: Peer, server: Server) -> None:
    """The new ones are those that are kept, and somebody's reuse of the old one harms nothing."""
    connection = connected(server, peer)
    old = tokens_of(server, connection)
    server.ask("POST", f"/v1/connections/{connection}/renew")
    new = tokens_of(server, connection)
    reused = refreshes(peer, refresh_token_of(old))

    assert (False, True) == (accepted(peer, old.access_token.reveal()), accepted(peer, new.access_token.reveal()))
    assert not reused
    assert full_name(peer) == name_in(peer, call_me(server, peer, connection))


def test_tokens_that_were_revoked_elsewhere(peer: Peer, server: Server) -> None:
    """Garbage, expired and revoked are one 401; the renewal tells which, and the person is asked for a login."""
    connection = connected(server, peer)
    assert call_me(server, peer, connection).status == 200
    assert refreshes(peer, refresh_token_of(tokens_of(server, connection)))  # somebody spent it
    call = call_me(server, peer, connection)
    lost = state_of(server, connection)

    assert (409, "connection_needs_reconnect") == (call.status, call.code)
    assert ("needs_reconnect", "grant_lost") == (lost["state"], lost["reason"])
