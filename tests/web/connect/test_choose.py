"""What the page offers where an account is connected already, or another one than the link is for."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from keyturn.core.connection import State
from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.ports.store import ConnectionFilter
from tests.fakes.egress import json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, ORIGIN, TOKEN, Browser, Page, Site, make_site

REJECTS = CONNECTOR + "on_duplicate: reject\n"
OTHER = json_answer('{"id": 8, "name": "Sam of Southwind"}')


async def _connected_twice(return_url: str | None = None) -> tuple[Site, Browser, Page]:
    site = await make_site(REJECTS, replies=(TOKEN, ME, TOKEN, ME, TOKEN, OTHER))
    browser = site.browser()
    await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    page = await browser.submit(await site.sign_in_page(browser, return_url=return_url), username="jo", password=CANARY)
    return site, browser, page


async def _names(site: Site) -> list[str]:
    found = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items
    return sorted(each.name for each in found)


async def test_an_account_that_is_connected_already() -> None:
    """Since when, what it means, and what can be done; nothing is chosen beforehand."""
    _, browser, page = await _connected_twice()
    missing = await browser.submit(page)

    assert page.url.endswith("/choose")
    assert "Your Acme CRM account is connected already" == page.title
    assert "Jo of Northwind has been connected since 14 November 2023." in page.text
    assert "So nothing was changed, and the new sign-in was ended again." in page.text
    assert page.html.count('type="radio"') == 3
    assert " checked" not in page.html
    assert (422, "Error: Your Acme CRM account is connected already") == (missing.status, missing.title)
    assert '<a href="#choice-0">Choose what you want to do</a>' in missing.html


async def test_keeping_it() -> None:
    """The application gets the connection that was there, by a code as always."""
    site, browser, page = await _connected_twice(return_url="https://app.example/back")
    kept = await browser.submit(page, choice="keep")
    given = parse_qs(urlsplit(kept.parsed.refresh or "").query)
    sessions = site.world.application.connect_sessions
    confirmed = await sessions.confirm(given["session"][0], given["code"][0], Actor("key:1"))

    assert "It is the connection that has been there since 14 November 2023. Nothing about it was changed." in kept.text
    assert ["Jo of Northwind"] == await _names(site)
    assert ("Jo of Northwind", 1) == (confirmed.name, confirmed.generation)


async def test_another_account() -> None:
    """Back to the sign-in, and from there to a second connection."""
    site, browser, page = await _connected_twice()
    sign_in = await browser.submit(page, choice="other")
    done = await browser.submit(sign_in, username="sam", password=CANARY)

    assert "Connect your Acme CRM account" == sign_in.title
    assert "Ledgerly can now use this account: Sam of Southwind." in done.text
    assert ["Jo of Northwind", "Sam of Southwind"] == await _names(site)


async def test_stopping() -> None:
    """Ends the session as the cancel button does; the choice is then gone."""
    _, browser, page = await _connected_twice()
    stopped = await browser.submit(page, choice="cancel")
    again = await browser.get(page.url)

    assert ["You stopped here"] * 2 == [stopped.title, again.title]


@pytest.mark.parametrize("token", ["", "x.y"])
async def test_a_choice_needs_the_pages_own_form(token: str) -> None:
    """Nothing is kept, ended or changed by anything else."""
    site, browser, page = await _connected_twice()
    refused = await browser.post(page.url, {"form": token, "choice": "keep"})

    assert 403 == refused.status
    assert page.url == (await browser.get(page.url)).url
    assert ["Jo of Northwind"] == await _names(site)


async def test_nothing_to_choose() -> None:
    """Without a second login the page leads to the sign-in."""
    site = await make_site(REJECTS)
    browser = site.browser()
    page = await site.sign_in_page(browser)
    choose = await browser.get(page.url.replace("sign-in", "choose"))

    assert page.url == choose.url


async def test_an_account_that_was_updated() -> None:
    """With `update` the second login goes through, and the page says that it was no new connection."""
    site = await make_site(replies=(TOKEN, ME, TOKEN, ME))
    browser = site.browser()
    first = await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    second = await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)

    words = "It was connected before, since 14 November 2023. That connection was kept and has new access keys now."
    assert [False, True] == [words in each.text for each in (first, second)]


async def _reconnected_as_another(return_url: str | None) -> tuple[Site, Browser, Page]:
    site = await make_site(replies=(TOKEN, ME, TOKEN, OTHER, TOKEN, OTHER))
    browser = site.browser()
    await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    connection = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    made = await site.world.application.connect_sessions.create(
        SessionRequest("acme", "owner-1", return_url, "Ledgerly", reconnects=connection.id), Actor("key:test")
    )
    page = await browser.submit(await browser.get(made.url.reveal().removeprefix(ORIGIN)))
    return site, browser, await browser.submit(page, username="sam", password=CANARY)


async def test_another_account_than_the_link_is_for() -> None:
    """The page says for which one it is; a new connection can be made where an application confirms it."""
    site, browser, page = await _reconnected_as_another("https://app.example/back")
    sign_in = await browser.submit(page, 0)
    done = await browser.submit(sign_in, username="sam", password=CANARY)

    assert 409 == page.status
    assert "You signed in with another account than the one that this connection is for." in page.text
    assert "You signed in as sam. This connection is for Jo of Northwind." in page.text
    assert "Sam of Southwind" not in page.html  # what the provider calls the other account is told to nobody
    assert "Connect your Acme CRM account" == sign_in.title
    assert "Go back to Ledgerly to finish" in done.text
    assert ["Jo of Northwind", "Sam of Southwind"] == await _names(site)


async def test_the_new_connection_does_not_hang_on_the_old_one() -> None:
    """Once the person has decided, the end of the other connection is no matter."""
    site, browser, page = await _reconnected_as_another("https://app.example/back")
    sign_in = await browser.submit(page, 0)
    old = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    await site.world.application.connections.save(replace(old, state=State.DISCONNECTED))
    done = await browser.submit(sign_in, username="sam", password=CANARY)

    assert "Your Acme CRM account is connected" == done.title


async def test_no_new_connection_without_an_application_that_confirms_it() -> None:
    """A reconnect link brings nobody's account to somebody else, not even by a form that is made up."""
    site, browser, page = await _reconnected_as_another(None)
    forced = await browser.post(page.url.replace("sign-in", "another"), {"form": "x.y"})
    again = await browser.submit(forced, username="sam", password=CANARY)

    assert "Make a new connection" not in page.text
    assert 409 == again.status
    assert ["Jo of Northwind"] == await _names(site)
