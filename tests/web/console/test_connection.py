"""One connection: its head, its buttons, its timeline, its end."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import State
from keyturn.core.errors import NotFound, ProviderUnreachable
from keyturn.core.events.event import time_text
from keyturn.core.problems import PROBLEMS
from keyturn.ports.store import Use
from keyturn.web.console.pages.connections.timeline import days_of
from tests.contracts.samples import connection
from tests.engine.story import log_in, me, publish, read, token
from tests.web.console.seen import fill, kept, title, without_secrets
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

DAY = 86_400.0


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    return visitor


async def connected(visitor: Visitor) -> str:
    """The id of a connection that really was made."""
    await publish(visitor.world)
    return (await log_in(visitor.world)).connection.id


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("well", "It is renewed by itself."),
        ("lost", "The provider no longer accepts the refresh token."),
        ("paused", "Calls are refused and nothing is renewed."),
        ("uncertain", "its answer was lost"),
        ("unconfirmed", "not confirmed"),
        ("ended", "It was disconnected here."),
    ],
)
async def test_every_state_is_explained(visitor: Visitor, name: str, text: str) -> None:
    """State by glyph and word, why, and what is next; on all of its pages; and no secret."""
    pages = [
        await visitor.get(f"/connections/cxn_{name}{path}") for path in ("", "/timeline", "/console", "/disconnect")
    ]

    assert [200] * 4 == [each.status_code for each in pages]
    assert all(text in each.text and '<span class="state ' in each.text for each in pages)
    without_secrets(*(each.text for each in pages))


async def test_one_that_is_not_there(visitor: Visitor) -> None:
    """404 in words."""
    assert 404 == (await visitor.get("/connections/cxn_none")).status_code


async def test_testing_and_renewing(visitor: Visitor) -> None:
    """Each button does what REST does, names the person in the log, and comes back."""
    one = await connected(visitor)
    await visitor.get(f"/connections/{one}")
    visitor.world.egress.will_reply(me(), token(2))
    tested = await visitor.post(f"/connections/{one}/test")
    renewed = await visitor.post(f"/connections/{one}/renew")
    after = await read(visitor.world, one)
    said = await visitor.get(renewed.headers["location"])
    records = [each for each in visitor.world.stores.database.records if each.action == "connection.tested"]

    assert f"/connections/{one}?said=tested" == tested.headers["location"]
    assert "It has its next token." in said.text
    assert 2 == after.generation
    assert records[-1].actor.startswith("person:")


async def test_a_failed_test_is_told_as_one(visitor: Visitor) -> None:
    """Not in green: with what hindered it, its code and what to do."""
    one = await connected(visitor)
    await visitor.get(f"/connections/{one}")
    visitor.world.egress.will_reply(ProviderUnreachable())
    tested = await visitor.post(f"/connections/{one}/test")
    said = await visitor.get(tested.headers["location"])

    assert f"/connections/{one}?said=test_failed" == tested.headers["location"]
    assert 'class="done"' not in said.text
    assert "The test failed" in said.text
    assert PROBLEMS["provider_unreachable"].action in unescape(said.text)
    assert "provider_unreachable" == (await read(visitor.world, one)).last_test.cause  # type: ignore[union-attr]


async def test_since_when_and_how_often_it_was_tried(visitor: Visitor) -> None:
    """Beside the code; and what a time behind the next step is."""
    now = visitor.world.clock.now()
    await visitor.world.stores.connections.insert(
        connection(
            "cxn_failing", refreshable=True, expires_at=now + 9, last_error="provider_timeout", last_error_at=now - 300,
            failures_in_a_row=3,
        ),
        kept(),
    )  # fmt: skip
    lost = connection("cxn_since", state=State.NEEDS_RECONNECT, reason="grant_lost", state_since=now - 2 * DAY)
    await visitor.world.stores.connections.insert(replace(lost, expires_at=now + DAY), kept())
    failing = await visitor.get("/connections/cxn_failing")
    since = await visitor.get("/connections/cxn_since")

    assert "Tried 3 times, last <time" in failing.text
    assert '<span class="state attention">' in failing.text
    assert re.search(r"Since <time [^>]*>2 days ago</time>", since.text)
    assert re.search(r"the token ends <time [^>]*>in 1 day</time>", since.text)


async def test_who_paused_it_is_not_warned(visitor: Visitor) -> None:
    """What somebody did on purpose has no warning; what is lost has one."""
    paused, lost = await visitor.get("/connections/cxn_paused"), await visitor.get("/connections/cxn_lost")

    assert '<div class="box why">' in paused.text
    assert '<div class="warning why">' in lost.text


async def test_pausing_and_resuming(visitor: Visitor) -> None:
    """The button is the one that fits."""
    await visitor.get("/connections/cxn_well")
    await visitor.post("/connections/cxn_well/pause")
    paused = await visitor.get("/connections/cxn_well")
    await visitor.post("/connections/cxn_well/resume")

    assert "/connections/cxn_well/resume" in paused.text
    assert not (await read(visitor.world, "cxn_well")).paused


async def test_what_stands_in_the_way_is_told_on_the_page(visitor: Visitor) -> None:
    """With code, action and request id, and the page's buttons still there."""
    await visitor.get("/connections/cxn_lost")
    answer = await visitor.post("/connections/cxn_paused/test")

    assert 409 == answer.status_code
    assert "<title>Error: " in answer.text
    assert "<code>connection_paused</code>" in answer.text
    assert "/connections/cxn_paused/resume" in answer.text


