"""An answer that says that the token is no longer good: one renewal, one replay, then it is about rights."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.errors import ProviderTimeout
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.web.dataplane.call import CutOff
from tests.engine.story import ACTOR, bodies, error, me, token
from tests.fakes.egress import UpstreamReply
from tests.web.dataplane.asgi_caller import Exchange, call
from tests.web.dataplane.story import OK, REFUSED, Story, begin

BODY_RULE = "stale_when: {status: [200, 401], body: \"error == 'expired'\"}"
HEADER_RULE = "stale_when: {status: [403], header: {x-error: expired}}"
BEARER_1, BEARER_2 = (b"authorization", b"Bearer access-1"), (b"authorization", b"Bearer access-2")


def fresh(story: Story, n: int = 2) -> Answer:
    """The answer of a renewal that went well, received now."""
    return token(n, at=story.world.clock.now())


def stale_json(**headers: str) -> UpstreamReply:
    """A 200 whose JSON says that the token has expired."""
    body = b'{"error": "expired"}'
    named = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    return UpstreamReply(200, tuple((k.encode(), v.encode()) for k, v in named.items() if v), (body,))


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_any_method_is_sent_again_after_401(story: Story, method: str) -> None:
    """The token is renewed once and the call goes out again with its body; the caller sees one good answer."""
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(REFUSED, OK)
    got = await call(story.app, method, f"{story.path}/x", body=b"held")
    first, second = story.sent

    assert (200, b"{}") == (got.status, got.body)
    assert (b"held", b"held") == (first.body, second.body)
    assert BEARER_1 in first.request.headers
    assert BEARER_2 in second.request.headers
    assert story.world.upstream.answers[0].closed


async def test_many_callers_cause_one_renewal(story: Story) -> None:
    """All that find the token stale go on with the one result (I3)."""
    many = 20
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(*[REFUSED] * many, *[OK] * many)
    got = await asyncio.gather(*(call(story.app, "GET", f"{story.path}/x") for _ in range(many)))

    assert [200] * many == [each.status for each in got]
    assert 1 == len([body for body in bodies(story.world) if "grant_type=refresh_token" in body])


async def test_many_callers_at_an_expired_token_read_it_once(story: Story) -> None:
    """One renewal, and after it one look into the store, however many wait."""
    story.world.clock.advance(3601)
    opened = []
    store = story.world.stores.connections
    real = store.open

    async def counted(connection_id: str, *, project: str = "default"):  # type: ignore[no-untyped-def]
        opened.append(connection_id)
        return await real(connection_id, project=project)

    store.open = counted  # type: ignore[method-assign]
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(*[OK] * 50)
    got = await asyncio.gather(*(call(story.app, "GET", f"{story.path}/x") for _ in range(50)))

    assert {200} == {each.status for each in got}
    assert len(opened) <= 4  # the route, the renewal's own, and the route again


async def test_a_refusal_that_a_renewal_does_not_cure_is_about_rights(story: Story) -> None:
    """It is handed on; for a minute, then two, no call of this method and base renews because of it (L1)."""
    upstream, egress = story.world.upstream, story.world.egress
    renewed = 1
    for minutes in (1, 2, 4, 8, 15, 15):
        renewed += 1
        egress.will_reply(fresh(story, renewed))
        upstream.will_reply(REFUSED, REFUSED)
        first = await call(story.app, "GET", f"{story.path}/admin")
        upstream.will_reply(OK, REFUSED)
        await call(story.app, "GET", f"{story.path}/x")
        second = await call(story.app, "GET", f"{story.path}/admin")
        story.world.clock.advance(minutes * 60 - 1)
        upstream.will_reply(REFUSED)
        third = await call(story.app, "GET", f"{story.path}/admin")
        story.world.clock.advance(1)

        assert (401, b"no") == (first.status, first.body)
        assert (401, 401) == (second.status, third.status)
    assert renewed == len(bodies(story.world))


async def test_a_cure_begins_the_count_anew(story: Story) -> None:
    """Where a later renewal helps, the next refusal that none cures is quiet for one minute again, not for two."""
    world = story.world
    for n, second, wait_s in ((2, REFUSED, 60), (3, OK, 0), (4, REFUSED, 60), (5, REFUSED, 0)):
        world.egress.will_reply(fresh(story, n))
        world.upstream.will_reply(REFUSED, second, OK)
        await call(story.app, "GET", f"{story.path}/x")
        await call(story.app, "GET", f"{story.path}/x")
        world.clock.advance(wait_s)

    assert 5 == len(bodies(world))


async def test_refusals_side_by_side_count_once(story: Story) -> None:
    """Ten calls that one renewal did not cure are one reason to be quiet, not ten."""
    story.world.egress.will_reply(fresh(story, 2), fresh(story, 3))
    story.world.upstream.will_reply(*[REFUSED] * 22)
    await asyncio.gather(*(call(story.app, "GET", f"{story.path}/admin") for _ in range(10)))
    story.world.clock.advance(60)
    await call(story.app, "GET", f"{story.path}/admin")

    assert 3 == len(bodies(story.world))


async def test_another_method_is_judged_apart(story: Story) -> None:
    """What GET may not do says nothing of POST."""
    story.world.egress.will_reply(fresh(story, 2), fresh(story, 3))
    story.world.upstream.will_reply(REFUSED, REFUSED, OK, REFUSED, OK)
    await call(story.app, "GET", f"{story.path}/admin")
    await call(story.app, "GET", f"{story.path}/x")
    got = await call(story.app, "POST", f"{story.path}/x")

    assert 200 == got.status


@pytest.mark.parametrize(
    ("age_s", "status"), [pytest.param(59, 401, id="younger than a minute"), pytest.param(60, 200, id="a minute old")]
)
async def test_a_young_token_that_never_worked(age_s: float, status: int) -> None:
    """A provider that hands out tokens its API refuses is not asked for ever more of them."""
    story = await begin()
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    story.world.stores.connections.rows[story.connection_id] = (replace(row, worked_generation=None), secrets)
    story.world.clock.advance(age_s)
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(REFUSED, OK)
    got = await call(story.app, "GET", f"{story.path}/x")

    assert status == got.status


@pytest.mark.parametrize(
    ("length", "sent"), [pytest.param(65_536, 2, id="held"), pytest.param(65_537, 1, id="one byte too many")]
)
async def test_only_what_was_held_is_sent_again(story: Story, length: int, sent: int) -> None:
    """A larger body went through without stopping: the token is renewed, and the refusal handed on."""
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(REFUSED, *[OK] * (sent - 1))
    got = await call(story.app, "PUT", f"{story.path}/x", body=b"a" * length)

    assert (sent, 200 if sent == 2 else 401) == (len(story.sent), got.status)
    assert 2 == len(bodies(story.world))


async def test_a_body_of_unknown_length_is_not_held(story: Story) -> None:
    """It streams through in chunks, and the refusal is handed on."""
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(REFUSED)
    chunked = [(b"transfer-encoding", b"chunked")]
    got = await Exchange(story.app, "POST", f"{story.path}/x", chunked, [b"a", b"b"]).done()

    assert (401, b"ab") == (got.status, story.sent[0].body)
    assert (None, True) == (story.sent[0].request.content_length, story.sent[0].request.has_body)


@pytest.mark.parametrize(
    ("method", "sent"),
    [("GET", 2), ("HEAD", 2), ("PUT", 2), ("DELETE", 2), ("OPTIONS", 2), ("POST", 1), ("PATCH", 1)],
)
async def test_another_rule_repeats_only_what_may_be_done_twice(method: str, sent: int) -> None:
    """On 401 nothing was done; a body that says so may come after the deed."""
    story = await begin(more=BODY_RULE)
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(stale_json(), *[OK] * (sent - 1))
    got = await call(story.app, method, f"{story.path}/x")

    assert (sent, 200) == (len(story.sent), got.status)
    assert (b"{}" if sent == 2 else b'{"error": "expired"}') == got.body


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        pytest.param({}, 2, id="JSON"),
        pytest.param({"content-type": "application/problem+json; charset=utf-8"}, 2, id="a kind of JSON"),
        pytest.param({"content-type": "text/html"}, 1, id="no JSON"),
        pytest.param({"content-encoding": "br"}, 1, id="compressed in a way that is not read"),
    ],
)
async def test_what_a_body_rule_reads(headers: dict[str, str], sent: int) -> None:
    """JSON alone is read; everything else passes."""
    story = await begin(more=BODY_RULE)
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(stale_json(**headers), *[OK] * (sent - 1))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert sent == len(story.sent)
    assert 200 == got.status


@pytest.mark.parametrize(
    ("size", "sent"), [pytest.param(65_536, 2, id="as long as is read"), pytest.param(65_537, 1, id="a byte longer")]
)
async def test_how_much_a_body_rule_reads(size: int, sent: int) -> None:
    """Also of a body that is here already no more than 64 KiB is looked at."""
    story = await begin(more=BODY_RULE)
    story.world.egress.will_reply(fresh(story))
    body = b'{"error": "expired"}'.ljust(size)
    headers = ((b"content-type", b"application/json"), (b"content-length", str(size).encode()))
    story.world.upstream.will_reply(UpstreamReply(200, headers, (body,)), *[OK] * (sent - 1))
    await call(story.app, "GET", f"{story.path}/x")

    assert sent == len(story.sent)


@pytest.mark.parametrize(
    ("stated", "sent"),
    [pytest.param("20", 2, id="short"), pytest.param("65537", 1, id="too long"), pytest.param("", 1, id="not stated")],
)
async def test_a_body_rule_reads_known_lengths_only(stated: str, sent: int) -> None:
    """A body that still streams is read where it says that it is short."""
    story = await begin(more=BODY_RULE)
    story.world.egress.will_reply(fresh(story))
    streamed = stale_json(**{"content-length": stated})
    reply = UpstreamReply(200, streamed.headers, (b'{"error": ', b'"expired"}'))
    story.world.upstream.will_reply(reply, *[OK] * (sent - 1))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert sent == len(story.sent)
    assert (b"{}" if sent == 2 else b'{"error": "expired"}') == got.body


async def test_a_body_that_was_read_is_handed_on(story: Story) -> None:
    """Reading it for a rule takes nothing from the caller."""
    story = await begin(more=BODY_RULE)
    headers = ((b"content-type", b"application/json"), (b"content-length", b"10"))
    story.world.upstream.will_reply(UpstreamReply(200, headers, (b'{"a": ', b'"b"}')))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (b'{"a": "b"}', 1) == (got.body, len(story.sent))


@pytest.mark.parametrize(("value", "sent"), [("token expired", 2), ("forbidden", 1)])
async def test_a_header_rule(value: str, sent: int) -> None:
    """Headers tell without a look into the body."""
    story = await begin(more=HEADER_RULE)
    story.world.egress.will_reply(fresh(story))
    refused = UpstreamReply(403, ((b"x-error", value.encode()),), (b"a", b"b"))
    story.world.upstream.will_reply(refused, *[OK] * (sent - 1))
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (sent, 200 if sent == 2 else 403) == (len(story.sent), got.status)


async def test_a_renewal_that_fails_is_what_the_caller_is_told(story: Story) -> None:
    """A refusal with a reason that helps beats the API's bare 401."""
    story.world.egress.will_reply(error("invalid_grant"))
    story.world.upstream.will_reply(REFUSED)
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (409, "connection_needs_reconnect") == (got.status, got.problem["code"])
    assert story.world.upstream.answers[0].closed


