"""django-oauth-toolkit: a bare 403 for every bad token, rotation with and without mercy, Basic that is form-decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Server
from tests.peers.running import Peer, running_peer
from tests.peers.suite.relay import Relay, relay_to
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

NAME = "django-oauth-toolkit"
UNREAD = SUBJECTS[NAME].unread
BY_STATUS = "stale_when: {status: [401, 403]}\n"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The server as it comes."""
    with running_peer(NAME) as running:
        yield running


@pytest.fixture(scope="module")
def brief() -> Iterator[Peer]:
    """The same with tokens of two seconds."""
    with running_peer(NAME, ACCESS_TTL="2") as running:
        yield running


@pytest.fixture
def relay(peer: Peer) -> Iterator[Relay]:
    """What goes to the server."""
    with relay_to(peer) as running:
        yield running


def refreshes_seen(relay: Relay) -> int:
    """How often a refresh token was sent."""
    return len(relay.sent("POST", *SUBJECTS[NAME].refresh))


@pytest.mark.parametrize(
    ("path", "stale_when", "status", "generation"),
    [
        pytest.param("/me", BY_STATUS, 200, 2, id="bare 403, and the connector says what it means"),
        pytest.param("/me", "", 403, 1, id="bare 403 alone is a matter of rights"),
        pytest.param("/me401", "", 200, 2, id="401, as RFC 6750 has it"),
        pytest.param("/me401", BY_STATUS, 200, 2, id="401, where both count"),
    ],
)
def test_what_an_expired_token_looks_like(
    brief: Peer, server: Server, path: str, stale_when: str, status: int, generation: int
) -> None:
    """A 403 is renewed only where the connector names it; else the caller gets it as it is."""
    changes = {**UNREAD, BY_STATUS: stale_when} if stale_when != BY_STATUS else UNREAD
    connection = connected(server, brief, connector_text(brief, changes=changes))
    before = server.ask("GET", f"/v1/proxy/{connection}{path}")
    time.sleep(2.5)
    after = server.ask("GET", f"/v1/proxy/{connection}{path}")

    assert 200 == before.status
    assert (status, generation) == (after.status, state_of(server, connection)["generation"])


def test_a_403_that_no_renewal_cures_is_no_storm(peer: Peer, relay: Relay, server: Server) -> None:
    """A refusal for another reason looks the same; ten of them cost one renewal, and the caller gets the 403."""
    connection = connected(server, peer, connector_text(peer, relay.host))
    assert call_me(server, peer, connection).status == 200
    refused = [server.ask("POST", f"/v1/proxy/{connection}/me", {}) for _ in range(10)]  # Django wants its CSRF token
    after = call_me(server, peer, connection)

    assert [403] * 10 == [reply.status for reply in refused]
    assert 1 == refreshes_seen(relay)
    assert full_name(peer) == name_in(peer, after)


def test_a_scope_that_is_too_small_for_the_test(peer: Peer, server: Server) -> None:
    """Such a token is refused like a bad one; no connection comes of it, and the token does not stay good."""
    text = connector_text(peer, changes={'scope: "read write"': "scope: write"})
    refused = log_in(server, peer, install(server, peer, text))

    assert (424, "connection_test_failed") == (refused.status, refused.code)
    assert 403 == refused.json()["provider"]["status"]
    assert [] == server.ask("GET", "/v1/connections").json()["data"]


def test_a_renewal_ends_the_old_tokens_at_once(peer: Peer, server: Server) -> None:
    """The new ones are those that are kept; sending the old refresh token again harms nothing here."""
    connection = connected(server, peer)
    old = tokens_of(server, connection)
    server.ask("POST", f"/v1/connections/{connection}/renew")
    new = tokens_of(server, connection)
    reused = refreshes(peer, refresh_token_of(old))

    assert (False, True) == (accepted(peer, old.access_token.reveal()), accepted(peer, new.access_token.reveal()))
    assert not reused
    assert full_name(peer) == name_in(peer, call_me(server, peer, connection))


