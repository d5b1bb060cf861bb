"""A control plane over fakes, with a published connector, one connected account and keys of every kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import SCOPES
from keyturn.web.control.application import make_control
from keyturn.web.control.door import App
from tests.engine.story import log_in, publish, token
from tests.fakes.application import ADMIN_KEY, FakeWorld, make_world
from tests.fakes.egress import FakeEgress

CANARY = "canary-4f1d"
PASSWORD = "password-canary"


class FakeLogLevel:
    """A switch that only remembers."""

    def __init__(self) -> None:
        self.state: tuple[str, str, float | None] = ("info", "info", None)

    def set(self, level: str, for_s: float) -> None:
        """Remember."""
        self.state = (level, "info", 1_900_000_000.0 + for_s)


@dataclass
class House:
    """The zone, the world under it, the id of its connection, a key for each scope, and what the instance says."""

    app: App
    world: FakeWorld
    connection_id: str
    keys: dict[str, str]
    parts: dict[str, str] = field(default_factory=lambda: {"database": "ok", "keys": "ok"})
    log_level: FakeLogLevel = field(default_factory=FakeLogLevel)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "admin",
        headers: dict[str, str] | None = None,
        raw: bytes | AsyncIterator[bytes] | None = None,
        kind: str = "application/json",
    ) -> httpx.Response:
        """One request; `key`: the name of a scope, or None for no key."""
        sent = dict(headers or {})
        if key is not None:
            sent["authorization"] = f"Bearer {self.keys.get(key, key)}"
        content = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        if content is not None:
            sent.setdefault("content-type", kind)
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8800") as client:
            latin = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
            return await client.request(method, path, content=content, headers=latin)

    @property
    def path(self) -> str:
        """The path of the connection."""
        return f"/v1/connections/{self.connection_id}"


def login_body(**changes: Any) -> dict[str, Any]:
    """What connects the account of the test connector."""
    body = {"connector": "acme", "owner": "owner-1", "username": "jo", "password": PASSWORD}
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}


async def metrics() -> bytes:
    """Those of the other zones."""
    return b"# HELP a b\n"


async def begin(
    *,
    expires_in: int | None = 3600,
    refresh: str | None = "refresh",
    egress: FakeEgress | None = None,
    **parts: str,
) -> House:
    """Build it; `parts` replace parts of the connector."""
    world = make_world(egress=egress)
    await publish(world, **parts)
    connected = await log_in(world, token(at=world.clock.now(), expires_in=expires_in, refresh=refresh))
    keys = {"admin": ADMIN_KEY}
    for scope in SCOPES:
        if scope != "admin":
            keys[scope] = await new_key(world, scope)
    house = House(lambda *_: None, world, connected.connection.id, keys)  # type: ignore[arg-type]

    async def readiness() -> dict[str, str]:
        return house.parts

    house.app = make_control(world.application, readiness=readiness, metrics=metrics, log_level=house.log_level)
    return house


async def new_key(
    world: FakeWorld, *scopes: str, connectors: tuple[str, ...] = (), owners: tuple[str, ...] = ()
) -> str:
    """An API key with these scopes and limits."""
    _, text = await world.application.api_keys.create(
        "of the tests", scopes, Actor("operator"), connectors=connectors, owners=owners
    )
    return text.reveal()


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """It is a whole problem with this status and code; returns its members."""
    document: dict[str, Any] = answer.json()

    assert (status, code) == (answer.status_code, document["code"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert status == document["status"]
    assert answer.headers["keyturn-request-id"] == document["request_id"]
    assert {"who", "text", "url"} == set(document["next_action"])
    return document
