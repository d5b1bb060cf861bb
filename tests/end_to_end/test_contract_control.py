"""The control plane, as an outsider reads the contract: scopes, order of checks, shapes, headers, tests, endings."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import ADMIN_KEY, Server, ask, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import CLIENT_SECRET, PASSWORD, USERNAME, Answer, Scripted, scripted_provider

SCOPES = ("read", "call", "token", "connect", "login", "admin")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-control")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    """A key for each scope."""
    return {
        scope: server.ask("POST", "/v1/api-keys", {"name": scope, "scopes": [scope]}).json()["key"] for scope in SCOPES
    }


MATRIX: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "/v1/connectors", None, {"read"}),
    ("GET", "/v1/connectors/none-such", None, {"read"}),
    ("PUT", "/v1/connectors/none-such", "nonsense", set()),
    ("POST", "/v1/connectors/none-such/publish", None, set()),
    ("PUT", "/v1/connectors/none-such/client", {}, set()),
    ("POST", "/v1/connections", {}, {"login"}),
    ("GET", "/v1/connections", None, {"read"}),
    ("GET", "/v1/connections/cxn_none", None, {"read"}),
    ("GET", "/v1/connections/cxn_none/why", None, {"read"}),
    ("GET", "/v1/connections/cxn_none/events", None, {"read"}),
    ("POST", "/v1/connections/cxn_none/test", None, {"call"}),
    ("POST", "/v1/connections/cxn_none/renew", None, set()),
    ("POST", "/v1/connections/cxn_none/reconnect", None, {"connect"}),
    ("POST", "/v1/connections/cxn_none/pause", None, set()),
    ("POST", "/v1/connections/cxn_none/resume", None, set()),
    ("DELETE", "/v1/connections/cxn_none", None, set()),
    ("GET", "/v1/proxy/cxn_none/x", None, {"call"}),
    ("POST", "/v1/connect-sessions", {}, {"connect"}),
    ("POST", "/v1/connect-sessions/cs_none/confirm", {}, {"connect"}),
    ("POST", "/v1/api-keys", {}, set()),
    ("DELETE", "/v1/api-keys/key_none", None, set()),
    ("GET", "/v1/audit", None, set()),
]


@pytest.mark.parametrize(("method", "path", "body", "scopes"), MATRIX, ids=[f"{m} {p}" for m, p, _, _ in MATRIX])
def test_scopes(server: Server, keys: dict[str, str], method: str, path: str, body: Any, scopes: set[str]) -> None:
    """401 without a key, 403 without the scope (before body and object are looked at), and admin has all."""
    assert (401, "unauthenticated") == ((none := server.ask(method, path, body, key=None)).status, none.code)
    for scope, key in keys.items():
        reply = server.ask(method, path, body, key=key)
        allowed = scope in scopes or scope == "admin"

        assert allowed == (reply.status != 403), (scope, reply.status, reply.body)
        if not allowed:
            assert "forbidden_scope" == reply.code
        assert reply.status != 500


def test_a_made_key_is_shown_once(server: Server) -> None:
    """`kt_` and the key in the answer of the POST alone."""
    made = server.ask("POST", "/v1/api-keys", {"name": "once", "scopes": ["read"]})
    key = made.json()["key"]

    assert 201 == made.status
    assert key.startswith("kt_")
    assert key not in server.ask("GET", "/v1/api-keys").body.decode()
    assert 200 == server.ask("GET", "/v1/connections", key=None, headers={"Keyturn-Key": key}).status
    broken = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert 401 == server.ask("GET", "/v1/connections", key=broken).status


def test_keys_of_one_connector_and_with_an_end(server: Server, provider: Scripted) -> None:
    """Optionally `connectors` and `expires_at`."""
    mine, other = connected(server, provider), connected(server, provider)
    bound = {"name": "bound", "scopes": ["call", "read", "login"], "connectors": [mine["connector"]]}
    key = server.ask("POST", "/v1/api-keys", bound).json()["key"]
    past = {"name": "past", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}
    ended = server.ask("POST", "/v1/api-keys", past)

    assert 200 == call(server, mine, key=key).status
    assert call(server, other, key=key).status in (403, 404)
    assert server.ask("GET", f"/v1/connections/{other['id']}", key=key).status in (403, 404)
    listed = server.ask("GET", "/v1/connections?limit=200", key=key).json()["data"]
    assert {mine["connector"]} == {each["connector"] for each in listed}
    body = {"connector": other["connector"], "owner": "o", "username": USERNAME, "password": PASSWORD}
    assert server.ask("POST", "/v1/connections", body, key=key).status in (403, 404)
    if ended.status == 201:
        late = server.ask("GET", "/v1/connections", key=ended.json()["key"])
        assert 401 == late.status
    else:
        assert 422 == ended.status


def test_a_key_makes_no_key_that_reaches_further(server: Server) -> None:
    """Unknown scopes and none are errors."""
    for scopes in ([], ["root"], ["read", "nonsense"]):
        assert 422 == server.ask("POST", "/v1/api-keys", {"name": "x", "scopes": scopes}).status


def test_openapi_lists_the_calls(server: Server) -> None:
    """Every call of the table but the proxy and pages."""
    spec = server.ask("GET", "/openapi.json").json()
    listed = {
        f"{method.upper()} {path}".replace("{connection_id}", "{id}").replace("{connector_id}", "{id}")
        .replace("{session_id}", "{id}").replace("{key_id}", "{id}")
        for path, calls in spec["paths"].items() for method in calls
    }  # fmt: skip

    for expected in (
        "PUT /v1/connectors/{id}", "POST /v1/connectors/{id}/publish", "PUT /v1/connectors/{id}/client",
        "POST /v1/connections", "GET /v1/connections", "GET /v1/connections/{id}", "POST /v1/connections/{id}/test",
        "POST /v1/connections/{id}/renew", "POST /v1/connections/{id}/reconnect", "POST /v1/connections/{id}/pause",
        "POST /v1/connections/{id}/resume", "GET /v1/connections/{id}/why", "DELETE /v1/connections/{id}",
        "GET /v1/connections/{id}/events", "POST /v1/connect-sessions", "POST /v1/connect-sessions/{id}/confirm",
        "POST /v1/api-keys", "DELETE /v1/api-keys/{id}", "GET /v1/audit", "GET /healthz", "GET /readyz",
        "GET /metrics", "GET /openapi.json",
    ):  # fmt: skip
        assert expected in listed, expected
    assert not any("proxy" in path for path in spec["paths"])


def test_the_shape_of_a_connection(server: Server, provider: Scripted) -> None:
    """The members of the contract; and no secret."""
    connection = connected(server, provider)

    found = server.ask("GET", f"/v1/connections/{connection['id']}")

    assert {
        "id", "connector", "connector_version", "owner", "name", "unique_id", "state", "reason", "generation",
        "expires_at", "renews_at", "last_test", "stored",
    } <= set(found.json())  # fmt: skip
    assert ("active", 1, "id-1", "o") == tuple(found.json()[k] for k in ("state", "generation", "unique_id", "owner"))
    assert not any(secret in found.body.decode() for secret in [PASSWORD, *provider.secrets])


def test_lists_are_paged(server: Server, provider: Scripted) -> None:
    """`limit`, `cursor`, filters; every one once."""
    connector = install(server, connector_for(provider))
    made = {sign_in(server, connector, owner=f"pager-{n}").json()["id"] for n in range(5)}

    found, cursor = [], ""
    for _ in range(10):
        page = server.ask("GET", f"/v1/connections?connector={connector}&limit=2{cursor}").json()
        found += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert (5, made) == (len(found), set(found))
    by_owner = server.ask("GET", "/v1/connections?owner=pager-3").json()["data"]
    assert ["pager-3"] == [each["owner"] for each in by_owner]
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}&state=needs_reconnect").json()["data"]
    for bad in ("state=nonsense", "limit=0", "limit=x", "cursor=%00", "nonsense=1"):
        assert server.ask("GET", f"/v1/connections?{bad}").status in (200, 400, 422), bad


# --- If-Match, Idempotency-Key


def test_if_match(server: Server, provider: Scripted) -> None:
    """Honoured where sent, never required."""
    connection = connected(server, provider)
    path = f"/v1/connections/{connection['id']}"
    etag = server.ask("GET", path).headers["etag"]

    for action in ("pause", "resume", "renew", "test"):
        assert server.ask("POST", f"{path}/{action}", headers={"If-Match": '"nonsense"'}).status in (409, 412), action
    assert server.ask("DELETE", path, headers={"If-Match": '"nonsense"'}).status in (409, 412)
    assert etag == server.ask("GET", path).headers["etag"]
    assert 200 == server.ask("POST", f"{path}/pause", headers={"If-Match": etag}).status
    assert server.ask("POST", f"{path}/resume", headers={"If-Match": etag}).status in (409, 412)


def test_idempotency_key(server: Server, provider: Scripted) -> None:
    """The same key again gives the same answer, and nothing is sent twice."""
    connector = install(server, connector_for(provider, on_duplicate="allow"))
    body = {"connector": connector, "owner": "o", "username": USERNAME, "password": PASSWORD}
    head = {"Idempotency-Key": "idem-1"}

    first = server.ask("POST", "/v1/connections", body, headers=head)
    second = server.ask("POST", "/v1/connections", body, headers=head)
    other = server.ask("POST", "/v1/connections", {**body, "owner": "somebody-else"}, headers=head)

    assert 201 == first.status == second.status
    assert first.json()["id"] == second.json()["id"]
    assert "true" == second.headers.get("idempotency-replayed")
    assert 1 == len(provider.seen("/token"))
    assert (422, "idempotency_key_reused") == (other.status, other.code)


def test_idempotency_at_one_moment(server: Server, provider: Scripted) -> None:
    """Two at once send once."""
    connector = install(server, connector_for(provider, on_duplicate="allow"))
    body = {"connector": connector, "owner": "o", "username": USERNAME, "password": PASSWORD}
    provider.always["/api/me"] = Answer(200, {"id": "1"}, after_s=0.4)

    with ThreadPoolExecutor(4) as pool:
        replies = list(
            pool.map(
                lambda _: server.ask("POST", "/v1/connections", body, headers={"Idempotency-Key": "idem-2"}), range(4)
            )
        )

    assert 1 == len(provider.seen("/token"))
    assert {201, 409} >= {each.status for each in replies}
    assert {None, "idempotency_in_progress"} >= {each.code for each in replies}


def test_idempotency_keys_are_of_their_caller(server: Server, provider: Scripted, keys: dict[str, str]) -> None:
    """Another key with the same text is another request."""
    connector = install(server, connector_for(provider, on_duplicate="allow"))
    body = {"connector": connector, "owner": "o", "username": USERNAME, "password": PASSWORD}
    head = {"Idempotency-Key": "idem-3"}

    ids = {
        server.ask("POST", "/v1/connections", body, headers=head, key=key).json()["id"]
        for key in (ADMIN_KEY, keys["login"])
    }

    assert 2 == len(ids)


# --- test and disconnect


def test_the_test_never_renews_and_records(server: Server, provider: Scripted) -> None:
    """Step 5 again, the verdict with its time."""
    connection = connected(server, provider)
    provider.then("/api/me", Answer(403, {"id": "x"}))

    failed = server.ask("POST", f"/v1/connections/{connection['id']}/test")
    after = shown(server, connection)
    passed = server.ask("POST", f"/v1/connections/{connection['id']}/test")

    assert failed.status in (200, 424), failed.body
    assert after["last_test"]["passed"] is False
    assert after["last_test"]["at"] > connection["last_test"]["at"]
    assert 200 == passed.status
    assert shown(server, connection)["last_test"]["passed"] is True
    assert 1 == len(provider.seen("/token"))


def test_a_dry_run_masks(server: Server, provider: Scripted) -> None:
    """The exact request, secrets masked, and nothing is sent."""
    fields = [{"key": "api_key", "label": "K", "type": "secret"}]
    request = {"headers": {"X-Key": "{{ api_key }}"}, "query": {"v": "2"}}
    connector = install(server, connector_for(provider, fields=fields, request=request))
    connection = sign_in(server, connector, fields={"api_key": "api-key-canary"}).json()
    before = len(provider.log)

    reply = server.ask("POST", f"/v1/connections/{connection['id']}/test?dry_run=true")

    assert 200 == reply.status, reply.body
    text = reply.body.decode()
    assert f"{provider.url}/api/me?v=2" in text
    assert "X-Key" in text
    assert not any(secret in text for secret in ["api-key-canary", *provider.secrets])
    assert before == len(provider.log)


def test_a_disconnect_that_the_provider_takes(server: Server, provider: Scripted) -> None:
    """`disconnected`, each token revoked, a tombstone without secrets."""
    connection = connected(server, provider)

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")
    again = server.ask("DELETE", f"/v1/connections/{connection['id']}")
    after = shown(server, connection)

    assert (200, "disconnected") == (ended.status, ended.json()["state"])
    assert ended.json()["revocation"]
    assert 2 == len(provider.seen("/revoke"))
    assert again.status in (200, 410)
    assert "disconnected" == after["state"]
    assert not any(each for each in after["stored"].values() if each)


def test_a_disconnect_that_the_provider_does_not_take(server: Server, provider: Scripted) -> None:
    """`disconnecting`: calls refused, tried again later; each try recorded; `forget=now` ends it."""
    connection = connected(server, provider)
    provider.always["/revoke"] = Answer(503, {})

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")
    refused = call(server, connection)
    renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    events = server.ask("GET", f"/v1/connections/{connection['id']}/events").body.decode()
    forgotten = server.ask("DELETE", f"/v1/connections/{connection['id']}?forget=now")

    assert (200, "disconnecting") == (ended.status, ended.json()["state"])
    assert (410, "connection_disconnected") == (refused.status, refused.code)
    assert 410 == renewed.status
    assert "revo" in events
    assert (200, "disconnected") == (forgotten.status, forgotten.json()["state"])


def test_a_revocation_that_failed_is_tried_again(server: Server, provider: Scripted) -> None:
    """It ends in `disconnected` when the provider is back."""
    connection = connected(server, provider)
    provider.then("/revoke", Answer(503, {}), Answer(503, {}))

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")
    after = wait_for(lambda: shown(server, connection)["state"] == "disconnected", 25, 0.3)

    assert "disconnecting" == ended.json()["state"]
    assert after
    assert {"at-", "rt-"} == {
        seen.form()["token"][:3] for seen in provider.seen("/revoke") if seen.outcome == "revoked"
    }


def test_forget_now_skips_the_retries(server: Server, provider: Scripted) -> None:
    """At once a tombstone."""
    connection = connected(server, provider)
    provider.always["/revoke"] = Answer(503, {})

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}?forget=now")

    assert (200, "disconnected") == (ended.status, ended.json()["state"])


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(Answer(200, {}), "disconnected", id="200"),
        pytest.param(Answer(204), "disconnected", id="204"),
        pytest.param(Answer(400, {"error": "invalid_grant"}), "disconnected", id="already gone"),
        pytest.param(Answer(500, {"error": "invalid_grant"}), "disconnecting", id="500 with invalid_grant"),
        pytest.param(Answer(429, {}, {"Retry-After": "30"}), "disconnecting", id="429"),
        pytest.param(Answer(401, {"error": "invalid_client"}), "disconnecting", id="client"),
        pytest.param(Answer(302, b"", {"Location": "/elsewhere"}), "disconnecting", id="redirect"),
        pytest.param(Answer(reset=True), "disconnecting", id="reset"),
        pytest.param(Answer(200, b"<html>ok"), "disconnected", id="200 with a page"),
        pytest.param(Answer(418, b"?"), "disconnecting", id="unknown"),
    ],
)
def test_odd_answers_to_a_revocation(server: Server, provider: Scripted, answer: Answer, state: str) -> None:
    """What counts as done, and what is tried again."""
    connection = connected(server, provider)
    provider.always["/revoke"] = answer

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")

    assert (200, state) == (ended.status, ended.json()["state"]), ended.body
    assert [] == provider.seen("/elsewhere")


def test_secrets_are_destroyed_at_once(server: Server, provider: Scripted) -> None:
    """A disconnect destroys password and fields at once; `stored` says so."""
    fields = [{"key": "api_key", "label": "K", "type": "secret"}]
    connector = install(
        server,
        connector_for(
            provider,
            fields=fields,
            password={"label": "P", "keep": "required", "reason": "r"},
            request={"headers": {"X-Key": "{{ api_key }}"}},
        ),
    )
    connection = sign_in(server, connector, fields={"api_key": "k"}).json()
    provider.always["/revoke"] = Answer(503, {})

    server.ask("DELETE", f"/v1/connections/{connection['id']}")
    after = shown(server, connection)

    assert connection["stored"]["password"]
    assert "disconnecting" == after["state"]
    assert not after["stored"]["password"]
    assert not any((after["stored"].get("fields") or {}).values())


# --- bad requests, bounds


@pytest.mark.parametrize(
    ("method", "path", "body", "type_"),
    [
        pytest.param("POST", "/v1/connections", b"{", "application/json", id="no JSON"),
        pytest.param("POST", "/v1/connections", b"\xff\xfe", "application/json", id="no UTF-8"),
        pytest.param("POST", "/v1/connections", b'{"a": NaN}', "application/json", id="NaN"),
        pytest.param("POST", "/v1/connections", b"null", "application/json", id="null"),
        pytest.param("POST", "/v1/connections", b"[]", "application/json", id="list"),
        pytest.param("POST", "/v1/connections", b'{"owner":"a","owner":"b"}', "application/json", id="a member twice"),
        pytest.param("POST", "/v1/connections", b"a=b", "application/x-www-form-urlencoded", id="form"),
        pytest.param("POST", "/v1/connect-sessions", b'{"connector": "x\\u0000"}', "application/json", id="null char"),
        pytest.param("PUT", "/v1/connectors/BAD_NAME", b"a: 1", "application/yaml", id="bad name"),
        pytest.param("POST", "/v1/api-keys", b'{"name": 1}', "application/json", id="types"),
        pytest.param("PATCH", "/v1/connections", b"{}", "application/json", id="no such method"),
        pytest.param("GET", "/v1/nonsense", None, None, id="no such path"),
        pytest.param("GET", "/v1/connections/cxn_%00", None, None, id="null in a path"),
    ],
)
def test_bad_requests_are_problems(
    server: Server, method: str, path: str, body: bytes | None, type_: str | None
) -> None:
    """4xx with the whole shape of a problem."""
    reply = server.ask(method, path, body, headers={"Content-Type": type_} if type_ else {})

    assert 400 <= reply.status < 500, reply.body
    problem = reply.json()
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert {"type", "title", "status", "code", "request_id", "next_action"} <= set(problem)
    assert {"who", "text", "url"} <= set(problem["next_action"])
    assert reply.status == problem["status"]
    assert reply.headers["keyturn-request-id"]


def test_a_chunked_body_that_is_too_large(server: Server) -> None:
    """413 without a length as well, soon after the limit."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(
            f"POST /v1/connections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(200):
                wire.sendall(piece)
        except OSError:
            pass
        answer = http.client.HTTPResponse(wire)
        try:
            answer.begin()
        except OSError:
            return
        assert 413 == answer.status