def test_reuse_by_somebody_else_ends_the_grant(server: Server) -> None:
    """With REUSE_PROTECTION=1 a spent refresh token kills the family: said as a lost grant, cured by a login."""
    with running_peer(NAME, REUSE_PROTECTION="1") as peer:
        connection = connected(server, peer)
        spent = refresh_token_of(tokens_of(server, connection))
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
        assert call_me(server, peer, connection).status == 200
        stolen = refreshes(peer, spent)
        call = call_me(server, peer, connection)
        lost = state_of(server, connection)
        again = log_in(server, peer, NAME)

        assert 200 == renewed.status
        assert not stolen
        assert (409, "connection_needs_reconnect") == (call.status, call.code)
        assert ("needs_reconnect", "grant_lost") == (lost["state"], lost["reason"])
        assert (200, connection, "active") == (again.status, again.json()["id"], again.json()["state"])


def test_a_refresh_token_that_comes_back_is_kept(server: Server) -> None:
    """With ROTATE=0 the answer repeats it: three renewals by the same one."""
    with running_peer(NAME, ROTATE="0") as peer:
        connection = connected(server, peer)
        first = refresh_token_of(tokens_of(server, connection))
        generations = [server.ask("POST", f"/v1/connections/{connection}/renew").json()["generation"] for _ in range(3)]

        assert [2, 3, 4] == generations
        assert first == refresh_token_of(tokens_of(server, connection))
        assert full_name(peer) == name_in(peer, call_me(server, peer, connection))


@pytest.mark.parametrize(
    ("scope", "status", "code"),
    [
        pytest.param("read", 200, None, id="fewer"),
        pytest.param("read write", 200, None, id="the same"),
        pytest.param("read write introspection", 424, "scope_insufficient", id="more"),
    ],
)
def test_a_refresh_may_ask_for_fewer_scopes(
    peer: Peer, server: Server, scope: str, status: int, code: str | None
) -> None:
    """For more is `invalid_scope`: the author's business, and the connection goes on with the token in hand."""
    params = f'grant_type: refresh_token, refresh_token: "{{{{ refresh_token }}}}", scope: "{scope}"'
    connection = connected(server, peer, connector_text(peer) + f"refresh: {{params: {{{params}}}}}\n")
    renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

    assert (status, code) == (renewed.status, renewed.code)
    assert "active" == state_of(server, connection)["state"]
    assert full_name(peer) == name_in(peer, call_me(server, peer, connection))


@pytest.mark.parametrize("tokens", ["[access_token]", "[refresh_token]", "[refresh_token, access_token]"])
def test_revoking_one_token_ends_both(peer: Peer, server: Server, tokens: str) -> None:
    """An empty text/html answer counts as told, and the second of two, which is gone by then, as well."""
    text = connector_text(peer, changes={'o/revoke_token/"}': f'o/revoke_token/", tokens: {tokens}}}'})
    connection = connected(server, peer, text)
    token_set = tokens_of(server, connection)
    ended = server.ask("DELETE", f"/v1/connections/{connection}").json()

    assert "done" == ended["revocation"]["result"]
    assert not accepted(peer, token_set.access_token.reveal())
    assert not refreshes(peer, refresh_token_of(token_set))


def test_basic_credentials_that_are_not_encoded_are_refused(peer: Peer, server: Server) -> None:
    """The neighbour of what works: the same secret by basic_raw."""
    client = {"client_id": "keyturn-odd", "client_secret": ODD_SECRET}
    text = connector_text(peer) + "client: {authentication: basic_raw}\n"
    refused = log_in(server, peer, install(server, peer, text, client))

    assert (424, "connector_client_rejected") == (refused.status, refused.code)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"/o/token/": "/o/token"}, id="without its slash"),
        pytest.param({'"http://HOST/o/token/"': '"http://HOST/o/token/"\n  method: PUT'}, id="by another method"),
    ],
)
def test_a_token_url_that_is_not_one(peer: Peer, relay: Relay, server: Server, changes: dict[str, str]) -> None:
    """HTML is no verdict on the password: nobody is blamed, and the password is not sent a second time."""
    changes = {old.replace("HOST", relay.host): new.replace("HOST", relay.host) for old, new in changes.items()}
    refused = log_in(server, peer, install(server, peer, connector_text(peer, relay.host, changes)))
    sent = [each for each in relay.log if peer.password.encode() in each.body]

    assert (502, "provider_bad_response") == (refused.status, refused.code)
    assert ("provider_answer_unknown", "author") == (refused.json()["reason"], refused.json()["next_action"]["who"])
    assert 1 == len(sent)
