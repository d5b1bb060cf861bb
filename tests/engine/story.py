"""A published connector and a connected account in a fake world, for tests of the use cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.connection import Connection
from keyturn.core.connector import Connector
from keyturn.core.messages import Answer
from keyturn.core.reading import read_connector
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.login.connect import Connected, LoginRequest
from keyturn.ports.store import ClientCredentials
from tests.fakes.application import FakeWorld
from tests.fakes.egress import json_answer

ACTOR = Actor("key:test", "req_test")

CONNECTOR = """
keyturn: 1
connector: acme
title: Acme
trust: {reason: legacy, note: There is nothing else.}
token: {url: "%(url)s/token"%(token)s}
refresh: {%(refresh)s}
revoke: {url: "%(url)s/revoke", params: {token: "{{ token }}"}%(revoke)s}
password: {keep: %(keep)s, reason: The provider has nothing else.}
test: {url: "https://api.acme.example/me", expect: {status: [200], body: id}}
allowed_urls: ["https://api.acme.example"]
unique_id: "{{ test.id }}"
on_duplicate: %(on_duplicate)s
limits: {logins: 3, per: 15m}
%(more)s
"""


def connector_from(**parts: str) -> Connector:
    """The test connector, with parts of it replaced."""
    filled = {"refresh": "", "revoke": "", "keep": "never", "on_duplicate": "update", "more": ""}
    filled |= {"token": "", "url": "https://auth.acme.example", **parts}
    return read_connector(read_document(CONNECTOR % filled), suffixes=load_public_suffixes())


async def publish(world: FakeWorld, **parts: str) -> Connector:
    """Publish the connector and register its application."""
    connector = connector_from(**parts)
    store, now = world.stores.connectors, world.clock.now()
    await store.put_draft(connector, "", at=now)
    await store.publish(connector, "", repr(sorted(parts.items())), at=now)
    await store.set_client(connector.id, ClientCredentials("client", Secret("client-secret-canary")), at=now)
    return connector


def token(n: int = 1, *, refresh: str | None = "refresh", expires_in: int | None = 3600, at: float = 0.0) -> Answer:
    """A token answer; its tokens are numbered."""
    parts = [f'"access_token": "access-{n}"']
    if refresh is not None:
        parts.append(f'"refresh_token": "{refresh}-{n}"')
    if expires_in is not None:
        parts.append(f'"expires_in": {expires_in}')
    return json_answer("{" + ", ".join(parts) + "}", received_at=at)


def me(account: str = "42") -> Answer:
    """The answer of the test call."""
    return json_answer(f'{{"id": "{account}", "name": "Jo"}}')


def error(code: str, status: int = 400) -> Answer:
    """An OAuth error."""
    return json_answer(f'{{"error": "{code}"}}', status)


async def log_in(world: FakeWorld, answer: Answer | None = None, *, account: str = "42", **more: Any) -> Connected:
    """Connect an account: one token answer, one test answer."""
    first = answer if answer is not None else token(at=world.clock.now())
    world.egress.will_reply(first, me(account))
    request = LoginRequest("acme", "owner-1", "jo", Secret("password-canary"))
    result = await world.application.connect(replace(request, **more), ACTOR)
    assert isinstance(result, Connected)
    return result


async def read(world: FakeWorld, connection_id: str) -> Connection:
    """The connection as it is stored."""
    found = await world.stores.connections.load(connection_id)
    assert found is not None
    return found


def bodies(world: FakeWorld, path: str = "/token") -> list[str]:
    """What was posted to a path, in order."""
    return [each.body.decode() for each in world.egress.requests if path in each.url]


def actions(world: FakeWorld) -> list[tuple[str, str]]:
    """Every audit record's action and outcome, oldest first."""
    return [(record.action, record.outcome) for record in world.stores.database.records]