def test_large_and_unauthorised_is_401_first(server: Server) -> None:
    """401 before the body is looked at."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(
            b"POST /v1/connections HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\n\r\n"
        )
        answer = http.client.HTTPResponse(wire)
        answer.begin()

        assert 401 == answer.status


def test_sixty_logins_a_minute(server: Server, provider: Scripted) -> None:
    """Logins over REST allow at least 60 a minute per key, owner and address."""
    connector = install(server, connector_for(provider, on_duplicate="allow"))
    for number in range(60):
        provider.accounts[f"user-{number}"] = (PASSWORD, f"id-{number}")

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda n: sign_in(server, connector, f"user-{n}").status, range(60)))

    assert [201] * 60 == statuses


def test_successful_logins_have_a_cap_of_their_own(server: Server, provider: Scripted) -> None:
    """60 in 15 minutes for one account."""
    connector = install(server, connector_for(provider))

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda n: sign_in(server, connector, owner=f"cap-{n}").status, range(62)))

    assert 60 == statuses.count(201)
    assert 2 == statuses.count(429)


def test_health_and_metrics(server: Server) -> None:
    """Health needs no key; metrics name nobody."""
    assert 200 == server.ask("GET", "/healthz", key=None).status
    assert 200 == server.ask("GET", "/readyz", key=None).status
    metrics = server.ask("GET", "/metrics")
    assert 200 == metrics.status
    assert b"keyturn" in metrics.body


# --- connect sessions


def claimed(server: Server, url: str) -> tuple[str, str]:
    """Claim a link as a browser does: the cookie and the page that follows."""
    path = "/" + url.split("/", 3)[3]
    first = ask(server.port, "GET", path, key=None)
    assert 200 == first.status
    claim = ask(server.port, "POST", path, b"", key=None, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert 303 == claim.status, claim.body
    return claim.headers["set-cookie"].partition(";")[0], claim.headers["location"]


def hidden(page: bytes) -> str:
    """The form's own token."""
    return page.decode().split('name="form" value="')[1].split('"')[0]


