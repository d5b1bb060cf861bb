"""What the person reads for each way in which a login can end."""

from __future__ import annotations

import pytest

from keyturn.core.errors import (
    AddressNotAllowed,
    KeyturnError,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnreachable,
    leaves,
)
from keyturn.core.messages import Answer
from keyturn.core.problems import PROBLEMS
from keyturn.web.connect.outcomes import outcome_of, status_of
from keyturn.web.connect.texts.english import ENGLISH
from tests.fakes.egress import Reply, json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, TOKEN, Page, make_site

REJECTED = json_answer('{"error": "invalid_grant", "error_description": "provider-words <b>jo</b>"}', 400)
WITH_LINKS = (
    CONNECTOR
    + """\
links:
  reset_password: "https://acme.co.uk/reset"
  unlock: "https://acme.co.uk/unlock"
  app_password: "https://acme.co.uk/app-password"
notes: {setup: Switch API access on under Settings.}
failures:
  - {when: {status: [401], body: "c == 'locked'"}, class: locked, help: The account opens again after an hour.}
  - {when: {status: [401], body: "c == 'old'"}, class: password_expired}
  - {when: {status: [401], body: "c == 'terms'"}, class: must_act}
  - {when: {status: [401], body: "c == 'code'"}, class: wrong_code}
  - {when: {status: [401], body: "c == 'scope'"}, class: scope_denied}
"""
)


def _says(code: str) -> Answer:
    return json_answer(f'{{"c": "{code}", "text": "provider-words"}}', 401)


async def _after(source: str, *replies: Reply) -> Page:
    site = await make_site(source, replies=replies)
    browser = site.browser()
    page = await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)

    assert CANARY not in browser.everything()
    return page


@pytest.mark.parametrize(
    ("replies", "status", "words", "form"),
    [
        pytest.param((REJECTED,), 422, "Acme CRM did not accept that username and password.", True, id="rejected"),
        pytest.param((_says("locked"),), 423, "Acme CRM has locked sign-in for this account for now.", False,
                     id="locked"),
        pytest.param((_says("old"),), 424, "Acme CRM wants you to change your password first.", True,
                     id="password expired"),
        pytest.param((_says("terms"),), 424, "Acme CRM wants you to sign in on its own site first.", True,
                     id="must act"),
        pytest.param((_says("code"),), 422, "Acme CRM did not accept the code.", True, id="wrong code"),
        pytest.param((_says("scope"),), 424, "set up wrongly. It is not your fault.", False, id="scope"),
        pytest.param((json_answer('{"error": "mfa_required"}', 400),), 424,
                     "asks for a second step that this connection can’t do.", True, id="second step, app passwords"),
        pytest.param((TOKEN, json_answer("{}", 403)), 424,
                     "You signed in, but the check at api.acme.co.uk failed. Nothing was kept.", True, id="test"),
        pytest.param((TOKEN, json_answer('{"name": "Jo"}')), 424, "did not say which account this is.", False,
                     id="no unique id"),
        pytest.param((json_answer('{"error": "slow_down"}', 429),), 429, "Acme CRM is asking us to wait.", False,
                     id="rate limited"),
        pytest.param((ProviderUnreachable(),), 502, "could not reach auth.acme.co.uk. Your password was not sent.",
                     True, id="unreachable"),
        pytest.param((ProviderTlsFailed(),), 502, "could not reach auth.acme.co.uk safely.", True, id="no TLS"),
        pytest.param((AddressNotAllowed(),), 403, "may not be reached from here. Your password was not sent.", False,
                     id="address"),
        pytest.param((ProviderTimeout(),), 504, "Your password was sent; we do not know the result.", True, id="time"),
        pytest.param((json_answer("{}", 503),), 502, "says that it can’t answer now.", True, id="unavailable"),
        pytest.param((json_answer('{"no": "token"}'),), 502, "gave an answer that we do not understand.", False,
                     id="nonsense"),
        pytest.param((json_answer('{"error": "invalid_client"}', 401),), 424, "It is not your fault.", False,
                     id="client rejected"),
        pytest.param((json_answer('{"error": "unsupported_grant_type"}', 400),), 424, "It is not your fault.", False,
                     id="grant disabled"),
    ],
)  # fmt: skip
async def test_each_outcome(replies: tuple[Reply, ...], status: int, words: str, form: bool) -> None:
    """The register's status, our words and never the provider's, and a form only where another try may help."""
    page = await _after(WITH_LINKS, *replies)

    assert (status, "Error: Connect your Acme CRM account") == (page.status, page.title)
    assert words in page.text
    assert form == ('name="password"' in page.html)
    assert "provider-words" not in page.html
    assert 'role="alert" tabindex="-1" autofocus' in page.html


@pytest.mark.parametrize(
    ("reply", "words", "links"),
    [
        pytest.param(REJECTED, "Check both and type your password again.", ["reset"], id="rejected"),
        pytest.param(_says("locked"), "The account opens again after an hour.", ["unlock", "reset"], id="locked"),
        pytest.param(_says("old"), "Change it at Acme CRM", ["reset"], id="password expired"),
        pytest.param(_says("terms"), "then try again here", ["unlock"], id="must act"),
        pytest.param(json_answer('{"error": "mfa_required"}', 400), "use one in place of your password",
                     ["app-password"], id="second step"),
        pytest.param(json_answer('{"error": "unsupported_grant_type"}', 400), "Switch API access on under Settings.",
                     [], id="set up wrongly: the author's note for administrators"),
    ],
)  # fmt: skip
async def test_the_next_step_is_offered(reply: Reply, words: str, links: list[str]) -> None:
    """Each outcome says what helps, with the connector's own links, in a new tab so that the form stays."""
    page = await _after(WITH_LINKS, reply)
    outside = [each.removeprefix("https://acme.co.uk/") for each in page.parsed.links if each.startswith("https:")]

    assert words in page.text
    assert links == outside
    assert len(links) == page.text.count("(opens in a new tab)")


