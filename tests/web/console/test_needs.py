"""What the overview says somebody has to do, and where its numbers lead."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import quote

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.connection import State
from keyturn.core.events.event import time_text
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.overview.troubles import open_troubles
from keyturn.ports.overview import Tally, Trouble
from keyturn.ports.store import Use
from keyturn.ports.webhooks.endpoints import Delivery
from keyturn.web.console.pages.overview import again_after_ms
from keyturn.web.dataplane.call_counts import CallCounts
from tests.contracts.samples import connection, record
from tests.engine.builder.texts import text
from tests.web.console.seen import fill, kept
from tests.web.console.visiting import Visitor, make_visitor

OPERATOR = Actor("operator")
CLIENT, UNIQUE = "connector_client_rejected", "unique_id_missing"


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.ADMIN)
    return visitor


async def overview(visitor: Visitor, path: str = "/") -> str:
    """The page, read anew."""
    visitor.world.clock.advance(5.0)
    return (await visitor.get(path)).text


def needs_of(page: str) -> list[str]:
    """The rows under "Needs a human", as words."""
    part = page.partition('id="human"')[2].partition('id="pictures"')[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in part.split("<li>")[1:]]


async def log(visitor: Visitor, action: str, outcome: str = "ok", connector: str = "acme") -> None:
    """Write one record of this moment."""
    at = visitor.world.clock.now()
    await visitor.world.stores.audit.append([record(action, at=at, outcome=outcome, connector=connector)])
    visitor.world.clock.advance(1.0)


async def test_what_waits_without_a_person_is_a_task(visitor: Visitor) -> None:
    """Those whose renewal's end is not known, and those that no application took over."""
    rows = needs_of(await overview(visitor))

    assert ["grant_lost", "uncertain", "not confirmed"] == [
        next(word for word in ("grant_lost", "uncertain", "not confirmed") if word in row) for row in rows
    ]


async def test_a_client_that_is_refused_is_the_operators_task(visitor: Visitor) -> None:
    """First of all, until id and secret are entered anew."""
    await log(visitor, "login.answered", CLIENT)
    await log(visitor, "login.answered", CLIENT)
    told = await overview(visitor)
    await visitor.world.application.edit_connector.save("acme", text(), OPERATOR)
    await visitor.world.application.edit_connector.set_client("acme", "client", Secret("secret"), OPERATOR)
    mended = await overview(visitor)

    assert re.match(
        r"■ 2 connector_client_rejected The provider refuses .* For an operator: Check both", needs_of(told)[0]
    )
    assert 'href="/connectors/acme#client"' in told
    assert "connector=acme&amp;outcome=connector_client_rejected" in told
    assert CLIENT not in " ".join(needs_of(mended))


async def test_an_account_without_an_id_is_the_authors_task(visitor: Visitor) -> None:
    """A renewal says nothing of it; an account that was connected does."""
    await log(visitor, "login.refused", UNIQUE)
    await log(visitor, "connection.renewed")
    told = await overview(visitor)
    await log(visitor, "connection.created")
    mended = await overview(visitor)

    assert "For the author: Compare step 8" in needs_of(told)[0]
    assert 'href="/connectors/acme/edit/8"' in told
    assert UNIQUE not in " ".join(needs_of(mended))


async def test_a_client_that_was_never_set(visitor: Visitor) -> None:
    """Told before anybody tries, of what is published alone; not where none is needed."""
    edit = visitor.world.application.edit_connector
    source = text().replace("connector: acme", "connector: fresh")
    await edit.save("fresh", source, OPERATOR)
    drafted = await overview(visitor)
    await edit.publish("fresh", OPERATOR)
    published = await overview(visitor)

    assert "connector_client_missing" not in drafted
    assert re.match(r"■ Never set connector_client_missing .*fresh", needs_of(published)[0])
    assert "acme" not in needs_of(published)[0]


