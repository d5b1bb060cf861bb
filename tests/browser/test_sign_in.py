"""Signing in to the console in a real browser: through an OpenID provider, anew for what asks for it, and out again."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, Visit, running_house, visiting
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, ScriptedProvider, running

pytestmark = pytest.mark.slow


@pytest.fixture(name="openid", scope="module")
def _openid() -> Iterator[ScriptedProvider]:
    with running(time.time()) as provider:
        yield provider


@pytest.fixture(name="relying", scope="module")
def _relying(tmp_path_factory: pytest.TempPathFactory, openid: ScriptedProvider) -> Iterator[House]:
    settings = {
        "KEYTURN_OIDC_ISSUER": openid.issuer,
        "KEYTURN_OIDC_CLIENT_ID": CLIENT_ID,
        "KEYTURN_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "KEYTURN_OIDC_NAME": "Example",
    }
    with running_house(tmp_path_factory.mktemp("relying"), **settings) as house:
        yield house


def sign_in(visit: Visit, link: str) -> None:
    """Through a link's button."""
    visit.goto(link)
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.locator("nav.menu")).to_be_visible()


def make_old(data: Path) -> None:
    """Let every sign-in be an hour ago."""
    database = sqlite3.connect(data / "keyturn.db", timeout=10)
    with database:
        database.execute("UPDATE console_sessions SET authenticated_at = authenticated_at - 3600")
    database.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_form_waits_for_a_fresh_sign_in(house: House, browser: Browser, scripts: bool) -> None:
    """What was typed stands on the page that asks; a sign-in in another tab, and it goes through as it was."""
    person = house.person()
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        sign_in(visit, house.link_for(person))
        visit.goto("/people")
        make_old(house.server.data)
        visit.page.get_by_label("Name").fill('Grace "H" <b>')
        visit.page.get_by_label("Role").select_option("operator")
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        expect(visit.page.get_by_role("heading", name="Sign in again to go on")).to_be_visible()
        expect(visit.page.get_by_text("reauth_required")).to_be_visible()
        if scripts:
            visit.was_answered(403)
            visit.held_to_the_rules("the page that asks for a sign-in")
        tab = visit.context.new_page()
        tab.goto(house.link_for(person))
        tab.get_by_role("button", name="Sign in").click()
        expect(tab.locator("nav.menu")).to_be_visible()
        tab.close()
        visit.page.get_by_role("button", name="Go on").click()
        expect(visit.page.get_by_role("heading", name='Grace "H" <b>')).to_be_visible()


def test_ones_own_sessions(house: House, browser: Browser) -> None:
    """Both browsers are listed; the other one is out after a button."""
    person = house.person("viewer")
    with visiting(browser, house) as visit, visiting(browser, house) as other:
        sign_in(visit, house.link_for(person))
        sign_in(other, house.link_for(person))
        visit.goto("/sessions")
        rows = visit.page.get_by_role("region", name="Sessions").locator("tbody tr")
        expect(rows).to_have_count(2)
        visit.held_to_the_rules("one's own sessions")
        visit.page.get_by_role("button", name="Sign all others out").click()
        expect(visit.page.get_by_text("All other browsers are signed out.")).to_be_visible()
        expect(rows).to_have_count(1)
        other.goto("/connections")
        expect(other.page).to_have_url(re.compile("/login"))


@pytest.mark.parametrize("scripts", [True, False])
def test_through_an_openid_provider(relying: House, openid: ScriptedProvider, browser: Browser, scripts: bool) -> None:
    """Out by a button, back as the person who was invited; then proved anew, and out."""
    email = f"ada-{scripts}@example.com".lower()
    openid.claims = {"sub": email, "email": email}
    relying.person("admin", email=email)
    with visiting(browser, relying, elsewhere=(openid.issuer,), java_script_enabled=scripts) as visit:
        visit.goto("/connections")
        expect(visit.page).to_have_url(re.compile("/login"))
        if scripts:
            visit.held_to_the_rules("the sign-in page with a provider")
        visit.page.get_by_role("button", name="Sign in with Example").click()
        expect(visit.page).to_have_url(f"{relying.origin}/connections")
        visit.goto("/people")
        make_old(relying.server.data)
        visit.page.get_by_label("Name").fill("Grace")
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        openid.claims |= {"auth_time": int(time.time())}
        with visit.context.expect_page() as opened:
            visit.page.get_by_role("button", name="Sign in with Example, in a new tab").click()
        expect(opened.value.get_by_role("heading", name="You have signed in again")).to_be_visible()
        opened.value.close()
        visit.page.get_by_role("button", name="Go on").click()
        expect(visit.page.get_by_role("heading", name="Grace")).to_be_visible()


def test_somebody_whom_nobody_invited(relying: House, openid: ScriptedProvider, browser: Browser) -> None:
    """Is told so on a page, and is not in."""
    openid.claims = {"sub": "stranger", "email": "stranger@example.com"}
    with visiting(browser, relying, elsewhere=(openid.issuer,)) as visit:
        visit.goto("/login")
        visit.page.get_by_role("button", name="Sign in with Example").click()
        expect(visit.page.get_by_text("openid_not_invited")).to_be_visible()
        visit.was_answered(403)
        visit.held_to_the_rules("the page of a sign-in that was refused")
        visit.goto("/connections")
        expect(visit.page).to_have_url(re.compile("/login"))
