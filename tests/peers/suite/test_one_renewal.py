"""One refresh, whatever happens, on servers whose rotation nobody here wrote; judged by what went over the wire."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.peers.running import NAMES, Peer, running_peer
from tests.peers.suite.relay import Relay, Seen, relay_to
from tests.peers.suite.subjects import (
    SUBJECTS,
    call_me,
    connected,
    connector_text,
    full_name,
    log_in,
    name_in,
    refresh_token_of,
    state_of,
    tokens_of,
)

CALLERS = 50


@dataclass(frozen=True, slots=True)
class Mode:
    """A peer in one of its modes, and what its connector says of refreshing there."""

    peer: str
    env: dict[str, str] = field(default_factory=dict)
    says: str = ""

    @property
    def name(self) -> str:
        """For the list of tests."""
        return "-".join([self.peer, *(f"{k}={v}" for k, v in self.env.items())])

    def connector(self, peer: Peer, relay: Relay) -> str:
        """The connector, through the relay."""
        return connector_text(peer, relay.host) + self.says


REUSE_PROTECTED = Mode("django-oauth-toolkit", {"REUSE_PROTECTION": "1"})
STRICT = [*(Mode(name) for name in NAMES if name not in ("synapse", "directus")), REUSE_PROTECTED]
FORGIVING = [
    Mode("django-oauth-toolkit", {"GRACE": "60", "REUSE_PROTECTION": "1"}, "refresh: {leeway: 60s}\n"),
    Mode("django-oauth-toolkit", {"ROTATE": "0"}, "refresh: {rotation: stable}\n"),
    Mode("authlib", {"ROTATE": "0"}, "refresh: {rotation: stable}\n"),
    Mode("node-oauth2-server", {"ROTATE": "0"}, "refresh: {rotation: stable}\n"),
    Mode("synapse"),  # as the catalogue has it
]


def refreshes_seen(relay: Relay, peer: Peer) -> list[Seen]:
    """The refresh requests that reached the server."""
    path, word = SUBJECTS[peer.name].refresh
    return relay.sent("POST", path, word)


def renew_until_killed(server: Server, relay: Relay, connection: str) -> None:
    """Kill the server when the peer has refreshed and its answer is on the way."""
    relay.hold = b"refresh_token"
    caller = threading.Thread(target=_renew_quietly, args=(server, connection))
    caller.start()
    assert relay.holding.wait(30)
    server.kill()
    caller.join()
    relay.release()


def _renew_quietly(server: Server, connection: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.ask("POST", f"/v1/connections/{connection}/renew", timeout_s=30)


@pytest.mark.parametrize("mode", [*(Mode(name) for name in NAMES), REUSE_PROTECTED], ids=lambda mode: mode.name)
def test_fifty_callers_at_an_expired_token_cause_one_refresh(mode: Mode, server: Server) -> None:
    """All fifty get the account's name; what the server gave is the one that is kept, so that it can be renewed."""
    with running_peer(mode.peer, port=None, **{"ACCESS_TTL": "3", **mode.env}) as peer, relay_to(peer) as relay:
        connection = connected(server, peer, mode.connector(peer, relay))
        assert call_me(server, peer, connection).status == 200
        time.sleep(3.5)
        with ThreadPoolExecutor(CALLERS) as callers:
            replies = list(callers.map(lambda _: call_me(server, peer, connection), range(CALLERS)))
        at_once = len(refreshes_seen(relay, peer))
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

        assert {200} == {reply.status for reply in replies}
        assert {full_name(peer)} == {name_in(peer, reply) for reply in replies}
        assert 1 == at_once
        assert (200, "active") == (renewed.status, renewed.json()["state"])


