"""Signing in to the console in a real browser: through an OpenID provider, anew for what asks for it, and out again."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

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


def sign_in_there(tab: Page, link: str) -> None:
    """Sign in in another tab of the same browser, and close it."""
    tab.goto(link)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.locator("nav.menu")).to_be_visible()
    tab.close()


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
        sign_in_there(visit.context.new_page(), house.link_for(person))
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


def end_sessions(data: Path) -> None:
    """Let every browser be signed out, as after an hour without use."""
    database = sqlite3.connect(data / "keyturn.db", timeout=10)
    with database:
        database.execute("UPDATE console_sessions SET seen_at = seen_at - 3600")
    database.close()


def open_long_ago(visit: Visit, path: str) -> None:
    """A page that was opened more than a minute before: until then it takes its session to live still."""
    visit.page.clock.install()
    visit.goto(path)
    visit.page.clock.fast_forward(61_000)


def test_a_form_stays_while_one_signs_in_again(house: House, browser: Browser) -> None:
    """It is not sent; the page says so, leads to the sign-in, notices it, and sends the form as it was typed."""
    person = house.person()
    with visiting(browser, house) as visit:
        sign_in(visit, house.link_for(person))
        open_long_ago(visit, "/people")
        end_sessions(house.server.data)
        visit.page.get_by_label("Name").fill("Kept Grace")
        visit.page.get_by_label("Role").select_option("operator")
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        dialog = visit.page.get_by_role("dialog", name="You are signed out")
        expect(dialog).to_contain_text("Nothing was sent")
        visit.held_to_the_rules("the dialog of a session that has ended")
        with visit.context.expect_page() as opened:
            dialog.get_by_role("link", name="Sign in, in a new tab").click()
        expect(opened.value).to_have_url(f"{house.origin}/login?next=%2Fsigned-in-again")
        sign_in_there(opened.value, house.link_for(person))
        visit.page.bring_to_front()
        visit.page.evaluate("dispatchEvent(new Event('focus'))")  # which a browser without a window never sends
        expect(dialog).to_be_hidden()
        expect(visit.page.get_by_role("status")).to_contain_text("You are signed in again")
        expect(visit.page.get_by_role("button", name=re.compile("Add"))).to_be_focused()
        visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("heading", name="Kept Grace")).to_be_visible()
        assert "{}" == visit.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
        assert [] == [each for each in visit.seen if "Kept" in each]


def test_coming_back_to_a_page_says_that_one_is_signed_out(house: House, browser: Browser) -> None:
    """Where something was typed; Esc leads back to it, and keys that lead elsewhere don't fire meanwhile."""
    with visiting(browser, house) as visit:
        sign_in(visit, house.sign_in_link())
        visit.goto("/people")
        end_sessions(house.server.data)
        visit.page.evaluate("dispatchEvent(new Event('focus'))")
        visit.page.get_by_label("Name").fill("Typed")
        dialog = visit.page.get_by_role("dialog", name="You are signed out")
        expect(dialog).to_be_hidden()
        visit.page.evaluate("dispatchEvent(new Event('focus'))")
        expect(dialog).to_be_visible()
        for key in ("g", "c"):
            visit.page.keyboard.press(key)
        visit.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(visit.page.get_by_label("Name")).to_be_focused()
        expect(visit.page.get_by_label("Name")).to_have_value("Typed")


def test_somebody_else_sends_nothing_of_it(house: House, browser: Browser) -> None:
    """The page knows whose it is, and says so."""
    with visiting(browser, house) as visit:
        sign_in(visit, house.sign_in_link())
        open_long_ago(visit, "/people")
        visit.page.get_by_label("Name").fill("Typed by the one before")
        sign_in_there(visit.context.new_page(), house.sign_in_link())
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        expect(visit.page.get_by_role("dialog", name="Somebody else is signed in")).to_be_visible()
        visit.held_to_the_rules("the dialog where somebody else is signed in")
        visit.goto("/people")
        assert 0 == visit.page.get_by_text("Typed by the one before").count()


def test_a_server_that_is_away_loses_no_form(house: House, browser: Browser) -> None:
    """Nothing is sent into nowhere; when it answers again, the same press sends it."""
    with visiting(browser, house) as visit:
        sign_in(visit, house.sign_in_link())
        open_long_ago(visit, "/people")
        visit.page.get_by_label("Name").fill("Patient Grace")
        visit.page.route("**/signed-in", lambda route: route.fulfill(status=200, body="<p>a proxy says</p>"))
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        dialog = visit.page.get_by_role("dialog", name="keyturn can't be reached")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("link")).to_have_count(0)
        dialog.get_by_role("button", name="Close").click()
        visit.page.unroute("**/signed-in")
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        expect(visit.page.get_by_role("heading", name="Patient Grace")).to_be_visible()


def test_a_form_is_kept_without_scripts(house: House, browser: Browser) -> None:
    """The answer has it; after a sign-in in another tab it is shown, and sent by a press of its own."""
    person = house.person()
    with visiting(browser, house, java_script_enabled=False) as visit:
        sign_in(visit, house.link_for(person))
        visit.goto("/people")
        end_sessions(house.server.data)
        visit.page.get_by_label("Name").fill('Plain "G" <b>')
        visit.page.get_by_role("button", name=re.compile("Add")).click()
        expect(visit.page.get_by_role("heading", name="You are signed out")).to_be_visible()
        with visit.context.expect_page() as opened:
            visit.page.get_by_role("link", name="sign in, in a new tab").click()
        sign_in_there(opened.value, house.link_for(person))
        visit.page.get_by_role("button", name="Go on").click()
        expect(visit.page.get_by_role("heading", name="Send it once more?")).to_be_visible()
        expect(visit.page.get_by_role("row", name="name")).to_contain_text('Plain "G" <b>')
        visit.page.get_by_role("button", name="Send it").click()
        expect(visit.page.get_by_role("heading", name='Plain "G" <b>')).to_be_visible()


def test_the_pages_of_a_kept_form(house: House, browser: Browser) -> None:
    """Held to the rules like all others."""
    person = house.person()
    with visiting(browser, house) as visit:
        sign_in(visit, house.link_for(person))
        visit.goto("/people")
        end_sessions(house.server.data)
        visit.page.get_by_label("Name").fill("Word " * 12 + "x" * 20)
        visit.page.locator("main form").last.evaluate("form => form.submit()")
        expect(visit.page.get_by_role("heading", name="You are signed out")).to_be_visible()
        visit.was_answered(403)
        visit.held_to_the_rules("the page that keeps a form")
        sign_in_there(visit.context.new_page(), house.link_for(person))
        visit.page.get_by_role("button", name="Go on").click()
        expect(visit.page.get_by_role("heading", name="Send it once more?")).to_be_visible()
        visit.was_answered(403)
        visit.held_to_the_rules("the page that offers a form")