async def test_a_second_step_without_app_passwords_ends_it() -> None:
    """No form is left that could not work."""
    page = await _after(CONNECTOR, json_answer('{"error": "mfa_required"}', 400))

    assert "asks for a second step" in page.text
    assert 'name="password"' not in page.html
    assert "Try again" in page.text


async def test_the_tries_that_are_left_are_told_from_the_second_failure_on() -> None:
    """One mistake alarms nobody; the last try is always announced; at none the form is gone."""
    site = await make_site(CONNECTOR + "limits: {logins: 4, per: 15m}\n", replies=(REJECTED,) * 4)
    browser = site.browser()
    page = await site.sign_in_page(browser)
    pages = []
    for _ in range(4):
        page = await browser.submit(page, username="jo", password=CANARY)
        pages.append(page)
    fifth = await browser.submit(await browser.get(page.url), username="jo", password=CANARY)

    assert [False, True, False, False] == ["2 more tries are left" in each.text for each in pages]
    assert ["more t" in pages[0].text, "One more try is left" in pages[2].text] == [False, True]
    assert "No more tries are left for now" in pages[3].text
    assert 'name="password"' not in pages[3].html
    assert (429, "900") == (fifth.status, fifth.response.headers["retry-after"])
    assert "Your password was not sent. One more failure could lock the account." in fifth.text
    assert "Wait 15 minutes." in fifth.text
    assert 4 == len(site.world.egress.requests)


async def test_a_wait_that_the_provider_asks_for_is_kept() -> None:
    """Words, `Retry-After`, no form; a form that was open elsewhere is refused as well, until the time is over."""
    limited = Answer(429, (("Content-Type", "application/json"), ("Retry-After", "90")), b"{}")
    site = await make_site(replies=(limited, TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    other_tab = await browser.get(page.url)
    told = await browser.submit(page, username="jo", password=CANARY)
    refused = await browser.submit(other_tab, username="jo", password=CANARY)
    site.world.clock.advance(91)
    done = await browser.submit(await browser.get(page.url), username="jo", password=CANARY)

    assert [(429, "90"), (429, "90")] == [(x.status, x.response.headers["retry-after"]) for x in (told, refused)]
    assert "Wait 90 seconds." in told.text
    assert 'name="password"' not in told.html + refused.html
    assert "Your Acme CRM account is connected" == done.title


async def test_a_page_has_ten_logins() -> None:
    """Whatever the usernames: a page is no tool to try passwords with."""
    site = await make_site(replies=(REJECTED,) * 11)
    browser = site.browser()
    page = await site.sign_in_page(browser)
    for number in range(10):
        page = await browser.submit(page, username=f"jo{number}", password=CANARY)
    eleventh = await browser.submit(page, username="jo10", password=CANARY)

    assert (422, 429) == (page.status, eleventh.status)
    assert "Too many tries on this page. Ask Ledgerly for a new link." in eleventh.text
    assert 10 == len(site.world.egress.requests)


async def test_what_is_set_up_wrongly_is_said_before_a_password_is_asked() -> None:
    """A client that was never entered, found when the link is opened or the page: a link is not burnt by it."""
    site = await make_site()
    browser = site.browser()
    link = await site.link()
    page = await site.sign_in_page(browser)
    await site.publish(CONNECTOR.replace("client: {authentication: none}\n", ""))
    landing, posted, sign_in = await browser.get(link), await browser.post(link, {}), await browser.get(page.url)

    assert [409, 409, 409] == [each.status for each in (landing, posted, sign_in)]
    for each in (landing, posted, sign_in):
        assert "This connection is set up wrongly. It is not your fault." in each.text
        assert 'name="password"' not in each.html
        assert f"Request id: {each.response.headers['keyturn-request-id']}" in each.text
        assert "Problem: connector_client_missing" in each.text
    session = await site.world.application.connect_sessions.look(link.removeprefix("/c/"))
    assert "open" == session.state


async def test_who_asks_for_help_has_something_to_send() -> None:
    """Code, request id, time and place where another has to help; nothing of the account. A typing error needs none."""
    stopped = await _after(WITH_LINKS, _says("scope"))
    typo = await _after(CONNECTOR, REJECTED)
    text = stopped.html.partition('<pre id="support-text"')[2].partition("</pre>")[0]

    request_id = stopped.response.headers["keyturn-request-id"]
    lines = text.partition(">")[2].splitlines()
    assert ["Problem: scope_insufficient", f"Request id: {request_id}"] == lines[:2]
    assert ["Time:", "Page:"] == [each.partition(" ")[0] for each in lines[2:]]
    assert "jo" not in text
    assert "Go back to" not in stopped.text  # there is nowhere to go back to
    assert "Stop here" in stopped.text
    assert "For support" not in typo.text


def _kinds() -> list[type[KeyturnError]]:
    return [kind for kind in leaves() if kind.__init__ is KeyturnError.__init__]


@pytest.mark.parametrize("error", _kinds())
def test_each_error_has_words(error: type[KeyturnError]) -> None:
    """Whatever is raised, there is a sentence for it, a next step, and the register's status."""
    outcome = outcome_of(error(), None)

    assert f"{outcome.text}.title" in ENGLISH
    assert f"{outcome.text}.next" in ENGLISH or "validation_failed" == outcome.text
    assert PROBLEMS[error.code].status == status_of(error())
