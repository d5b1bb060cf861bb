"""The overview: what needs somebody first, then how it went; "no data" is said, never drawn."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.event import time_text
from keyturn.engine.overview.board import RANGES, codes_of, heat_of, steps_of
from keyturn.ports.overview import Tally
from keyturn.web.console.charts.latency import line, said_s
from tests.engine.told import set_up_refused
from tests.web.console.seen import fill, without_secrets
from tests.web.console.visiting import Visitor, make_visitor


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    return visitor


async def record(
    visitor: Visitor, action: str, outcome: str, count: int = 1, ago_s: float = 60.0, *, fresh: bool = True
) -> None:
    """Write some records of renewals."""
    at = visitor.world.clock.now() - ago_s
    facts = {"generation": 1}
    one = AuditRecord(at, action, "scheduler", outcome, "acme", "cxn_well", "owner-0", facts=facts)
    await visitor.world.stores.audit.append([one] * count)
    if fresh:
        visitor.world.clock.advance(5.0)  # longer than a reading is kept


async def test_an_empty_instance_says_what_to_do() -> None:
    """First steps; no picture of nothing."""
    visitor = make_visitor()
    await visitor.sign_in(Role.VIEWER)
    answer = await visitor.get("/")

    assert "First steps" in answer.text
    assert "No data: no renewal has been recorded yet." in answer.text
    assert "<svg" not in answer.text


async def test_the_top_row_are_links(visitor: Visitor) -> None:
    """Each number to exactly what it counts; as one bar with a text; what is verified, and the key's age."""
    answer = await visitor.get("/")

    for state in ("active", "needs_reconnect", "paused", "uncertain", "unconfirmed", "disconnected"):
        assert f'<a href="/connections?state={state}"><b data-live="{state}">1</b>' in answer.text
    assert "<title>Connections by state: 1 active, 1 uncertain," in answer.text
    soon = quote(time_text(visitor.world.clock.now() + 3600.0), safe="")
    assert f'<a href="/connections?renews_before={soon}"><b data-live="due">1</b> due within the hour' in answer.text
    assert ">0</b> overdue" in answer.text
    assert '<a href="/connections?attention=true"><b' in answer.text
    assert ">0</b> webhooks waiting" in answer.text
    assert "Encryption key current since" in answer.text
    assert ">Audit log</a>: never verified" in answer.text
    without_secrets(answer.text)


async def test_who_is_needed(visitor: Visitor) -> None:
    """By reason, with one button that leads to the confirm page of exactly these, of all connectors."""
    answer = await visitor.get("/")
    form = answer.text.partition('action="/connections/confirm"')[2].partition("</form>")[0]
    values = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    asked = await visitor.post("/connections/confirm", {**values, "form": visitor.token})

    assert ("needs_reconnect", "grant_lost") == (values["state"], values["reason"])
    assert 'class="how-many" href="/connections?state=needs_reconnect&amp;reason=grant_lost"' in answer.text
    assert 'href="/connections?state=needs_reconnect&amp;connector=acme&amp;reason=grant_lost">acme</a>' in answer.text
    assert "Make reconnect links: 1 connection<" in asked.text


async def test_the_pictures(visitor: Visitor) -> None:
    """Each with title, sentence and table; colours never alone; no style and no script in the page's text."""
    await record(visitor, "connection.renewed", "ok", 5)
    await record(visitor, "refresh.answered", "provider_timeout", 2)
    await record(visitor, "connection.needs_reconnect", "grant_lost", 1)
    answer = await visitor.get("/")

    assert "5 renewed, 1 tried again and 1 ended with the person in the last 24 hours." in answer.text
    assert "2 sends failed; most often provider_timeout (2)." in answer.text
    assert "Most failures: acme, 2 in the last 24 hours." in answer.text
    assert 'fill="url(#renewals-stripes)"' in answer.text
    assert 'id="renewals-stripes"' in answer.text
    assert answer.text.count("The same as a table") >= 2
    assert "style=" not in answer.text
    assert "No data: no call was answered in the last 24 hours." in answer.text


