"""Each door writes its refusals down: who, where, why; never the key, the path or what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from keyturn.bootstrap.front import make_front
from keyturn.core.access.roles import Role
from keyturn.web.dataplane.application import DataPlane
from tests.web.connect.browsing import make_site
from tests.web.console.visiting import make_visitor
from tests.web.control.house import House, begin, new_key
from tests.web.dataplane.story import OK

CANARY = "canary-8c1d"
PROXY = "/v1/proxy/{connection}/{path}"


def facts(line: Mapping[str, Any]) -> tuple[str, str, str | None, str]:
    """Event, code, why, route."""
    return line["event"], line["code"], line.get("why"), line["route"]


async def doors() -> House:
    """The control plane and the data plane behind one port."""
    house = await begin()
    house.app = make_front(DataPlane(house.world.application), house.app, house.app, house.app)
    return house


@pytest.mark.parametrize(
    ("method", "path", "key", "expected"),
    [
        pytest.param("GET", f"/v1/{CANARY}", None, ("key_refused", "unauthenticated", "absent", "none"), id="no key"),
        pytest.param(
            "GET", "/v1/connections", CANARY, ("key_refused", "unauthenticated", "malformed", "none"), id="a wrong one"
        ),
        pytest.param(
            "POST", f"/v1/proxy/c/{CANARY}", "kt_x", ("key_refused", "unauthenticated", "malformed", PROXY), id="a call"
        ),
        pytest.param(
            "GET", "/v1/proxy/ID/me", "read", ("scope_refused", "forbidden_scope", "call", PROXY), id="a call's scope"
        ),
        pytest.param(
            "DELETE", "/v1/api-keys/k", "read",
            ("scope_refused", "forbidden_scope", "admin", "/v1/api-keys/{key_id}"), id="the control plane's",
        ),
        pytest.param(
            "POST", "/v1/connections/ID/token", "call",
            ("scope_refused", "forbidden_scope", "token", "/v1/connections/{connection_id}/token"), id="a token's",
        ),
        pytest.param(
            "GET", "/v1/connections/ID", "other",
            ("object_refused", "not_found", "limits", "/v1/connections/{connection_id}"),
            id="beyond a key's limits",
        ),
        pytest.param(
            "GET", "/v1/proxy/ID/me", "other", ("object_refused", "not_found", "limits", PROXY), id="a call there"
        ),
        pytest.param(
            "GET", f"/v1/proxy/ID/..%2f{CANARY}", "call",
            ("destination_refused", "url_not_allowed", "hidden_character", PROXY),
            id="a path that is not allowed",
        ),
        pytest.param(
            "POST", f"/v1/connections?{CANARY}=1", "login",
            ("input_refused", "validation_failed", None, "/v1/connections"),
            id="input",
        ),
    ],
)  # fmt: skip
async def test_the_doors_of_programs(
    method: str, path: str, key: str | None, expected: tuple[str, str, str | None, str]
) -> None:
    """One line each, with the key's id where it is known."""
    house = await doors()
    house.world.upstream.will_reply(OK)
    house.keys["other"] = await new_key(house.world, "admin", connectors=("other",))
    with capture_logs() as lines:
        body: dict[str, str] | None = {} if method == "POST" else None
        answer = await house.call(method, path.replace("ID", house.connection_id), body, key=key)

    assert [expected] == [facts(each) for each in lines]
    assert answer.headers["keyturn-request-id"] == lines[0]["request_id"]
    assert (key in house.keys) == lines[0].get("actor", "").startswith("key:key_")
    assert "127.0.0.1" == lines[0]["address"]
    assert not [secret for secret in (CANARY, *house.keys.values()) if secret in str(lines)]


async def test_a_revoked_and_an_expired_key() -> None:
    """Their ids are known."""
    house = await doors()
    keys = {}
    for name in ("revoked", "expired"):
        made = (await house.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]})).json()
        keys[made["key"]] = made["id"]
        action = ("DELETE", "") if name == "revoked" else ("POST", "/roll")
        await house.call(action[0], f"/v1/api-keys/{made['id']}{action[1]}", {"overlap_s": 0} if action[1] else None)
    with capture_logs() as lines:
        for key in keys:
            await house.call("GET", "/v1/connections", key=key)

    assert [f"key:{each}" for each in keys.values()] == [each["actor"] for each in lines]
    assert ["unauthenticated", "api_key_expired"] == [each["code"] for each in lines]


async def test_what_succeeds_says_nothing() -> None:
    """And leaves nothing to tell."""
    house = await doors()
    house.world.upstream.will_reply(OK)
    with capture_logs() as lines:
        statuses = [
            (await house.call("GET", path, key=key)).status_code
            for path, key in ((f"/v1/proxy/{house.connection_id}/me", "call"), ("/v1/connections", "read"))
        ]

    assert [200, 200] == statuses
    assert [] == lines


async def test_the_connect_page() -> None:
    """Links that are unknown or used up, and forms that another site sent."""
    site = await make_site()
    link, first, second = await site.link(), site.browser(), site.browser()
    landing = await first.get(link)
    await first.submit(landing)
    with capture_logs() as lines:
        await second.get(f"/c/{CANARY}")
        await second.get(link)
        await second.post(link, {}, origin="https://evil.example", **{"sec-fetch-site": "cross-site"})

    assert [
        ("link_refused", "not_found", None, "/c/{link}"),
        ("link_refused", "session_used", None, "/c/{link}"),
        ("form_refused", "foreign_form", None, "/c/{link}"),
    ] == [facts(each) for each in lines]
    assert not [secret for secret in (CANARY, link.rpartition("/")[2]) if secret in str(lines)]


async def test_the_console() -> None:
    """Sign-in links that are used up, forms from elsewhere, and what a role does not allow, with the person's id."""
    visitor = make_visitor()
    person = await visitor.sign_in(Role.VIEWER)
    with capture_logs() as lines:
        await visitor.get(f"/sign-in/{CANARY}")
        await visitor.post("/logout", origin="https://evil.example")
        await visitor.get("/api-keys")

    assert [
        ("sign_in_refused", "sign_in_link_used", None, "/sign-in/{link}"),
        ("form_refused", "foreign_form", None, "/logout"),
        ("scope_refused", "forbidden_role", None, "/api-keys"),
    ] == [facts(each) for each in lines]
    assert person in lines[2]["actor"]
    assert CANARY not in str(lines)
