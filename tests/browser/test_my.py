"""The person's own page of a connection, and the console's keys, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, visiting
from tests.browser.test_connect_page import held, sign_in

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scripts", [pytest.param(True, id="scripts"), pytest.param(False, id="no scripts")])
def test_a_person_sees_and_ends_a_connection(house: House, browser: Browser, scripts: bool) -> None:
    """From the end of the login to its own page, what would happen, and what did; each page held to the rules."""
    owner = f"my-{'scripts' if scripts else 'none'}"
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        visit.goto(house.link(owner))
        visit.page.get_by_role("button").first.click()
        sign_in(visit, "demo", "correct-horse-7")
        visit.page.get_by_role("button", name="See this connection").click()
        expect(visit.page).to_have_url(re.compile("/my/"))
        held(visit, scripts, "the connection's page")
        visit.page.get_by_role("link", name="Disconnect").click()
        held(visit, scripts, "the page before the end")
        visit.page.get_by_role("button", name="Disconnect").click()
        expect(visit.page.get_by_text("It is disconnected here.")).to_be_visible()
        held(visit, scripts, "the page after the end")
        visit.goto("/my/none?lang=de")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Unter dieser Adresse ist nichts")
        visit.faults = [each for each in visit.faults if "404" not in each]
    listed = house.server.ask("GET", f"/v1/connections?owner={owner}").json()["data"]
    assert ["disconnected"] == [each["state"] for each in listed]


def test_rows_are_picked_by_keys_and_by_one_box(house: House, browser: Browser) -> None:
    """`a` and the box above pick all of the page, Space the row of the link in focus; a page is held to the rules."""
    body = {"connector": house.connector, "owner": "rows", "username": "demo", "password": "correct-horse-7"}
    assert house.server.ask("POST", "/v1/connections", body).status in (200, 201)
    with visiting(browser, house) as visit:
        visit.goto(house.sign_in_link("operator"))
        visit.page.get_by_role("button", name="Sign in").click()
        visit.goto("/connections")
        box, keys = visit.page.get_by_label("Pick all on this page"), visit.page.keyboard
        rows = visit.page.locator("tbody input.pick")
        keys.press("a")
        expect(box).to_be_checked()
        expect(rows.first).to_be_checked()
        visit.page.locator("tbody th a").first.focus()
        keys.press("Space")
        expect(rows.first).not_to_be_checked()
        expect(box).not_to_be_checked()
        box.check()
        expect(rows.first).to_be_checked()
        visit.held_to_the_rules("the list with all picked")
        visit.page.locator("tbody th a").first.click()
        visit.held_to_the_rules("a connection")
        visit.page.get_by_role("link", name="Call the API").click()
        visit.held_to_the_rules("the call of a connection")


def test_keys_lead_through_the_console(house: House, browser: Browser) -> None:
    """A list that Esc closes, giving the focus back; places; search; nothing while somebody types, nor switched off."""
    with visiting(browser, house) as visit:
        visit.goto(house.sign_in_link())
        visit.page.get_by_role("button", name="Sign in").click()
        keys, dialog = visit.page.keyboard, visit.page.get_by_role("dialog", name="Keyboard")
        opener = visit.page.get_by_role("button", name="Keyboard")
        opener.focus()
        keys.press("?")
        expect(dialog).to_be_visible()
        visit.held_to_the_rules("the list of keys")
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
        keys.press("g")
        keys.press("a")
        expect(visit.page).to_have_url(re.compile("/audit$"))
        keys.press("/")
        expect(visit.page.locator("#search")).to_be_focused()
        keys.type("g?")
        expect(visit.page.locator("#search")).to_have_value("g?")
        expect(dialog).to_be_hidden()
        opener.click()
        dialog.get_by_role("button", name="Switch the keys off").click()
        expect(visit.page).to_have_url(re.compile("/connections$"))
        keys.press("?")
        expect(dialog).to_be_hidden()
