"""Rules by method and values for some calls, at each door: proxy, token endpoint, forward-auth, test."""

from __future__ import annotations

import json

import pytest

from tests.engine import story as engine_story
from tests.web.dataplane.asgi_caller import call
from tests.web.dataplane.story import OK, Story, begin
from tests.web.dataplane.test_forward_auth import ask, said

HOST = "https://api.acme.example"
RULES = f"""allowed_urls:
  - {{url: "{HOST}", methods: [GET, POST]}}
  - {{url: "{HOST}/items", methods: [DELETE]}}
  - {{url: "{HOST}/keys", deny: true}}
"""
CSRF = '{methods: [POST, DELETE], headers: {X-CSRF: "{{ token.csrf }}"}}'
DEEP = "{paths: [/items/*/tags], headers: {X-Mode: deep}}"
REQUEST = "request: {headers: {X-Mode: flat}, only: [%s, %s]}" % (CSRF, DEEP)  # noqa: UP031  (braces of YAML)


async def ruled(monkeypatch: pytest.MonkeyPatch, more: str = REQUEST, rules: str = RULES) -> Story:
    """A story of a connector with these rules."""
    text = engine_story.CONNECTOR.replace(f'allowed_urls: ["{HOST}"]', rules)
    assert rules in text
    monkeypatch.setattr(engine_story, "CONNECTOR", text)
    return await begin(more=more, token=", response: {keep: {csrf: expires_in}}")


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        pytest.param("GET", "/items", None, id="allowed"),
        pytest.param("DELETE", "/items/3", None, id="allowed there"),
        pytest.param("DELETE", "/users/3", "method", id="not there"),
        pytest.param("PUT", "/items", "method", id="nowhere"),
        pytest.param("GET", "/keys/3", "denied", id="denied"),
        pytest.param("GET", "/Keys;x", "denied", id="denied in any spelling"),
    ],
)
async def test_the_proxy(monkeypatch: pytest.MonkeyPatch, method: str, path: str, reason: str | None) -> None:
    """A call that no rule allows is refused with the reason, and nothing is sent."""
    story = await ruled(monkeypatch)
    story.world.upstream.will_reply(OK)
    got = await call(story.app, method, story.path + path)

    assert (200 if reason is None else 403, reason) == (got.status, json.loads(got.body).get("reason"))
    assert (0 if reason else 1) == len(story.sent)


@pytest.mark.parametrize("name", [b"x-http-method-override", b"x-method-override", b"x-http-method"])
async def test_a_method_that_overrides_is_refused(monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    """An API may take it for the method; without rules by method it is the caller's own business."""
    story = await ruled(monkeypatch)
    monkeypatch.undo()
    plain = await begin()
    plain.world.upstream.will_reply(OK)
    refused = await call(story.app, "POST", f"{story.path}/items", [(name, b"DELETE")])
    passed = await call(plain.app, "POST", f"{plain.path}/items", [(name, b"DELETE")])

    assert ((403, "method"), 200) == ((refused.status, json.loads(refused.body)["reason"]), passed.status)
    assert [] == story.sent


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", "/items", (b"flat", None), id="neither"),
        pytest.param("POST", "/items?a=b", (b"flat", b"3600"), id="by method"),
        pytest.param("GET", "/items/7/tags", (b"deep", None), id="by path, in the place of the other"),
        pytest.param("DELETE", "/items/7/tags/1", (b"deep", b"3600"), id="both"),
    ],
)
async def test_values_for_some_calls(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, expected: tuple[bytes, bytes | None]
) -> None:
    """They are put on those calls by the proxy and by forward-auth; a caller's own is taken off them, being locked."""
    story = await ruled(monkeypatch)
    story.world.upstream.will_reply(OK)
    await call(story.app, method, story.path + path, [(b"x-csrf", b"mine")])
    sent = dict(story.sent[0].request.headers)
    added = (await ask(story, said(path.encode(), method.encode()))).headers

    assert expected == (sent[b"x-mode"], None if sent.get(b"x-csrf") == b"mine" else sent.get(b"x-csrf"))
    assert expected == (added[b"x-mode"], added.get(b"x-csrf"))


async def test_forward_auth_judges_the_original_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the other proxy's client that is asked about."""
    story = await ruled(monkeypatch)
    found = [
        (await ask(story, said(uri, method))).status
        for method, uri in ((b"GET", b"/x"), (b"DELETE", b"/x"), (b"DELETE", b"/items/1"), (b"GET", b"/keys"))
    ]

    assert [204, 403, 204, 403] == found


async def test_the_token_endpoint_says_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a client that holds the token can keep to it."""
    story = await ruled(monkeypatch)
    got = json.loads((await call(story.app, "POST", f"/v1/connections/{story.connection_id}/token")).body)

    assert [
        {"url": f"{HOST}/", "methods": ["GET", "POST"], "deny": False},
        {"url": f"{HOST}/items", "methods": ["DELETE"], "deny": False},
        {"url": f"{HOST}/keys", "deny": True},
    ] == got["allowed_urls"]
    assert [
        {"methods": ["DELETE", "POST"], "paths": [], "headers": {"X-CSRF": "3600"}, "query": {}, "body": {}},
        {"methods": [], "paths": ["/items/*/tags"], "headers": {"X-Mode": "deep"}, "query": {}, "body": {}},
    ] == got["apply"]["only"]
    assert "x-csrf" in got["apply"]["locked"]


async def test_a_value_that_is_not_there_fails_only_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads go on where the answer had no value for writes."""
    story = await ruled(monkeypatch, REQUEST.replace("token.csrf", "claims.csrf"))
    story.world.upstream.will_reply(OK)
    read = await call(story.app, "GET", f"{story.path}/items")
    write = await call(story.app, "POST", f"{story.path}/items")

    assert (200, True) == (read.status, write.status >= 400)
    assert 1 == len(story.sent)


async def test_the_test_call_keeps_to_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged by its method too, and has what is put on such calls."""
    first, second = "{methods: [GET], paths: [/me], headers: {X-Seen: a}}", "{methods: [POST], headers: {X-No: b}}"
    story = await ruled(monkeypatch, f"request: {{only: [{first}, {second}]}}")
    test = story.world.egress.requests[-1]

    assert (f"{HOST}/me", "GET") == (test.url, test.method)
    assert ("X-Seen", "a") in test.headers
    assert "X-No" not in {name for name, _ in test.headers}
