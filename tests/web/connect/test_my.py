"""What a person sees of a connection afterwards, and how it is ended there: over plain HTTP, without JavaScript."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connection import Connection, State
from keyturn.engine.actor import Actor
from keyturn.engine.person.person_links import KEPT_LIVES_S, SENT_LIVES_S
from keyturn.ports.store import ConnectionFilter
from keyturn.web.connect.texts.wording import LANGUAGES
from tests.fakes.egress import json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, ORIGIN, Browser, Page, Site, make_site

REVOCABLE = CONNECTOR + 'revoke: {url: "https://auth.acme.co.uk/oauth/revoke"}\nrefresh: {}\n'
TOKEN = json_answer(
    '{"access_token": "at-canary", "token_type": "bearer", "expires_in": 3600, "refresh_token": "rt-canary"}'
)
REVOKED = json_answer("{}")
DOWN = json_answer("{}", 503)
CANARIES = (CANARY, "at-canary", "rt-canary")


async def connect(site: Site, browser: Browser) -> Page:
    """Go through the connect page; returns its last page."""
    return await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)


async def the_connection(site: Site) -> Connection:
    """The one that there is."""
    return (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]


async def sent_link(site: Site) -> str:
    """The path of a link that the application sends to the person."""
    made = await site.world.application.person_links.make((await the_connection(site)).id, Actor("key:test"))
    return made.url.reveal().removeprefix(ORIGIN)


async def test_the_done_page_leads_to_it() -> None:
    """A button there opens the connection's own page: how it stands, since when, what is stored, where it is used."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser = site.browser()
    done = await connect(site, browser)
    page, again = await browser.submit(done, 0), await browser.submit(done, 0)

    assert page.url.startswith("/my/")
    assert page.url == again.url
    assert "Your connection to Acme CRM" == page.title
    assert "It works: the application can use it." in page.text
    assert "Account</dt><dd><bdi>Jo of Northwind</bdi>" in page.html
    assert "14 November 2023" in page.text
    assert "The access keys that Acme CRM returned, encrypted." in page.text
    assert "Your password is not stored." in page.text
    assert "api.acme.co.uk" in page.text
    assert "good until 13 November 2024" in page.text
    assert (KEPT_LIVES_S, 1) == (365 * 86_400.0, len(site.world.stores.person_links.rows))


async def test_a_person_ends_a_connection() -> None:
    """The page before says what will happen, the one after what did; the provider is told."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME, REVOKED, REVOKED))
    browser, other = site.browser(), site.browser()
    await connect(site, browser)
    page = await other.get(await sent_link(site))  # on another device: no cookie is needed
    sure = await other.get(page.url + "/disconnect")
    asked = len(site.world.egress.requests)
    ended = await other.submit(sure)
    connection = await the_connection(site)

    assert "Disconnect from Acme CRM?" == sure.title
    assert "Nothing can use the connection any more, from that moment on." in sure.text
    assert "Acme CRM is told at auth.acme.co.uk to end the access." in sure.text
    assert (State.DISCONNECTED, None) == (connection.state, connection.password_kept_at)
    assert len(site.world.egress.requests) > asked
    assert "It is disconnected here." in ended.text
    assert "Disconnected: 1 second ago. Nothing can use it any more." in ended.text
    assert "Everything stored here is deleted." in ended.text
    assert "Acme CRM has ended the access." in ended.text
    assert 0 == len(ended.parsed.forms)
    ending = [each for each in site.world.stores.database.records if each.action == "connection.disconnecting"]
    assert [True] == [each.actor.startswith("person_link:pl") for each in ending]


async def test_a_provider_that_is_down_is_told_again() -> None:
    """The step that is open says so, until when the keys are kept, and has a button; then it is done."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME, DOWN, DOWN))
    browser = site.browser()
    await connect(site, browser)
    link = await sent_link(site)
    page = await browser.submit(await browser.get(link + "/disconnect"))

    assert "It is disconnected here; Acme CRM is still being told." in page.text
    assert "at most until 15 November 2023, 22:13 UTC" in page.text
    assert "has not confirmed it" in page.text

    site.world.egress.will_reply(REVOKED, REVOKED)
    after = await browser.submit(page)

    assert "Acme CRM has ended the access." in after.text
    assert State.DISCONNECTED is (await the_connection(site)).state


async def test_looking_changes_nothing() -> None:
    """A mail scanner opens every link, those on the page too: nothing is written, sent, or set as a cookie."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    await connect(site, site.browser())
    link, scanner = await sent_link(site), site.browser()
    writes, sent = len(site.world.stores.database.writes), len(site.world.egress.requests)
    pages = [await scanner.get(link), await scanner.get(link + "/disconnect")]
    head = await scanner.client.head(link)

    assert [200, 200, 200] == [*(each.status for each in pages), head.status_code]
    assert (writes, sent) == (len(site.world.stores.database.writes), len(site.world.egress.requests))
    assert [] == [each for each in scanner.seen if "set-cookie" in each.headers]


async def test_no_secret_is_shown_and_none_is_stored() -> None:
    """Neither a token nor the password on any page; of the link only digests in the database."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME, REVOKED, REVOKED))
    browser = site.browser()
    done = await connect(site, browser)
    browser.seen.clear()
    page = await browser.submit(done, 0)
    await browser.submit(await browser.get(page.url + "/disconnect"))
    token, everything = page.url.rpartition("/")[2], browser.everything()
    rows, records = site.world.stores.person_links.rows, site.world.stores.database.records

    assert [] == [each for each in CANARIES if each in everything]
    assert token not in repr(rows)
    assert token not in repr(records)
    assert "Northwind" not in repr(rows)


