"""The builder's forms in a real browser: nothing that is typed is lost, and every page is held to the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, expect

from tests.browser.browsing import PHONE, House, Visit, visiting

pytestmark = pytest.mark.slow


@pytest.fixture(name="author")
def _author(house: House, browser: Browser) -> Iterator[Visit]:
    """Somebody who has just begun a blank connector."""
    with visiting(browser, house) as visit:
        visit.goto(house.sign_in_link("admin"))
        visit.page.get_by_role("button", name="Sign in").click()
        visit.goto("/connectors/new?from=blank")
        visit.page.get_by_label("Id").fill(f"blank-{len(CONNECTORS)}")
        CONNECTORS.append(1)
        visit.page.get_by_role("button", name="Begin").click()
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("About the connector")
        yield visit


CONNECTORS: list[int] = []
TITLE = "Title"


def step(visit: Visit, number: int) -> None:
    """Open a step by its link in the list."""
    visit.page.locator(f".tasks a[href$='/edit/{number}']").click()


@pytest.mark.parametrize("way", ["link", "key", "tab"])
def test_what_is_typed_goes_along(author: Visit, way: str) -> None:
    """To the next step, by its link or its key, and to the other pages of the connector."""
    page = author.page
    page.get_by_label(TITLE).fill("Typed and not saved")
    if way == "link":
        step(author, 5)
        expect(page.get_by_role("heading", level=1)).to_have_text("5. Test API")
    elif way == "key":
        page.keyboard.press("Alt+ArrowDown")
        expect(page.get_by_role("heading", level=1)).to_have_text("1. Configure fields")
    else:
        page.get_by_label("Connector", exact=True).get_by_role("link", name="YAML").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The file")
    author.goto(re.sub(r"/edit/.*", "/edit/0", page.url))

    assert "Typed and not saved" == page.get_by_label(TITLE).input_value()


def test_what_cannot_be_saved_is_asked_about(author: Visit) -> None:
    """Moving on tells what is wrong and keeps what was typed; going all the same is asked about by the browser."""
    page, asked = author.page, list[str]()
    step(author, 2)
    page.get_by_label("Token URL", exact=True).fill("http://plain.acme.example/token")
    step(author, 5)
    expect(page.locator(".summary")).to_contain_text("expected https")
    author.was_answered(422)
    expect(page.get_by_label("Token URL", exact=True)).to_have_value("http://plain.acme.example/token")
    author.held_to_the_rules("a step with an error")

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.locator(".tasks a[href$='/edit/5']").click(no_wait_after=True)
    page.wait_for_function("document.visibilityState === 'visible'")
    expect(page.get_by_label("Token URL", exact=True)).to_have_value("http://plain.acme.example/token")
    assert ["beforeunload"] == asked


def test_leaving_the_connector_is_asked_about(author: Visit) -> None:
    """Only where something was typed; a saved form lets go."""
    page, asked = author.page, list[str]()

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label(TITLE).fill("Nearly gone")
    page.locator("nav.menu a[href='/links']").click(no_wait_after=True)
    expect(page.get_by_label(TITLE)).to_have_value("Nearly gone")
    page.get_by_role("button", name="Save and stay", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Saved.")
    page.locator("nav.menu a[href='/links']").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Links")

    assert ["beforeunload"] == asked


def test_setting_the_secret_saves_the_step(author: Visit) -> None:
    """Neither form throws the other away; a step that can't be saved keeps the secret from being sent."""
    page = author.page
    step(author, 2)
    page.get_by_label("Token URL", exact=True).fill("nothing")
    page.get_by_label("Client id").fill("app")
    page.get_by_role("button", name="Set id and secret").click()
    expect(page.locator("#status")).to_contain_text("can't be saved")
    author.was_answered(422)
    page.get_by_label("Token URL", exact=True).fill("https://login.acme.example/token")
    page.get_by_role("button", name="Set id and secret").click()
    expect(page.locator("#status")).to_contain_text("id and secret are set")

    assert "https://login.acme.example/token" == page.get_by_label("Token URL", exact=True).input_value()


def test_saving_the_step_sets_the_secret(author: Visit) -> None:
    """Whoever fills in both forms and presses the button that goes on means both."""
    page = author.page
    step(author, 2)
    page.get_by_label("Token URL", exact=True).fill("https://login.acme.example/token")
    page.get_by_label("Client id").fill("app")
    page.get_by_role("button", name="Save and continue").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3. Refresh token URL")
    step(author, 2)

    expect(page.get_by_text("They are set.")).to_be_visible()
    assert "https://login.acme.example/token" == page.get_by_label("Token URL", exact=True).input_value()


def test_a_row_is_added_in_place(author: Visit) -> None:
    """Without a reload: empty, in the same fold, with the next number, and the caret in it."""
    page = author.page
    step(author, 2)
    page.get_by_text("A challenge", exact=True).click()
    table = page.locator("[id='challenges.0.then.extra_params']")
    before = page.evaluate("performance.timeOrigin")
    table.get_by_role("button", name=re.compile("Add a row")).click()
    table.get_by_role("button", name=re.compile("Add a row")).click()

    assert before == page.evaluate("performance.timeOrigin")
    expect(table.locator(".cells")).to_have_count(3)
    expect(page.locator("[name='challenges.0.then.extra_params.2.name']")).to_be_focused()
    author.held_to_the_rules("a step with a fold open")


