"""What a connector says about logins and renewals beyond a password for a token, judged by what the provider saw.

Everything here goes over REST to one server in a process of its own; each test has a provider of its own.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import PASSWORD, Answer, Scripted, Seen, scripted_provider

KEPT = {"keep": "required", "reason": "The provider of the tests has nothing else."}
PLAIN = {"grant_type": "password", "username": "{{ username }}", "password": "{{ password }}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("login_keys")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test, so that its log is about one connector."""
    with scripted_provider() as running:
        yield running


def renew(server: Server, connection: dict[str, Any]) -> dict[str, Any]:
    """POST /v1/connections/{id}/renew."""
    reply = server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json()
    return found


def test_requests_before_the_login(server: Server, provider: Scripted) -> None:
    """A tenant and a session are found first, in each login; what was found is in no log and no row."""
    provider.always["/tenant"] = Answer(200, {"id": "tenant-canary-1"})
    provider.always["/session"] = Answer(200, {}, {"Set-Cookie": "sid=session-canary-1; Path=/"})
    token = {
        "url": f"{provider.url}/token",
        "params": {**PLAIN, "session": "{{ session }}"},
        "before": [
            {
                "name": "tenant", "url": f"{provider.url}/tenant", "method": "GET",
                "params": {"user": "{{ username }}"}, "capture": {"tenant": "id"},
            },
            {
                "name": "session", "url": f"{provider.url}/session",
                "params": {"tenant": "{{ tenant }}", "password": "{{ password }}"},
                "capture": {"session": "cookie:sid"},
            },
        ],
    }  # fmt: skip
    refresh = {"strategy": "password_only"}
    connection = connected(server, provider, token=token, password=KEPT, refresh=refresh)

    renewed = renew(server, connection)

    order = [row.path for row in provider.log if row.path in ("/tenant", "/session", "/token")]
    assert ["/tenant", "/session", "/token"] * 2 == order
    assert 2 == renewed["generation"]
    assert {"tenant": "tenant-canary-1", "password": PASSWORD} == provider.seen("/session")[1].form()
    assert "session-canary-1" == provider.seen("/token")[1].form()["session"]
    assert [] == find_canaries([server.data, server.log], ["tenant-canary-1", "session-canary-1"])


def test_a_device_that_is_made_once_and_trusted(server: Server, provider: Scripted) -> None:
    """The same id in every login of a connection, and the trust that the first was given in each later one."""
    provider.token_extra = {"trust": "trust-canary-1"}
    connector = install(
        server,
        connector_for(
            provider,
            token={
                "url": f"{provider.url}/token",
                "params": {**PLAIN, "device": "{{ device_id }}", "trust": "{{ device_trust }}"},
            },
            generate={"device_id": "uuid"},
            remember={"device_trust": "trust"},
            password=KEPT,
            refresh={"strategy": "password_only"},
        ),
    )
    connection = sign_in(server, connector).json()

    renew(server, connection)
    forms = [row.form() for row in provider.seen("/token")]

    (device,) = {form["device"] for form in forms}
    assert 4 == UUID(device).version
    assert [None, "trust-canary-1"] == [form.get("trust") for form in forms[:2]]
    assert {"device_id", "device_trust"} <= set(shown(server, connection)["stored"]["fields"])
    assert [] == find_canaries([server.data, server.log], ["trust-canary-1", device])


def test_the_live_token_renews_itself(server: Server, provider: Scripted) -> None:
    """Without a refresh token; the next is shown by the one before."""
    with_refresh = provider.honest

    def bare(request: Seen) -> Answer:
        answered = with_refresh(request)
        return Answer(answered.status, {k: v for k, v in (answered.body or {}).items() if k != "refresh_token"})

    def next_one(request: Seen) -> Answer:
        account = provider.account_of(request)
        if account is None:
            return Answer(401, {"error": "invalid_grant"})
        return bare_of(provider.issue(account, "again"))

    def bare_of(answered: Answer) -> Answer:
        return Answer(answered.status, {k: v for k, v in (answered.body or {}).items() if k != "refresh_token"})

    provider.always["/token"] = bare
    provider.always["/renew"] = next_one
    refresh = {
        "with": "token", "url": f"{provider.url}/renew", "headers": {"Authorization": "Bearer {{ access_token }}"},
        "authentication": "none", "params": {},
    }  # fmt: skip
    connection = connected(server, provider, refresh=refresh)

    renewed = renew(server, renew(server, connection))

    first, second = (row.bearer() for row in provider.seen("/renew"))
    assert first != second
    assert (3, None) == (renewed["generation"], renewed["stored"]["refresh_token"])
    assert 200 == call(server, renewed).status


def test_what_renews_is_kept_alive_while_it_is_paused(server: Server, provider: Scripted) -> None:
    """Its end is shown, and it is used before it, though nobody may call: here as the end is four seconds ahead."""
    provider.token_extra = {"refresh_expires_in": 60}
    token = {"url": f"{provider.url}/token", "response": {"refresh_expires": {"from": "refresh_expires_in"}}}
    connection = connected(server, provider, token=token, refresh={"keep_alive": True})
    assert connection["refresh_expires_at"] == connection["stored"]["refresh_token"]["until"]

    paused = server.ask("POST", f"/v1/connections/{connection['id']}/pause")
    assert 200 == paused.status, paused.body
    with closing(sqlite3.connect(server.data / "keyturn.db", timeout=10)) as database, database:
        database.execute(
            "UPDATE connections SET token_issued_at = token_issued_at - 56,"
            " refresh_expires_at = refresh_expires_at - 56, look_at = 1 WHERE id = ?",
            (connection["id"],),
        )
    wait_for(lambda: shown(server, connection)["generation"] == 2)

    after = shown(server, connection)
    assert ("paused", True) == (after["state"], after["refresh_expires_at"] > connection["refresh_expires_at"])
    assert 409 == call(server, connection).status


def test_a_host_that_the_answer_names(server: Server, provider: Scripted) -> None:
    """Calls go where the login was told; a renewal that names another moves nothing."""
    provider.token_extra = {"site": "127.0.0.1"}
    site = f"http://{{{{ token.site }}}}:{provider.port}"
    keep = {"keep": {"site": {"from": "site", "hosts": ["127.0.0.1"]}}}
    connector = install(
        server,
        connector_for(
            provider,
            token={"url": f"{provider.url}/token", "response": keep},
            test={"url": f"{site}/api/me"},
            allowed_urls=[f"{site}/api"],
        ),
    )
    connection = sign_in(server, connector).json()
    provider.token_extra = {"site": "evil.example"}

    renewed = renew(server, connection)
    refused = sign_in(server, connector, "bob", owner="o2")

    assert 200 == call(server, renewed).status
    assert (502, "provider_bad_response") == (refused.status, refused.code)
    assert "evil.example" not in json.dumps(refused.json())