def test_what_ends_a_trouble() -> None:
    """Only what came later and can show it: a renewal in a step that begins after."""
    client, unique = Trouble("a", CLIENT, 1, 0.0, 100.0), Trouble("a", UNIQUE, 1, 0.0, 100.0)

    def left(mended: dict[tuple[str, str], float], *renewed: float) -> list[str]:
        tallies = [Tally(start, "a", "connection.renewed", "ok", 1) for start in renewed]
        return [each.code for each in open_troubles((client, unique), mended, tallies)]

    assert [CLIENT, UNIQUE] == left({}, 0.0, 100.0)
    assert [UNIQUE] == left({}, 100.1)
    assert [UNIQUE] == left({("a", "connector.client_set"): 101.0})
    assert [CLIENT, UNIQUE] == left({("a", "connection.created"): 100.0, ("b", "connection.created"): 200.0})
    assert [] == left({("a", "connector.published"): 101.0})


async def test_one_row_a_code_and_five_at_once(visitor: Visitor) -> None:
    """A code of several connectors is one row; more than five rows are folded, so that the pictures are near."""
    lost = {"state": State.NEEDS_RECONNECT, "created_at": 1.0, "updated_at": 1.0}
    for n, reason in enumerate(("a_1", "a_2", "a_3", "a_4", "grant_lost", "grant_lost")):
        each = connection(f"cxn_{n}", **lost, reason=reason, owner=f"o{n}", connector=f"zeta-{n}")
        await visitor.world.stores.connections.insert(each, kept())
    page = await overview(visitor)
    rows = needs_of(page)
    shown, _, folded = page.partition('id="human"')[2].partition('<details class="more">')

    assert 7 == len(rows)
    assert re.match(r"■ 3 grant_lost .* acme 1 , zeta-4 1 , zeta-5 1 Reconnect", rows[0])
    assert 5 == shown.count("how-many")
    assert "<summary>2 more</summary>" in folded


async def test_overdue_renewals_lead_to_their_list(visitor: Visitor) -> None:
    """All of them, not the oldest alone, which is named beside."""
    stores, now = visitor.world.stores, visitor.world.clock.now()
    late = connection("cxn_late", owner="late", renews_at=now - 500, created_at=now, updated_at=now)
    await stores.connections.insert(replace(late, unique_id="late"), kept())
    page = await overview(visitor)
    moment = quote(time_text(visitor.world.clock.now() - 60.0), safe="")

    assert f'href="/connections?renews_before={moment}" class="bad"><b data-live="overdue">1</b>' in page
    assert 'href="/connections/cxn_late">the oldest' in page


async def test_what_ends_leads_to_what_ends(visitor: Visitor) -> None:
    """Not to all that are active."""
    now = visitor.world.clock.now()
    ends = connection("cxn_ends", owner="e", expires_at=now + 86_400.0, created_at=now, updated_at=now)
    await visitor.world.stores.connections.insert(replace(ends, unique_id="e"), kept())
    page = await overview(visitor)
    until = quote(time_text(visitor.world.clock.now() + 30 * 86_400.0), safe="")

    assert re.search(rf'href="/connections\?connector=acme&amp;ends_before={until}">\d of acme</a>', page)


async def test_pictures_lead_to_what_they_show(visitor: Visitor) -> None:
    """A code to its connections, its number and each column to their records; the table has the same links."""
    await log(visitor, "refresh.answered", "provider_timeout")
    await log(visitor, "connection.renewed")
    page = await overview(visitor)
    codes = page.partition('id="codes"')[2].partition("</figure>")[0]
    renewals = page.partition('id="renewals"')[2].partition("</figure>")[0]
    drawn, _, table = renewals.partition("<details>")
    columns = re.findall(r'<a href="(/audit\?since=[^"]+)" tabindex="-1" aria-hidden="true"><title>([^<]+)', drawn)

    assert '<a href="/connections?error=provider_timeout">provider_timeout</a>' in codes
    assert re.search(r'<a href="/audit\?outcome=provider_timeout&amp;since=[^"]+until=[^"]+">1</a>', codes)
    assert 1 == len(columns)
    assert columns[0][1].endswith("1 renewed, 1 tried again, 0 need the person")
    assert f'<a href="{columns[0][0]}">' in table
    assert 'role="group"' in drawn
    assert '<a href="/connectors/acme">acme</a>' in page.partition('id="heat"')[2].partition("</figure>")[0]