async def test_a_reconnect_link_is_shown_once(visitor: Visitor) -> None:
    """On the page that answers the form, and on no later one."""
    await visitor.get("/connections/cxn_lost")
    made = await visitor.post("/connections/cxn_lost/reconnect")
    link = made.text.partition(f'value="{ORIGIN}/c/')[2].partition('"')[0]
    later = [await visitor.get(path) for path in ("/connections/cxn_lost", "/links", "/connections/cxn_lost/timeline")]

    assert 40 < len(link)
    assert not any(link in each.text for each in later)


async def test_a_link_for_the_person_is_shown_once(visitor: Visitor) -> None:
    """It leads to the person's own page; taken back, it leads nowhere."""
    links = visitor.world.application.person_links
    made = await visitor.post("/connections/cxn_well/person-link")
    token = made.text.partition(f'value="{ORIGIN}/my/')[2].partition('"')[0]
    _, connection = await links.look(token)
    later = [await visitor.get(path) for path in ("/connections/cxn_well", "/connections/cxn_well/timeline")]
    back = await visitor.post("/connections/cxn_well/person-link/take-back")

    assert "cxn_well" == connection.id
    assert not any(token in each.text for each in later)
    assert 303 == back.status_code
    with pytest.raises(NotFound):
        await links.look(token)


@pytest.mark.parametrize("result", ["pending", "retrying"])
async def test_a_provider_that_has_not_confirmed_yet(visitor: Visitor, result: str) -> None:
    """Each of its requests with what came of it, and a button to ask again."""
    stored = await read(visitor.world, "cxn_ended")
    requests = [
        {"request": "refresh_token", "result": "done"},
        {"request": "access_token", "result": "retrying", "error": "provider_timeout"},
    ]
    revocation = {"result": result, "tries": 2, "requests": requests}
    await visitor.world.stores.connections.save(replace(stored, state=State.DISCONNECTING, revocation=revocation))
    page = await visitor.get("/connections/cxn_ended/disconnect")

    assert "it was asked 2 times and has not confirmed yet" in page.text
    assert "Ask the provider again now" in page.text
    assert ["refresh token", "access token"] == re.findall(r"[✓✗]</span> (\w+ \w+)</span>", page.text)


async def test_calls_by_the_hour(visitor: Visitor) -> None:
    """A picture with a sentence and a table, of what the API answered; said, not drawn, where there was none."""
    none = (await visitor.get("/connections/cxn_well")).text
    at = visitor.world.clock.now()
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at, 1, 5, 2)})
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at - 7200.0, 1, 1, 0)})
    some = (await visitor.get("/connections/cxn_well")).text

    assert "No data: no call was answered in the last 24 hours." in none
    assert "6 calls in the last 24 hours, 2 of them answered with an error; most (5) in the hour from" in some
    assert 'id="calls-checks"' in some
    assert [("1", "0"), ("5", "2")] == re.findall(r'<td class="number">(\d+)</td><td class="number">(\d+)</td>', some)


