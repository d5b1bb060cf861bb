"""Every call of the OpenAPI document, and the proxy, with every kind of key that is not good for it.

Rule: who has no good key learns nothing and does nothing: not by status, not by body, not in the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from keyturn.bootstrap.front import AsgiApp, make_front
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import SCOPES
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.web.control.application import OPERATIONS, make_control
from keyturn.web.control.operations import PUBLIC
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.dataplane.openapi import OPENAPI_PATHS
from tests.fakes.application import FakeWorld
from tests.web.control.house import House, begin, metrics, new_key

UNKNOWN_KEY = "kt_" + "A" * 43 + "00000000"
PROXY = ("GET", "/v1/proxy/{connection_id}/me")
# Of the calls beside the table: the scope that each asks for.
TOKEN = ("POST", "/v1/connections/{connection_id}/token")
BESIDE = {PROXY: "call", TOKEN: "token", ("GET", "/v1/forward-auth"): "call"}
PUBLIC_CALLS = {(each.method, each.path) for each in OPERATIONS if each.scope == PUBLIC}
SCOPE_OF = {(each.method, each.path): each.scope for each in OPERATIONS} | BESIDE
# Valid without a body, for a key with these limits: what it makes or reads is its own.
LISTS = ("connectors", "connections", "connect-sessions", "jobs", "api-keys", "audit", "events")
ITS_OWN = {("GET", f"/v1/{each}") for each in LISTS} | {("GET", "/v1/catalogue")}  # which is the release's
# What a call writes down before it looks for what is asked for.
NOTED = {("GET", path): {"audit.append_read"} for path in ("/v1/audit", "/v1/audit/{seq}")}


@dataclass
class Doors:
    """All doors over one world, with an object behind each path."""

    app: AsgiApp
    world: FakeWorld
    calls: list[tuple[str, str]]
    ids: dict[str, str]
    secrets: tuple[str, ...]
    keys: dict[str, str] = field(default_factory=dict)

    def address(self, path: str, **other: str) -> str:
        """The path with the ids of what there is."""
        filled = path.format_map({**self.ids, **other})
        connection = other.get("connection_id", self.ids["connection_id"])
        return f"{filled}?connection={connection}" if "forward-auth" in path else filled

    async def call(self, method: str, address: str, key: str | None, raw: bytes | None = None) -> httpx.Response:
        """One request."""
        headers = {"x-original-method": "GET", "x-original-uri": "/me"} if "forward-auth" in address else {}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        if raw is not None:
            headers["content-type"] = "application/json"
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8800") as client:
            return await client.request(method, address, content=raw, headers=headers)


async def objects(house: House) -> dict[str, str]:
    """One of each thing that a path can name, all of owner-1 at acme."""
    app, actor = house.world.application, Actor("key:test")
    session = await app.connect_sessions.create(SessionRequest("acme", "owner-1"), actor)
    job = (await house.call("POST", "/v1/jobs", {"kind": "connection.bulk", "action": "pause"})).json()
    person = (await house.call("POST", "/v1/people", {"name": "Ada", "role": "viewer"})).json()
    key = (await house.call("POST", "/v1/api-keys", {"name": "one", "scopes": ["read"]})).json()
    return {
        "connector_id": "acme", "connection_id": house.connection_id, "owner": "owner-1", "seq": "1",
        "session_id": session.session.id, "job_id": job["id"], "person_id": person["id"], "key_id": key["id"],
        "version": "1",
    }  # fmt: skip


@pytest.fixture
async def doors() -> Doors:
    """A world with an object behind each path, and all doors of it."""
    house = await begin()
    world = house.world

    async def readiness() -> dict[str, str]:
        return house.parts

    control = make_control(world.application, readiness=readiness, metrics=metrics, other_paths=OPENAPI_PATHS)
    app = make_front(DataPlane(world.application), control, control, control)
    ids = await objects(house)
    made = Doors(app, world, [], ids, ("owner-1", house.connection_id, ids["session_id"], "access-1"))
    document = (await made.call("GET", "/openapi.json", None)).json()
    made.calls = [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete") and (method.upper(), path) not in PUBLIC_CALLS
    ]
    made.calls.append(PROXY)
    for name in {part for _, path in made.calls for part in path.split("/") if part.startswith("{")}:
        made.ids.setdefault(name[1:-1], f"no-such-{name[1:-1]}")
    await make_keys(made)
    await world.application.calls.route(house.connection_id)  # as if it was called just now: it is at hand
    return made


async def make_keys(doors: Doors) -> None:
    """Keys that are good for nothing here, or not for this."""
    keys, actor = doors.world.application.api_keys, Actor("operator")
    expired, text = await keys.create("ended", ["admin"], actor)
    await keys.roll(expired.id, actor, overlap_s=0)
    doors.keys["expired"] = text.reveal()
    revoked, text = await keys.create("revoked", ["admin"], actor)
    await keys.revoke(revoked.id, actor)
    doors.keys["revoked"] = text.reveal()
    for scope in SCOPES:
        doors.keys[scope] = await new_key(doors.world, scope)
    doors.keys["other connector"] = await new_key(doors.world, "admin", connectors=("other",))
    doors.keys["other owner"] = await new_key(doors.world, "admin", owners=("owner-2",))


def unchanged(doors: Doors, writes: int) -> bool:
    """Whether nothing was written, and nothing was sent anywhere."""
    return len(doors.world.stores.database.writes) == writes


def leaks(doors: Doors, answer: httpx.Response) -> list[str]:
    """What of the objects stands in an answer."""
    said = answer.text + json.dumps(answer.headers.multi_items())
    return [each for each in doors.secrets if each in said]


async def test_the_walk_covers_every_call(doors: Doors) -> None:
    """Those of the data plane too; each asks for a scope."""
    assert {*doors.calls} == {*SCOPE_OF} - PUBLIC_CALLS


@pytest.mark.parametrize("kind", ["none", "wrong", "malformed", "expired", "revoked"])
async def test_401_comes_before_everything(doors: Doors, kind: str) -> None:
    """Before scope, size, body and object; and without any trace."""
    key = {"none": None, "wrong": UNKNOWN_KEY, "malformed": "x"}.get(kind, doors.keys.get(kind))
    for method, path in doors.calls:
        writes = len(doors.world.stores.database.writes)
        raw = b"[" * 300_000 if method not in ("GET", "DELETE") else None
        answer = await doors.call(method, doors.address(path), key, raw)

        assert 401 == answer.status_code, (method, path)
        assert [] == leaks(doors, answer), (method, path)
        assert unchanged(doors, writes), (method, path)


async def test_403_comes_before_body_and_object(doors: Doors) -> None:
    """With each scope that is not the one: whether the object is there or not, and whatever the body is."""
    for method, path in doors.calls:
        for scope in set(SCOPES) - {SCOPE_OF[method, path], "admin"}:
            writes = len(doors.world.stores.database.writes)
            raw = b"[" * 300_000 if method not in ("GET", "DELETE") else None
            for address in (doors.address(path), doors.address(path, connection_id="cxn_none", connector_id="none")):
                answer = await doors.call(method, address, doors.keys[scope], raw)

                assert 403 == answer.status_code, (method, path, scope)
                assert "forbidden_scope" == answer.json()["code"], (method, path, scope)
                assert [] == leaks(doors, answer), (method, path, scope)
            assert unchanged(doors, writes), (method, path, scope)


@pytest.mark.parametrize("kind", ["other connector", "other owner"])
async def test_a_limited_key_finds_nothing_of_others(doors: Doors, kind: str) -> None:
    """What is another's is answered as what does not exist, and nothing happens to it."""
    nowhere = {name: f"no-such-{name.replace('_', '-')}" for name in doors.ids} | {"seq": "999999"}
    if kind == "other owner":
        nowhere |= {"connector_id": "acme", "version": "1"}  # which all may know of
    for method, path in doors.calls:
        writes = len(doors.world.stores.database.writes)
        raw = b"{}" if method not in ("GET", "DELETE") else None
        answer = await doors.call(method, doors.address(path), doors.keys[kind], raw)
        other = await doors.call(method, doors.address(path, **nowhere), doors.keys[kind], raw)

        assert [] == leaks(doors, answer), (method, path)
        assert {*doors.world.stores.database.writes[writes:]} <= NOTED.get((method, path), set()), (method, path)
        assert _said(other) == _said(answer), (method, path)
        own = (method, path) in ITS_OWN or (kind == "other owner" and method == "GET" and "/connectors/" in path)
        assert own or answer.status_code in (403, 404, 422), (method, path, answer.status_code)


def _said(answer: httpx.Response) -> Any:
    """Status and code; of an answer that is no problem the status alone."""
    return answer.status_code, answer.json().get("code") if answer.status_code >= 400 else None
