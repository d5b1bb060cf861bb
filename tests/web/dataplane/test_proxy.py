"""The proxy: who may call, where to, and what is sent and handed back."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.errors import ProviderTimeout, ProviderUnreachable
from keyturn.core.secret import Secret
from keyturn.web.dataplane.application import DataPlane
from tests.engine.story import ACTOR, error
from tests.fakes.egress import UpstreamReply
from tests.web.dataplane.asgi_caller import HOST, KEY, Exchange, call
from tests.web.dataplane.story import OK, Story, begin


async def api_key(story: Story, *scopes: str, **more: Any) -> tuple[bytes, bytes]:
    """A new API key, as a header."""
    _, key = await story.world.application.api_keys.create("test", scopes, ACTOR, **more)
    assert isinstance(key, Secret)
    return b"keyturn-key", key.reveal().encode()


async def test_a_call_goes_through(story: Story) -> None:
    """The API gets the token and the path, the caller gets the API's answer and is told whose it is."""
    story.world.upstream.will_reply(OK)
    got = await call(story.app, "GET", f"{story.path}/v2/me?a=1&b=%20")
    sent = story.sent[0].request

    assert (200, b"{}") == (got.status, got.body)
    assert b"upstream" == got.headers[b"keyturn-source"]
    assert got.headers[b"keyturn-request-id"].startswith(b"req_")
    assert ("https", "api.acme.example", 443) == (sent.scheme, sent.host, sent.port)
    assert (b"GET", b"/v2/me?a=1&b=%20") == (sent.method, sent.target)
    assert ((b"authorization", b"Bearer access-1"),) == sent.headers
    assert (None, False) == (sent.content_length, sent.has_body)
    assert story.connection_id == sent.connection_id
    assert 1 == story.app.counts.count("acme", "2xx")


@pytest.mark.parametrize(
    ("below", "target"),
    [
        pytest.param("", b"/", id="nothing"),
        pytest.param("/", b"/", id="a slash"),
        pytest.param("/a%20b/c%3Fd", b"/a%20b/c%3Fd", id="escapes stay"),
        pytest.param("/a?", b"/a", id="an empty query is none"),
        pytest.param("/a?x=%2e%2e/&y=http://e", b"/a?x=%2e%2e/&y=http://e", id="a query is the API's own business"),
    ],
)
async def test_the_path_is_sent_as_it_came(story: Story, below: str, target: bytes) -> None:
    """Nothing is decoded on the way."""
    story.world.upstream.will_reply(OK)
    await call(story.app, "GET", story.path + below)

    assert target == story.sent[0].request.target


@pytest.mark.parametrize(
    ("below", "reason"),
    [
        pytest.param("/a/../b", "dot_segment", id="up"),
        pytest.param("/a/%2e%2e/b", "dot_segment", id="up, escaped"),
        pytest.param("//evil.example/x", "scheme_relative", id="another host"),
        pytest.param("/https://evil.example/x", "absolute", id="another URL"),
        pytest.param("/a%2fb", "hidden_character", id="a hidden slash"),
        pytest.param("/%zz", "bad_escape", id="no escape"),
    ],
)
async def test_a_path_that_is_not_allowed(story: Story, below: str, reason: str) -> None:
    """It is refused with its reason, nothing is sent, and the answer does not repeat it."""
    got = await call(story.app, "GET", f"{story.path}{below}")

    assert (403, "url_not_allowed", reason) == (got.status, got.problem["code"], got.problem["reason"])
    assert [] == story.sent
    assert b"evil" not in got.body
    assert 1 == story.app.counts.count("acme", "refused")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        pytest.param(b"https://api.acme.example/deep", b"/deep/x", id="below the allowed one"),
        pytest.param(b"https://other.example", "not_covered", id="another host"),
        pytest.param(b"http://api.acme.example", "scheme", id="another scheme"),
        pytest.param(b"https://api.acme.example/\xff", "not_utf8", id="no text"),
    ],
)
async def test_another_base(story: Story, base: bytes, expected: bytes | str) -> None:
    """`Keyturn-Base-Url` names another base, which has to be allowed."""
    story.world.upstream.will_reply(OK)
    got = await call(story.app, "GET", f"{story.path}/x", [(b"keyturn-base-url", base)])

    if isinstance(expected, bytes):
        assert (200, expected) == (got.status, story.sent[0].request.target)
    else:
        assert (403, expected) == (got.status, got.problem["reason"])
        assert [] == story.sent


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="none"),
        pytest.param((b"authorization", b"Basic a3Q6"), id="another scheme"),
        pytest.param((b"authorization", b"Bearer "), id="an empty one"),
        pytest.param((b"keyturn-key", b"kt_" + b"a" * 51), id="one that is no key"),
    ],
)
async def test_without_a_key(story: Story, key: tuple[bytes, bytes] | None) -> None:
    """401 comes before everything else, also before a malformed message and an unknown connection."""
    got = await call(story.app, "GET", "/v1/proxy/cxn_unknown/../x", key=key, host=False)

    assert (401, "unauthenticated", b"broker") == (got.status, got.problem["code"], got.headers[b"keyturn-source"])
    assert got.headers[b"www-authenticate"].startswith(b"Bearer")


