"""Every call with every kind of key: what the table of scopes says is what happens."""

from __future__ import annotations

import pytest

from keyturn.engine.api_keys import SCOPES
from keyturn.web.control.application import OPERATIONS
from keyturn.web.control.operations import PUBLIC, Operation
from tests.web.control.house import assert_problem, begin, login_body, new_key

# As the product says it, apart from the table in the code.
EXPECTED = {
    "GET /v1/connectors": "read",
    "GET /v1/connectors/{connector_id}": "read",
    "PUT /v1/connectors/{connector_id}": "admin",
    "POST /v1/connectors/{connector_id}/lint": "admin",
    "POST /v1/connectors/{connector_id}/publish": "admin",
    "POST /v1/connectors/{connector_id}/trials": "admin",
    "GET /v1/trials/{trial_id}": "admin",
    "POST /v1/trials/{trial_id}": "admin",
    "POST /v1/trials/{trial_id}/resend": "admin",
    "POST /v1/trials/{trial_id}/continue": "admin",
    "POST /v1/trials/{trial_id}/end": "admin",
    "GET /v1/trials/{trial_id}/fixture": "admin",
    "POST /v1/connectors/{connector_id}/migrate": "admin",
    "GET /v1/connectors/{connector_id}/versions": "read",
    "GET /v1/connectors/{connector_id}/versions/{version}": "read",
    "GET /v1/connectors/{connector_id}/diff": "read",
    "POST /v1/connectors/{connector_id}/versions/{version}/rollback": "admin",
    "GET /v1/connectors/{connector_id}/preview": "read",
    "POST /v1/connectors/{connector_id}/preview": "admin",
    "GET /v1/catalogue": "read",
    "GET /v1/catalogue/{entry_id}": "read",
    "POST /v1/connectors/{connector_id}/from-curl": "admin",
    "PUT /v1/connectors/{connector_id}/client": "admin",
    "POST /v1/connectors/{connector_id}/stop-logins": "admin",
    "POST /v1/connectors/{connector_id}/start-logins": "admin",
    "GET /v1/connectors/{connector_id}/quiet-hours": "read",
    "PUT /v1/connectors/{connector_id}/quiet-hours": "admin",
    "DELETE /v1/connectors/{connector_id}/quiet-hours": "admin",
    "POST /v1/connections": "login",
    "GET /v1/connections": "read",
    "GET /v1/connections/{connection_id}": "read",
    "DELETE /v1/connections/{connection_id}": "admin",
    "GET /v1/connections/{connection_id}/why": "read",
    "GET /v1/connections/{connection_id}/events": "read",
    "GET /v1/connections/{connection_id}/stats": "read",
    "POST /v1/connections/{connection_id}/test": "call",
    "POST /v1/connections/{connection_id}/preview": "call",
    "POST /v1/connections/{connection_id}/renew": "admin",
    "POST /v1/connections/{connection_id}/reconnect": "connect",
    "POST /v1/connections/{connection_id}/person-link": "admin",
    "DELETE /v1/connections/{connection_id}/person-link": "admin",
    "POST /v1/connections/{connection_id}/pause": "admin",
    "POST /v1/connections/{connection_id}/resume": "admin",
    "GET /v1/challenges/{challenge_id}": "login",
    "POST /v1/challenges/{challenge_id}": "login",
    "POST /v1/challenges/{challenge_id}/resend": "login",
    "POST /v1/connect-sessions": "connect",
    "GET /v1/connect-sessions": "connect",
    "DELETE /v1/connect-sessions/{session_id}": "connect",
    "GET /v1/connect-sessions/{session_id}": "connect",
    "POST /v1/connect-sessions/{session_id}/confirm": "connect",
    "POST /v1/jobs": "admin",
    "GET /v1/jobs": "admin",
    "GET /v1/jobs/{job_id}": "admin",
    "POST /v1/jobs/{job_id}/cancel": "admin",
    "POST /v1/jobs/{job_id}/retry": "admin",
    "POST /v1/jobs/{job_id}/links": "admin",
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "POST /v1/keys/{key_id}/rotate": "admin",
    "POST /v1/keys/{key_id}/retire": "admin",
    "POST /v1/keys/destroy-passwords": "admin",
    "POST /v1/api-keys": "admin",
    "GET /v1/api-keys": "admin",
    "GET /v1/api-keys/{key_id}": "admin",
    "POST /v1/api-keys/{key_id}/roll": "admin",
    "DELETE /v1/api-keys/{key_id}": "admin",
    "GET /v1/audit": "admin",
    "GET /v1/audit/verify": "admin",
    "GET /v1/audit/anchor": "admin",
    "GET /v1/audit/export": "admin",
    "GET /v1/audit/{seq}": "admin",
    "DELETE /v1/owners/{owner}": "admin",
    "GET /v1/people": "admin",
    "POST /v1/people": "admin",
    "PATCH /v1/people/{person_id}": "admin",
    "DELETE /v1/people/{person_id}": "admin",
    "POST /v1/people/{person_id}/sign-in-links": "admin",
    "GET /v1/people/{person_id}/sessions": "admin",
    "DELETE /v1/people/{person_id}/sessions": "admin",
    "DELETE /v1/people/{person_id}/sessions/{session_id}": "admin",
    "GET /v1/overview": "read",
    "GET /v1/instance/settings": "admin",
    "GET /v1/instance/log-level": "admin",
    "PUT /v1/instance/log-level": "admin",
    "POST /v1/webhooks": "admin",
    "GET /v1/webhooks": "admin",
    "GET /v1/webhooks/{webhook_id}": "admin",
    "PATCH /v1/webhooks/{webhook_id}": "admin",
    "DELETE /v1/webhooks/{webhook_id}": "admin",
    "POST /v1/webhooks/{webhook_id}/roll": "admin",
    "POST /v1/webhooks/{webhook_id}/test": "admin",
    "GET /v1/webhooks/{webhook_id}/deliveries": "admin",
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": "admin",
    "GET /v1/events": "read",
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /v1/problems": PUBLIC,
    "GET /openapi.json": PUBLIC,
}
PRIVATE = [each for each in OPERATIONS if each.scope != PUBLIC]
REFUSALS = {"unauthenticated", "forbidden_scope"}