async def test_calls_on_the_timeline(visitor: Visitor) -> None:
    """An hour is a row of the kinds that it is of, with a way to its records; the day is drawn above, or said."""
    none = (await visitor.get("/connections/cxn_well/timeline")).text
    at = visitor.world.clock.now()
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at, 1, 5, 2)})
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at - 3600.0, 1, 1, 0)})
    some = (await visitor.get("/connections/cxn_well/timeline")).text
    failures = (await visitor.get("/connections/cxn_well/timeline?kind=failures")).text
    changes = (await visitor.get("/connections/cxn_well/timeline?kind=changes")).text
    rows = re.compile(r'<th scope="row">(\d+ calls?)</th><td>.*?</span> (\w[\w ]*)</span>')
    hour = int(at) // 3600 * 3600
    records = f"/audit?connection=cxn_well&amp;since={quote(time_text(hour))}&amp;until={quote(time_text(hour + 3600))}"

    assert ("No call was answered." in none, 'class="chart spark"' in none) == (True, False)
    assert ("6 calls, 2 failed." in some, 'class="chart spark"' in some) == (True, True)
    assert [("5 calls", "2 failed"), ("1 call", "ok")] == rows.findall(some)
    assert [("5 calls", "2 failed")] == rows.findall(failures)
    assert [] == rows.findall(changes)
    assert f'href="{records}"' in some
    assert "events cxn_well --calls</code>" in some


async def test_disconnecting(visitor: Visitor) -> None:
    """First it is said what will happen; afterwards what the provider answered."""
    one = await connected(visitor)
    asked = await visitor.get(f"/connections/{one}/disconnect")
    untouched = (await read(visitor.world, one)).ended
    visitor.world.egress.will_reply(me(), me())
    done = await visitor.post(f"/connections/{one}/disconnect")
    result = await visitor.get(done.headers["location"])

    assert "auth.acme.example" in asked.text
    assert "refused at once" in asked.text
    assert not untouched
    assert (await read(visitor.world, one)).ended
    assert "it has revoked" in result.text


async def test_the_timeline_is_filtered(visitor: Visitor) -> None:
    """By kind, in the address, however many others came since; each row leads to its record; no unknown kind."""
    await visitor.world.stores.audit.append(
        [
            AuditRecord(visitor.world.clock.now(), action, "scheduler", outcome, "acme", "cxn_well", "owner-0")
            for action, outcome in (
                ("connection.tested", "connection_test_failed"), *(("connection.renewed", "ok"),) * 60
            )
        ]
    )  # fmt: skip
    failures = await visitor.get("/connections/cxn_well/timeline?kind=failures")
    renewals = await visitor.get("/connections/cxn_well/timeline?kind=renewals")

    assert ("connection.tested" in failures.text, "connection.renewed" in failures.text) == (True, False)
    assert ("connection.tested" in renewals.text, "connection.renewed" in renewals.text) == (False, True)
    assert re.search('href="/audit/[0-9]+"', failures.text)
    assert "Older" not in failures.text
    assert "Older" in renewals.text
    assert 422 == (await visitor.get("/connections/cxn_well/timeline?kind=x")).status_code
    assert "Timeline of" in await title(visitor, "/connections/cxn_well/timeline")


def test_the_strip_of_days() -> None:
    """A day is as bad as the worst of it; one without records is said to be silent, not well."""
    now = 100 * DAY + 5
    records = [
        AuditRecord(now, "connection.renewed", "scheduler"),
        AuditRecord(now - DAY, "refresh.answered", "scheduler", "provider_timeout"),
        AuditRecord(now - DAY, "connection.renewed", "scheduler"),
        AuditRecord(now - 2 * DAY, "connection.needs_reconnect", "scheduler", "grant_lost"),
        AuditRecord(now - 40 * DAY, "connection.renewed", "scheduler"),
    ]
    days = days_of(records, now, cut=False)

    assert "1 all well, 2 with a failure, 27 without a record" in days.summary
    assert [(1, 0), (2, 1), (1, 1)] == [(count, failed) for _, count, failed in days.rows]
    assert (1, 1, 1) == tuple(str(days.drawing).count(f"<{each} ") for each in ("circle", "path", "rect"))