@pytest.mark.parametrize("headers", [{"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}])
async def test_forms_of_other_sites_end_nothing(headers: dict[str, str]) -> None:
    """Whatever they hold."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser = site.browser()
    await connect(site, browser)
    sure = await browser.get(await sent_link(site) + "/disconnect")
    refused = await browser.post(sure.url, sure.parsed.forms[0].values, **headers)

    assert 403 == refused.status
    assert State.ACTIVE is (await the_connection(site)).state


async def test_a_form_needs_its_token() -> None:
    """A post without it, or with another link's, shows the page again and does nothing."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser = site.browser()
    await connect(site, browser)
    sure, other = [await browser.get(await sent_link(site) + "/disconnect") for _ in range(2)]
    pages = [
        await browser.post(sure.url, {}),
        await browser.post(sure.url, other.parsed.forms[0].values),
    ]

    assert [403, 403] == [each.status for each in pages]
    assert "Nothing was done" in pages[0].text
    assert State.ACTIVE is (await the_connection(site)).state


async def test_addresses_that_lead_nowhere() -> None:
    """One that is none, one that is too old, one that was taken back, and one of an account that was changed."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser = site.browser()
    await connect(site, browser)
    connection, links = await the_connection(site), site.world.application.person_links
    unknown = await browser.get("/my/none")
    first = await sent_link(site)
    site.world.clock.advance(SENT_LIVES_S)
    expired = await browser.get(first)
    second = await sent_link(site)
    await links.take_back(connection.id, Actor("key:test"))
    back = await browser.get(second)
    third = await sent_link(site)
    current = await the_connection(site)
    await site.world.stores.connections.save(replace(current, unique_id="8"))
    foreign = [await browser.get(third), await browser.post(third + "/disconnect", {})]

    assert [404, 410, 404, 404, 404] == [each.status for each in (unknown, expired, back, *foreign)]
    assert "There is nothing at this address" in unknown.text
    assert "This address is too old" in expired.text
    said = [each.text.partition("For support")[0] for each in (unknown, back, *foreign)]
    assert 1 == len(set(said))
    assert State.ACTIVE is (await the_connection(site)).state


async def test_only_the_browser_that_connected_gets_the_link() -> None:
    """Another browser finds nothing behind the done page's button, nor does one whose login led to nothing."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser, other = site.browser(), site.browser()
    waiting = await site.sign_in_page(other)
    done = await connect(site, browser)
    values = done.parsed.forms[0].values
    foreign = await other.post(done.parsed.forms[0].action, values)
    early = await other.post(waiting.url.replace("sign-in", "my"), values)
    unsaid = await browser.post(done.parsed.forms[0].action, {})

    assert (404, 403) == (foreign.status, unsaid.status)
    assert waiting.url == early.url
    assert {} == site.world.stores.person_links.rows


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": State.UNCERTAIN}, id="uncertain"),
        pytest.param({"state": State.NEEDS_RECONNECT, "reason": "grant_lost"}, id="needs reconnect"),
        pytest.param({"paused": True}, id="paused"),
        pytest.param({"unconfirmed": True, "last_used_at": 1_700_000_000.0}, id="unconfirmed"),
        pytest.param({"connector_version": 99, "fields": {"region": "eu"}}, id="a version that is gone"),
    ],
)
async def test_each_state_has_its_words(language: str, changes: dict[str, object]) -> None:
    """In both languages; nothing is shown that is not known."""
    site = await make_site(REVOCABLE, replies=(TOKEN, ME))
    browser = site.browser(accept_language=language)
    await connect(site, browser)
    await site.world.stores.connections.save(replace(await the_connection(site), **changes))  # type: ignore[arg-type]
    link = await sent_link(site)
    page, sure = await browser.get(link), await browser.get(link + "/disconnect")

    assert [(200, 1), (200, 1)] == [(each.status, each.parsed.h1) for each in (page, sure)]
    assert f'<html lang="{language}"' in page.html
    assert ("Was gespeichert ist" if language == "de" else "What is stored") in page.text


async def test_a_provider_without_revocation_is_said() -> None:
    """Before and after; then nothing is sent anywhere."""
    site = await make_site(CONNECTOR, replies=(TOKEN, ME))
    browser = site.browser()
    await connect(site, browser)
    sent = len(site.world.egress.requests)
    sure = await browser.get(await sent_link(site) + "/disconnect")
    ended = await browser.submit(sure)

    assert [True, True] == ["Acme CRM has no way to be told." in each.text for each in (sure, ended)]
    assert sent == len(site.world.egress.requests)
