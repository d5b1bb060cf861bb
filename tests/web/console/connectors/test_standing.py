"""How connectors stand: figures that agree with the overview, what is wrong with one, its logins."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.connection import State
from keyturn.engine.actor import Actor
from keyturn.engine.overview.connector_health import ConnectorHealth
from tests.contracts.samples import connection, record
from tests.engine.builder.texts import text
from tests.engine.told import set_up_refused
from tests.web.console.connectors.authoring import author
from tests.web.console.seen import fill, kept
from tests.web.console.visiting import Visitor, make_visitor

OPERATOR = Actor("operator")
LOGINS = "/connectors/acme/logins"


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    return visitor


async def log(visitor: Visitor, action: str, outcome: str, count: int) -> None:
    """Write records of acme, and let the readings grow old."""
    at = visitor.world.clock.now() - 60.0
    one = record(action, at=at, outcome=outcome, connector="acme")
    await visitor.world.stores.audit.append([one] * count)
    visitor.world.clock.advance(5.0)


def counts_in(page: str) -> dict[str, int]:
    """State → number, of the links to lists of connections by state."""
    found = re.findall(r'href="/connections\?[^"]*state=(\w+)"><b[^>]*>(\d+)</b>', page)
    return {state: int(number) for state, number in found}


async def test_counts_agree_with_the_overview(visitor: Visitor) -> None:
    """Paused and unconfirmed ones stand apart, and are no active ones; ended ones are the overview's alone."""
    overview, listed, one = [(await visitor.get(path)).text for path in ("/", "/connectors", "/connectors/acme")]
    every = counts_in(overview)
    ended = every.pop("disconnected")

    assert (1, 1) == (ended, every["active"])
    assert every == counts_in(listed) == counts_in(one)


async def test_what_fails_comes_first(visitor: Visitor) -> None:
    """Then what waits for somebody, then the rest; of these by id."""
    edit = visitor.world.application.edit_connector
    for name in ("aaa", "broken", "needy"):
        await edit.save(name, text().replace("connector: acme", f"connector: {name}"), OPERATOR)
    lost = connection("cxn_n", connector="needy", state=State.NEEDS_RECONNECT, reason="grant_lost", owner="n")
    await visitor.world.stores.connections.insert(replace(lost, unique_id="n"), kept())
    set_up_refused(visitor.world.application.gate, "broken")
    await visitor.world.application.guards.stop_logins.stop("aaa", OPERATOR)
    visitor.world.clock.advance(5.0)
    page = (await visitor.get("/connectors")).text
    rows = re.findall(r'<tr class="(\w+)">\s*<th scope="row"><a href="/connectors/([\w-]+)">', page)

    assert [("fails", "broken"), ("look", "acme"), ("look", "needy"), ("look", "aaa")] == rows
    assert "alarm</span> <code>connector_client_rejected</code>" in page
    assert "logins stopped</span>" in page


async def test_how_many_renewals_worked(visitor: Visitor) -> None:
    """Cut off, so that 100 % means all of them; nothing is said where none was sent."""
    before = (await visitor.get("/connectors")).text
    await log(visitor, "connection.renewed", "ok", 299)
    await log(visitor, "refresh.answered", "provider_timeout", 1)
    page = (await visitor.get("/connectors")).text
    one = (await visitor.get("/connectors/acme")).text

    assert "none sent" in before
    assert "<b>99 %</b> of 300" in page
    assert "<b>99 %</b> of 300 worked; 1 failed" in one
    assert [100, None, 0] == [ConnectorHealth("a", failed=f, sent=n).share for f, n in ((0, 3), (0, 0), (3, 3))]


async def test_a_trouble_stands_on_the_connectors_page(visitor: Visitor) -> None:
    """In words, with whose task it is and where; the list has its mark."""
    await log(visitor, "login.answered", "connector_client_rejected", 2)
    one, listed = [(await visitor.get(path)).text for path in ("/connectors/acme", "/connectors")]

    assert "For an operator: Check both with the provider" in one
    assert '<a href="/connectors/acme#client">Enter id and secret</a>' in one
    assert "set-up</span> <code>connector_client_rejected</code>" in listed


async def test_logins_are_stopped_on_a_page_that_asks(visitor: Visitor) -> None:
    """With what it does and does not; the other way round as well, and each is written down."""
    asked = (await visitor.get(LOGINS)).text
    stopped = await visitor.post(LOGINS, {"step": "stop"})
    page = (await visitor.get(stopped.headers["location"])).text
    asked_again = (await visitor.get(LOGINS)).text
    started = await visitor.post(LOGINS, {"step": "start"})
    stops = visitor.world.application.guards.stop_logins
    records = [each.action for each in visitor.world.stores.database.records if "logins" in each.action]

    assert "Stop the logins of Acme?" in asked
    assert "keyturn connector stop-logins acme" in asked
    assert "Logins are stopped: no password goes out." in page
    assert ">Start logins…</a>" in page
    assert "Start the logins of Acme again?" in asked_again
    assert "/connectors/acme?said=logins_start" == started.headers["location"]
    assert await stops.stopped_since("acme") is None
    assert ["connector.logins_stopped", "connector.logins_started"] == records
    assert 422 == (await visitor.post(LOGINS, {"step": "else"})).status_code


async def test_who_may_not_operate_stops_nothing() -> None:
    """An author sees how logins stand, and has no button."""
    visitor = await author(published=True)
    page = (await visitor.get("/connectors/acme")).text
    refused = await visitor.post(LOGINS, {"step": "stop"})

    assert "are sent</span>" in page
    assert LOGINS not in page
    assert 403 == refused.status_code


async def test_a_connector_is_read_without_knowing_yaml() -> None:
    """Steps have the builder's words; hosts and values their names in marks; the linter's names are code."""
    source = text(url="https://{{ region }}.acme.example").replace(
        "token:", "fields: [{key: region, label: Region, type: choice, choices: {eu: EU}}]\ntoken:", 1
    )
    visitor = await author(source)
    page = (await visitor.get("/connectors/acme")).text

    assert "<dt>Token URL</dt><dd>https://‹region›.acme.example/token</dd>" in page
    assert '<th scope="row">‹region›.acme.example</th>' in page
    assert "{{" not in page
    assert "token.url" not in page.partition("The nine steps")[2]
    assert "`" not in page


async def test_the_list_is_paged(visitor: Visitor) -> None:
    """None is left out in silence."""
    edit = visitor.world.application.edit_connector
    for n in range(50):
        await edit.save(f"more-{n:02}", text().replace("connector: acme", f"connector: more-{n:02}"), OPERATOR)
    first, second = [(await visitor.get(path)).text for path in ("/connectors", "/connectors?cursor=50")]

    assert (50, 1) == (first.count('class="marks"'), second.count('class="marks"'))
    assert 'href="/connectors?cursor=50" rel="next"' in first
    assert "more-49" in second
    assert 422 == (await visitor.get("/connectors?cursor=x")).status_code
