"""What keyturn has to know of each peer: its connector, its application, where it shows whose token it was given.

Rule 1: a peer that is a product is connected to by the catalogue's own file; only scheme and port are changed.
Rule 2: a change to a connector is a text that has to be there and what takes its place; a slip is seen.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.store.opening import open_store
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.bootstrap.system import SystemClock, SystemEntropy
from keyturn.core.format.writing import dump_connector
from keyturn.core.reading import Document, read_connector
from keyturn.core.token_set import TokenSet
from tests.end_to_end.running import CHECKOUT, Reply, Server, ask
from tests.peers.running import Peer

ODD_SECRET = "s:e+c%72r&t /=~"
QUICK = CHECKOUT / "tests/end_to_end/connectors"
OWN = Path(__file__).parent / "connectors"
CATALOGUE = CHECKOUT / "src/keyturn/catalogue"


@dataclass(frozen=True, slots=True)
class Subject:
    """One peer, as keyturn sees it.

    `me`: the call that says whose token it is, as the proxy takes it. `name`: where it says so, as keys.
    `refresh`: path and a word of the body that only a refresh has. `unread`: what makes the life of a token unknown.
    """

    file: Path
    me: str
    name: tuple[str, ...]
    refresh: tuple[str, bytes]
    login: str
    unread: dict[str, str]
    at: str = ""  # between the host and `me`
    oauth: bool = True


_NO_LIFE = {'"{{ password }}", scope: "read write"}': '"{{ password }}", scope: "read write"}\n'
            "  response: {expires: {from: nothing}}"}  # fmt: skip
_FORM = b"grant_type=refresh_token"
SUBJECTS = {
    "django-oauth-toolkit": Subject(
        QUICK / "django-oauth-toolkit.yaml", "/me", ("username",), ("/o/token/", _FORM), "/o/token/", _NO_LIFE
    ),
    "authlib": Subject(
        QUICK / "authlib.yaml", "/me", ("username",), ("/oauth/token", _FORM), "/oauth/token", _NO_LIFE
    ),
    "node-oauth2-server": Subject(
        OWN / "node-oauth2-server.yaml", "/me", ("username",), ("/oauth/token", _FORM), "/oauth/token", _NO_LIFE
    ),
    "synapse": Subject(
        CATALOGUE / "matrix.yaml", "/account/whoami", ("user_id",), ("/_matrix/client/v3/refresh", b""),
        "/_matrix/client/v3/login", {"from: expires_in_ms": "from: nothing"}, "/_matrix/client/v3", oauth=False,
    ),
    "directus": Subject(
        CATALOGUE / "directus.yaml", "/users/me", ("data", "email"), ("/auth/refresh", b""), "/auth/login",
        {"from: data.expires": "from: nothing"}, oauth=False,
    ),
}  # fmt: skip


def connector_text(peer: Peer, host: str | None = None, changes: dict[str, str] | None = None) -> str:
    """The peer's connector, for 127.0.0.1 and plain http. `host`: host and port in the peer's place."""
    subject = SUBJECTS[peer.name]
    there = host or peer.base_url.removeprefix("http://")
    text = subject.file.read_text()
    if subject.oauth:
        text = text.replace("HOST", there)
    else:
        port = there.rpartition(":")[2]
        text = text.replace("https://{{ host }}", f"http://{{{{ host }}}}:{port}")
        text = text.replace("keyturn: 1\n", "keyturn: 1\ninsecure_http: true\nprivate_network: true\n")
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def install(server: Server, peer: Peer, text: str, client: dict[str, Any] | None = None) -> str:
    """Save and publish a connector, and set its application where the peer has some."""
    connector = next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("connector:"))
    saved = server.ask("PUT", f"/v1/connectors/{connector}", text, headers={"Content-Type": "application/yaml"})
    assert saved.status in (200, 201), saved.body
    published = server.ask("POST", f"/v1/connectors/{connector}/publish")
    assert published.status == 201, published.body
    application = client or {"client_id": peer.client_id, "client_secret": peer.client_secret}
    if application["client_id"] is not None:
        assert server.ask("PUT", f"/v1/connectors/{connector}/client", application).status == 204
    return connector


def log_in(
    server: Server, peer: Peer, connector: str, username: str | None = None, password: str | None = None, **fields: Any
) -> Reply:
    """POST /v1/connections, as alice where nothing else is said."""
    subject = SUBJECTS[peer.name]
    body: dict[str, Any] = {"connector": connector, "owner": "owner-1"}
    body["username"] = peer.username if username is None else username
    body["password"] = peer.password if password is None else password
    given = fields if subject.oauth else {"host": "127.0.0.1", **fields}
    return server.ask("POST", "/v1/connections", body | ({"fields": given} if given else {}))


def connected(server: Server, peer: Peer, text: str | None = None, client: dict[str, Any] | None = None) -> str:
    """Install the connector and connect alice; gives the connection's id."""
    connector = install(server, peer, text or connector_text(peer), client)
    created = log_in(server, peer, connector)
    assert created.status == 201, created.body
    found: str = created.json()["id"]
    return found


