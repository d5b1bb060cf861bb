"""The list of connections, and what can be done with many."""

from __future__ import annotations

import re

import pytest

from keyturn.core.access.roles import Role
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.ports.store import Use
from tests.contracts.samples import connection
from tests.web.console.seen import fill, kept, without_secrets
from tests.web.console.visiting import Visitor, make_visitor


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    return visitor


async def orders(visitor: Visitor) -> list[BulkOrder]:
    """The jobs that were asked for."""
    found, _ = await visitor.world.stores.jobs.list()
    return [BulkOrder.of(each) for each in found]


async def test_the_list_shows_states_and_counts(visitor: Visitor) -> None:
    """Each state by glyph and word, each count a link to what it counts."""
    answer = await visitor.get("/connections")

    for state in ("active", "needs_reconnect", "paused", "uncertain", "unconfirmed", "disconnected"):
        assert f'<a href="/connections?state={state}"><b>1</b> <span class="state {state}">' in answer.text
    assert "<b>6</b> all" in answer.text
    assert "well&#39;s account" in answer.text
    without_secrets(answer.text)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        pytest.param("state=paused", {"paused"}, id="a state"),
        pytest.param("owner=owner-1", {"lost"}, id="an owner"),
        pytest.param("search=WELL", {"well"}, id="a name's beginning"),
        pytest.param("search=cxn_un", {"uncertain", "unconfirmed"}, id="an id's beginning"),
        pytest.param("reason=grant_lost", {"lost"}, id="a reason"),
        pytest.param("connector=acme&state=active&search=own", {"well"}, id="several"),
        pytest.param("connector=other", set(), id="none"),
        pytest.param("error=grant_lost", {"lost"}, id="a code"),
    ],
)
async def test_the_filter_stands_in_the_address(visitor: Visitor, query: str, shown: set[str]) -> None:
    """And in the same list on the command line and over REST."""
    answer = await visitor.get(f"/connections?{query}")
    names = {"well", "lost", "paused", "uncertain", "unconfirmed", "ended"}

    assert shown == {each for each in names if f'href="/connections/cxn_{each}"' in answer.text}
    assert "keyturn connection list --" in answer.text
    assert f"/v1/connections?{query.partition('=')[0]}" in answer.text or "&amp;" in answer.text
    assert ("No connection matches" in answer.text) is (not shown)


async def test_calls_of_the_last_day(visitor: Visitor) -> None:
    """Drawn in the row, errors marked, and said beside it; where there was none that is said, and nothing drawn."""
    at = visitor.world.clock.now()
    await visitor.world.stores.connections.note_uses({"cxn_well": Use(at, 1, 5, 2), "cxn_lost": Use(at, 1, 1)})
    await visitor.world.stores.connections.note_uses(
        {"cxn_well": Use(at - 7200.0, 1, 7), "cxn_paused": Use(at - 90_000, 1, 3)}
    )
    page = (await visitor.get("/connections")).text
    cells = re.findall(r'href="/connections/cxn_(\w+)">.*?<td class="calls">(.*?)</td>', page, re.DOTALL)
    said = {name: re.sub("<[^>]*>", "", cell.rpartition("<small>")[2]) for name, cell in cells}
    drawn = {name: re.findall('<svg|<path class="[a-z]+"', cell) for name, cell in cells}
    most = re.search(
        "<title>By the hour: most [(]7[)] in the hour from .*? UTC; errors in 1 of 2 hours with calls[.]", page
    )

    assert {"well": "12 calls, 2 failed", "lost": "1 call", "paused": "no calls"} == {
        name: said[name] for name in ("well", "lost", "paused")
    }
    well, bad = '<path class="renewed"', '<path class="lost"'
    assert (["<svg", well, bad, bad], ["<svg", well], []) == (drawn["well"], drawn["lost"], drawn["paused"])
    assert most is not None
    assert "keyturn connection list --calls</code>" in page


async def test_no_connection_yet() -> None:
    """The page says how to make one."""
    visitor = make_visitor()
    await visitor.sign_in(Role.OPERATOR)
    answer = await visitor.get("/connections")

    assert "There is no connection yet" in answer.text
    assert "keyturn link create" in answer.text


async def test_an_unknown_state_is_refused(visitor: Visitor) -> None:
    """It says which there are."""
    assert 422 == (await visitor.get("/connections?state=fine")).status_code


async def test_a_viewer_can_pick_nothing(visitor: Visitor) -> None:
    """The list is shown without what needs more than looking."""
    other = make_visitor(visitor.world)
    await other.sign_in(Role.VIEWER)
    answer = await other.get("/connections")

    assert "Pick well" not in answer.text
    assert "/connections/confirm" not in answer.text


