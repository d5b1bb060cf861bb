"""Forward-auth: whose word counts, what is judged, and that only 204, 401 and 403 are ever said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.errors import ProviderUnreachable, StoreUnavailable
from keyturn.core.urls.allowed_urls import AllowedUrls, ProxyBase
from keyturn.engine.calls.hand_out import ACTION
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.kit.admission.addresses import is_within
from tests.engine.story import ACTOR, log_in, token
from tests.web.dataplane.asgi_caller import Exchange, Header, call
from tests.web.dataplane.story import Story, begin
from tests.web.dataplane.test_proxy import api_key

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
ORIGINAL = (b"x-original-method", b"x-original-uri")
FORWARDED = (b"x-forwarded-method", b"x-forwarded-uri")


def said(uri: bytes = b"/me", method: bytes = b"GET", names: Sequence[bytes] = ORIGINAL) -> list[Header]:
    """What a proxy says of the original request."""
    return [(names[0], method), (names[1], uri)]


async def ask(story: Story, headers: list[Header] | None = None, **more: object) -> Exchange:
    """Ask which headers to add; about `GET /me` where nothing else is said."""
    path = f"/v1/forward-auth?connection={story.connection_id}"
    return await call(story.app, "GET", path, said() if headers is None else headers, **more)  # type: ignore[arg-type]


async def test_the_headers_to_add(story: Story) -> None:
    """204 with them and nothing else but what each of our answers carries; for no cache."""
    got = await ask(story)
    ours = {b"cache-control", b"content-security-policy", b"referrer-policy", b"x-content-type-options"}
    ours |= {b"keyturn-source", b"keyturn-request-id"}

    assert (204, b"") == (got.status, got.body)
    assert {b"authorization": b"Bearer access-1"} == {k: v for k, v in got.headers.items() if k not in ours}
    assert ours <= set(got.headers)
    assert b"no-store" == got.headers[b"cache-control"]


async def test_all_headers_of_step_nine() -> None:
    """Default and locked ones, with their values as they would be sent."""
    story = await begin(more='request: {headers: {X-Key: "{{ access_token }}", Accept: text/x, X-Name: "J\\u00f6"}}')
    got = (await ask(story)).headers

    assert (b"access-1", b"text/x", "Jö".encode()) == (got[b"x-key"], got[b"accept"], got[b"x-name"])


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        pytest.param(("call",), None, id="its own"),
        pytest.param(("admin",), None, id="all"),
        pytest.param(("token", "read", "connect", "login"), b"forbidden_scope", id="every other one"),
    ],
)
async def test_scopes(story: Story, scopes: Sequence[str], code: bytes | None) -> None:
    """The proxy's scope is this door's."""
    got = await ask(story, key=await api_key(story, *scopes))

    assert (204 if code is None else 403, code) == (got.status, got.headers.get(b"keyturn-code"))
    assert (code is None) == (b"authorization" in got.headers)


async def test_nobody(story: Story) -> None:
    """A stranger gets 401, before anything else of the question is looked at."""
    got = await ask(story, [], key=None)

    assert (401, b"unauthenticated") == (got.status, got.headers[b"keyturn-code"])
    assert got.headers[b"www-authenticate"].startswith(b"Bearer")


@pytest.mark.parametrize(
    ("headers", "peer", "code"),
    [
        pytest.param(said(), "192.0.2.1", None, id="X-Original from anybody"),
        pytest.param(said(names=FORWARDED), "10.1.2.3", None, id="X-Forwarded from a trusted proxy"),
        pytest.param(said(names=FORWARDED), "::ffff:10.1.2.3", None, id="mapped into IPv6"),
        pytest.param(said(names=FORWARDED), "11.0.0.1", "bad_request", id="from just outside"),
        pytest.param(said(names=FORWARDED), None, "bad_request", id="from nobody knows where"),
        pytest.param([*said(), *said(names=FORWARDED)], "10.1.2.3", None, id="both, and they agree"),
        pytest.param(
            [*said(), *said(b"/admin", names=FORWARDED)], "10.1.2.3", "bad_request", id="they disagree, trusted"
        ),
        pytest.param(
            [*said(), *said(b"/admin", names=FORWARDED)], "192.0.2.1", "bad_request", id="they disagree, untrusted"
        ),
        pytest.param(
            [*said(), *said(method=b"PUT", names=FORWARDED)], "10.1.2.3", "bad_request", id="about the method"
        ),
        pytest.param([], "10.1.2.3", "bad_request", id="neither"),
        pytest.param(said()[:1], "10.1.2.3", "bad_request", id="no URI"),
        pytest.param(said()[1:], "10.1.2.3", "bad_request", id="no method"),
        pytest.param([*said(), said()[1]], "10.1.2.3", "bad_request", id="a URI twice"),
        pytest.param(said(method=b"GET /"), "10.1.2.3", "bad_request", id="a method that is none"),
        pytest.param(said(b""), "10.1.2.3", "bad_request", id="an empty URI"),
        pytest.param(said(b"https://api.acme.example/me"), "10.1.2.3", "bad_request", id="a whole URL"),
    ],
)
async def test_whose_word_counts(story: Story, headers: list[Header], peer: str | None, code: str | None) -> None:
    """X-Forwarded-* may come from the proxy's own client; two words for one request are none."""
    story.app = DataPlane(story.world.application, trusted_proxies=TRUSTED)
    got = await ask(story, headers, client=None if peer is None else (peer, 1))

    assert (204 if code is None else 403) == got.status
    assert code == (None if code is None else got.problem["code"])