def test_keys_lead_on(author: Visit) -> None:
    """F8 to the next problem, Ctrl+Enter to the trial; the list of keys names them."""
    page = author.page
    page.get_by_role("button", name="Keyboard").click()
    expect(page.get_by_role("dialog")).to_contain_text("Go to the next problem")
    page.keyboard.press("Escape")
    page.keyboard.press("F8")
    expect(page.get_by_label("Why is a password acceptable here?")).to_be_focused()
    page.keyboard.press("F8")
    expect(page.get_by_role("heading", level=1)).to_have_text("1. Configure fields")
    page.get_by_label("Label of the username").fill("Account")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Try it")

    author.goto(re.sub(r"/try.*", "/edit/1", page.url))
    assert "Account" == page.get_by_label("Label of the username").input_value()


def test_brackets_lead_through_the_differences(author: Visit) -> None:
    """On the review, from one to the next and back; they are letter keys, and can be switched off."""
    page = author.page
    page.get_by_role("button", name="Save and stay", exact=True).click()
    page.get_by_label("Connector", exact=True).get_by_role("link", name="Review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review and publish")
    page.keyboard.press("]")
    expect(page.locator(".hunk").first).to_be_focused()
    author.held_to_the_rules("the review")
    page.get_by_role("button", name="Keyboard").click()
    expect(page.get_by_role("dialog")).to_contain_text("Go to the difference before or after")
    page.get_by_role("button", name="Switch the keys off").click()
    author.goto(page.url)
    page.keyboard.press("]")

    assert not page.locator(".hunk").first.evaluate("each => each === document.activeElement")


def test_the_text_knows_its_steps(author: Visit) -> None:
    """Where the caret stands is said with its step; a text that does not read is opened at what is wrong."""
    page = author.page
    page.get_by_label("Connector", exact=True).get_by_role("link", name="YAML").click()
    area = page.get_by_label("Text", exact=True)
    lines = area.input_value().split("\n")
    n = next(n for n, line in enumerate(lines) if line.startswith("  url: https://login"))
    caret = "(each, at) => { each.focus(); each.setSelectionRange(at, at); each.click(); }"
    area.evaluate(caret, sum(len(line) + 1 for line in lines[:n]) + 4)
    expect(page.locator("[data-place]")).to_have_text(f"Line {n + 1}, column 5: step 2, Token URL")
    lines[n] = lines[n].replace("https:", "http:")
    area.fill("\n".join(lines))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(f"Line {n + 1}, column 8:")
    author.was_answered(422)

    assert n == len(area.evaluate("each => each.value.slice(0, each.selectionStart)").split("\n")) - 1
    author.held_to_the_rules("a text that does not read")


def test_a_wrong_paste_stays(author: Visit) -> None:
    """The text is still there, and the caret at what is wrong with it."""
    page = author.page
    author.goto("/connectors/new?from=curl")
    page.get_by_label("Commands").fill("curl 'https://login.acme.example/token -d password=hunter")
    page.get_by_label("Id").fill("pasted")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 1, column 6")

    expect(page.get_by_label("Commands")).to_have_value(re.compile("hunter"))
    assert 5 == page.locator("#text").evaluate("each => each.selectionStart")
    author.held_to_the_rules("a wrong paste")


def test_a_step_begins_with_its_form_on_a_phone(author: Visit) -> None:
    """Menu and task list are folded: the first input is in the first view."""
    page = author.page
    page.set_viewport_size(PHONE)
    author.goto(page.url.partition("?")[0])
    first = page.get_by_label(TITLE).bounding_box()

    assert first is not None
    assert first["y"] < PHONE["height"]


def test_without_a_script(house: House, browser: Browser) -> None:
    """Rows, folds and the tester of step 7 work by their buttons."""
    with visiting(browser, house, java_script_enabled=False) as visit:
        page = visit.page
        visit.goto(house.sign_in_link("admin"))
        page.get_by_role("button", name="Sign in").click()
        visit.goto("/connectors/new?from=blank")
        page.get_by_label("Id").fill("without-script")
        page.get_by_role("button", name="Begin").click()
        visit.goto("/connectors/without-script/edit/7")
        page.locator("[name='allowed_urls.1.url']").fill("https://api.acme.example/v2")
        page.get_by_role("button", name="Add a row").click()
        expect(page.locator("[name='allowed_urls.1.url']")).to_have_value("https://api.acme.example/v2")
        page.get_by_label("URL", exact=True).last.fill("https://api.acme.example/v2/x")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("GET is allowed by the rule https://api.acme.example/v2.")).to_be_visible()
        page.get_by_role("button", name="Save and stay", exact=True).click()
        expect(page.locator("#status")).to_contain_text("Saved.")