async def test_how_long_calls_take(visitor: Visitor) -> None:
    """Provider and keyturn apart, as lines told by their dashes too; the newest figures in words, all in a table."""
    times = visitor.world.application.call_times
    for connector, calls, seconds in (("acme", 20, 0.4), ("zeta", 5, 0.1)):
        for _ in range(calls):
            of = times.of(connector)
            of.provider.add(seconds)
            of.keyturn.add(0.002)
            of.whole.add(seconds + 0.002)
    visitor.world.clock.advance(5.0)  # longer than a reading is kept
    answer = await visitor.get("/")
    figure = answer.text.partition('id="latency"')[2].partition("</figure>")[0]

    assert "Slowest of late: acme; p95 is 395 ms at the provider and 2 ms here." in figure
    assert figure.index("/connectors/acme") < figure.index("/connectors/zeta")
    assert 2 == figure.count('stroke-dasharray="6 4" vector-effect')
    assert [("1 ms", "1 s")] == re.findall(r"From (.+?) at the bottom to (.+?) at the top", figure)
    assert ["20", "5"] == re.findall(r'<td class="number">(\d+)</td>', figure)
    assert "style=" not in figure


def test_a_time_without_a_call_is_a_gap() -> None:
    """The line is broken there and begins anew; nothing is drawn at nought."""
    drawn = str(line("provider p50", [(0, 50.0), (1, 40.0), (4, 20.0)]))

    assert "M5 50L15 40M" in drawn
    assert drawn.endswith('vector-effect="non-scaling-stroke"/>')
    assert ["0.4 ms", "12 ms", "340 ms", "2.5 s"] == [said_s(each) for each in (0.0004, 0.012, 0.34, 2.5)]


async def test_failing_connectors(visitor: Visitor) -> None:
    """By the share of the last hour's sends, and by an alarm, which is told as one."""
    await record(visitor, "refresh.answered", "provider_timeout", 6)
    failing = (await visitor.get("/")).text
    set_up_refused(visitor.world.application.gate, "acme")
    visitor.world.clock.advance(10.0)
    alarmed = (await visitor.get("/")).text

    assert "<code>provider_timeout</code>" in failing.partition('id="failing"')[2]
    assert "Alarm: nothing of it is renewed" not in failing
    assert "Alarm: nothing of it is renewed" in alarmed


async def test_one_reading_serves_many(visitor: Visitor) -> None:
    """Within a few seconds nothing is read again; afterwards it is."""
    await visitor.get("/")
    await record(visitor, "connection.renewed", "ok", 5, fresh=False)
    at_once = (await visitor.get("/")).text
    visitor.world.clock.advance(5.0)
    later = (await visitor.get("/")).text

    assert ("5 renewed" in at_once, "5 renewed" in later) == (False, True)


@pytest.mark.parametrize("key", list(RANGES))
async def test_ranges_stand_in_the_address(visitor: Visitor, key: str) -> None:
    """What was before is not counted; an unknown range is refused."""
    await record(visitor, "connection.renewed", "ok", 3)
    await record(visitor, "connection.renewed", "ok", 4, ago_s=31 * 86_400.0)
    answer = await visitor.get(f"/?range={key}")

    assert f"3 renewed, 0 tried again and 0 ended with the person in the last {RANGES[key].words}." in answer.text
    assert 422 == (await visitor.get("/?range=x")).status_code


def test_the_figures() -> None:
    """A send that failed and lost the grant counts once; what was not sent, and what is no send, counts nowhere."""
    day = RANGES["24h"]
    tallies = [
        Tally(0.0, "a", "connection.renewed", "ok", 7),
        Tally(0.0, "a", "refresh.answered", "provider_timeout", 3),
        Tally(0.0, "a", "refresh.answered", "not_sent", 9),
        Tally(0.0, "a", "connection.needs_reconnect", "grant_lost", 1),
        Tally(3600.0, "b", "login.answered", "unknown", 2),
        Tally(3600.0, "b", "login.answered", "ok", 2),
    ]
    steps, heat = steps_of(tallies, 0.0, day), heat_of(tallies, 0.0, day)

    assert (24, 24) == (len(steps), len(heat[0].cells))
    assert ((7, 2, 1), (0, 2, 0)) == tuple((each.renewed, each.retried, each.lost) for each in steps[:2])
    assert [("a", (3, 10)), ("b", (0, 0))] == [(each.connector, each.cells[0]) for each in heat]
    assert (("provider_timeout", 3), ("unknown", 2)) == codes_of(tallies)
