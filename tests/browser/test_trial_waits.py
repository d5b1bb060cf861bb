"""The builder with a trial that waits: a challenge is added, an id mended, and the answer stands beside the forms."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from keyturn_example_provider.accounts import one_time_code
from tests.browser.browsing import House, Visit, visiting
from tests.end_to_end.running import example_connector

pytestmark = pytest.mark.slow
ID = "builder"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.mark.parametrize("scripts", [pytest.param(True, id="scripts"), pytest.param(False, id="no scripts")])
def test_a_challenge_and_a_wrong_id(house: House, browser: Browser, scripts: bool) -> None:
    """An author who knows neither finds both in the trial, with one login for the second."""
    connector = ID if scripts else f"{ID}-plain"
    with visiting(browser, house, java_script_enabled=scripts) as visit:
        visit.goto(house.sign_in_link())
        visit.page.get_by_role("button", name="Sign in").click()
        store(house, connector)
        tried(visit, connector)
        expect(visit.page.get_by_text("This provider asks for a code.")).to_be_visible()
        held(visit, "a trial that offers a challenge", scripts=scripts)
        visit.page.locator("input[name=blank]").fill("urn:acme:mfa-otp")
        visit.page.get_by_role("button", name="Add a challenge").click()
        tried(visit, connector)
        visit.page.locator("input[name='answer.otp']").fill(one_time_code(SEED, now=time.time()))
        visit.page.get_by_role("button", name="Go on").click()
        expect(visit.page.get_by_role("heading", name="The trial waits at step 8")).to_be_visible(timeout=30_000)
        held(visit, "a trial that waits", scripts=scripts)
        visit.page.get_by_role("button", name="Use test.id").click()
        visit.page.get_by_role("button", name="Go on from step 8").click()
        expect(visit.page.get_by_role("heading", name="The trial passed")).to_be_visible(timeout=30_000)
        for step in (1, 2, 6, 9):
            visit.goto(f"/connectors/{connector}/edit/{step}?tab={'response' if step == 2 else 'request'}")
            held(visit, f"step {step}", scripts=scripts)
        visit.goto(f"/connectors/{connector}/edit/8")
        expect(visit.page.get_by_text("No connection has this id yet.")).to_be_visible()
        if scripts:
            typed(visit)
        held(visit, "step 8", scripts=scripts)


def held(visit: Visit, where: str, *, scripts: bool) -> None:
    """The rules of every page; what looks for breaks of them is a script itself."""
    if scripts:
        visit.held_to_the_rules(where)


def store(house: House, connector: str) -> None:
    """A draft without a challenge, whose id is taken from where none is."""
    text = example_connector(house.provider.port).replace("connector: acme-example", f"connector: {connector}")
    text = re.sub(r"\nchallenges:.*?(?=\n[a-z_]+:|\Z)", "", text, flags=re.DOTALL)
    text = text.replace('unique_id: "{{ test.id }}"', 'unique_id: "{{ test.uid }}"')
    place, kind = f"/v1/connectors/{connector}", {"Content-Type": "application/yaml"}
    assert house.server.ask("PUT", place, text, headers=kind).status in (200, 201)
    client = {"client_id": "acme-client", "client_secret": "acme-secret-for-trying-out-only"}
    assert 204 == house.server.ask("PUT", f"{place}/client", client).status


def tried(visit: Visit, connector: str) -> None:
    """A trial with the account that has a second factor, as far as it gets."""
    visit.goto(f"/connectors/{connector}/try")
    visit.page.locator("#username").fill("otp")
    visit.page.locator("#password").fill("two-steps-please")
    visit.page.get_by_role("button", name=re.compile("run all")).click()
    expect(visit.page.get_by_role("heading", name=re.compile("failed|asks for something"))).to_be_visible(
        timeout=30_000
    )


def typed(visit: Visit) -> None:
    """What one types is held against the last answer; buttons put in a path, and a filter."""
    field = visit.page.locator("#unique_id")
    assert "{{ test.id }}" == field.input_value()
    visit.page.get_by_role("button", name="Insert test.name", exact=True).click()
    assert "{{ test.name }}" == field.input_value()  # nobody had put the cursor anywhere
    field.fill("{{ test.idd }}")
    expect(visit.page.get_by_text("test.idd is not in the last trial's answer. Did you mean test.id?")).to_be_visible()
    field.fill("")
    visit.page.get_by_role("button", name="Insert test.id", exact=True).click()
    visit.page.get_by_role("button", name="small letters only").click()
    assert "{{ test.id | lower }}" == field.input_value()
    expect(visit.page.locator("[data-outcome]")).to_have_text("u-3")
