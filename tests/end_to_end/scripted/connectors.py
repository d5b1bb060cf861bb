"""Connectors for the scripted provider, as the file format says them, and the steps that put them in place."""

from __future__ import annotations

import itertools
from typing import Any

from tests.end_to_end.running import Reply, Server
from tests.end_to_end.scripted.provider import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Scripted

_numbers = itertools.count(1)
ABSENT = object()


def connector_for(provider: Scripted, **changes: Any) -> dict[str, Any]:
    """A small connector with refresh and revocation; `changes` replace top-level keys, `ABSENT` takes one out."""
    whole: dict[str, Any] = {
        "keyturn": 1,
        "connector": f"scripted-{next(_numbers)}",
        "title": "Scripted",
        "trust": {"reason": "legacy", "note": "A provider of the tests."},
        "insecure_http": True,
        "private_network": True,
        "token": {"url": f"{provider.url}/token"},
        "refresh": {"params": {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}},
        "revoke": {
            "url": f"{provider.url}/revoke",
            "params": {"token": "{{ token }}", "token_type_hint": "{{ token_type_hint }}"},
        },
        "test": {"url": f"{provider.url}/api/me"},
        "allowed_urls": [f"{provider.url}/api"],
        "unique_id": "{{ test.id }}",
    }
    whole.update(changes)
    return {key: value for key, value in whole.items() if value is not ABSENT}


def install(server: Server, connector: dict[str, Any], client: dict[str, Any] | None = None) -> str:
    """Save, give the client, publish; returns the id."""
    name: str = connector["connector"]
    saved = server.ask("PUT", f"/v1/connectors/{name}", connector)
    assert saved.status in (200, 201), saved.body
    chosen = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} if client is None else client
    if chosen:
        given = server.ask("PUT", f"/v1/connectors/{name}/client", chosen)
        assert given.status == 204, given.body
    published = server.ask("POST", f"/v1/connectors/{name}/publish")
    assert published.status == 201, published.body
    return name


def sign_in(
    server: Server, connector: str, username: str = USERNAME, password: str = PASSWORD, owner: str = "o", **more: Any
) -> Reply:
    """POST /v1/connections."""
    body = {"connector": connector, "owner": owner, "username": username, "password": password, **more}
    return server.ask("POST", "/v1/connections", body)


def connected(server: Server, provider: Scripted, **changes: Any) -> dict[str, Any]:
    """A connection that a new connector made."""
    reply = sign_in(server, install(server, connector_for(provider, **changes)))
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json()
    return found


def shown(server: Server, connection: dict[str, Any]) -> dict[str, Any]:
    """The connection as REST shows it now."""
    found: dict[str, Any] = server.ask("GET", f"/v1/connections/{connection['id']}").json()
    return found


def call(server: Server, connection: dict[str, Any], path: str = "me", method: str = "GET", **more: Any) -> Reply:
    """One call through the proxy."""
    return server.ask(method, f"/v1/proxy/{connection['id']}/{path}", more.pop("body", None), **more)
