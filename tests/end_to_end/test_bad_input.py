"""Bad input and what it gets: each line of the product's table, at the door of a real server."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import (
    ADMIN_KEY,
    Provider,
    Reply,
    Server,
    ask,
    connect,
    example_connector,
    install_connector,
    running_provider,
    running_server,
)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The example provider."""
    with running_provider("--access-ttl", "300") as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Server]:
    """A server with the example connector."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        install_connector(running, example_connector(provider.port))
        yield running


@pytest.fixture(autouse=True)
def calm(provider: Provider) -> None:
    """No fault of the test before is armed."""
    ask(provider.port, "DELETE", "/debug/fault", key=None)


def assert_problem(reply: Reply, status: int, code: str, *secrets: str) -> dict[str, Any]:
    """A problem document with its next step, a request id, and nothing of what was sent."""
    assert (status, code) == (reply.status, reply.code), reply.body
    problem: dict[str, Any] = reply.json()
    assert problem["request_id"]
    assert problem["next_action"]["who"]
    assert problem["next_action"]["text"]
    for secret in secrets:
        assert secret.encode() not in reply.body
    return problem


def test_a_connector_with_errors_gets_all_of_them_with_their_places(server: Server) -> None:
    """Line, column, key and what was expected; nothing is saved."""
    text = (
        "keyturn: 1\nconnector: broken\ntitle: Broken\ntoken: {urll: https://a.example/t}\ntest: {}\nunique_id: 5x{{\n"
    )

    reply = server.ask("PUT", "/v1/connectors/broken", text, headers={"Content-Type": "application/yaml"})

    problem = assert_problem(reply, 422, "connector_invalid")
    assert len(problem["errors"]) >= 4
    assert all({"pointer", "code", "message", "line", "column"} <= set(each) for each in problem["errors"])
    assert any("url" in each["message"] for each in problem["errors"])
    assert 404 == server.ask("GET", "/v1/connectors/broken").status


def test_a_wrong_password_says_how_many_tries_are_left(server: Server, provider: Provider) -> None:
    """A number, nothing stored, nothing retried, and never the password."""
    before = len(provider.log())

    reply = connect(server, "acme-example", "demo", "wrong-canary-1", owner="wrong")

    problem = assert_problem(reply, 422, "provider_credentials_rejected", "wrong-canary-1")
    assert isinstance(problem["tries_left"], int)
    assert 1 == len([row for row in provider.log()[before:] if row["endpoint"] == "token"])
    assert [] == server.ask("GET", "/v1/connections?owner=wrong").json()["data"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        pytest.param({"mode": "status_500"}, 502, "provider_unavailable", id="down"),
        pytest.param({"mode": "reset"}, 504, "provider_timeout", id="reset before an answer"),
        pytest.param({"mode": "half_body"}, 502, "provider_bad_response", id="half a body"),
        pytest.param({"mode": "rate_limited", "retry_after": 1}, 429, "provider_rate_limited", id="asks to wait"),
    ],
)
def test_a_provider_that_is_down_or_talks_nonsense(
    server: Server, provider: Provider, fault: dict[str, Any], status: int, code: str
) -> None:
    """A code for each, and a connection that existed stays as it was."""
    existing = connect(server, "acme-example", "demo", provider.password, owner=f"down-{code}").json()
    provider.fault(endpoint="token", times=1, **fault)

    reply = connect(server, "acme-example", "demo", provider.password, owner=f"down-{code}")

    assert_problem(reply, status, code, provider.password)
    after = server.ask("GET", f"/v1/connections/{existing['id']}").json()
    assert (existing["generation"], "active") == (after["generation"], after["state"])
    if code == "provider_rate_limited":
        assert 1 == int(reply.headers["retry-after"])
        time.sleep(1.2)  # the host is held for that long, and the next test shares it


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("../oauth/token", id="dot segment"),
        pytest.param("%2e%2e/oauth/token", id="escaped dot segment"),
        pytest.param("/evil.example/", id="second slash"),
        pytest.param("http://evil.example/", id="another URL"),
        pytest.param("a%2fb", id="escaped slash"),
    ],
)
def test_a_path_outside_is_refused_before_anything_is_resolved(server: Server, provider: Provider, path: str) -> None:
    """403 url_not_allowed; the API sees nothing."""
    there = server.ask("GET", "/v1/connections?connector=acme-example&state=active").json()["data"]
    connection = there[0] if there else connect(server, "acme-example", "demo", provider.password).json()
    before = len(provider.log())

    reply = server.ask("GET", f"/v1/proxy/{connection['id']}/{path}")

    assert_problem(reply, 403, "url_not_allowed")
    assert before == len(provider.log())


def test_a_base_url_outside_is_refused(server: Server, provider: Provider) -> None:
    """`Keyturn-Base-Url` is held against the same rules."""
    connection = connect(server, "acme-example", "demo", provider.password).json()

    reply = server.ask(
        "GET", f"/v1/proxy/{connection['id']}/me", headers={"Keyturn-Base-Url": "https://evil.example/api"}
    )

    assert_problem(reply, 403, "url_not_allowed")


def test_a_private_address_needs_both_allowances(tmp_path: Path, provider: Provider) -> None:
    """403 address_not_allowed where the operator names no network."""
    with running_server(tmp_path, env={"KEYTURN_EGRESS_ALLOW": ""}) as strict:
        install_connector(strict, example_connector(provider.port))

        reply = connect(strict, "acme-example", "demo", provider.password)

    assert_problem(reply, 403, "address_not_allowed", provider.password)


def test_a_token_that_ended_and_cannot_be_renewed_gives_a_reconnect_link(tmp_path: Path) -> None:
    """409 with a connect link for keys that may make one, else the address of the call that makes it."""
    with running_provider("--access-ttl", "1") as brief, running_server(tmp_path) as server:
        install_connector(server, example_connector(brief.port))
        connection = connect(server, "acme-example", "demo", brief.password).json()
        key = server.ask("POST", "/v1/api-keys", {"name": "caller", "scopes": ["call"]}).json()["key"]
        brief.ask("POST", "/debug/fault", {"endpoint": "refresh", "mode": "answer_lost", "times": 1})
        time.sleep(1.2)
        server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        time.sleep(0.5)

        as_admin = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        again = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        as_caller = server.ask("GET", f"/v1/proxy/{connection['id']}/me", key=key)
        renewal = server.ask("POST", f"/v1/connections/{connection['id']}/renew")

    problem = assert_problem(as_admin, 409, "connection_needs_reconnect")
    assert "/c/" in problem["next_action"]["url"]
    assert problem["next_action"]["url"] == again.json()["next_action"]["url"]
    assert assert_problem(as_caller, 409, "connection_needs_reconnect")["next_action"]["url"].endswith("/reconnect")
    assert renewal.code in ("connection_needs_reconnect", "renewal_not_possible")


def test_unknown_and_disconnected_connections(server: Server, provider: Provider) -> None:
    """404 and 410, on each door."""
    connection = connect(server, "acme-example", "demo", provider.password, owner="ended").json()
    server.ask("DELETE", f"/v1/connections/{connection['id']}")

    for door in ("/v1/proxy/cxn_nobody/me", "/v1/connections/cxn_nobody", "/v1/connections/cxn_nobody/why"):
        assert_problem(server.ask("GET", door), 404, "not_found")
    assert_problem(server.ask("GET", f"/v1/proxy/{connection['id']}/me"), 410, "connection_disconnected")
    assert_problem(server.ask("POST", f"/v1/connections/{connection['id']}/renew"), 410, "connection_disconnected")


def test_too_many_logins_of_one_account(server: Server, provider: Provider) -> None:
    """429 with Retry-After, before the provider locks, and another account is not held up."""
    for _ in range(8):
        last = connect(server, "acme-example", "nobody-here", "wrong-canary-2", owner="budget")
        assert last.status == 422

    spent = connect(server, "acme-example", "nobody-here", "wrong-canary-2", owner="budget")

    assert_problem(spent, 429, "login_budget_spent", "wrong-canary-2")
    assert int(spent.headers["retry-after"]) > 0
    assert connect(server, "acme-example", "odd", 'p&ss+w%72d =é"\\/:#€', owner="budget").status == 201


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    """413 on the announcement of its length alone."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        head = (
            f"POST /v1/connections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 10000000\r\n\r\n"
        )
        raw.sendall(head.encode())
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        problem = json.loads(answer.read())

    assert (413, "payload_too_large") == (answer.status, problem["code"])