async def test_two_keys_are_nobodys(story: Story) -> None:
    """Where two headers say who calls, neither is believed."""
    got = await call(story.app, "GET", f"{story.path}/x", [KEY])

    assert 401 == got.status


async def test_a_key_in_its_own_header_leaves_authorization_alone(story: Story) -> None:
    """`Keyturn-Key` counts; the caller's Authorization is nobody's and is not sent."""
    story.world.upstream.will_reply(OK)
    key = await api_key(story, "call")
    got = await call(story.app, "GET", f"{story.path}/x", [(b"authorization", b"Bearer other")], key=key)

    assert 200 == got.status
    assert ((b"authorization", b"Bearer access-1"),) == story.sent[0].request.headers


async def test_the_scope_is_asked_before_the_object(story: Story) -> None:
    """A key without `call` learns nothing of a connection, not even that there is none."""
    key = await api_key(story, "read", "connect")
    got = await call(story.app, "GET", "/v1/proxy/cxn_unknown/x", key=key, host=False)

    assert (403, "forbidden_scope", "call") == (got.status, got.problem["code"], got.problem["required_scope"])


async def test_an_expired_key(story: Story) -> None:
    """It was good once, and says so."""
    key = await api_key(story, "call", expires_at=story.world.clock.now() + 10)
    story.world.upstream.will_reply(OK)
    first = await call(story.app, "GET", f"{story.path}/x", key=key)
    story.world.clock.advance(10)
    second = await call(story.app, "GET", f"{story.path}/x", key=key)

    assert (200, 401) == (first.status, second.status)
    assert "api_key_expired" == second.problem["code"]


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_a_key_for_other_connectors(story: Story, warm: bool) -> None:
    """To a limited key the connection does not exist, whatever state it is in and whoever called it before."""
    if warm:
        story.world.upstream.will_reply(OK)
        await call(story.app, "GET", f"{story.path}/x")
    else:
        await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    key = await api_key(story, "call", connectors=["other"])
    got = await call(story.app, "GET", f"{story.path}/x", key=key)
    unknown = await call(story.app, "GET", "/v1/proxy/cxn_unknown/x", key=key)

    assert (404, 404) == (got.status, unknown.status)
    assert unknown.problem["title"] == got.problem["title"]


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        pytest.param([HOST], {}, id="two hosts"),
        pytest.param([], {"host": False}, id="no host"),
        pytest.param([(b"transfer-encoding", b"chunked")], {"http_version": "1.0"}, id="chunks in HTTP/1.0"),
        pytest.param([(b"transfer-encoding", b"chunked"), (b"content-length", b"3")], {}, id="chunks and a length"),
        pytest.param([(b"content-length", b"3"), (b"content-length", b"3")], {}, id="two lengths"),
        pytest.param([(b"transfer-encoding", b"gzip, chunked")], {}, id="another coding"),
        pytest.param([(b"content-length", b"+3")], {}, id="no number"),
    ],
)
async def test_a_message_that_can_be_read_in_two_ways(
    story: Story, headers: list[tuple[bytes, bytes]], more: dict[str, Any]
) -> None:
    """It is refused, and the connection closed: who knows where the next request begins."""
    got = await Exchange(story.app, "POST", f"{story.path}/x", headers, **more).done()

    assert (400, "bad_request", b"close") == (got.status, got.problem["code"], got.headers[b"connection"])
    assert [] == story.sent


SENT_ON = [(b"accept", b"*/*"), (b"range", b"bytes=0-9"), (b"x-mine", b"1"), (b"accept-encoding", b"gzip")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"cookie", b"a=b"),
        (b"connection", b"x-private, close"),
        (b"x-private", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"trailer", b"x"),
        (b"proxy-authorization", b"Basic eA=="),
        (b"proxy-anything", b"x"),
        (b"keyturn-anything", b"x"),
        (b"forwarded", b"for=1.2.3.4"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x_forwarded_host", b"evil.example"),
        (b"x-real-ip", b"1.2.3.4"),
        (b"x-original-url", b"/admin"),
        (b"x-rewrite-url", b"/admin"),
        (b"content_length", b"5"),
        (b"x-original-path", b"/admin"),
        (b"x_original_method", b"DELETE"),
        (b"x-override-url", b"/admin"),
        (b"x-host", b"evil.example"),
        (b"true-client-ip", b"1.2.3.4"),
        (b"cf-connecting-ip", b"1.2.3.4"),
        (b"cf_connecting_ip", b"1.2.3.4"),
    ],
)
async def test_what_is_not_sent(story: Story, name: bytes, value: bytes) -> None:
    """The API gets nothing that is meant for the broker or for one connection, or that tells where the caller is."""
    story.world.upstream.will_reply(OK)
    named = [(b"connection", b"x-private")] if name == b"x-private" else []
    await call(story.app, "GET", f"{story.path}/x", [*SENT_ON, *named, (name, value)])

    assert (*SENT_ON, (b"authorization", b"Bearer access-1")) == story.sent[0].request.headers