def named(operation: Operation) -> str:
    """As `EXPECTED` has it."""
    return f"{operation.method} {operation.path}"


def address(operation: Operation) -> str:
    """A path whose object does not exist."""
    return operation.path.replace("{", "no-").replace("}", "").replace("_", "-")


def test_the_table_is_the_products() -> None:
    """No call is missing, none is beside the product's list, and each asks for the scope that the product says."""
    assert {named(each): each.scope for each in OPERATIONS} == EXPECTED


def test_read_changes_nothing() -> None:
    """No POST, PUT or DELETE is open to a key that may only read."""
    assert {"GET"} == {each.method for each in OPERATIONS if each.scope in ("read", PUBLIC)}


@pytest.mark.parametrize("operation", PRIVATE, ids=named)
async def test_a_stranger_is_refused_before_anything(operation: Operation) -> None:
    """Without a good key not even the size or kind of the body is looked at."""
    house = await begin()
    raw, headers = b"{" * 300_000, {"if-match": "?"}
    for key in (None, "", "not-a-key", "kt_" + "A" * 43 + "00000000"):
        answer = await house.call(
            operation.method, address(operation), raw=raw, key=key, kind="text/plain", headers=headers
        )

        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("operation", PRIVATE, ids=named)
async def test_a_key_reaches_what_its_scope_says(operation: Operation) -> None:
    """The scope is checked before body and object; with it a request gets past both refusals."""
    house = await begin()
    raw = b"[" if operation.method in ("POST", "PUT") else None
    for scope in SCOPES:
        answer = await house.call(operation.method, address(operation), raw=raw, key=scope)
        code = answer.json()["code"] if answer.headers["content-type"] == "application/problem+json" else ""
        allowed = scope in (operation.scope, "admin")

        assert allowed == (code not in REFUSALS), scope
        if not allowed:
            assert operation.scope == assert_problem(answer, 403, "forbidden_scope")["required_scope"]
        assert answer.status_code < 500


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.scope == PUBLIC], ids=named)
async def test_the_instances_own_calls_need_no_key(operation: Operation) -> None:
    """Probes and scrapers have none."""
    house = await begin()

    assert 200 == (await house.call(operation.method, operation.path, key=None)).status_code