async def test_a_number_shows_its_records(visitor: Visitor) -> None:
    """The audit log takes the address, and has these records and no others."""
    await log(visitor, "connection.renewed")
    await log(visitor, "connection.needs_reconnect", "grant_lost")
    table = (await overview(visitor)).partition('id="renewals"')[2].partition("</figure>")[0]
    found = re.search(r'<a href="(/audit\?action=connection.renewed[^"]+)">1</a>', table)
    assert found is not None
    answer = await visitor.get(found.group(1).replace("&amp;", "&"))

    rows = answer.text.partition("<tbody>")[2].partition("</tbody>")[0]

    assert 200 == answer.status_code
    assert 1 == len(re.findall(r'href="/audit/\d+"', rows))
    assert "grant_lost" not in rows


async def test_webhooks_that_wait(visitor: Visitor) -> None:
    """How many, since when; a link for whom may see the endpoints."""
    at = visitor.world.clock.now() - 7200.0
    await visitor.world.stores.webhooks.add_delivery(Delivery("d1", "whk_1", "evt_1", "connection.created", at))
    page = await overview(visitor)
    await visitor.sign_in(Role.VIEWER)
    viewer = await overview(visitor)

    assert '<a href="/webhooks"><b data-live="webhooks">1</b> webhook waiting</a>, the oldest' in page
    assert ">1</b> webhook waiting, the oldest" in viewer
    assert 'href="/webhooks"' not in viewer


async def test_first_steps_stay_until_the_first_call(visitor: Visitor) -> None:
    """With ticks for what is done; each leads on."""
    before = await overview(visitor)
    at = visitor.world.clock.now()
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at, calls=1)})
    after = await overview(visitor)
    steps = re.findall(r'class="unseen">(Done|To do):', before)

    assert ["Done", "Done", "To do"] == steps
    assert all(f'<a href="{path}">' in before for path in ("/connectors/new", "/links", "/connections"))
    assert "First steps" not in after


async def test_calls_through_the_proxy(visitor: Visitor) -> None:
    """By connector, with 4xx and 5xx apart in words, drawing and table."""
    counts = CallCounts(times_of=visitor.world.application.call_times.of)
    for status in (*(16 * [200]), 400, 404, 429, 500):
        counts.answered("acme", status, provider_s=0.1, all_s=0.11)
    page = await overview(visitor)
    figure = page.partition('id="calls"')[2].partition("</figure>")[0]

    assert "20 calls answered in the last 24 hours: 3 with 4xx, 1 with 5xx." in figure
    assert "20 calls, at most 20 an hour; 15 % 4xx, 5 % 5xx" in figure
    assert 'fill="url(#calls-acme-stripes)"' in figure
    assert ["20", "3", "1"] == re.findall(r'<td class="number">(\d+)</td>', figure)


async def test_the_figures_are_live(visitor: Visitor) -> None:
    """As events, by the names of their places in the page; what is listed is never put under somebody's hands."""
    page = await overview(visitor)
    place = re.findall(r'data-live-from="([^"]+)"', page)[0].replace("&amp;", "&")
    same = told_by((await visitor.get(place)).text)
    at = visitor.world.clock.now()
    lost = connection("cxn_l", owner="l", state=State.NEEDS_RECONNECT, reason="token_ended", created_at=at)
    await visitor.world.stores.connections.insert(replace(lost, unique_id="l"), kept())
    visitor.world.clock.advance(5.0)
    other = told_by((await visitor.get(place)).text)

    assert set(re.findall(r'data-live="(\w+)"', page)) <= set(same[0])
    assert ("1", "", None) == (same[0]["needs_reconnect"], same[0]["changed"], same[0]["share"])
    assert "2" == other[-1]["needs_reconnect"]
    assert "reload" in str(other[-1]["changed"])
    assert 422 == (await visitor.get("/overview/live?range=x")).status_code


def told_by(stream: str) -> list[dict[str, str | None]]:
    """The documents of a stream of events."""
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(("took_s", "again_ms"), [(0.0, 5_000), (0.25, 5_000), (0.5, 10_000), (3.0, 60_000)])
def test_where_reading_takes_long_it_is_done_less_often(took_s: float, again_ms: int) -> None:
    """A page that is left open in a tab costs a twentieth of a core at most."""
    assert again_ms == again_after_ms(took_s)