async def test_what_is_not_handed_back(story: Story) -> None:
    """The API's answer does not speak as keyturn, nor to a browser about keyturn's origin; the rest is as it came."""
    kept = (
        (b"location", b"https://elsewhere.example/"),
        (b"content-encoding", b"gzip"),
        (b"etag", b'"1"'),
        (b"www-authenticate", b"Bearer"),
        (b"date", b"Tue, 24 Nov 2026 00:00:00 GMT"),
    )
    dropped = [b"set-cookie", b"clear-site-data", b"strict-transport-security", b"keyturn-code", b"alt-svc"]
    dropped += [b"keep-alive", b"upgrade", b"x-hop", b"keyturn_source", b"set_cookie", b"clear_site_data"]
    extra = ((b"connection", b"keep-alive, x-hop"), (b"keyturn-source", b"broker"))
    reply = UpstreamReply(302, (*kept, *((name, b"x") for name in dropped), *extra), (b"gone",))
    story.world.upstream.will_reply(reply)
    got = await call(story.app, "GET", f"{story.path}/x")
    headers = got.messages[0]["headers"]

    assert 302 == got.status
    assert [*kept, (b"keyturn-source", b"upstream")] == headers[:-1]
    assert b"keyturn-request-id" == headers[-1][0]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_no_length(story: Story, status: int) -> None:
    """A length would let a server wait for a body that never comes."""
    story.world.upstream.will_reply(UpstreamReply(status, ((b"content-length", b"5"), (b"etag", b"x"))))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert status == got.status
    assert b"content-length" not in got.headers
    assert got.complete


async def test_a_head_answer_keeps_its_length(story: Story) -> None:
    """It tells how long the answer to a GET would be."""
    story.world.upstream.will_reply(UpstreamReply(200, ((b"content-length", b"5000"),)))
    got = await call(story.app, "HEAD", f"{story.path}/x")

    assert (b"5000", b"", b"HEAD") == (got.headers[b"content-length"], got.body, story.sent[0].request.method)


async def test_a_status_that_is_none(story: Story) -> None:
    """What no HTTP server could pass on is a bad answer of the provider."""
    story.world.upstream.will_reply(UpstreamReply(999))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (502, "provider_bad_response") == (got.status, got.problem["code"])
    assert story.world.upstream.answers[0].closed


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        pytest.param(ProviderUnreachable(), 502, id="not reached"),
        pytest.param(ProviderTimeout(), 504, id="no answer"),
        pytest.param(RuntimeError("secret detail"), 500, id="a bug"),
    ],
)
async def test_a_call_that_fails_before_the_answer(story: Story, failure: Exception, status: int) -> None:
    """The caller gets a problem with the code, and nothing of a bug's text."""
    story.world.upstream.will_reply(failure)
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (status, b"broker") == (got.status, got.headers[b"keyturn-source"])
    assert b"secret detail" not in got.body


async def test_another_path_is_no_door(story: Story) -> None:
    """The data plane answers for its own doors."""
    got = await call(story.app, "GET", "/v1/else")

    assert (404, "not_found") == (got.status, got.problem["code"])


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        pytest.param(["call", "connect"], "https://k.test/c/link", id="a key that may make links"),
        pytest.param(["call"], "http://127.0.0.1:8800/v1/connections/{id}/reconnect", id="one that may not"),
    ],
)
async def test_a_token_that_has_ended(scopes: list[str], expected: str) -> None:
    """The problem says where the person mends it: a link for keys that may make one, else the address to ask."""
    story = await begin(refresh="strategy: refresh_only", expires_in=60)
    asked = []

    async def link(connection_id: str) -> str:
        asked.append(connection_id)
        return "https://k.test/c/link"

    story.app = DataPlane(story.world.application, reconnect_link=link)
    story.world.clock.advance(61)
    story.world.egress.will_reply(error("invalid_grant"))
    got = await call(story.app, "GET", f"{story.path}/x", key=await api_key(story, *scopes))

    assert (409, "connection_needs_reconnect") == (got.status, got.problem["code"])
    assert expected.format(id=story.connection_id) == got.problem["next_action"]["url"]
    assert ([story.connection_id] if "connect" in scopes else []) == asked


async def test_no_api_is_asked_to_echo_the_token(story: Story) -> None:
    """TRACE hands the request back as it was received, the token with it; its neighbour OPTIONS does not."""
    story.world.upstream.will_reply(OK)
    refused = await call(story.app, "TRACE", f"{story.path}/me")
    asked = await call(story.app, "OPTIONS", f"{story.path}/me")

    assert (405, "method_not_allowed") == (refused.status, refused.problem["code"])
    assert b"OPTIONS" in refused.headers[b"allow"]
    assert b"TRACE" not in refused.headers[b"allow"]
    assert 200 == asked.status
    assert [b"OPTIONS"] == [each.request.method for each in story.sent]