async def test_a_token_that_cannot_be_renewed_is_proved_once() -> None:
    """Before the last token is given up the test call is asked, once for all that wait; it passes: rights."""
    story = await begin(more="", refresh="strategy: refresh_only")
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    row = replace(row, refreshable=False)
    story.world.stores.connections.rows[story.connection_id] = (row, secrets)
    story.world.egress.will_reply(me())
    story.world.upstream.will_reply(*[REFUSED] * 10)
    before = len(story.world.egress.requests)
    got = await asyncio.gather(*(call(story.app, "GET", f"{story.path}/x") for _ in range(10)))

    assert {401} == {each.status for each in got}
    assert before + 1 == len(story.world.egress.requests)


async def test_an_answer_that_breaks_off_is_cut(story: Story) -> None:
    """After the head only a broken connection can say so; the server is told by an exception."""
    story.world.upstream.will_reply(UpstreamReply(200, (), (b"some",), breaks_off=True))
    exchange = Exchange(story.app, "GET", f"{story.path}/x")
    with pytest.raises(CutOff):
        await exchange.done()

    assert (b"some", False) == (exchange.body, exchange.complete)
    assert story.world.upstream.answers[0].closed
    assert 1 == story.app.counts.count("acme", "cut_off")


async def test_a_caller_that_hangs_up_does_not_end_the_renewal(story: Story) -> None:
    """Others wait for it, and the provider may have rotated (I5)."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await go_on.wait()
        return fresh(story)

    story.world.clock.advance(3601)
    story.world.egress.will_reply(slowly)
    exchange = Exchange(story.app, "GET", f"{story.path}/x")
    await asked.wait()
    exchange.hang_up()
    await exchange.done()
    go_on.set()
    await story.world.application.renewals.drain(5)
    row, _ = story.world.stores.connections.rows[story.connection_id]

    assert [] == exchange.messages
    assert 2 == row.generation
    assert 1 == story.app.counts.count("none", "caller_gone")


async def test_the_replay_of_a_paused_connection_is_refused(story: Story) -> None:
    """A call that waits for a token when the pause commits never goes out again."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await go_on.wait()
        return fresh(story)

    story.world.egress.will_reply(slowly)
    story.world.upstream.will_reply(REFUSED)
    exchange = Exchange(story.app, "GET", f"{story.path}/x")
    await asked.wait()
    await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    await asyncio.wait_for(exchange.done(), 2)  # at once: there is nothing under way to be patient with
    go_on.set()
    await story.world.application.renewals.drain(5)

    assert (409, "connection_paused") == (exchange.status, exchange.problem["code"])
    assert 1 == len(story.sent)


async def test_the_second_call_fails(story: Story) -> None:
    """The replay's own failure is what the caller is told; there is no third."""
    story.world.egress.will_reply(fresh(story))
    story.world.upstream.will_reply(REFUSED, ProviderTimeout())
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (504, 2) == (got.status, len(story.sent))