async def test_nobody_is_trusted_where_nothing_is_set(story: Story) -> None:
    """Not even this machine."""
    assert "bad_request" == (await ask(story, said(names=FORWARDED), client=("127.0.0.1", 1))).problem["code"]


@pytest.mark.parametrize(
    ("host", "within"),
    [("10.0.0.0", True), ("10.255.255.255", True), ("11.0.0.0", False), ("9.255.255.255", False), ("fd00::1", True),
     ("fe00::1", False), ("::ffff:10.0.0.1", True), ("::ffff:11.0.0.1", False), ("", False), ("unix:", False)],
)  # fmt: skip
def test_is_within(host: str, within: bool) -> None:
    """An address is compared as what it is; no address is in no network."""
    assert within == is_within(host, TRUSTED)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        pytest.param(b"/v2/me?x=1", None, id="below the prefix"),
        pytest.param(b"/v2", None, id="the prefix itself"),
        pytest.param(b"/v2x", "not_covered", id="beside it"),
        pytest.param(b"/me", "not_covered", id="elsewhere"),
        pytest.param(b"/v2/../admin", "dot_segment", id="out of it"),
        pytest.param(b"/v2/%2e%2e/admin", "dot_segment", id="out of it, escaped"),
        pytest.param(b"//evil.example/v2", "scheme_relative", id="another host"),
        pytest.param(b"/v2/a%00", "hidden_character", id="a hidden character"),
    ],
)
async def test_the_uri_is_judged_as_in_the_proxy(uri: bytes, reason: str | None) -> None:
    """It is joined to the base URL and held against the allowed URLs; what is refused takes no token along."""
    story = await begin(more='request: {base_url: "https://api.acme.example"}')
    route = await story.world.application.calls.route(story.connection_id)
    narrow = AllowedUrls.from_texts(["https://api.acme.example/v2"], load_public_suffixes())
    route.base = ProxyBase(route.base_url, narrow)
    got = await ask(story, said(uri))

    assert (204 if reason is None else 403) == got.status
    assert (reason is None) == (b"authorization" in got.headers)
    if reason is not None:
        assert ("url_not_allowed", reason) == (got.problem["code"], got.problem["reason"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("", "validation_failed", id="none"),
        pytest.param("?connection=", "validation_failed", id="empty"),
        pytest.param("?connection=a&connection=b", "validation_failed", id="two"),
        pytest.param("?connection=a&x=1", "validation_failed", id="a stranger"),
        pytest.param("?connection=cxn_0", "not_found", id="no such connection"),
    ],
)
async def test_which_connection(story: Story, query: str, code: str) -> None:
    """One connection is named, and nothing else."""
    got = await call(story.app, "GET", f"/v1/forward-auth{query}", said())

    assert (403, code) == (got.status, got.problem["code"])
    assert 403 == got.problem["status"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        pytest.param("request: {query: {version: v2}}", "query", id="a query value"),
        pytest.param("request: {body: {site: a}}", "body", id="a body value"),
        pytest.param(
            "request: {headers: {Cache-Control: no-cache}}", "header", id="a header that means something here"
        ),
        pytest.param('request: {headers: {X: "{{ client_secret }}"}}', "client_secret", id="the application's secret"),
    ],
)
async def test_connectors_that_it_can_not_serve(more: str, reason: str) -> None:
    """A call that lacked half of its parameters would not be the connector's call."""
    got = await ask(await begin(more=more))

    assert (403, b"token_vend_disabled") == (got.status, got.headers[b"keyturn-code"])
    assert reason == got.problem["reason"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods(story: Story, method: str) -> None:
    """A proxy that asks in another way is set up wrongly; it understands 403."""
    got = await call(story.app, method, f"/v1/forward-auth?connection={story.connection_id}", said())

    assert (403, b"method_not_allowed") == (got.status, got.headers[b"keyturn-code"])
    assert b"authorization" not in got.headers


async def test_every_other_failure_is_403(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """404, 409, 410, 500, 502, 503 and 504 would each be taken for a broken proxy; the code tells them apart."""
    world, seen = story.world, []
    world.clock.advance(3601)
    world.egress.will_reply(ProviderUnreachable("nobody there"))
    seen.append(await ask(story))
    await world.application.pause(story.connection_id, ACTOR, paused=True)
    seen.append(await ask(story))
    with monkeypatch.context() as patch:
        patch.setattr(world.application.calls.__class__, "route", None)
        seen.append(await ask(story))
    with monkeypatch.context() as patch:

        async def broken(*_: object, **__: object) -> None:
            raise StoreUnavailable

        patch.setattr(world.stores.connections, "open", broken)
        seen.append(await ask(story))

    assert [403] * 4 == [each.status for each in seen]
    assert [403] * 4 == [each.problem["status"] for each in seen]
    assert ["connection_paused", "internal_error", "store_unavailable"] == [
        each.headers[b"keyturn-code"].decode() for each in seen[1:]
    ]
    assert seen[0].problem["code"].startswith("provider_")


async def test_it_is_written_down_like_every_token_that_leaves(story: Story) -> None:
    """Once for each key and generation, with this door's name."""
    await asyncio.gather(*(ask(story) for _ in range(5)))
    found = [each for each in story.world.stores.database.records if each.action == ACTION]

    assert [{"door": "forward_auth", "generation": 1}] == [dict(each.facts) for each in found]


async def test_two_keys_do_not_mix(story: Story) -> None:
    """A key that is limited to another connector gets nothing of what another key was just given (E6)."""
    limited = await api_key(story, "call", connectors=["other"])
    first = await ask(story)
    second = await ask(story, key=limited)

    assert (204, 403, b"not_found") == (first.status, second.status, second.headers[b"keyturn-code"])
    assert b"authorization" not in second.headers


async def test_two_connections_do_not_mix(story: Story) -> None:
    """Each answer has the token of the connection that was named."""
    await ask(story)
    other = await log_in(story.world, token(9, at=story.world.clock.now()), account="43")
    got = await call(story.app, "GET", f"/v1/forward-auth?connection={other.connection.id}", said())

    assert b"Bearer access-9" == got.headers[b"authorization"]
