"""node-oauth2-server: Basic that is not decoded, public clients, seconds rounded down, and a memory that is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Server
from tests.peers.running import Peer, running_peer
from tests.peers.suite.relay import relay_to
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

NAME = "node-oauth2-server"
RAW = "client: {authentication: basic_raw}"
BY_ID = {RAW: "client: {authentication: none}"}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The server as it comes."""
    with running_peer(NAME) as running:
        yield running


def test_basic_credentials_are_not_decoded(peer: Peer, server: Server) -> None:
    """Encoded as RFC 6749 has it they are refused; raw is what works here, and a secret of plain letters either way."""
    odd = {"client_id": "keyturn-odd", "client_secret": ODD_SECRET}
    encoded = connector_text(peer, changes={RAW: "client: {authentication: basic}"})
    refused = log_in(server, peer, install(server, peer, encoded, odd))
    plain = log_in(server, peer, install(server, peer, encoded))

    assert (424, "connector_client_rejected") == (refused.status, refused.code)
    assert 201 == plain.status, plain.body


def test_a_life_that_is_rounded_down(peer: Peer, server: Server) -> None:
    """299 or 300 seconds: taken as they come, and never more than the server gave."""
    connection = connected(server, peer)
    token_set = tokens_of(server, connection)
    assert token_set.expires_at is not None

    assert round(token_set.expires_at - token_set.issued_at) in (299, 300)


def test_a_public_client_shows_its_id_alone(server: Server) -> None:
    """With PUBLIC=1: login, renewal and revocation without a secret."""
    with running_peer(NAME, PUBLIC="1") as peer, relay_to(peer) as relay:
        client = {"client_id": "keyturn-public"}
        connection = connected(server, peer, connector_text(peer, relay.host, BY_ID), client)
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
        token = tokens_of(server, connection).access_token.reveal()
        ended = server.ask("DELETE", f"/v1/connections/{connection}").json()
        bodies = [each.body for each in relay.log if each.method == "POST"]

        assert (200, 2) == (renewed.status, renewed.json()["generation"])
        assert "done" == ended["revocation"]["result"]
        assert not accepted(peer, token)
        assert all(b"client_id=keyturn-public" in body and b"client_secret" not in body for body in bodies)


def test_no_public_clients_unless_it_says_so(peer: Peer, server: Server) -> None:
    """400 `invalid_client` in place of 401: still the operator's business."""
    connector = install(server, peer, connector_text(peer, changes=BY_ID), {"client_id": peer.client_id})
    refused = log_in(server, peer, connector)

    assert (424, "connector_client_rejected") == (refused.status, refused.code)


def test_an_old_access_token_that_lives_on_is_not_used(server: Server) -> None:
    """With KEEP_OLD_ACCESS=1 both are good at the server; after a renewal ours is the new one, and that is revoked."""
    with running_peer(NAME, KEEP_OLD_ACCESS="1") as peer:
        connection = connected(server, peer)
        old = tokens_of(server, connection).access_token.reveal()
        server.ask("POST", f"/v1/connections/{connection}/renew")
        new = tokens_of(server, connection).access_token.reveal()
        server.ask("DELETE", f"/v1/connections/{connection}")

        assert old != new
        assert (True, False) == (accepted(peer, old), accepted(peer, new))


def test_no_new_refresh_token_means_that_the_old_one_goes_on(server: Server) -> None:
    """With ROTATE=0 the answer names none: three renewals by the same one."""
    with running_peer(NAME, ROTATE="0") as peer:
        connection = connected(server, peer)
        first = refresh_token_of(tokens_of(server, connection))
        renewed = [server.ask("POST", f"/v1/connections/{connection}/renew").json()["generation"] for _ in range(3)]

        assert [2, 3, 4] == renewed
        assert first == refresh_token_of(tokens_of(server, connection))


def test_a_server_that_lost_its_memory(server: Server) -> None:
    """Started anew it knows no token: one refresh is tried, then a login brings the same connection back."""
    with running_peer(NAME) as before:
        connection = connected(server, before)
        assert call_me(server, before, connection).status == 200
    port = int(before.base_url.rpartition(":")[2])
    with running_peer(NAME, port=port) as peer:
        call = call_me(server, peer, connection)
        lost = state_of(server, connection)
        again = log_in(server, peer, NAME)

        assert (409, "connection_needs_reconnect") == (call.status, call.code)
        assert ("needs_reconnect", "grant_lost") == (lost["state"], lost["reason"])
        assert (200, connection) == (again.status, again.json()["id"])
        assert full_name(peer) == name_in(peer, call_me(server, peer, connection))


@pytest.mark.parametrize(
    ("request_key", "expected"),
    [
        pytest.param('{headers: {Authorization: "Bearer {{ access_token }}"}}', (201, None), id="as it wants it"),
        pytest.param('{headers: {Authorization: "bearer {{ access_token }}"}}', (424, 400), id="lower case"),
        pytest.param('{query: {access_token: "{{ access_token }}"}}', (424, 400), id="in the query"),
    ],
)
def test_how_the_token_travels_is_tried_before_there_is_a_connection(
    peer: Peer, server: Server, request_key: str, expected: tuple[int, int | None]
) -> None:
    """It takes "Bearer" in that spelling and in the header only; its 400 is no stale token and causes no renewal."""
    with relay_to(peer) as relay:
        text = f"{connector_text(peer, relay.host)}request: {request_key}\n"
        created = log_in(server, peer, install(server, peer, text))

        assert expected == (created.status, created.json().get("provider", {}).get("status"))
        assert [] == relay.sent("POST", *SUBJECTS[NAME].refresh)


def test_a_refresh_token_is_revoked_with_its_access_token(peer: Peer, server: Server) -> None:
    """An empty 200 is told; both are dead afterwards."""
    connection = connected(server, peer)
    token_set = tokens_of(server, connection)
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert {"result": "done", "tries": 1, "revoked": ["refresh_token", "access_token"]} == ended["revocation"]
    assert not accepted(peer, token_set.access_token.reveal())
    assert not refreshes(peer, refresh_token_of(token_set))