def submit(server: Server, cookie: str, path: str, **values: str) -> Any:
    """Fill in the page that stands at a path."""
    page = ask(server.port, "GET", path, key=None, headers={"Cookie": cookie})
    assert 200 == page.status, page.body
    body = urllib.parse.urlencode({"form": hidden(page.body), **values})
    head = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    return ask(server.port, "POST", path, body, key=None, headers=head)


def test_the_connect_page_connects(server: Server, provider: Scripted) -> None:
    """A link, claimed by POST once, a wrong password said, then connected for the owner."""
    connector = install(server, connector_for(provider))
    made = server.ask("POST", "/v1/connect-sessions", {"connector": connector, "owner": "page-owner"})
    cookie, path = claimed(server, made.json()["url"])
    second = ask(server.port, "POST", "/" + made.json()["url"].split("/", 3)[3], b"", key=None)
    page = ask(server.port, "GET", path, key=None, headers={"Cookie": cookie}).body.decode()

    wrong = submit(server, cookie, path, username=USERNAME, password="wrong-page-canary")
    right = submit(server, cookie, path, username=USERNAME, password=PASSWORD)

    assert 201 == made.status
    assert second.status in (403, 404, 409, 410)
    assert f"127.0.0.1</strong>:{provider.port}" in page
    assert "not kept" in page
    assert b"wrong-page-canary" not in wrong.body
    assert right.status in (200, 303)
    (found,) = server.ask("GET", "/v1/connections?owner=page-owner").json()["data"]
    assert "active" == found["state"]