@pytest.mark.parametrize("path", sorted({each.path for each in OPERATIONS}))
async def test_other_methods_are_405(path: str) -> None:
    """A path that exists says which methods it takes; GET implies HEAD."""
    house = await begin()
    allowed = {each.method for each in OPERATIONS if each.path == path}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        answer = await house.call(method, path.replace("{", "no-").replace("}", "").replace("_", "-"))

        assert (405 == answer.status_code) == (method not in allowed), method
        if method not in allowed:
            assert allowed == set(answer.headers["allow"].split(", "))
        if method not in allowed and method != "HEAD":
            assert_problem(answer, 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/connections/", "/v1/connectors//", "/docs", "/v1/proxy/x/y"])
async def test_other_paths_are_404(path: str) -> None:
    """What is no path here is said to whoever has a key, and to nobody else; nothing is redirected."""
    house = await begin()

    assert_problem(await house.call("GET", path), 404, "not_found")
    assert_problem(await house.call("GET", path, key=None), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"keyturn-key": "KEY"}, 200, id="the other header"),
        pytest.param({"authorization": "bearer KEY"}, 200, id="the scheme in lower case"),
        pytest.param({"authorization": "Basic KEY"}, 401, id="another scheme"),
        pytest.param({"authorization": "Basic eA==", "keyturn-key": "KEY"}, 200, id="a proxy's own Authorization"),
        pytest.param({"authorization": "Bearer x", "keyturn-key": "KEY"}, 200, id="our own header counts first"),
        pytest.param({"authorization": "Bearer KEY", "keyturn-key": "x"}, 401, id="and is not made up for"),
        pytest.param({"authorization": "KEY"}, 401, id="no scheme"),
    ],
)
async def test_where_the_key_stands(headers: dict[str, str], status: int) -> None:
    """`Authorization: Bearer` or `Keyturn-Key`, and nothing else."""
    house = await begin()
    sent = {name: value.replace("KEY", house.keys["read"]) for name, value in headers.items()}

    assert status == (await house.call("GET", "/v1/connections", key=None, headers=sent)).status_code


async def test_a_key_past_its_end_is_told_so() -> None:
    """An expired key is not simply unknown."""
    house = await begin()
    wanted = {"name": "x", "scopes": ["read"], "expires_at": "2023-11-15T00:00:00Z"}
    key = (await house.call("POST", "/v1/api-keys", wanted)).json()["key"]
    before = await house.call("GET", "/v1/connections", key=key)
    house.world.clock.advance(86_400)

    assert 200 == before.status_code
    assert_problem(await house.call("GET", "/v1/connections", key=key), 401, "api_key_expired")


async def test_a_limited_key_sees_nothing_of_other_connectors() -> None:
    """What exists for others is answered as what does not exist at all, letter by letter."""
    house = await begin()
    key = await new_key(house.world, "admin", connectors=("other",))
    session = (await house.call("POST", "/v1/connect-sessions", {"connector": "acme", "owner": "o"})).json()["id"]
    cases = [
        ("GET", f"/v1/connect-sessions/{session}", None),
        ("DELETE", f"/v1/connect-sessions/{session}", None),
        ("POST", f"/v1/connect-sessions/{session}/confirm", {"code": "x"}),
        ("POST", "/v1/connect-sessions", {"connector": "acme", "owner": "o"}),
        ("POST", "/v1/connections", login_body()),
        ("POST", "/v1/connections", login_body(connector="other", connection=house.connection_id)),
        *(("GET", f"/v1/connectors/acme{rest}", None) for rest in ("", "/versions")),
        *(("POST", f"/v1/connectors/acme/{rest}", None) for rest in ("publish",)),
        ("PUT", "/v1/connectors/acme/client", {"client_id": "x"}),
        *(("GET", f"{house.path}{rest}", None) for rest in ("", "/why", "/events")),
        *(("POST", f"{house.path}/{rest}", None) for rest in ("test", "renew", "reconnect", "pause", "resume")),
        ("DELETE", house.path, None),
    ]
    for method, path, body in cases:
        assert_problem(await house.call(method, path, body, key=key), 404, "not_found")

    assert [] == (await house.call("GET", "/v1/connections", key=key)).json()["data"]
    assert [] == (await house.call("GET", "/v1/connectors", key=key)).json()["data"]
    assert [] == (await house.call("GET", "/v1/audit", key=key)).json()["data"]
    assert 200 == (await house.call("GET", house.path)).status_code
