"""The console's pages in a real browser: each reached by its menu, held to the rules as each role."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, visiting

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_every_page_of_the_menu(house: House, browser: Browser, role: str) -> None:
    """Signing in by a link, then every page that this role's menu names."""
    with visiting(browser, house) as visit:
        visit.goto("/login")
        visit.held_to_the_rules("the sign-in page")
        visit.goto(house.sign_in_link(role))
        visit.held_to_the_rules("the link's page")
        visit.page.get_by_role("button", name="Sign in").click()
        expect(visit.page).to_have_title(re.compile("keyturn"))
        links = visit.page.locator("nav.menu a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
        assert "/" in links
        for path in links:
            visit.goto(path)
            expect(visit.page.locator("h1")).to_have_count(1)
            visit.held_to_the_rules(f"{path} as {role}")


def test_people(house: House, browser: Browser) -> None:
    """An administrator adds somebody; the link is shown once, and lets another browser in with that role alone."""
    with visiting(browser, house) as visit:
        visit.goto(house.sign_in_link())
        visit.page.get_by_role("button", name="Sign in").click()
        visit.goto("/people")
        visit.page.get_by_label("Name").fill("Grace")
        visit.page.get_by_label("Role").select_option("viewer")
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        link = visit.page.locator("#link").input_value()
        visit.held_to_the_rules("a person")
    with visiting(browser, house) as other:
        other.goto(link)
        other.page.get_by_role("button", name="Sign in").click()
        expect(other.page.get_by_text("Grace")).to_be_visible()
        assert 0 == other.page.get_by_role("link", name="People").count()


@pytest.mark.parametrize("scripts", [True, False])
def test_what_needs_a_script_is_not_shown_without(house: House, browser: Browser, scripts: bool) -> None:
    """A button that would do nothing is none."""
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        visit.goto(house.sign_in_link("viewer"))
        visit.page.get_by_role("button", name="Sign in").click()
        expect(visit.page.locator("nav.menu")).to_be_visible()
        visit.goto("/audit")
        visit.page.locator("details.copies summary").click()
        expect(visit.page.get_by_role("button", name="Keyboard")).to_have_count(int(scripts))
        expect(visit.page.get_by_role("button", name="Copy: curl")).to_have_count(int(scripts))
