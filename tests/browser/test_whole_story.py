"""The whole story in the browser: a connector is built, an account connected, called, broken, mended and ended.

Three people take part, each in a profile of their own: an administrator who builds and looks after it, and the person
whose account it is, twice.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, Visit, visiting
from tests.browser.test_connect_page import code_of
from tests.docs.browser import Browser as OtherPage
from tests.end_to_end.running import example_connector

pytestmark = pytest.mark.slow
ID = "story"


@pytest.mark.parametrize("scripts", [pytest.param(True, id="scripts"), pytest.param(False, id="no scripts")])
def test_the_whole_story(house: House, browser: Browser, scripts: bool) -> None:
    """As the issue tells it; the person's part and the administrator's, with scripts and without."""
    connector = ID if scripts else f"{ID}-plain"
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        visit.goto(house.sign_in_link())
        visit.page.get_by_role("button", name="Sign in").click()
        build(visit, house, connector)
        try_and_publish(visit, connector)
        connect(browser, make_link(visit, connector), house, scripts=scripts)
        connection = newest(house, connector)
        call(visit, connection)
        kill_the_token(house)
        call(visit, connection)
        visit.goto(f"/connections/{connection}/timeline")
        expect(visit.page.get_by_text("connection.renewed").first).to_be_visible()
        visit.goto(f"/connections/{connection}")
        visit.page.get_by_role("button", name="Make a reconnect link").click()
        connect(browser, shown_link(visit), house, scripts=scripts)
        visit.goto(f"/connections/{connection}/disconnect")
        visit.page.get_by_role("button", name=re.compile("^Disconnect")).click()
        expect(visit.page.get_by_text("it has revoked")).to_be_visible()
    shown = house.server.ask("GET", f"/v1/connections/{connection}").json()
    assert ("disconnected", connection) == (shown["state"], shown["id"])


def build(visit: Visit, house: House, connector: str) -> None:
    """Begin from a text, change the name's template in its step's form, and give the client's id and secret."""
    text = example_connector(house.provider.port).replace("connector: acme-example", f"connector: {connector}")
    visit.goto("/connectors/new?from=yaml")
    visit.page.locator("#text").fill(text)
    visit.page.get_by_role("button", name="Begin").click()
    visit.page.wait_for_url(re.compile(r"/edit/\d"))
    visit.goto(f"/connectors/{connector}/edit/6")
    visit.page.locator("#connection_name").fill("Story of {{ test.name }}")
    visit.page.get_by_role("button", name="Save and continue").click()
    visit.goto(f"/connectors/{connector}/edit/yaml")
    saved = visit.page.locator("#text").input_value()
    assert "Story of {{ test.name }}" in saved
    assert [line for line in text.splitlines() if "#" in line] == [line for line in saved.splitlines() if "#" in line]
    visit.goto(f"/connectors/{connector}/edit/2")
    expect(visit.page.get_by_text("grant_type=password").first).to_be_visible()
    visit.goto(f"/connectors/{connector}")
    visit.page.locator("#client_id").fill("acme-client")
    visit.page.locator("#client_secret").fill("acme-secret-for-trying-out-only")
    visit.page.locator("form:has(#client_secret) button").click()


def try_and_publish(visit: Visit, connector: str) -> None:
    """A green trial, then the version."""
    visit.goto(f"/connectors/{connector}/try")
    visit.page.locator("#username").fill("demo")
    visit.page.locator("#password").fill("correct-horse-7")
    visit.page.get_by_role("button", name=re.compile("run all")).click()
    expect(visit.page.get_by_role("heading", name="The trial passed")).to_be_visible(timeout=30_000)
    assert "correct-horse-7" not in visit.page.content()
    visit.page.get_by_role("link", name="Review and publish").click()
    visit.page.get_by_role("button", name="Publish version 1").click()


def make_link(visit: Visit, connector: str) -> str:
    """A connect link by the console's own page."""
    visit.goto("/links")
    visit.page.locator("#connector").select_option(connector)
    visit.page.locator("#owner").fill(f"owner of {connector}")
    visit.page.get_by_role("button", name="Make the link").click()
    return shown_link(visit)


def shown_link(visit: Visit) -> str:
    """The link that a page shows this once."""
    field = visit.page.locator("input[readonly]").first
    expect(field).to_have_value(re.compile("/c/"))
    return str(field.input_value())


def connect(browser: Browser, link: str, house: House, *, scripts: bool) -> None:
    """The person's part, in a fresh profile: sign in, and answer with a code."""
    with visiting(browser, house, java_script_enabled=scripts) as person:
        person.goto(link)
        person.page.get_by_role("button").first.click()
        person.page.locator("#username").fill("otp")
        person.page.locator("#password").fill("two-steps-please")
        person.page.get_by_role("button", name=re.compile("^connect", re.I)).click()
        expect(person.page).to_have_url(re.compile("/code$"))
        person.page.get_by_role("textbox").fill(code_of(house))
        person.page.get_by_role("button").first.click()
        expect(person.page).to_have_url(re.compile("/done"))


def newest(house: House, connector: str) -> str:
    """The connection that was made."""
    listed = house.server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]
    assert ["Story of Otto Otp"] == [each["name"] for each in listed]
    return str(listed[0]["id"])


def call(visit: Visit, connection: str) -> None:
    """GET /me from the console; the answer is shown, and no token is."""
    visit.goto(f"/connections/{connection}/console")
    visit.page.locator("#path").fill("/me")
    visit.page.get_by_role("button", name="Send", exact=True).click()
    expect(visit.page.get_by_text("otp@acme.example").first).to_be_visible()
    expect(visit.page.get_by_text("‹access_token›").first).to_be_visible()


def kill_the_token(house: House) -> None:
    """End the newest good access token at the provider, by its page's own button."""
    page = OtherPage()
    shown = page.open(f"http://127.0.0.1:{house.provider.port}/")
    ends = [n for n, form in enumerate(shown.forms) if form.action == "/page/end-access"]
    assert ends, "the provider has no access token that is good"
    for _ in ends:
        shown = page.open(f"http://127.0.0.1:{house.provider.port}/")
        at = next((n for n, form in enumerate(shown.forms) if form.action == "/page/end-access"), None)
        if at is not None:
            page.submit(shown, at=at)
