"""Connecting an account in a real browser, with and without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, Visit, visiting

pytestmark = pytest.mark.slow


def code_of(house: House) -> str:
    """The current code of the example provider's second account, as its page shows it."""
    page = house.provider.ask("GET", "/").body.decode()
    found = re.search(r"otp.*?\b(\d{6})\b", page, re.DOTALL)
    assert found, "the example provider shows no code"
    return found.group(1)


def sign_in(visit: Visit, username: str, password: str) -> None:
    """Fill the form in, as a person does."""
    visit.page.get_by_label(re.compile("user", re.I)).fill(username)
    visit.page.locator("#password").fill(password)
    visit.page.get_by_role("button", name=re.compile("^connect", re.I)).click()


@pytest.mark.parametrize("scripts", [pytest.param(True, id="scripts"), pytest.param(False, id="no scripts")])
def test_a_wrong_password_then_a_code(house: House, browser: Browser, scripts: bool) -> None:
    """The whole way: link, form, wrong password, right one, code, done; each page held to the rules."""
    owner = f"owner of {'scripts' if scripts else 'none'}"
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        visit.goto(house.link(owner))
        held(visit, scripts, "the link's page")
        visit.page.get_by_role("button").first.click()
        expect(visit.page.get_by_text(f"127.0.0.1:{house.provider.port}").first).to_be_visible()
        held(visit, scripts, "the form")
        sign_in(visit, "otp", "wrong-password")
        expect(visit.page).to_have_title(re.compile("^Error"))
        held(visit, scripts, "the form with an error")
        assert "otp" == visit.page.get_by_label(re.compile("user", re.I)).input_value()
        assert "" == visit.page.locator("#password").input_value()
        sign_in(visit, "otp", "two-steps-please")
        expect(visit.page).to_have_url(re.compile("/code$"))
        held(visit, scripts, "the code's page")
        visit.page.get_by_role("textbox").fill(code_of(house))
        visit.page.get_by_role("button").first.click()
        expect(visit.page).to_have_url(re.compile("/done"))
        held(visit, scripts, "the end")
        addresses = " ".join(visit.seen)
        assert "two-steps-please" not in addresses
    listed = house.server.ask("GET", f"/v1/connections?owner={owner.replace(' ', '%20')}").json()["data"]
    assert ["active"] == [each["state"] for each in listed]


def held(visit: Visit, scripts: bool, where: str) -> None:
    """axe needs scripts; without them only what the page did is judged."""
    if scripts:
        visit.faults[:] = [each for each in visit.faults if "status of 4" not in each]
        visit.held_to_the_rules(where)


def test_the_password_can_be_shown_and_is_hidden_again(house: House, browser: Browser) -> None:
    """By a button that scripts add, and that says what it does."""
    with visiting(browser, house) as visit:
        visit.goto(house.link("shows"))
        visit.page.get_by_role("button").first.click()
        visit.page.locator("#password").fill("a-canary-password")
        visit.page.get_by_role("button", name="Show password").click()
        assert "text" == visit.page.locator("#password").get_attribute("type")
        visit.page.get_by_role("button", name="Hide password").click()
        assert "password" == visit.page.locator("#password").get_attribute("type")


def test_with_the_keyboard_alone(house: House, browser: Browser) -> None:
    """Tab order is reading order: from the link to the end without a pointer."""
    with visiting(browser, house) as visit:
        visit.goto(house.link("keys"))
        visit.page.get_by_role("button").first.focus()
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("#password")).to_be_visible()
        visit.page.locator("#username").focus()
        visit.page.keyboard.type("demo")
        for _ in range(6):
            visit.page.keyboard.press("Tab")
            if visit.page.evaluate("document.activeElement.id") == "password":
                break
        visit.page.keyboard.type("correct-horse-7")
        visit.page.keyboard.press("Enter")
        expect(visit.page).not_to_have_url(re.compile("/sign-in$"))


def test_german(house: House, browser: Browser) -> None:
    """A browser that asks for German gets it, whole."""
    with visiting(browser, house, locale="de-DE") as visit:
        visit.goto(house.link("deutsch"))
        assert "de" == visit.page.locator("html").get_attribute("lang")
        visit.held_to_the_rules("the link's page in German")


def test_another_browser_gets_nothing(house: House, browser: Browser) -> None:
    """The address of a page in the middle opens nothing elsewhere."""
    with visiting(browser, house) as visit:
        visit.goto(house.link("mine"))
        visit.page.get_by_role("button").first.click()
        address: Any = visit.page.url
    with visiting(browser, house) as other:
        answer = other.page.goto(address)
        assert answer is not None
        assert 404 == answer.status
        other.faults.clear()