def test_two_writers_of_one_connection_never_leave_it_torn(server: Server, provider: Provider) -> None:
    """`If-Match` of an older state is refused; the state is that of one of them."""
    connection = connect(server, "acme-example", "demo", provider.password, owner="torn").json()
    path = f"/v1/connections/{connection['id']}"
    etag = server.ask("GET", path).headers["etag"]
    server.ask("POST", f"{path}/pause")

    late = server.ask("POST", f"{path}/resume", headers={"If-Match": etag})

    assert_problem(late, 412, "version_conflict")
    assert "paused" == server.ask("GET", path).json()["state"]
    assert_problem(server.ask("GET", f"/v1/proxy/{connection['id']}/me"), 409, "connection_paused")
    assert 200 == server.ask("POST", f"{path}/resume").status
    assert 200 == server.ask("GET", f"/v1/proxy/{connection['id']}/me").status


def test_keys_scopes_and_routes(server: Server) -> None:
    """401 before anything else, then 403, then the object."""
    reader = server.ask("POST", "/v1/api-keys", {"name": "reader", "scopes": ["read"]}).json()

    assert_problem(server.ask("GET", "/v1/connections", key=None), 401, "unauthenticated")
    assert_problem(server.ask("GET", "/v1/connections", key="kt_wrong"), 401, "unauthenticated")
    assert 200 == server.ask("GET", "/v1/connections", key=reader["key"]).status
    narrow = server.ask("POST", "/v1/connections", "{not json", key=reader["key"])
    assert "login" == assert_problem(narrow, 403, "forbidden_scope")["required_scope"]
    assert_problem(server.ask("GET", "/v1/proxy/cxn_nobody/me", key=reader["key"]), 403, "forbidden_scope")
    assert 204 == server.ask("DELETE", f"/v1/api-keys/{reader['id']}").status
    assert_problem(server.ask("GET", "/v1/connections", key=reader["key"]), 401, "unauthenticated")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{", id="no JSON"),
        pytest.param('{"password": "canary-in-bad-body", "nope": 1}', id="unknown and missing members"),
        pytest.param(
            '{"password": ["canary-in-bad-body"], "username": {"a": 1}, "connector": 5, "owner": null}', id="types"
        ),
        pytest.param("[" * 5000, id="depth"),
        pytest.param(
            '{"owner": "\\ud800", "connector": "acme-example", "username": "x", "password": "canary-in-bad-body"}',
            id="surrogate",
        ),
    ],
)
def test_a_bad_body_is_never_echoed(server: Server, body: str) -> None:
    """400 or 422 with pointers, and nothing of what came."""
    reply = server.ask("POST", "/v1/connections", body, headers={"Content-Type": "application/json"})

    assert reply.status in (400, 422), reply.body
    assert b"canary-in-bad-body" not in reply.body


def test_the_database_gone_is_said_and_calls_go_on(tmp_path: Path, provider: Provider) -> None:
    """A key or file that disappears under a running server: readyz says which part; a warm call still works."""
    with running_server(tmp_path) as server:
        install_connector(server, example_connector(provider.port))
        connection = connect(server, "acme-example", "demo", provider.password).json()
        assert server.ask("GET", f"/v1/proxy/{connection['id']}/me").status == 200
        server.stop()
        key_file = server.data / "keyturn.key"
        hidden = key_file.rename(server.data / "hidden")
        server.start(wait=False)
        refused = server.wait_until_dead()
        hidden.rename(key_file)
        server.start()

        assert refused != 0
        assert b"key" in server.log.read_bytes()[-4000:]
        assert 200 == server.ask("GET", f"/v1/proxy/{connection['id']}/me").status