def call_me(server: Server, peer: Peer, connection: str) -> Reply:
    """Ask the API through keyturn whose token it was given."""
    return server.ask("GET", f"/v1/proxy/{connection}{SUBJECTS[peer.name].me}")


def name_in(peer: Peer, reply: Reply) -> str:
    """Whose token it was, by the API's answer."""
    assert reply.status == 200, reply.body
    found = reply.json()
    for key in SUBJECTS[peer.name].name:
        found = found[key]
    assert isinstance(found, str)
    return found


def full_name(peer: Peer, username: str | None = None) -> str:
    """What `name_in` finds for an account."""
    local = peer.username if username is None else username
    return f"@{local}:localhost" if peer.name == "synapse" else local


def state_of(server: Server, connection: str) -> dict[str, Any]:
    """The connection as REST shows it."""
    found: dict[str, Any] = server.ask("GET", f"/v1/connections/{connection}").json()
    return found


def tokens_of(server: Server, connection: str) -> TokenSet:
    """The token set in hand, read from the store with its key: no door gives it out."""

    async def read() -> TokenSet:
        key = key_ring_from(None, server.data, True, environ=os.environ)
        clock, entropy, suffixes = SystemClock(), SystemEntropy(), load_public_suffixes()
        stores = await open_store(
            server.data, key, clock, entropy, dump=dump_connector,
            load=lambda found: read_connector(Document(found, {}), suffixes=suffixes),
        )  # fmt: skip
        try:
            opened = await stores.connections.open(connection)
            assert opened is not None
            assert opened[1].token_set is not None
            return opened[1].token_set
        finally:
            await stores.close()

    return asyncio.run(read())


def refresh_token_of(token_set: TokenSet) -> str:
    """The refresh token, in the clear."""
    assert token_set.refresh_token is not None
    return token_set.refresh_token.reveal()


def directly(peer: Peer, method: str, path: str, body: Any = None, token: str | None = None) -> Reply:
    """One request past keyturn."""
    port = int(peer.base_url.rpartition(":")[2])
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return ask(port, method, path, body, key=None, headers=headers)


def accepted(peer: Peer, token: str) -> bool:
    """Whether the server itself still takes an access token."""
    subject = SUBJECTS[peer.name]
    return directly(peer, "GET", subject.at + subject.me, token=token).status == 200


def refreshes(peer: Peer, refresh_token: str) -> bool:
    """Whether the server itself still takes a refresh token; if it does, that is used up."""
    path, word = SUBJECTS[peer.name].refresh
    port = int(peer.base_url.rpartition(":")[2])
    if word:
        body = f"{word.decode()}&refresh_token={refresh_token}&client_id={peer.client_id}"
        kind, sent = "application/x-www-form-urlencoded", f"{body}&client_secret={peer.client_secret}"
    else:
        kind, sent = "application/json", json.dumps({"refresh_token": refresh_token, "mode": "json"})
    return ask(port, "POST", path, sent, key=None, headers={"Content-Type": kind}).status == 200
