"""The token endpoint: who is handed a token, what goes along, what is written down, what a refused one does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import StoreUnavailable
from keyturn.engine.calls.hand_out import ACTION, HandOut
from keyturn.engine.renewal.renew import Renewals
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.kit.strict_json import MAX_BODY_BYTES
from tests.engine.story import ACTOR, bodies, error, log_in, token
from tests.web.dataplane.asgi_caller import Exchange, Header, call
from tests.web.dataplane.story import Story, begin
from tests.web.dataplane.test_proxy import api_key

JSON: Header = (b"content-type", b"application/json")
REQUEST = """
request:
  base_url: "https://api.acme.example/v2"
  headers: {X-Api-Key: "{{ access_token }}", Accept-Language: en, X-Name: "J\\u00f6"}
  query: {version: v 2, key: "{{ access_token }}"}
  body: {site: 7, deep: {on: true}}
"""


def at(story: Story) -> str:
    """Where the connection's token is asked for."""
    return f"/v1/connections/{story.connection_id}/token"


async def ask(story: Story, document: Any = None, **more: Any) -> Exchange:
    """Ask for the token; `document` goes as JSON."""
    body = b"" if document is None else json.dumps(document).encode()
    return await call(story.app, "POST", at(story), [JSON] if body else [], body, **more)


def vended(story: Story) -> list[AuditRecord]:
    """What was written down."""
    return [each for each in story.world.stores.database.records if each.action == ACTION]


def refreshes(story: Story) -> int:
    """How many refresh requests went out."""
    return len([body for body in bodies(story.world) if "grant_type=refresh_token" in body])


async def test_the_answer(story: Story) -> None:
    """Token, kind, end, generation, what goes on each call and where calls may go; for one reader and no cache."""
    got = await ask(story)

    assert 200 == got.status
    assert {
        "access_token": "access-1",
        "token_type": "Bearer",
        "expires_at": "2023-11-14T23:13:20Z",
        "generation": 1,
        "apply": {
            "headers": {"Authorization": "Bearer access-1"},
            "query": {},
            "body": {},
            "locked": ["authorization"],
        },
        "allowed_urls": ["https://api.acme.example/"],
    } == json.loads(got.body)
    assert (b"no-store", b"no-cache") == (got.headers[b"cache-control"], got.headers[b"pragma"])
    assert (b"application/json", b"broker") == (got.headers[b"content-type"], got.headers[b"keyturn-source"])
    assert str(len(got.body)).encode() == got.headers[b"content-length"]
    assert got.headers[b"keyturn-request-id"].startswith(b"req_")


async def test_step_nine_goes_along_as_it_would_be_sent() -> None:
    """Names as the author spells them, values in the clear and decoded; what may not be replaced is named."""
    story = await begin(more=REQUEST)
    applied = json.loads((await ask(story)).body)["apply"]

    assert {"X-Api-Key": "access-1", "Accept-Language": "en", "X-Name": "Jö"} == applied["headers"]
    assert {"version": "v 2", "key": "access-1"} == applied["query"]
    assert {"site": 7, "deep": {"on": True}} == applied["body"]
    assert ["key", "x-api-key"] == applied["locked"]


async def test_a_token_without_an_end() -> None:
    """Where the provider says nothing of it, the end is null."""
    story = await begin(expires_in=None)

    assert json.loads((await ask(story)).body)["expires_at"] is None


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        pytest.param(("token",), 200, id="its own"),
        pytest.param(("admin",), 200, id="all"),
        pytest.param(("call", "read", "connect", "login"), 403, id="every other one"),
    ],
)
async def test_scopes(story: Story, scopes: Sequence[str], status: int) -> None:
    """Only `token` and `admin` may hold a token."""
    got = await ask(story, key=await api_key(story, *scopes))

    assert status == got.status
    assert (status == 200) == (b"access-1" in got.body)
    if status == 403:
        assert ("forbidden_scope", "token") == (got.problem["code"], got.problem["required_scope"])


