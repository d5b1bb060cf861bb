"""Which language a person reads, and how the pages look for an operator."""

from __future__ import annotations

import pytest

from keyturn.core.field_values import RULES
from keyturn.web.connect.app import make_connect
from keyturn.web.connect.texts.wording import LANGUAGES, wording_for
from keyturn.web.kit.brand import Brand
from tests.web.connect.browsing import CANARY, CONNECTOR, Browser, make_site
from tests.web.connect.test_story import REJECTED
from tests.web.kit.test_brand import png


@pytest.mark.parametrize(
    ("header", "chosen", "expected"),
    [
        pytest.param(None, None, "en", id="nothing said"),
        pytest.param("de-AT,de;q=0.9,en;q=0.5", None, "de", id="a region"),
        pytest.param("fr, en;q=0.3, DE;q=0.8", None, "de", id="by weight, in capitals"),
        pytest.param("de;q=0, fr", None, "en", id="not wanted"),
        pytest.param("fr,*", None, "en", id="none of ours"),
        pytest.param("de;q=x, ;;, ,", None, "en", id="nonsense"),
        pytest.param("en", "de", "de", id="the person's choice"),
        pytest.param("de", "xx", "de", id="a choice that is none"),
        pytest.param("en," * 5000 + "de", None, "en", id="a long header"),
    ],
)
def test_which_language(header: str | None, chosen: str | None, expected: str) -> None:
    """The person, then the browser, then English."""
    assert expected == wording_for(header, chosen).language


@pytest.mark.parametrize(("language", "expected"), [("en", "9 March 2027"), ("de", "9. März 2027")])
def test_dates_are_words(language: str, expected: str) -> None:
    """No order of numbers to be guessed."""
    assert expected == LANGUAGES[language].date(1_804_550_400.0)


async def test_a_choice_is_remembered() -> None:
    """By a cookie that holds a tag and nothing else; each page has links to both languages."""
    site = await make_site()
    browser = site.browser(accept_language="en")
    landing = await browser.get(f"{await site.link()}?lang=de")
    sign_in = await browser.submit(landing)
    english = await browser.get(f"{sign_in.url}?lang=en")
    cookie = landing.response.headers["set-cookie"]

    assert ["Ihr Konto bei Acme CRM verbinden"] * 2 == [landing.title, sign_in.title]
    assert '<html lang="de"' in sign_in.html
    assert "Connect your Acme CRM account" == english.title
    assert cookie.startswith("keyturn-language=de;")
    assert "HttpOnly" in cookie
    assert {"?lang=en", "?lang=de"} <= set(sign_in.parsed.links)


async def test_errors_are_in_the_pages_language() -> None:
    """What was mistyped, and what the provider refused."""
    source = CONNECTOR + "username: {type: email}\nfields: [{key: n, label: Nummer, type: number}]\n"
    site = await make_site(source, replies=(REJECTED,))
    browser = site.browser(accept_language="de")
    page = await site.sign_in_page(browser)
    mistyped = await browser.submit(page, username="jo", password=CANARY, field__n="x")
    rejected = await browser.submit(mistyped, username="jo@acme.example", password=CANARY, field__n="1")

    assert "Dies ist keine E-Mail-Adresse." in mistyped.text
    assert "Dies ist keine Zahl." in mistyped.text
    assert "Fehler: " == mistyped.title[:8]
    assert "Acme CRM hat Benutzernamen und Passwort nicht angenommen." in rejected.text


def test_each_rule_of_a_value_has_words() -> None:
    """A rule without a text would be told in general only."""
    keys = {key.removeprefix("rule.") for key in LANGUAGES["en"].texts if key.startswith("rule.")}

    assert set(RULES) == keys - {"other"}


async def test_an_operators_colour_and_logo() -> None:
    """Files of our own, as any other; they take nothing away from what the page says."""
    site = await make_site()
    app = make_connect(site.world.application, Brand("#7a1f5c", png()))
    browser = Browser(app)
    page = await browser.get(await site.link())
    style = next(each for each in page.html.split('"') if each.endswith("/brand.css"))
    logo = next(each for each in page.html.split('"') if each.endswith("/logo.png"))
    answers = [(await browser.get(each)).response for each in (style, logo)]

    assert ["text/css; charset=utf-8", "image/png"] == [each.headers["content-type"] for each in answers]
    assert "--accent: #7a1f5c" in answers[0].text
    assert png() == answers[1].content
    assert "Do not go on if you did not start this in Ledgerly." in page.text


async def test_a_way_to_help_on_every_step() -> None:
    """At the same place, in a tab of its own, so that nothing that was typed is lost."""
    site = await make_site(CONNECTOR + "notes: {access: It can read and book your invoices.}\n")
    app = make_connect(site.world.application, Brand(help_url="https://www.example.com/help?from=connect&a=1"))
    browser = Browser(app)
    landing = await browser.get(await site.link())
    form = await site.sign_in_page(browser)
    link = 'href="https://www.example.com/help?from=connect&amp;a=1" target="_blank" rel="noopener noreferrer"'

    assert [True, True] == [link in each.html for each in (landing, form)]
    assert "Help (opens in a new tab)" in form.text
    assert "It can read and book your invoices. Do not go on if" in form.text


async def test_pages_without_a_brand() -> None:
    """Ask for no file that is not there."""
    site = await make_site()
    page = await site.browser().get(await site.link())

    assert [False] * 3 == [name in page.html for name in ("brand.css", "logo.png", 'class="help"')]