async def test_pages_follow_by_cursor(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link to the next page keeps the filter."""
    monkeypatch.setattr("keyturn.web.console.pages.connections.listing.SHOWN", 1)
    first = await visitor.get("/connections?search=own")
    following = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = await visitor.get(following.replace("&amp;", "&"))

    assert "search=own" in following
    assert "First page" in second.text
    assert 'href="/connections/cxn_ended"' in first.text
    assert 'href="/connections/cxn_ended"' not in second.text


async def test_what_was_picked_is_confirmed_and_becomes_a_job(visitor: Visitor) -> None:
    """The confirm page changes nothing; its button queues a job for exactly these."""
    await visitor.get("/connections")
    picked = {"action": "test", "which": "picked", "pick:cxn_well": "1", "pick:cxn_lost": "1"}
    asked = await visitor.post("/connections/confirm", picked)
    before = await orders(visitor)
    done = await visitor.post("/connections/bulk", {"action": "test", "which": "picked", "picked": "cxn_well,cxn_lost"})
    order = (await orders(visitor))[0]

    assert "Test: 2 connections" in asked.text
    assert [] == before
    assert 303 == done.status_code
    assert done.headers["location"].startswith("/jobs/job_")
    assert (BulkAction.TEST, ("cxn_well", "cxn_lost")) == (order.action, order.ids)


async def test_all_that_match(visitor: Visitor) -> None:
    """The filter goes along, and the confirm page counts anew: what has ended is left out."""
    await visitor.get("/connections")
    values = {"action": "disconnect", "which": "all", "connector": "acme", "search": "own"}
    asked = await visitor.post("/connections/confirm", values)
    await visitor.post("/connections/bulk", values)
    order = (await orders(visitor))[0]

    assert "Disconnect: 5 connections" in asked.text
    assert "can&#39;t be undone" in asked.text
    assert (BulkAction.DISCONNECT, "acme", "own", None) == (order.action, order.connector, order.search, order.ids)
    records, _ = await visitor.world.stores.audit.list()
    assert ("job.created", True) == (records[0][1].action, records[0][1].actor.startswith("person:"))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"which": "all"}, id="nothing to do"),
        pytest.param({"which": "picked", "action": "test"}, id="nothing picked"),
        pytest.param({"which": "all", "action": "explode"}, id="no such action"),
    ],
)
async def test_half_a_question_does_nothing(visitor: Visitor, values: dict[str, str]) -> None:
    """It is refused in words."""
    await visitor.get("/connections")
    answer = await visitor.post("/connections/bulk", values)

    assert 422 == answer.status_code
    assert [] == await orders(visitor)


@pytest.fixture(name="wrong")
async def _wrong(visitor: Visitor) -> Visitor:
    """Two more that are active: one whose renewal failed, one that nothing renews."""
    now = visitor.world.clock.now()
    usual = {"expires_at": now + 3600.0, "state_since": now - 60.0}
    for made in (
        connection("cxn_failing", **usual, refreshable=True, last_error="provider_timeout", last_error_at=now - 9),
        connection("cxn_soon", **usual, renews_at=now + 3600.0),
    ):
        await visitor.world.stores.connections.insert(made, kept())
    return visitor


async def test_attention_has_a_mark_a_count_and_a_filter(wrong: Visitor) -> None:
    """In the list by its own mark, above it as a count of the active, and behind that only those."""
    every = await wrong.get("/connections")
    asked = await wrong.get("/connections?attention=true")

    assert '<a href="/connections?attention=true"><b>2</b> <span class="state attention">' in every.text
    assert '<a href="/connections?state=active"><b>3</b> <span class="state active">' in every.text
    assert 'href="/connections/cxn_failing"' in asked.text
    assert 'href="/connections/cxn_soon"' in asked.text
    assert 'href="/connections/cxn_well"' not in asked.text
    assert "keyturn connection list --attention" in asked.text
    assert "/v1/connections?attention=true" in asked.text


async def test_the_list_says_why(wrong: Visitor) -> None:
    """A code and one sentence; what can be asked for by its code leads there, and so does each count of a code."""
    every = await wrong.get("/connections")

    assert '<a href="/connections?error=provider_timeout"><code>provider_timeout</code></a> <small>' in every.text
    assert '<a href="/connections?error=grant_lost"><code>grant_lost</code> 1</a>' in every.text
    assert '<td class="why-column"><code>expires_soon</code> <small>' in every.text
    assert '<td class="why-column"></td>' in every.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        pytest.param("error=provider_timeout", {"failing"}, id="a code"),
        pytest.param("ends_before=2023-11-14T23:13:21Z", {"soon"}, id="what ends by then"),
        pytest.param("renews_before=1700003001&connector=acme", {"well"}, id="what is due by then"),
    ],
)
async def test_what_is_wrong_can_be_asked_for(wrong: Visitor, query: str, shown: set[str]) -> None:
    """By code and by time."""
    answer = await wrong.get(f"/connections?{query}")

    assert shown == {
        each for each in ("failing", "soon", "well", "lost") if f'"/connections/cxn_{each}"' in answer.text
    }


@pytest.mark.parametrize("query", ["attention=1", "ends_before=soon", "renews_before=2023-11-14"])
async def test_a_question_that_says_nothing_is_refused(visitor: Visitor, query: str) -> None:
    """422, not a list of something else."""
    assert 422 == (await visitor.get(f"/connections?{query}")).status_code


async def test_many_that_need_attention_are_acted_on(wrong: Visitor) -> None:
    """The job is about what the list showed."""
    await wrong.get("/connections?attention=true")
    form = {"attention": "true", "which": "all", "action": "pause"}
    confirm = await wrong.post("/connections/confirm", form)
    await wrong.post("/connections/bulk", form)

    assert "Pause: 2 connections" in confirm.text
    assert [True] == [each.attention for each in await orders(wrong)]


async def test_the_box_above_stands_for_all_of_the_page(visitor: Visitor) -> None:
    """Sent along as it is, without a script; what is ticked besides counts once."""
    shown = await visitor.get("/connections")
    ids = shown.text.partition('id="pick-page" value="')[2].partition('"')[0]
    await visitor.post("/connections/bulk", {"page": ids, "pick:cxn_lost": "1", "which": "picked", "action": "test"})
    (order,) = await orders(visitor)

    assert "Pick all on this page, or none" in shown.text.partition('<dialog id="keys"')[2]
    assert sorted(ids.split(",")) == sorted(order.ids or ())
    assert 6 == len(order.ids or ())