def test_nobody_else_can_use_the_page(server: Server, provider: Scripted) -> None:
    """Without the cookie of the claim there is no form, and no password is sent."""
    connector = install(server, connector_for(provider))
    made = server.ask("POST", "/v1/connect-sessions", {"connector": connector, "owner": "page-two"})
    cookie, path = claimed(server, made.json()["url"])
    form = hidden(ask(server.port, "GET", path, key=None, headers={"Cookie": cookie}).body)
    body = f"form={form}&username={USERNAME}&password={PASSWORD}"
    head = {"Content-Type": "application/x-www-form-urlencoded"}

    without = ask(server.port, "POST", path, body, key=None, headers=head)
    forged = ask(server.port, "POST", path, body.replace(form, "x"), key=None, headers={**head, "Cookie": cookie})
    foreign = ask(
        server.port, "POST", path, body, key=None, headers={**head, "Cookie": cookie, "Origin": "https://evil.example"}
    )

    assert all(each.status in (400, 403, 404, 409, 410, 422) for each in (without, forged, foreign)), (
        without.status,
        forged.status,
        foreign.status,
    )
    assert [] == provider.seen("/token")


def test_a_return_url_brings_a_code_and_confirmation(server: Server, provider: Scripted) -> None:
    """No calls before the backend exchanged the one-time code; the code works once."""
    connector = install(server, connector_for(provider))
    more = {"connector": connector, "owner": "planted", "return_url": "https://app.example/back?x=1"}
    made = server.ask("POST", "/v1/connect-sessions", more).json()
    cookie, path = claimed(server, made["url"])

    done = submit(server, cookie, path, username=USERNAME, password=PASSWORD)
    text = done.headers.get("location", "") or done.body.decode()
    if "code=" not in text:
        text = ask(server.port, "GET", text, key=None, headers={"Cookie": cookie}).body.decode()
    code = text.split("code=")[1].split('"')[0].split("&")[0]
    (waiting,) = server.ask("GET", "/v1/connections?owner=planted").json()["data"]
    refused = call(server, waiting)
    wrong = server.ask("POST", f"/v1/connect-sessions/{made['id']}/confirm", {"code": "x" * len(code)})
    confirmed = server.ask("POST", f"/v1/connect-sessions/{made['id']}/confirm", {"code": code})
    twice = server.ask("POST", f"/v1/connect-sessions/{made['id']}/confirm", {"code": code})

    assert text.count("https://app.example/back?x=1") >= 1
    assert "unconfirmed" == waiting["state"]
    assert (409, "connection_unconfirmed") == (refused.status, refused.code)
    assert 400 <= wrong.status < 500
    assert (200, waiting["id"]) == (confirmed.status, confirmed.json()["id"])
    assert 400 <= twice.status < 500
    assert 200 == call(server, waiting).status


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil",
        "ftp://a.example",
        "https://u:p@a.example",
        "nonsense",
        "https://a.example/\r\nX: 1",
    ],
)
def test_return_urls_that_are_none(server: Server, provider: Scripted, url: str) -> None:
    """422."""
    connector = install(server, connector_for(provider))

    reply = server.ask("POST", "/v1/connect-sessions", {"connector": connector, "owner": "o", "return_url": url})

    assert 422 == reply.status, reply.body


# --- the canaries of this file


def test_zz_no_secret_is_on_disk_or_in_the_log(server: Server, provider: Scripted) -> None:
    """After all of this, with the log at debug level: neither passwords, nor tokens, nor client secrets."""
    connection = connected(server, provider)
    call(server, connection)
    server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    time.sleep(0.3)

    secrets = [PASSWORD, CLIENT_SECRET, ADMIN_KEY, "wrong-page-canary", "api-key-canary", *provider.secrets]
    assert [] == find_canaries([server.data, server.log], secrets)