async def test_a_limited_key_sees_nothing_of_other_connectors(story: Story) -> None:
    """The answer is letter by letter that of a connection that does not exist."""
    await ask(story)
    key = await api_key(story, "token", connectors=["other"])
    foreign = (await ask(story, key=key)).problem
    absent = (await call(story.app, "POST", "/v1/connections/cxn_0/token", key=key)).problem

    assert 404 == foreign["status"]
    assert {**foreign, "request_id": ""} == {**absent, "request_id": ""}
    assert 1 == len(vended(story))


LARGE = (b"content-length", str(MAX_BODY_BYTES + 1).encode())


@pytest.mark.parametrize(
    ("method", "headers", "body", "key", "status", "code"),
    [
        pytest.param("GET", [LARGE], b"", "none", 401, "unauthenticated", id="the key before all"),
        pytest.param("GET", [LARGE], b"", "call", 405, "method_not_allowed", id="then the method"),
        pytest.param("POST", [LARGE], b"", "call", 403, "forbidden_scope", id="then the scope"),
        pytest.param("POST", [LARGE, LARGE], b"", "token", 400, "bad_request", id="then the framing"),
        pytest.param("POST", [LARGE], b"", "token", 413, "payload_too_large", id="then the size, unread"),
        pytest.param("POST", [], b"{", "token", 415, "unsupported_media_type", id="then the kind"),
        pytest.param(
            "POST", [(b"content-type", b"text/plain")], b"{}", "token", 415, "unsupported_media_type", id="plain"
        ),
        pytest.param(
            "POST", [JSON, (b"content-encoding", b"gzip")], b"{}", "token", 415, "unsupported_media_type", id="packed"
        ),
        pytest.param("POST", [JSON], b"{", "token", 400, "bad_request", id="then JSON"),
        pytest.param("POST", [JSON], b'{"a":1,"a":1}', "token", 400, "bad_request", id="a member twice"),
        pytest.param("POST", [JSON], b"[]", "token", 422, "validation_failed", id="no object"),
        pytest.param("POST", [JSON], b'{"x": 1}', "token", 422, "validation_failed", id="a stranger in it"),
        pytest.param("POST", [JSON], b'{"refused_generation": 0}', "token", 422, "validation_failed", id="nought"),
        pytest.param(
            "POST", [JSON], b'{"refused_generation": true}', "token", 422, "validation_failed", id="no number"
        ),
        pytest.param("POST", [JSON], b'{"refused_generation": 1}', "token", 404, "not_found", id="then the object"),
        pytest.param("POST", [JSON], b'{"refused_generation": null}', "token", 404, "not_found", id="null is none"),
        pytest.param("POST", [], b"", "token", 404, "not_found", id="no body is fine"),
    ],
)
async def test_the_order_of_checks(
    story: Story, method: str, headers: list[Header], body: bytes, key: str, status: int, code: str
) -> None:
    """401, 405, 403, 413, 415, 400, 422, then the object; a body that is too large is never asked for."""
    sent = None if key == "none" else await api_key(story, key)
    got = await call(story.app, method, "/v1/connections/cxn_0/token", headers, body, key=sent)

    assert (status, code) == (got.status, got.problem["code"])
    assert status in (400, 422, 404, 413) or got.received == 0
    assert LARGE not in headers or got.received == 0


async def test_other_methods_are_told_the_one(story: Story) -> None:
    """There is nothing to read here, so nothing may be cached by its method."""
    got = await call(story.app, "GET", at(story))

    assert (405, b"POST") == (got.status, got.headers[b"allow"])


@pytest.mark.parametrize("path", ["/token", "/a/b/token", "//token", "/%74oken", "/cxn_0/token/"])
async def test_other_paths_are_none(story: Story, path: str) -> None:
    """The door is found by the path as it was sent."""
    assert 404 == (await call(story.app, "POST", f"/v1/connections{path}")).status
    assert [] == vended(story)


# --- what is written down


async def test_it_is_written_down_once_for_each_key_and_generation(story: Story) -> None:
    """Asking again adds nothing; another key, another door and the next generation do; no record holds the token."""
    first, second = await api_key(story, "token"), await api_key(story, "token")
    await asyncio.gather(*(ask(story, key=first) for _ in range(5)))
    await ask(story, key=second)
    story.world.egress.will_reply(token(2, at=story.world.clock.now() + 3601))
    story.world.clock.advance(3601)
    await ask(story, key=first)
    found = vended(story)

    assert [1, 1, 2] == [each.facts["generation"] for each in found]
    assert found[0].actor == found[2].actor != found[1].actor
    assert (story.connection_id, "acme", "owner-1", "token") == (
        found[0].connection,
        found[0].connector,
        found[0].owner,
        found[0].facts["door"],
    )
    assert "access-" not in repr(found)


