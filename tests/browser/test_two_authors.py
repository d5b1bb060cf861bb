"""Two authors of one draft in real browsers, one of them without scripts: both changes are kept, or asked about."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import House, Visit, visiting

pytestmark = pytest.mark.slow


def signed_in(visit: Visit, house: House) -> Page:
    """Somebody new, before the console."""
    visit.goto(house.sign_in_link("admin"))
    visit.page.get_by_role("button", name="Sign in").click()
    return visit.page


@pytest.mark.parametrize("scripts", [True, False])
def test_both_changes_are_kept_and_one_value_is_asked(house: House, browser: Browser, scripts: bool) -> None:
    """The notice says what the other did; of the value that both changed, the choice is saved."""
    name = "both-with" if scripts else "both-without"
    with visiting(browser, house) as ada, visiting(browser, house, java_script_enabled=scripts) as ben:
        hers, his = signed_in(ada, house), signed_in(ben, house)
        ada.goto("/connectors/new?from=blank")
        hers.get_by_label("Id").fill(name)
        hers.get_by_role("button", name="Begin").click()
        for page in (hers, his):
            page.goto(f"{house.origin}/connectors/{name}/edit/2")
        hers.get_by_label("Token URL", exact=True).fill("https://login.acme.example/token")
        hers.get_by_role("button", name="Save and continue").first.click()
        expect(hers.get_by_role("heading", level=1)).to_have_text("3. Refresh token URL")
        his.get_by_label("Method", exact=True).first.select_option("PUT")
        his.get_by_role("button", name="Save and stay", exact=True).click()

        expect(his.locator("#status")).to_contain_text("Saved, on top of what somebody else has saved meanwhile.")
        expect(his.get_by_text("Token host changes from")).to_be_visible()
        expect(his.get_by_label("Token URL", exact=True)).to_have_value("https://login.acme.example/token")
        if scripts:
            ben.held_to_the_rules("put together")

        hers.goto(f"{house.origin}/connectors/{name}/edit/6")
        his.goto(f"{house.origin}/connectors/{name}/edit/6")
        hers.get_by_label("Name", exact=True).fill("Her account")
        hers.get_by_role("button", name="Save and stay", exact=True).click()
        expect(hers.locator("#status")).to_contain_text("Saved.")
        his.get_by_label("Name", exact=True).fill("His account")
        his.get_by_role("button", name="Save and stay", exact=True).click()
        expect(his.get_by_role("heading", level=1)).to_have_text("Somebody else has changed the same value")
        if scripts:
            ben.was_answered(409)
            ben.held_to_the_rules("a value that both have changed")
        his.get_by_role("button", name="Save it so").click()
        expect(his.get_by_role("alert")).to_contain_text("Choose for “Name”.")
        if scripts:
            ben.was_answered(422)
            ben.held_to_the_rules("a choice that is missing")
        his.get_by_role("radio", name="Yours").check()
        his.get_by_role("button", name="Save it so").click()

        expect(his.get_by_role("heading", level=1)).to_have_text("6. Connection name")
        expect(his.get_by_label("Name", exact=True)).to_have_value("His account")
