"""Calling the API from the console: shown as it will be sent, sent, and its answer shown as data."""

from __future__ import annotations

import gzip
from html import unescape

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.errors import ProviderUnreachable
from keyturn.engine.actor import Actor
from keyturn.web.console.pages.connections.call import past_calls, visible
from tests.engine.story import log_in, publish
from tests.fakes.egress import UpstreamReply
from tests.web.console.seen import without_secrets
from tests.web.console.visiting import Visitor, make_visitor

MORE = """
request:
  base_url: "https://api.acme.example/v2"
  headers: {Authorization: "Bearer {{ access_token }}", X-Trace: "keyturn"}
  query: {key: "{{ access_token }}"}
  body: {tenant: "t-1"}
"""
JSON = ((b"content-type", b"application/json"),)


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await publish(visitor.world, more=MORE)
    await log_in(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    await visitor.get(page(visitor))
    return visitor


def page(visitor: Visitor) -> str:
    """The page of the one connection."""
    return f"/connections/{next(iter(visitor.world.stores.connections.rows))}/console"


def typed(do: str = "send", **values: str) -> dict[str, str]:
    """What is sent by the form."""
    return {"do": do, "method": "GET", "path": "/me?x=1", "base_url": "", "headers": "", "body": "", **values}


async def test_the_request_is_shown_as_it_will_be_sent(visitor: Visitor) -> None:
    """Added parts are marked, secrets masked by their name, what isn't sent is named; nothing goes out."""
    headers = "Accept: text/plain\nCookie: a=b\nx-trace: mine"
    shown = await visitor.post(page(visitor), typed("show", headers=headers))

    assert "https://api.acme.example/v2/me?x=1&amp;key=‹access_token›" in shown.text
    assert "<ins>authorization: Bearer ‹access_token›</ins>" in shown.text
    assert "accept: text/plain\n" in shown.text
    assert "x-trace: mine" in shown.text
    assert "Not sent: <code>Cookie</code>" in shown.text
    assert "access-1" not in shown.text
    assert [] == visitor.world.upstream.sent


async def test_what_was_shown_is_what_is_sent(visitor: Visitor) -> None:
    """The same target, headers and body, with the secrets in their places."""
    visitor.world.upstream.will_reply(UpstreamReply(200, JSON, (b'{"id": 42}',)))
    answer = await visitor.post(page(visitor), typed(headers="Accept: text/plain"))
    sent = visitor.world.upstream.sent[0].request

    assert (b"GET", "api.acme.example", b"/v2/me?x=1&key=access-1") == (sent.method, sent.host, sent.target)
    assert f"/connections/{sent.connection_id}/console" == page(visitor)
    assert (b"authorization", b"Bearer access-1") in sent.headers
    assert (b"accept", b"text/plain") in sent.headers
    assert "200</b> in " in answer.text
    assert "&#34;id&#34;: 42" in answer.text
    assert "keyturn call " in answer.text
    assert "$KEYTURN_API_KEY" in answer.text


async def test_an_answer_that_repeats_the_token_is_covered(visitor: Visitor) -> None:
    """In its headers and its body, encoded or not; cookies are not shown."""
    visitor.world.upstream.will_reply(
        UpstreamReply(200, ((b"x-echo", b"Bearer access-1"), (b"set-cookie", b"s=1")), (b"key=access%2D1 access-1",))
    )
    answer = await visitor.post(page(visitor), typed())

    assert "access-1" not in answer.text
    assert "access%2D1" not in answer.text
    assert "‹secret›" in answer.text
    assert "s=1" not in answer.text


async def test_an_answer_is_text(visitor: Visitor) -> None:
    """Markup is escaped, control characters have pictures, gzip is undone, and what is too long is cut."""
    visitor.world.upstream.will_reply(
        UpstreamReply(500, (), (b"<script>x</script>\x1b[31m",)),
        UpstreamReply(200, ((b"content-encoding", b"gzip"),), (gzip.compress(b"plain words"),)),
        UpstreamReply(200, (), (b"a" * 200_000, b"b" * 200_000)),
    )
    markup, packed, long = [(await visitor.post(page(visitor), typed())).text for _ in range(3)]

    assert "&lt;script&gt;x&lt;/script&gt;␛[31m" in markup
    assert "<script>x" not in markup
    assert "plain words" in packed
    assert "only the first 256 kB are shown" in long
    assert "b" * 62_144 + "</code>" in long


async def test_other_methods_are_asked_about_once(visitor: Visitor) -> None:
    """The first POST of a sign-in is not sent until it is agreed to; the next one is."""
    visitor.world.upstream.will_reply(UpstreamReply(201), UpstreamReply(201))
    values = typed(method="POST", path="/notes", body='{"text": "hi"}')
    asked = await visitor.post(page(visitor), values)
    sent_before = len(visitor.world.upstream.sent)
    agreed = await visitor.post(page(visitor), {**values, "agreed": "yes"})
    again = await visitor.post(page(visitor), values)
    sent = visitor.world.upstream.sent

    assert "POST may change something" in asked.text
    assert 0 == sent_before
    assert ("201</b>" in agreed.text, "201</b>" in again.text) == (True, True)
    assert [b'{"text":"hi","tenant":"t-1"}'.replace(b'"text":"hi"', b'"text":"hi"')] * 2 == [
        each.body.replace(b" ", b"") for each in sent
    ]
    assert (b"content-type", b"application/json") in sent[0].request.headers
    assert "parameters are merged" in asked.text


async def test_another_browser_has_not_agreed(visitor: Visitor) -> None:
    """What one browser agreed to is nothing to another, whatever cookie it sends."""
    values = typed(method="DELETE", path="/notes/1")
    visitor.world.upstream.will_reply(UpstreamReply(204))
    await visitor.post(page(visitor), {**values, "agreed": "yes"})
    stolen = visitor.client.cookies["keyturn-console-sends"]
    other = make_visitor(visitor.world)
    await other.sign_in(Role.OPERATOR)
    await other.get(page(visitor))
    other.client.cookies.set("keyturn-console-sends", stolen, domain="127.0.0.1", path="/")
    asked = await other.post(page(visitor), values)

    assert "DELETE may change something" in asked.text
    assert 1 == len(visitor.world.upstream.sent)


@pytest.mark.parametrize(
    ("values", "status", "text"),
    [
        pytest.param({"path": "me"}, 422, "begins with a slash", id="no path"),
        pytest.param({"method": "TRACE"}, 422, "The methods are", id="a method that echoes"),
        pytest.param({"headers": "no header"}, 422, "Line 1 is no header", id="no header"),
        pytest.param({"body": "x"}, 422, "GET has no body", id="a body where none can be"),
        pytest.param({"base_url": "https://evil.example"}, 403, "not_covered", id="another host"),
        pytest.param({"path": "/../../x"}, 403, "dot_segment", id="out of the base"),
    ],
)
async def test_what_can_not_be_sent(visitor: Visitor, values: dict[str, str], status: int, text: str) -> None:
    """It is told at once, with what was typed still there, and nothing goes out."""
    answer = await visitor.post(page(visitor), typed(**values))

    assert status == answer.status_code
    assert text in answer.text
    assert [] == visitor.world.upstream.sent


async def test_whose_answer_it_is(visitor: Visitor) -> None:
    """A refusal of the broker's is told from one of the provider's; the log names who called, and no path."""
    visitor.world.upstream.will_reply(ProviderUnreachable(), UpstreamReply(403, (), (b"no",)))
    broker = await visitor.post(page(visitor), typed())
    provider = await visitor.post(page(visitor), typed())
    records = [each for each in visitor.world.stores.database.records if each.action == "connection.called"]

    assert "<code>provider_unreachable</code>" in broker.text
    assert "No answer came from the provider" in broker.text
    assert "403</b> in " in provider.text
    assert ["provider_unreachable", "ok"] == [each.outcome for each in records]
    assert {"method": "GET", "status": 403} == records[1].facts
    assert all(each.actor.startswith("person:") for each in records)
    without_secrets(broker.text, provider.text)


def test_visible() -> None:
    """Every control character is seen; lines and tabs stay what they are."""
    assert "a\tb\n␀␡\\u202e ü" == visible("a\tb\r\n\x00\x7f\u202e ü")


async def test_what_was_sent_on_this_visit_can_be_taken_up_again(visitor: Visitor) -> None:
    """Method and path alone, carried by the form and kept nowhere; nothing goes out by taking one up."""
    visitor.world.upstream.will_reply(UpstreamReply(200, JSON, (b"{}",)), UpstreamReply(404, JSON, (b"{}",)))
    first = await visitor.post(page(visitor), typed(path="/first"))
    past = unescape(first.text.partition('name="past" value="')[2].partition('"')[0])
    second = await visitor.post(page(visitor), typed(path="/second?x=1") | {"past": past})
    past = unescape(second.text.partition('name="past" value="')[2].partition('"')[0])
    again = await visitor.post(
        page(visitor), typed("", path="/other", headers="x-mine: 1") | {"past": past, "again": "1"}
    )

    assert "200 GET /first" == past.splitlines()[1]
    assert "404 GET /second?x=1" == past.splitlines()[0]
    assert 'name="path" value="/first"' in again.text
    assert "x-mine: 1" in again.text
    for taken in ("2", "-1", "9" * 5000, "x"):
        none = await visitor.post(page(visitor), typed("", path="/other") | {"past": past, "again": taken})
        assert (200, True) == (none.status_code, 'name="path" value="/other"' in none.text)
    assert 2 == len(visitor.world.upstream.sent)
    assert "/first" not in (await visitor.get(page(visitor))).text


@pytest.mark.parametrize("past", ["", "x", "200 GET", "abc GET /a", "200 TELL /a", "200 GET /a\x1b", "99999 GET /a"])
async def test_what_is_no_call_of_before_is_passed_over(past: str) -> None:
    """A form may carry anything."""
    assert [] == past_calls(past)


async def test_paths_are_those_that_the_connector_speaks_of(visitor: Visitor) -> None:
    """Of the allowed URLs and of the test, up to what is left open."""
    shown = await visitor.get(page(visitor))

    assert '<datalist id="paths"><option value="/' in shown.text


async def test_what_takes_no_calls_can_send_none(visitor: Visitor) -> None:
    """The button is off and says why; what would be sent can still be seen."""
    one = next(iter(visitor.world.stores.connections.rows))
    before = await visitor.get(page(visitor))
    await visitor.world.application.pause(one, Actor("operator"), paused=True)
    paused = await visitor.get(page(visitor))

    assert '<button name="do" value="send">' in before.text
    assert '<button name="do" value="send" disabled aria-describedby="refused">' in paused.text
    assert '<p class="danger-note" id="refused">' in paused.text
    assert '<button name="do" value="show" class="plain">' in paused.text