async def test_a_process_that_starts_anew_reads_what_stands_there(story: Story) -> None:
    """The second process finds the record of the first, also behind a page of others."""
    await ask(story)
    application = story.world.application
    others = [replace(vended(story)[0], action="connection.tested") for _ in range(150)]
    await application.audit.append(others)
    hand_out = HandOut(application.calls, application.audit, story.world.clock)
    story.app = DataPlane(replace(application, hand_out=hand_out))

    assert 200 == (await ask(story)).status
    assert 1 == len(vended(story))


async def test_what_can_not_be_written_down_is_not_handed_out(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the audit log there is no token, and it is asked again the next time."""

    async def broken(records: Sequence[AuditRecord]) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(story.world.stores.audit, "append", broken)
        got = await ask(story)

    assert (503, "store_unavailable") == (got.status, got.problem["code"])
    assert b"access-1" not in got.body
    assert 200 == (await ask(story)).status
    assert 1 == len(vended(story))


# --- what can come in between


async def test_a_pause_that_comes_in_between_is_seen(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is paused while the record is written: no token leaves."""
    real = story.world.stores.audit.append

    async def pausing(records: Sequence[AuditRecord]) -> None:
        await real(records)
        await story.world.application.pause(story.connection_id, ACTOR, paused=True)

    monkeypatch.setattr(story.world.stores.audit, "append", pausing)
    got = await ask(story)

    assert (409, "connection_paused") == (got.status, got.problem["code"])


async def test_a_key_that_is_revoked_while_it_waits_gets_nothing(story: Story) -> None:
    """The token is renewed meanwhile; its caller is nobody any more."""
    key = await api_key(story, "token")
    row = next(each for each in await story.world.application.api_keys.list() if each.name == "test")
    story.world.clock.advance(3601)

    async def revoking(_: Any) -> Any:
        await story.world.application.api_keys.revoke(row.id, ACTOR)
        return token(2, at=story.world.clock.now())

    story.world.egress.will_reply(revoking)
    got = await ask(story, key=key)

    assert (401, "unauthenticated") == (got.status, got.problem["code"])
    assert b"access-" not in got.body


async def test_a_token_that_has_ended_is_renewed_first(story: Story) -> None:
    """Nobody is handed a token that is known to be over, and many that ask cause one renewal."""
    story.world.clock.advance(3601)
    story.world.egress.will_reply(token(2, at=story.world.clock.now()))
    got = await asyncio.gather(*(ask(story) for _ in range(10)))

    assert {"access-2"} == {json.loads(each.body)["access_token"] for each in got}
    assert 1 == refreshes(story)


async def test_nothing_is_left(story: Story) -> None:
    """A connection that only the person can repair says so, with a link for keys that may have one."""
    story.world.clock.advance(3601)
    story.world.egress.will_reply(error("invalid_grant"))
    plain = (await ask(story, key=await api_key(story, "token"))).problem

    async def link(connection_id: str) -> str:
        return f"http://link/{connection_id}"

    story.app = DataPlane(story.world.application, reconnect_link=link)
    linked = (await ask(story, key=await api_key(story, "token", "connect"))).problem

    assert "connection_needs_reconnect" == plain["code"] == linked["code"]
    assert f"/v1/connections/{story.connection_id}/reconnect" in plain["next_action"]["url"]
    assert f"http://link/{story.connection_id}" == linked["next_action"]["url"]


# --- a token that the API refused


async def test_a_refused_token_is_renewed_if_it_is_still_the_current_one(story: Story) -> None:
    """Twenty callers tell of the same refusal: one renewal, and all get its token."""
    story.world.clock.advance(61)
    story.world.egress.will_reply(token(2, at=story.world.clock.now()))
    got = await asyncio.gather(*(ask(story, {"refused_generation": 1}) for _ in range(20)))
    late = await ask(story, {"refused_generation": 1})

    assert {("access-2", 2)} == {
        (json.loads(each.body)["access_token"], json.loads(each.body)["generation"]) for each in [*got, late]
    }
    assert 1 == refreshes(story)


async def test_a_renewal_that_cured_nothing_is_not_repeated(story: Story) -> None:
    """The new token is refused as well: the refusal is about rights, and for a minute nothing is renewed for it."""
    clock, egress = story.world.clock, story.world.egress
    clock.advance(61)
    egress.will_reply(token(2, at=clock.now()))
    await ask(story, {"refused_generation": 1})
    clock.advance(1)
    again = [json.loads((await ask(story, {"refused_generation": 2})).body)["generation"] for _ in range(5)]
    clock.advance(58)
    still = json.loads((await ask(story, {"refused_generation": 2})).body)["generation"]
    quiet = refreshes(story)
    clock.advance(3)
    egress.will_reply(token(3, at=clock.now()))
    after = json.loads((await ask(story, {"refused_generation": 2})).body)["generation"]

    assert [2] * 5 == again
    assert (2, 1, 3) == (still, quiet, after)


async def test_a_renewal_that_was_the_cure_is_followed_by_the_next(story: Story) -> None:
    """A token that was good for a while is renewed again at once when it is refused in its turn."""
    clock, egress = story.world.clock, story.world.egress
    for n in (2, 3, 4):
        clock.advance(61)
        egress.will_reply(token(n, at=clock.now()))
        assert n == json.loads((await ask(story, {"refused_generation": n - 1})).body)["generation"]

    assert 3 == refreshes(story)


async def test_a_generation_that_nobody_was_given(story: Story) -> None:
    """It may have come from another process, so the store is asked; then it is an error and nothing is sent."""
    got = await ask(story, {"refused_generation": 7})

    assert (422, "/refused_generation") == (got.status, got.problem["errors"][0]["pointer"])
    assert 0 == refreshes(story)


async def test_another_process_has_renewed(story: Story) -> None:
    """A generation that this process has not heard of yet, and that the store has, is judged as the newest."""
    await ask(story)
    route = story.world.application.calls.cached(story.connection_id)
    assert route is not None
    story.world.egress.will_reply(token(2, at=story.world.clock.now()))
    await story.world.application.renewals.renew(story.connection_id, generation=1, forced=True)
    story.world.application.calls._routes[story.connection_id] = route
    got = await ask(story, {"refused_generation": 2})

    assert 2 == json.loads(got.body)["generation"]
    assert 1 == refreshes(story)


async def test_a_crash_tells_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours is `internal_error`, without a word of what went wrong."""

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("access-1")

    monkeypatch.setattr(Renewals, "renew", broken)
    story.world.clock.advance(3601)
    got = await ask(story)

    assert (500, "internal_error") == (got.status, got.problem["code"])
    assert b"access-1" not in got.body


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param('request: {headers: {X-App: "{{ client_secret }}"}}', id="in a header"),
        pytest.param(
            'request: {headers: {X-App: "{{ client_id | hmac_sha256(client_secret) }}"}}', id="only to sign with"
        ),
        pytest.param('request: {body: {deep: ["{{ client_secret }}"]}}', id="deep in a body"),
    ],
)
async def test_the_applications_secret_goes_to_nobody(request_: str) -> None:
    """It is the operator's: a connector that puts it on calls works through the proxy only."""
    story = await begin(more=request_)
    got = await ask(story)

    assert (403, "token_vend_disabled", "client_secret") == (
        got.status,
        got.problem["code"],
        got.problem["reason"],
    )
    assert [] == vended(story)
    assert b"client-secret-canary" not in got.body


async def test_two_connections_do_not_mix(story: Story) -> None:
    """Each key gets the token of the connection that it names."""
    other = await log_in(story.world, token(9, at=story.world.clock.now()), account="43")
    one = json.loads((await ask(story)).body)["access_token"]
    two = json.loads((await call(story.app, "POST", f"/v1/connections/{other.connection.id}/token")).body)

    assert ("access-1", "access-9") == (one, two["access_token"])
