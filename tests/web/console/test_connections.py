"""The list of connections, and what can be done with many."""

from __future__ import annotations

import pytest

from keyturn.core.access.roles import Role
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from tests.web.console.seen import fill, without_secrets
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
