"""What every connection has to live through, on each of the five servers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Server
from tests.peers.running import NAMES, Peer, running_peer
from tests.peers.suite.subjects import (
    ODD_SECRET,
    SUBJECTS,
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

TTL_S = 2
OAUTH = [name for name in NAMES if SUBJECTS[name].oauth]
OUTLIVES_ITS_LOGOUT = {"directus"}  # its access tokens are good until they end, whatever is done


@pytest.fixture(scope="module", params=NAMES)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A peer whose tokens live for two seconds."""
    with running_peer(request.param, ACCESS_TTL=str(TTL_S)) as running:
        yield running


@pytest.fixture(scope="module", params=OAUTH)
def oauth_peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A peer that knows applications by id and secret."""
    with running_peer(request.param) as running:
        yield running


def test_connect_call_and_renew(peer: Peer, server: Server) -> None:
    """The account's own name comes through the proxy, before a renewal and after; the test call agrees."""
    connection = connected(server, peer)
    first = call_me(server, peer, connection)
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
    second = call_me(server, peer, connection)
    tested = server.ask("POST", f"/v1/connections/{connection}/test")

    assert full_name(peer) == name_in(peer, first) == name_in(peer, second)
    assert (200, "active") == (renewed.status, renewed.json()["state"])
    assert renewed.json()["generation"] >= 2
    assert (200, True) == (tested.status, tested.json()["last_test"]["passed"])


def test_an_expired_token_is_renewed_before_a_call(peer: Peer, server: Server) -> None:
    """The life that the answer named is read in its own unit, so that the API never sees the old token."""
    connection = connected(server, peer)
    shown = state_of(server, connection)
    token_set = tokens_of(server, connection)
    assert token_set.expires_at is not None
    time.sleep(TTL_S + 0.5)
    survived = call_me(server, peer, connection)

    assert TTL_S - 1.1 <= token_set.expires_at - token_set.issued_at <= TTL_S
    assert 1 == shown["generation"]
    assert full_name(peer) == name_in(peer, survived)
    assert 2 == state_of(server, connection)["generation"]


def test_an_expired_token_of_unknown_life_is_renewed_on_the_refusal(peer: Peer, server: Server) -> None:
    """The API says no, in its own words; the call is sent again with a new token and the caller sees nothing of it."""
    connection = connected(server, peer, connector_text(peer, changes=SUBJECTS[peer.name].unread))
    before = call_me(server, peer, connection)
    ends = state_of(server, connection)["expires_at"]
    time.sleep(TTL_S + 0.5)
    after = call_me(server, peer, connection)

    assert ends is None
    assert full_name(peer) == name_in(peer, before) == name_in(peer, after)
    assert 2 == state_of(server, connection)["generation"]


def test_disconnecting_ends_the_tokens_at_the_server(peer: Peer, server: Server) -> None:
    """The refresh token is dead, and so is the access token, except where the server has no way to end one."""
    connection = connected(server, peer)
    server.ask("POST", f"/v1/connections/{connection}/renew")  # as much of its life as there is
    token_set = tokens_of(server, connection)
    access_token = token_set.access_token.reveal()
    before = accepted(peer, access_token)
    ended = server.ask("DELETE", f"/v1/connections/{connection}")
    after = accepted(peer, access_token)
    refreshed = refreshes(peer, refresh_token_of(token_set))

    assert before
    assert ("disconnected", "done") == (ended.json()["state"], ended.json()["revocation"]["result"])
    assert (peer.name in OUTLIVES_ITS_LOGOUT) == after
    assert not refreshed
    assert 410 == call_me(server, peer, connection).status


def test_a_wrong_password_is_told_from_everything_else(peer: Peer, server: Server) -> None:
    """The right outcome with the tries that are left, whether it was 400, 401 or 403; nothing is stored."""
    connector = install(server, peer, connector_text(peer))
    refused = log_in(server, peer, connector, password="wrong-password-canary")
    unknown = log_in(server, peer, connector, username=f"nobody-{peer.username}")

    assert (422, "provider_credentials_rejected", 4) == (refused.status, refused.code, refused.json()["tries_left"])
    assert (422, "provider_credentials_rejected", 4) == (unknown.status, unknown.code, unknown.json()["tries_left"])
    assert [] == server.ask("GET", "/v1/connections").json()["data"]


def test_an_odd_password_arrives_as_it_is(peer: Peer, server: Server) -> None:
    """`& + % = " \\ / : #`, a blank and a letter beyond ASCII, as a form or as JSON; and it stays nowhere."""
    connector = install(server, peer, connector_text(peer))
    created = log_in(server, peer, connector, peer.second_username, peer.second_password)
    whose = name_in(peer, call_me(server, peer, created.json()["id"]))
    near = log_in(server, peer, connector, peer.second_username, f"{peer.second_password} ")
    server.stop()

    assert created.status == 201, created.body
    assert full_name(peer, peer.second_username) == whose
    assert (422, "provider_credentials_rejected") == (near.status, near.code)
    assert [] == find_canaries([server.data, server.log], [str(peer.second_password)])


def test_an_odd_client_secret_arrives_as_it_is(oauth_peer: Peer, server: Server) -> None:
    """`: + % & / = ~` and a blank, in the way that the server decodes Basic credentials."""
    client = {"client_id": "keyturn-odd", "client_secret": ODD_SECRET}
    connection = connected(server, oauth_peer, client=client)
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
    ended = server.ask("DELETE", f"/v1/connections/{connection}")
    server.stop()

    assert 200 == renewed.status
    assert "done" == ended.json()["revocation"]["result"]
    assert [] == find_canaries([server.data, server.log], [ODD_SECRET])


@pytest.mark.parametrize("authentication", ["basic", "post"])
def test_a_wrong_client_is_the_operators_business(oauth_peer: Peer, server: Server, authentication: str) -> None:
    """401 or 400 by how the secret was sent: no person is blamed, no login counted, no text of the server shown."""
    text = connector_text(oauth_peer)
    text = text.replace("client: {authentication: basic_raw}\n", "") + f"client: {{authentication: {authentication}}}\n"
    client = {"client_id": oauth_peer.client_id, "client_secret": "not-the-secret"}
    connector = install(server, oauth_peer, text, client)
    refused = log_in(server, oauth_peer, connector)

    assert (424, "connector_client_rejected") == (refused.status, refused.code)
    assert "operator" == refused.json()["next_action"]["who"]


def test_a_client_without_the_grant_is_the_operators_business(oauth_peer: Peer, server: Server) -> None:
    """`unauthorized_client`, with a text or without."""
    client = {"client_id": "keyturn-code-only", "client_secret": "code-only-secret"}
    connector = install(server, oauth_peer, connector_text(oauth_peer), client)
    refused = log_in(server, oauth_peer, connector)

    assert (424, "provider_grant_disabled") == (refused.status, refused.code)


def test_a_refused_client_at_disconnecting_is_tried_again(oauth_peer: Peer, server: Server) -> None:
    """Until the operator has mended it the server is not told, and nothing claims that it was."""
    connector = install(server, oauth_peer, connector_text(oauth_peer))
    connection = log_in(server, oauth_peer, connector).json()["id"]
    wrong = {"client_id": oauth_peer.client_id, "client_secret": "not-the-secret"}
    assert server.ask("PUT", f"/v1/connectors/{connector}/client", wrong).status == 204
    access_token = tokens_of(server, connection).access_token.reveal()
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert ("disconnecting", "retrying") == (ended["state"], ended["revocation"]["result"])
    assert "connector_client_rejected" == ended["revocation"]["last_error"]
    assert accepted(oauth_peer, access_token)
