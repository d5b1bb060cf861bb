"""What the page says where logins are stopped, and how it counts by address."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.web.kit.admission.addresses import client_address, told_address
from tests.fakes.egress import json_answer
from tests.web.connect.browsing import CONNECTOR, ME, ORIGIN, TOKEN, make_site

PROXIES = (ip_network("10.0.0.0/8"),)


async def test_stopped_logins_are_said_before_a_password_is_asked() -> None:
    """At the landing, which stays good, and at the form."""
    site = await make_site()
    browser = site.browser()
    form = await site.sign_in_page(browser)
    link = await site.link()
    stop = site.world.application.guards.stop_logins
    await stop.stop("acme", Actor("operator"))
    pages = [await browser.get(link), await browser.get(form.url)]
    posted = await browser.submit(form, username="ada", password="password-canary")
    await stop.start("acme", Actor("operator"))

    assert [503, 503, 503] == [each.status for each in (*pages, posted)]
    assert all("switched off" in each.text and "password" not in each.html.lower() for each in pages)
    assert 200 == (await browser.get(link)).status
    assert [] == site.world.egress.requests


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("192.0.2.7", "198.51.100.1", "192.0.2.7", id="nobody's word is believed"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="a proxy's is"),
        pytest.param("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1", id="what the client wrote is not"),
        pytest.param("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1", id="through two proxies"),
        pytest.param("10.0.0.1", "rubbish", "10.0.0.1", id="no address"),
        pytest.param("10.0.0.1", "198.51.100.1, rubbish", "10.0.0.1", id="none to the right of one"),
        pytest.param("10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64", id="an IPv6 address is its network"),
        pytest.param("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", id="a mapped proxy"),
    ],
)
def test_where_a_browser_is(peer: str, forwarded: str, expected: str) -> None:
    """The rightmost address that no trusted proxy has."""
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    assert expected == client_address(scope, PROXIES)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("192.0.2.7", "198.51.100.1", "192.0.2.7", id="nobody's word is believed"),
        pytest.param("10.0.0.1", "198.51.100.1", "198.51.100.1", id="a proxy's is"),
        pytest.param("10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2:3::4", id="an IPv6 address in full"),
        pytest.param("::ffff:192.0.2.7", "", "192.0.2.7", id="an IPv4 address by itself"),
        pytest.param("testclient", "", None, id="no address"),
    ],
)
def test_what_a_provider_is_told(peer: str, forwarded: str, expected: str | None) -> None:
    """The same address in full; nothing where there is none."""
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    assert expected == told_address(scope, PROXIES)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "your network address (IP) is passed on"), ("de", "Ihre Netzadresse (IP) wird bei der Anmeldung")],
)
async def test_the_page_says_that_the_address_is_passed_on(language: str, sentence: str) -> None:
    """Before the password is typed, in the person's language; and then it is passed on, as it was seen."""
    site = await make_site(CONNECTOR + "client_address_header: X-Real-IP\n", replies=(TOKEN, ME))
    browser = site.browser(accept_language=language)
    page = await site.sign_in_page(browser)
    await browser.submit(page, username="ada", password="password-canary")

    assert sentence in page.text
    assert ["127.0.0.1", None] == [dict(each.headers).get("X-Real-IP") for each in site.world.egress.requests]


async def test_the_page_says_nothing_of_an_address_that_stays_here() -> None:
    """A connector that doesn't ask for it gets none."""
    site = await make_site()

    page = await site.sign_in_page(site.browser())

    assert "network address" not in page.text


@pytest.mark.parametrize(
    ("key", "language", "sentences"),
    [
        ("limit: 1", "en", ["allows one session at a time: connecting ends the one that is there."]),
        ("limit: 3", "en", ["allows 3 sessions at a time: connecting may end one that is there."]),
        (
            "logout_first: true",
            "en",
            ["allows few sessions at a time", "that session ends before your password is checked."],
        ),
        ("limit: 1", "de", ["erlaubt nur eine Sitzung: Das Verbinden beendet die, die es schon gibt."]),
        ("limit: 3", "de", ["erlaubt 3 Sitzungen zugleich"]),
        (
            "logout_first: true",
            "de",
            ["erlaubt nur wenige Sitzungen zugleich", "endet dessen Sitzung, bevor Ihr Passwort geprüft wird."],
        ),
    ],
)
async def test_the_page_says_whose_session_ends(key: str, language: str, sentences: list[str]) -> None:
    """Before the password is typed; nothing of it where the provider counts no sessions."""
    site = await make_site(CONNECTOR + f"session: {{{key}}}\n")
    page = await site.sign_in_page(site.browser(accept_language=language))
    without = await make_site()
    plain = await without.sign_in_page(without.browser(accept_language=language))

    assert [] == [each for each in sentences if each not in page.text]
    assert "Sitzung" not in plain.text
    assert "session at a time" not in plain.text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "other connections hold them all"), ("de", "Ihr Passwort wurde nicht gesendet.")],
)
async def test_a_session_too_many_is_said_on_the_page(language: str, sentence: str) -> None:
    """No form to try again at once: first one has to go."""
    endless = json_answer('{"access_token": "at-canary"}')
    site = await make_site(CONNECTOR + "session: {limit: 1}\n", replies=(endless, ME))
    other = site.browser()
    await other.submit(await site.sign_in_page(other), username="ada", password="password-canary")
    site.world.egress.requests.clear()
    browser = site.browser(accept_language=language)
    made = await site.world.application.connect_sessions.create(
        SessionRequest("acme", "owner-2", app_name="Ledgerly"), Actor("key:test")
    )
    landing = await browser.get(made.url.reveal().removeprefix(ORIGIN))
    page = await browser.submit(landing)
    refused = await browser.submit(page, username="Ada ", password="password-canary")

    assert sentence in refused.text
    assert 409 == refused.status
    assert 'name="password"' not in refused.text
    assert [] == site.world.egress.requests