@pytest.mark.parametrize("mode", STRICT, ids=lambda mode: mode.name)
def test_a_kill_in_mid_renewal_where_rotation_is_strict(mode: Mode, tmp_path: Path) -> None:
    """Uncertain, said truthfully; the spent refresh token is never sent again; a login brings the connection back."""
    with (
        running_peer(mode.peer, port=None, **mode.env) as peer,
        relay_to(peer) as relay,
        running_server(tmp_path) as server,
    ):
        connection = connected(server, peer, mode.connector(peer, relay))
        renew_until_killed(server, relay, connection)
        server.start()
        after = wait_for(lambda: (found := state_of(server, connection))["state"] != "active" and found)
        refused = server.ask("POST", f"/v1/connections/{connection}/renew")
        call = call_me(server, peer, connection)  # the refresh ended the old access token: the server says so
        dead = state_of(server, connection)
        again = log_in(server, peer, peer.name)
        back = call_me(server, peer, connection)

        assert ("uncertain", "renewal_outcome_unknown", 1) == (after["state"], after["reason"], after["generation"])
        assert (409, "renewal_not_possible") == (refused.status, refused.code)
        assert (409, "connection_needs_reconnect") == (call.status, call.code)
        assert ("needs_reconnect", "renewal_outcome_unknown") == (dead["state"], dead["reason"])
        assert (200, connection, "active") == (again.status, again.json()["id"], again.json()["state"])
        assert full_name(peer) == name_in(peer, back)
        assert [200] == [each.status for each in refreshes_seen(relay, peer)]


@pytest.mark.parametrize("mode", FORGIVING, ids=lambda mode: mode.name)
def test_a_kill_in_mid_renewal_where_the_server_forgives(mode: Mode, tmp_path: Path) -> None:
    """The same refresh token once more, within what its connector says: nobody has to log in again."""
    with (
        running_peer(mode.peer, port=None, **mode.env) as peer,
        relay_to(peer) as relay,
        running_server(tmp_path) as server,
    ):
        connection = connected(server, peer, mode.connector(peer, relay))
        renew_until_killed(server, relay, connection)
        server.start()
        after = wait_for(lambda: (found := state_of(server, connection))["generation"] == 2 and found)
        call = call_me(server, peer, connection)
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")
        logins = relay.sent("POST", SUBJECTS[peer.name].login, b"password")
        seen = refreshes_seen(relay, peer)

        assert ("active", None) == (after["state"], after["reason"])
        assert full_name(peer) == name_in(peer, call)
        assert (200, 3) == (renewed.status, renewed.json()["generation"])
        assert [200, 200, 200] == [each.status for each in seen]
        assert seen[0].body == seen[1].body
        assert 1 == len(logins)


def test_a_kill_in_mid_renewal_leaves_the_token_its_life(tmp_path: Path) -> None:
    """Where the old access token goes on, so does the connection: calls succeed until its end and no longer."""
    with (
        running_peer("directus", ACCESS_TTL="12") as peer,
        relay_to(peer) as relay,
        running_server(tmp_path) as server,
    ):
        connection = connected(server, peer, connector_text(peer, relay.host))
        renew_until_killed(server, relay, connection)
        server.start()
        wait_for(lambda: state_of(server, connection)["state"] == "uncertain")
        ends = tokens_of(server, connection).expires_at
        assert ends is not None
        meanwhile = call_me(server, peer, connection)
        called_before_its_end = time.time() < ends
        still = state_of(server, connection)["state"]
        time.sleep(max(0.0, ends - time.time()) + 0.5)
        afterwards = call_me(server, peer, connection)

        assert called_before_its_end
        assert full_name(peer) == name_in(peer, meanwhile)
        assert "uncertain" == still
        assert (409, "connection_needs_reconnect") == (afterwards.status, afterwards.code)
        assert "renewal_outcome_unknown" == state_of(server, connection)["reason"]
        assert [200] == [each.status for each in refreshes_seen(relay, peer)]


def test_grace_gives_the_very_same_pair_again(tmp_path: Path) -> None:
    """What the killed process was to get is what its successor gets, so that nothing is lost at the server either."""
    mode = FORGIVING[0]
    with (
        running_peer(mode.peer, port=None, **mode.env) as peer,
        relay_to(peer) as relay,
        running_server(tmp_path) as server,
    ):
        connection = connected(server, peer, mode.connector(peer, relay))
        before = refresh_token_of(tokens_of(server, connection))
        renew_until_killed(server, relay, connection)
        server.start()
        wait_for(lambda: state_of(server, connection)["generation"] == 2)
        after = refresh_token_of(tokens_of(server, connection))
        renewed = server.ask("POST", f"/v1/connections/{connection}/renew")

        assert before != after
        assert 200 == renewed.status
        assert before.encode() in refreshes_seen(relay, peer)[0].body
        assert before.encode() in refreshes_seen(relay, peer)[1].body
        assert after.encode() in refreshes_seen(relay, peer)[2].body
