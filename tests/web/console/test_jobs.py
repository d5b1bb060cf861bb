"""Jobs at the console: how far they are, live and by reload, and what can be done about them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.access.roles import Role
from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.engine.keys.rewrap import KIND as REWRAP
from keyturn.engine.webhooks.deliver import KIND as DELIVER
from keyturn.ports.jobs import Job, JobState
from keyturn.web.console.job_words import KINDS
from keyturn.web.console.pages.jobs import course_of
from tests.engine.story import read
from tests.web.console.seen import fill
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

FAILED = {"failed": [{"connection": "cxn_lost", "code": "grant_lost"}], "left_off": 0}


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    return visitor


async def job(visitor: Visitor, action: BulkAction = BulkAction.TEST, **changes: Any) -> Job:
    """A job that stands as is said."""
    application, now = visitor.world.application, visitor.world.clock.now()
    made = await application.bulk_jobs.create(BulkOrder(action, "acme"), Actor("operator"))
    times = {"started_at": now - 10, "total": 10, "done": 4, "failures": {"grant_lost": 1}, "report": FAILED}
    return await visitor.world.stores.jobs.save(replace(made, **{**times, **changes}))


async def test_how_far_it_is(visitor: Visitor) -> None:
    """Bar, rate, time left and failures with what to do; the script only where there is something to follow."""
    running = await job(visitor, state=JobState.RUNNING)
    over = await job(visitor, state=JobState.DONE, ended_at=visitor.world.clock.now(), done=9)
    one = (await visitor.get(f"/jobs/{running.id}")).text
    ended = (await visitor.get(f"/jobs/{over.id}")).text
    listed = (await visitor.get("/jobs")).text

    assert '<progress id="bar" max="100" value="50"' in one
    assert "about 10 s left" in one
    assert "0.5 a second" in one
    assert "<code>grant_lost</code>" in one
    assert ("live.js" in one, "live.js" in ended) == (True, False)
    assert "done</span>, in part" in ended
    assert (f"/jobs/{running.id}" in listed, f"/jobs/{over.id}" in listed) == (True, True)


async def test_the_stream_tells_the_same(visitor: Visitor) -> None:
    """Of one that has ended: its figures once, then that it is over."""
    over = await job(visitor, state=JobState.DONE, ended_at=visitor.world.clock.now())
    answer = await visitor.get(f"/jobs/{over.id}/live")
    data = answer.text.partition("data: ")[2].partition("\n")[0]

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert ("done", "4", "1", 50) == tuple(json.loads(data)[each] for each in ("state", "done", "failed", "share"))
    assert "event: over" in answer.text


async def test_a_stream_ends_by_itself(visitor: Visitor) -> None:
    """Its browser asks again: nobody follows for longer than a sign-in lasts."""
    running = await job(visitor, state=JobState.RUNNING)
    following = asyncio.create_task(visitor.get(f"/jobs/{running.id}/live"))
    for _ in range(200):
        await asyncio.sleep(0)
        visitor.world.clock.advance(0.5)
        if following.done():
            break
    answer = await asyncio.wait_for(following, 5)

    assert 200 == answer.status_code
    assert "event: over" not in answer.text


async def test_cancelling_and_doing_again(visitor: Visitor) -> None:
    """A waiting one is ended; what failed becomes another job for exactly these."""
    waiting = await job(visitor, started_at=None, done=0, failures={}, report={})
    over = await job(visitor, state=JobState.DONE, ended_at=visitor.world.clock.now())
    await visitor.get(f"/jobs/{waiting.id}")
    await visitor.post(f"/jobs/{waiting.id}/cancel")
    again = await visitor.post(f"/jobs/{over.id}/retry")
    nothing = await visitor.post(f"/jobs/{waiting.id}/retry")
    made = await visitor.world.stores.jobs.load(again.headers["location"].split("/")[2].partition("?")[0])
    ended = await visitor.world.stores.jobs.load(waiting.id)

    assert made is not None
    assert ("cxn_lost",) == BulkOrder.of(made).ids
    assert ended is not None
    assert JobState.CANCELLED is ended.state
    assert "said=nothing_to_retry" in nothing.headers["location"]


async def test_as_many_are_done_again_as_the_report_names(visitor: Visitor) -> None:
    """The button promises no more than that."""
    named = await job(visitor, state=JobState.DONE)
    cut = await job(visitor, state=JobState.DONE, failures={"grant_lost": 1200})

    assert "Do the 1 that failed again" in (await visitor.get(f"/jobs/{named.id}")).text
    assert "Do 1 of the 1200 that failed again" in (await visitor.get(f"/jobs/{cut.id}")).text


async def test_what_nobody_asked_for_is_ended_by_an_administrator(visitor: Visitor) -> None:
    """An operator has nothing to do with webhooks, nor with their deliveries."""
    now, jobs = visitor.world.clock.now(), visitor.world.stores.jobs
    made = await jobs.add(Job("job_delivery", DELIVER, now, now))
    await visitor.get(f"/jobs/{made.id}")
    refused = await visitor.post(f"/jobs/{made.id}/cancel")
    after = await jobs.load(made.id)

    assert 403 == refused.status_code
    assert after is not None
    assert JobState.QUEUED is after.state


async def test_a_kind_without_a_job(visitor: Visitor) -> None:
    """That there is none is said of what was asked for."""
    of_kind = (await visitor.get("/jobs?kind=audit.verify")).text
    of_state = (await visitor.get("/jobs?kind=audit.verify&state=failed")).text

    assert "There is no job of this kind." in of_kind
    assert "No job of this kind is failed." in of_state
    assert 'href="/jobs?kind=audit.verify"' in of_state.partition("is failed.")[2]


async def test_links_that_a_job_made_are_shown_when_asked_for(visitor: Visitor) -> None:
    """Not on the page of the job itself."""
    link = await visitor.world.application.connect_sessions.reconnect_link("cxn_lost", Actor("operator"))
    report = {"failed": [], "left_off": 0, "sessions": [{"connection": "cxn_lost", "session": link.session.id}]}
    over = await job(visitor, BulkAction.RECONNECT_LINKS, state=JobState.DONE, failures={}, report=report)
    before = await visitor.get(f"/jobs/{over.id}")
    shown = await visitor.post(f"/jobs/{over.id}/links")

    assert f"{ORIGIN}/c/" not in before.text
    assert f'<code class="whole">{ORIGIN}/c/' in shown.text


async def test_links_are_handed_over_as_a_file(visitor: Visitor) -> None:
    """With whom each is for, and no formula; a link that leads nowhere any more is in none."""
    sessions = visitor.world.application.connect_sessions
    links = [await sessions.reconnect_link(f"cxn_{each}", Actor("operator")) for each in ("lost", "uncertain", "well")]
    stored = await visitor.world.stores.sessions.load(links[1].session.id)
    assert stored is not None
    await visitor.world.stores.sessions.save(replace(stored, state="claimed"))
    lost = await read(visitor.world, "cxn_lost")
    await visitor.world.stores.connections.save(replace(lost, name='=HYPERLINK("x")'))
    made = [{"connection": each.session.reconnects, "session": each.session.id} for each in links]
    over = await job(visitor, BulkAction.RECONNECT_LINKS, state=JobState.DONE, failures={}, report={"sessions": made})
    await visitor.get(f"/jobs/{over.id}")
    table = await visitor.post(f"/jobs/{over.id}/links")
    csv = await visitor.post(f"/jobs/{over.id}/links", {"as": "csv"})
    ndjson = await visitor.post(f"/jobs/{over.id}/links", {"as": "ndjson"})
    head, first, second = csv.text.splitlines()
    rows = [json.loads(line) for line in ndjson.text.splitlines()]

    assert "owner,name,connector,connection,url,expires_at" == head
    assert first.startswith(f'owner-1,"\'=HYPERLINK(""x"")",acme,cxn_lost,{ORIGIN}/c/')
    assert second.startswith(f"owner-0,well's account,acme,cxn_well,{ORIGIN}/c/")
    assert ["cxn_lost", "cxn_well"] == [each["connection"] for each in rows]
    assert '=HYPERLINK("x")' == rows[0]["name"]
    assert f'attachment; filename="reconnect-links-{over.id}.csv"' == csv.headers["content-disposition"]
    assert "no-store" == csv.headers["cache-control"]
    assert "owner-1" in table.text
    assert "opened, or too old" in table.text


async def test_no_job_yet() -> None:
    """The page says where one comes from; an unknown state is refused."""
    visitor = make_visitor()
    await visitor.sign_in(Role.VIEWER)

    assert "Nobody has asked for one yet" in (await visitor.get("/jobs")).text
    assert "No job is running" in (await visitor.get("/jobs?state=running")).text
    assert 422 == (await visitor.get("/jobs?state=x")).status_code


def test_the_course_of_a_job_that_waits() -> None:
    """Nothing is guessed where nothing has happened."""
    course = course_of(Job("job_1", "connection.bulk", 0.0, 0.0), 10.0)

    assert (None, "", "") == (course.share, course.left, course.rate)


@pytest.mark.parametrize(
    ("order", "heading"),
    [
        pytest.param(BulkOrder(BulkAction.TEST, "acme"), "Test: connections of acme", id="a connector's"),
        pytest.param(BulkOrder(BulkAction.RENEW), "Renew: all connections", id="all"),
        pytest.param(BulkOrder(BulkAction.PAUSE, ids=("cxn_1",)), "Pause: 1 picked connection", id="picked"),
        pytest.param(
            BulkOrder(BulkAction.RECONNECT_LINKS, "acme", state="needs_reconnect", reason="grant_lost"),
            "Make reconnect links for: connections of acme needing a reconnect because of grant_lost",
            id="by state and reason",
        ),
        pytest.param(
            BulkOrder(BulkAction.PAUSE, error="provider_timeout", attention=True),
            "Pause: connections with provider_timeout that need attention",
            id="by what is wrong",
        ),
        pytest.param(
            BulkOrder(BulkAction.RENEW, "acme", ends_before=1_893_456_000.0, renews_before=1_893_459_660.0),
            "Renew: connections of acme that end before 2030-01-01 00:00 UTC"
            " whose renewal is due before 2030-01-01 01:01 UTC",
            id="by time",
        ),
    ],
)
async def test_the_heading_says_of_what(visitor: Visitor, order: BulkOrder, heading: str) -> None:
    """On its page and in the list."""
    made = await visitor.world.application.bulk_jobs.create(order, Actor("operator"))
    one, listed = (await visitor.get(f"/jobs/{made.id}")).text, (await visitor.get("/jobs")).text

    assert f"<h1>{heading}</h1>" in one
    assert f">{heading}</a>" in listed


async def test_an_ended_job_is_not_said_to_be_queued(visitor: Visitor) -> None:
    """The word of the form that asked for it goes with its end."""
    waiting = await visitor.world.application.bulk_jobs.create(BulkOrder(BulkAction.TEST), Actor("operator"))
    over = await job(visitor, state=JobState.DONE, ended_at=visitor.world.clock.now())

    assert "it begins within a second or two" in (await visitor.get(f"/jobs/{waiting.id}?said=queued")).text
    assert 'class="done"' not in (await visitor.get(f"/jobs/{over.id}?said=queued")).text


async def test_every_kind_has_words(visitor: Visitor) -> None:
    """So that a list of all of them can be read, and asked for by kind."""
    application = visitor.world.application
    kinds = application.run_jobs.kinds | application.run_deliveries.kinds
    answer = await visitor.get("/jobs?kind=webhook.deliver")

    assert frozenset() == kinds - set(KINDS)
    assert 200 == answer.status_code
    assert 422 == (await visitor.get("/jobs?kind=made.up")).status_code


async def test_who_asked_is_named(visitor: Visitor) -> None:
    """With a link for those who may open it; a record's own word stands in the title."""
    people = visitor.world.application.people
    ada = await people.create("Ada", Role.OPERATOR, Actor("operator"))
    made = await job(visitor, created_by=f"person:{ada.id}")
    seen_by_operator = (await visitor.get(f"/jobs/{made.id}")).text
    await visitor.sign_in(Role.ADMIN)
    seen_by_admin = (await visitor.get(f"/jobs/{made.id}")).text

    assert f'<span title="person:{ada.id}">Ada</span>' in seen_by_operator
    assert f'<a href="/people/{ada.id}" title="person:{ada.id}">Ada</a>' in seen_by_admin


async def test_a_reseal_is_stopped_and_gone_on_with(visitor: Visitor) -> None:
    """By who may begin one; what is left stays readable, and the page leads to where it goes on."""
    jobs = visitor.world.stores.jobs
    now = visitor.world.clock.now()
    made = await jobs.add(Job("job_rewrap", REWRAP, now, now, arguments={"key": "key-b"}, created_by="operator"))
    page = (await visitor.get(f"/jobs/{made.id}")).text
    refused = await visitor.post(f"/jobs/{made.id}/cancel")
    await visitor.sign_in(Role.ADMIN)
    button = (await visitor.get(f"/jobs/{made.id}")).text
    stopped = await visitor.post(f"/jobs/{made.id}/cancel")
    after = (await visitor.get(f"/jobs/{made.id}")).text

    assert "Stop for now" not in page
    assert (403, 303) == (refused.status_code, stopped.status_code)
    assert "Stop for now" in button
    assert "Go on with what is left" in after
    assert "/keys/key-b/rotate" in after
