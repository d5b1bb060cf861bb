"""Two servers that others wrote: everything that a connection does, on the real thing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.store.opening import open_store
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.bootstrap.system import SystemClock, SystemEntropy
from keyturn.core.format.writing import dump_connector
from keyturn.core.reading import Document, read_connector
from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Server, ask, connect, install_connector, running_server
from tests.peers.running import Peer, running_peer

CONNECTORS = Path(__file__).parent / "connectors"
ODD_SECRET = "s:e+c%72r&t /=~"
PEERS = ("django-oauth-toolkit", "authlib")
NUMBERS = itertools.count(1)

pytestmark = pytest.mark.timeout(600)  # a first start installs the server


@pytest.fixture(scope="module")
def peers() -> Iterator[Callable[[str], Peer]]:
    """Gives a peer whose tokens live for two seconds: started when first asked for, whatever the order of the tests."""
    with contextlib.ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(running_peer(name, ACCESS_TTL="2")))


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest, peers: Callable[[str], Peer]) -> Peer:
    """Each of the two."""
    return peers(request.param)


@pytest.fixture(scope="module")
def sent() -> set[str]:
    """The secrets that the server was sent."""
    return set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sent: set[str]) -> Iterator[Server]:
    """A keyturn for all tests here, which each have a connector of their own; stopped, it has left no secret behind."""
    with running_server(tmp_path_factory.mktemp("peers")) as running:
        yield running
    assert [] == find_canaries([running.data, running.log], sent)


def install(peer: Peer, server: Server, client: Mapping[str, str | None]) -> str:
    """The peer's connector, under an id that no other test has: what is counted for it is this test's alone."""
    host, name = peer.base_url.removeprefix("http://"), f"{peer.name}-{next(NUMBERS)}"
    text = (CONNECTORS / f"{peer.name}.yaml").read_text().replace("HOST", host)
    own = text.replace(f"connector: {peer.name}\n", f"connector: {name}\n")
    assert name == install_connector(server, own, client)
    return name


def client_of(peer: Peer) -> dict[str, str | None]:
    """The registered application."""
    return {"client_id": peer.client_id, "client_secret": peer.client_secret}


def access_token_of(server: Server, connection_id: str) -> str:
    """The token in hand, read from the store with its key: no door gives it out."""

    async def read() -> str:
        key = key_ring_from(None, server.data, True, environ=os.environ)
        clock, entropy, suffixes = SystemClock(), SystemEntropy(), load_public_suffixes()
        stores = await open_store(
            server.data, key, clock, entropy, dump=dump_connector,
            load=lambda found: read_connector(Document(found, {}), suffixes=suffixes),
        )  # fmt: skip
        try:
            opened = await stores.connections.open(connection_id)
            assert opened is not None
            token_set = opened[1].token_set
            assert token_set is not None
            return token_set.access_token.reveal()
        finally:
            await stores.close()

    return asyncio.run(read())


def accepted(peer: Peer, token: str) -> bool:
    """Whether the server itself still takes a token."""
    port = int(peer.base_url.rsplit(":", 1)[1])
    return ask(port, "GET", "/me", key=None, headers={"Authorization": f"Bearer {token}"}).status == 200


def test_a_connection_lives_through_everything(peer: Peer, server: Server) -> None:
    """Connect, call, renew, survive an expired token, disconnect; the server no longer takes the token."""
    connector = install(peer, server, client_of(peer))
    created = connect(server, connector, peer.username, peer.password)
    assert created.status == 201, created.body
    path = f"/v1/connections/{created.json()['id']}"
    me = server.ask("GET", f"/v1/proxy/{created.json()['id']}/me")
    renewed = server.ask("POST", f"{path}/renew")
    time.sleep(2.5)
    survived = server.ask("GET", f"/v1/proxy/{created.json()['id']}/me")
    tested = server.ask("POST", f"{path}/test")
    token = access_token_of(server, created.json()["id"])
    was_accepted = accepted(peer, token)
    ended = server.ask("DELETE", path)

    assert (200, peer.username) == (me.status, me.json()["username"])
    assert (200, 2) == (renewed.status, renewed.json()["generation"])
    assert (200, peer.username) == (survived.status, survived.json()["username"])
    assert (200, True) == (tested.status, tested.json()["last_test"]["passed"])
    assert was_accepted
    assert ("disconnected", "done") == (ended.json()["state"], ended.json()["revocation"]["result"])
    assert not accepted(peer, token)


def test_a_wrong_password_is_told_from_everything_else(peer: Peer, server: Server) -> None:
    """The right outcome, with the tries that are left, and nothing stored."""
    connector = install(peer, server, client_of(peer))

    refused = connect(server, connector, peer.username, "wrong-password-canary")

    assert (422, "provider_credentials_rejected", 4) == (refused.status, refused.code, refused.json()["tries_left"])
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]


@pytest.mark.parametrize("odd_client", [False, True])
def test_odd_passwords_and_client_secrets_arrive_as_they_are(
    peer: Peer, server: Server, odd_client: bool, sent: set[str]
) -> None:
    """`& + % = " \\ / : #`, a blank and a letter beyond ASCII, through form and Basic encoding."""
    client = client_of(peer) | ({"client_id": "keyturn-odd", "client_secret": ODD_SECRET} if odd_client else {})
    connector = install(peer, server, client)
    assert peer.second_username is not None
    assert peer.second_password is not None
    secrets = {peer.second_password, str(client["client_secret"])}
    sent |= secrets  # searched for once more when the server has ended

    created = connect(server, connector, peer.second_username, peer.second_password)

    assert created.status == 201, created.body
    assert [] == find_canaries([server.data, server.log], secrets)


def test_a_client_that_may_not_use_the_grant_is_the_operators_business(peer: Peer, server: Server) -> None:
    """No person is blamed for it, and no login is counted."""
    client = {"client_id": "keyturn-code-only", "client_secret": "code-only-secret"}
    connector = install(peer, server, client)

    refused = connect(server, connector, peer.username, peer.password)

    assert (424, "provider_grant_disabled") == (refused.status, refused.code)


def test_a_wrong_client_is_the_operators_business_too(peer: Peer, server: Server) -> None:
    """401 invalid_client is not a wrong password."""
    client = {"client_id": str(peer.client_id), "client_secret": "not-the-secret"}
    connector = install(peer, server, client)

    refused = connect(server, connector, peer.username, peer.password)

    assert (424, "connector_client_rejected") == (refused.status, refused.code)
