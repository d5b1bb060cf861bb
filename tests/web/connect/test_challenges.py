"""What the provider asks in between: codes, choices and pushes, on the page and without JavaScript."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest

from keyturn.core.messages import Answer
from keyturn.ports.store import ConnectionFilter
from tests.fakes.clock import FakeClock
from tests.fakes.egress import Reply, json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, TOKEN, Browser, Page, Site, make_site

CODE = "493817"  # a canary as well: stands in no page, cookie, address or session
WITH_CODE = (
    CONNECTOR
    + """\
challenges:
  - when: {status: [401], body: "need == 'code'"}
    ask: [{key: otp, label: Code from your app, type: otp}]
    capture: {mfa: mfa_token}
    then: {params: {mfa: "{{ mfa }}", otp: "{{ otp }}"}}
    resend: {url: "https://auth.acme.co.uk/resend", params: {mfa: "{{ mfa }}"}}
failures:
  - {when: {status: [401], body: "error == 'either'"}, class: password_or_code}
"""
)
WITH_CHOICE = (
    CONNECTOR
    + """\
challenges:
  - when: {status: [401], body: "need == 'code'"}
    ask:
      - {key: factor, label: How, type: choice, choices_from: "factors[].{value: id, label: name}"}
      - {key: branch, label: Your branch, type: text, required: false}
      - {key: otp, label: Backup code, type: otp, pattern: "[0-9A-Z]{6}"}
    then: {params: {factor: "{{ factor }}", otp: "{{ otp }}"}}
"""
)
WITH_PUSH = (
    CONNECTOR
    + """\
challenges:
  - when: {status: [401], body: "need == 'push'"}
    ask: []
    capture: {mfa: mfa_token}
    then:
      params: {mfa: "{{ mfa }}"}
      poll: {every: 3, for: 60, while: "error == 'authorization_pending'"}
"""
)
WITH_PIN = (
    CONNECTOR
    + """\
challenges:
  - when: {status: [401], body: "need == 'code'"}
    ask:
      - {key: otp, label: Code from your app, type: otp}
      - {key: pin, label: Your PIN, type: secret}
    then: {params: {otp: "{{ otp }}", pin: "{{ pin }}"}}
"""
)
ASKS = json_answer(
    '{"need": "code", "mfa_token": "mfa-canary", "factors": [{"id": "app", "name": "Authenticator app"},'
    ' {"id": "sms", "name": "Text <b>message</b>"}]}',
    401,
)
PUSHES = json_answer('{"need": "push", "mfa_token": "mfa-canary"}', 401)
PENDING = json_answer('{"error": "authorization_pending"}', 400)
WRONG = json_answer('{"error": "invalid_grant"}', 400)


async def _at_challenge(source: str, *replies: Reply, **site: object) -> tuple[Site, Browser, Page]:
    made = await make_site(source, replies=replies, **site)  # type: ignore[arg-type]
    browser = made.browser()
    page = await browser.submit(await made.sign_in_page(browser), username="jo", password=CANARY)
    return made, browser, page


async def _connections(site: Site) -> int:
    return len((await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items)


async def _kept(site: Site, page: Page) -> str:
    """All that the session's row holds."""
    session = await site.world.stores.sessions.load(page.url.split("/")[2])
    return f"{session} {session.facts if session else ''}"


async def test_a_code_is_asked_on_a_page_of_its_own() -> None:
    """What is asked, where it goes, one plain input for it; and after it the connection."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, TOKEN, ME)
    form = page.parsed.forms[0]
    done = await browser.submit(page, field__otp="493 817")

    assert (200, "Acme CRM asks for one more step") == (page.status, page.title)
    assert page.url.endswith("/code")
    assert {"form", "field.otp"} == set(form.inputs)
    assert {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code"}.items() <= (
        form.inputs["field.otp"].items()
    )
    assert "You are typing it into 127.0.0.1:8800, to connect Ledgerly." in page.text
    assert "Code from your app" in page.text
    assert "Your Acme CRM account is connected" == done.title
    assert b"otp=493817" in (site.world.egress.requests[1].body or b"")
    assert 1 == await _connections(site)


async def test_neither_password_nor_code_is_anywhere() -> None:
    """Not in a page, a cookie, an address, nor in the session's row."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, WRONG, TOKEN, ME)
    kept = await _kept(site, page)
    wrong = await browser.submit(page, field__otp=CODE)
    kept += await _kept(site, wrong)
    done = await browser.submit(wrong, field__otp=CODE)
    kept += await _kept(site, done)
    everything = browser.everything() + kept

    assert "Your Acme CRM account is connected" == done.title
    assert [False] * 4 == [each in everything for each in (CANARY, urlencode({"p": CANARY})[2:], CODE, "mfa-canary")]


async def test_a_wrong_code_is_told_and_another_may_be_typed() -> None:
    """The title, a summary that has the focus, the words at the input, and how many tries are left."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, WRONG, WRONG, WRONG)
    first = await browser.submit(page, field__otp=CODE)
    second = await browser.submit(first, field__otp=CODE)
    third = await browser.submit(second, field__otp=CODE)

    assert "Error: Acme CRM asks for one more step" == first.title
    assert 'role="alert" tabindex="-1" autofocus' in first.html
    assert '<a href="#field-otp">Acme CRM did not accept the code.</a>' in first.html
    assert 'id="field-otp-error">Acme CRM did not accept the code.' in first.html
    assert 'aria-invalid="true"' in first.html
    assert "You have 2 more tries" in first.text
    assert "You have one more try" in second.text
    assert third.url.endswith("/sign-in")
    assert "Acme CRM did not accept the code. Type your password and a new code." in third.text
    assert "password" in third.parsed.forms[0].inputs
    assert 0 == await _connections(site)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param("", "Type “Code from your app”", id="nothing"),
        pytest.param("  ", "Type “Code from your app”", id="nothing but blanks"),
    ],
)
async def test_nothing_is_sent_for_a_code_that_is_none(typed: str, words: str) -> None:
    """What is mistyped uses nothing up."""
    _, browser, page = await _at_challenge(WITH_CODE, ASKS, TOKEN, ME)
    refused = await browser.submit(page, field__otp=typed)
    done = await browser.submit(refused, field__otp=CODE)

    assert (422, "Error: Acme CRM asks for one more step") == (refused.status, refused.title)
    assert words in refused.text
    assert "Your Acme CRM account is connected" == done.title


async def test_questions_come_one_by_one_and_secrets_last() -> None:
    """A choice in a fieldset, a text that may be left out, then the code; what was chosen can be changed before."""
    site, browser, page = await _at_challenge(WITH_CHOICE, ASKS, TOKEN, ME)
    empty = await browser.submit(page)
    branch = await browser.submit(page, field__factor="sms")
    changed = await browser.submit(await browser.get(f"{branch.url}?change"), field__factor="app")
    last = await browser.submit(changed, field__branch="")
    done = await browser.submit(last, field__otp="AB12CD")

    assert {"form", "field.factor"} == set(page.parsed.forms[0].inputs)
    assert "<fieldset" in page.html
    assert "<legend>How</legend>" in page.html
    assert "Text &lt;b&gt;message&lt;/b&gt;" in page.html
    assert (422, True) == (empty.status, '<a href="#field-factor-0">Choose “How”</a>' in empty.html)
    assert ({"form", "field.branch"}, "Question 2 of 3") == (
        set(branch.parsed.forms[0].inputs),
        branch.text[branch.text.index("Question") :][:15],
    )
    assert {"form", "field.otp"} == set(last.parsed.forms[0].inputs)
    assert "inputmode" not in last.parsed.forms[0].inputs["field.otp"]
    assert "Your Acme CRM account is connected" == done.title
    body = site.world.egress.requests[1].body or b""
    assert [True, True, False] == [each in body for each in (b"factor=app", b"otp=AB12CD", b"branch")]


async def test_a_push_is_waited_for_without_javascript() -> None:
    """The page says what to do, looks again by itself, and has a button; the server asks the provider."""
    clock = FakeClock()
    site, browser, page = await _at_challenge(WITH_PUSH, PUSHES, PENDING, TOKEN, ME, clock=clock)
    state = f"{page.url.removesuffix('code')}state"
    waits = (await browser.get(state)).response.json()
    looked = await browser.get(next(each for each in page.parsed.links if each.endswith("?looked")))
    await _poll(site, 4)
    still = await browser.get(page.url)
    await _poll(site, 4)
    over = (await browser.get(state)).response.json()
    done = await browser.get(page.url)

    assert "Approve on your device" == page.title == still.title
    assert "Approve it only if you started it yourself, in Ledgerly." in page.text
    assert f'<noscript><meta http-equiv="refresh" content="5;url={page.url}"></noscript>' in page.html
    assert f'data-state="{state}" data-next="{page.url}"' in page.html
    assert "Acme CRM still waits for you." in looked.text
    assert ({"waits": True}, {"waits": False}) == (waits, over)
    assert "Your Acme CRM account is connected" == done.title


async def test_a_push_that_nobody_approves_leads_back_to_the_sign_in() -> None:
    """Which says why, and asks for the password again."""
    site, browser, page = await _at_challenge(WITH_PUSH, PUSHES, *[PENDING] * 30)
    for _ in range(30):
        await _poll(site, 4)
    back = await browser.get(page.url)

    assert back.url.endswith("/sign-in")
    assert back.title.startswith("Error: ")
    assert "password" in back.parsed.forms[0].inputs


async def _poll(site: Site, seconds: float) -> None:
    site.world.clock.advance(seconds)
    await site.world.application.challenges.poll_due()
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_code_that_comes_too_late() -> None:
    """Back at the sign-in, with the reason; a fresh look shows the form without it."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS)
    site.world.clock.advance(601)
    late = await browser.submit(page, field__otp=CODE)
    fresh = await browser.get(late.url)

    assert (410, True) == (late.status, late.url.endswith("/sign-in"))
    assert "The time for the second step is over. Nothing was connected. Sign in again" in late.text
    assert "Connect your Acme CRM account" == fresh.title


async def test_password_and_code_that_can_not_be_told_apart() -> None:
    """Nothing says which, and nothing is held against the person."""
    either = json_answer('{"error": "either"}', 401)
    _, browser, page = await _at_challenge(WITH_CODE, ASKS, either)
    back = await browser.submit(page, field__otp=CODE)

    assert back.url.endswith("/sign-in")
    assert "did not accept the password or the code. Check both, and sign in again." in back.text
    assert 'id="password-error"' not in back.html


async def test_another_code_can_be_asked_for() -> None:
    """By a button; not at once again; and the page says what happened."""
    _, browser, page = await _at_challenge(WITH_CODE, ASKS, json_answer("{}"), json_answer('{"error": "no"}', 500))
    sent = await browser.submit(page, 1)
    soon = await browser.submit(sent, 1)

    assert "Send another code" in page.text
    assert "Another one can be sent now." in page.text
    assert "Another one can be sent in 30 seconds." in sent.text
    assert 'data-wait="30" data-one="Another one can be sent in 1 second."' in sent.html
    assert 'data-other="Another one can be sent in # seconds."' in sent.html
    assert "Another code is on its way. Type the newest one." in sent.text
    assert "No other code was sent yet" in soon.text
    assert soon.title.startswith("Error: ")


async def test_a_resend_that_fails_is_said() -> None:
    """The last code is still good for all that is known."""
    _, browser, page = await _at_challenge(WITH_CODE, ASKS, json_answer('{"error": "no"}', 500), TOKEN, ME)
    failed = await browser.submit(page, 1)
    done = await browser.submit(failed, field__otp=CODE)

    assert "No other code could be sent. Use the last one, or sign in again." in failed.text
    assert "Your Acme CRM account is connected" == done.title


async def test_no_button_where_the_provider_sends_no_other_code() -> None:
    """A button that can't work is worse than none."""
    _, _, page = await _at_challenge(WITH_CHOICE, ASKS)

    assert "Send another code" not in page.text


async def test_sign_in_again_leaves_the_challenge() -> None:
    """With another account, or where the code never comes; the old form then leads to the sign-in."""
    _, browser, page = await _at_challenge(WITH_CODE, ASKS)
    again = await browser.submit(page, 2)
    old = await browser.submit(page, field__otp=CODE)

    assert again.url.endswith("/sign-in")
    assert "Connect your Acme CRM account" == again.title
    assert old.url.endswith("/sign-in")


async def test_nothing_comes_of_a_push_that_was_left() -> None:
    """Approved afterwards, on the device, it connects nothing: the person decided for another sign-in."""
    site, browser, page = await _at_challenge(WITH_PUSH, PUSHES, TOKEN, ME)
    again = await browser.submit(page, 0)
    await _poll(site, 4)
    reload = await browser.get(again.url)

    assert "Connect your Acme CRM account" == reload.title
    assert 1 == len(site.world.egress.requests)
    assert 0 == await _connections(site)


async def test_two_posts_of_the_password_form_at_once_meet_at_the_challenge() -> None:
    """The second waits for the first, and sends nothing."""
    site = await make_site(WITH_CODE, replies=(ASKS,), clock=FakeClock(auto=True))
    browser = site.browser()
    form = await site.sign_in_page(browser)
    one, other = await asyncio.gather(
        browser.submit(form, username="jo", password=CANARY), browser.submit(form, username="jo", password=CANARY)
    )

    assert ["Acme CRM asks for one more step"] * 2 == [one.title, other.title]
    assert 1 == len(site.world.egress.requests)


async def test_whoever_is_at_a_challenge_is_led_there_from_the_sign_in() -> None:
    """A reload, the back button and a second post of the password form all lead to the one page."""
    site = await make_site(WITH_CODE, replies=(ASKS,))
    browser = site.browser()
    form = await site.sign_in_page(browser)
    first = await browser.submit(form, username="jo", password=CANARY)
    second = await browser.submit(form, username="jo", password=CANARY)
    reload = await browser.get(form.url)

    assert [first.url] * 2 == [second.url, reload.url]
    assert 1 == len(site.world.egress.requests)


async def test_a_form_is_answered_once() -> None:
    """Two posts of one form send one code, and both end at the same page."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, TOKEN, ME, clock=FakeClock(auto=True))
    one, other = await asyncio.gather(browser.submit(page, field__otp=CODE), browser.submit(page, field__otp=CODE))
    later = await browser.submit(page, field__otp=CODE)

    assert ["Your Acme CRM account is connected"] * 3 == [one.title, other.title, later.title]
    assert 3 == len(site.world.egress.requests)


async def test_a_form_of_the_code_before_says_so() -> None:
    """The code that was typed there was refused, and it is not sent a second time."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, WRONG)
    await browser.submit(page, field__otp=CODE)
    again = await browser.submit(page, field__otp=CODE)

    assert "Acme CRM did not accept the code." in again.text
    assert 2 == len(site.world.egress.requests)


@pytest.mark.parametrize("path", ["code", "state", "choose"])
async def test_another_browser_sees_nothing(path: str) -> None:
    """Whoever has only the address gets what an address that leads nowhere gets."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS)
    theirs = await site.browser().get(f"{page.url.removesuffix('code')}{path}")
    posted = await site.browser().post(page.url, {"form": "x", "field.otp": CODE})

    assert [404, 404] == [theirs.status, posted.status]
    assert 1 == len(site.world.egress.requests)
    assert 200 == (await browser.get(page.url)).status


async def test_a_restart_in_the_middle_loses_nothing() -> None:
    """The challenge is a row of the database; the form that was shown before is good afterwards."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS, TOKEN, ME)
    done = await browser.at(site.restarted()).submit(page, field__otp=CODE)

    assert "Your Acme CRM account is connected" == done.title


async def test_a_challenge_that_is_gone_leads_back_to_the_sign_in() -> None:
    """Which says that the sign-in was lost."""
    site, browser, page = await _at_challenge(WITH_CODE, ASKS)
    site.world.clock.advance(200_000)
    await site.world.application.challenges.purge()
    site.world.clock.jump_wall(-200_000)
    back = await browser.get(page.url)

    assert "The sign-in that was under way is lost. Nothing was connected." in back.text
    assert "password" in back.parsed.forms[0].inputs


async def test_cancelling_at_a_challenge() -> None:
    """Ends the session; the code's form then leads to its end."""
    _, browser, page = await _at_challenge(WITH_CODE, ASKS)
    failed = await browser.submit(page, len(page.parsed.forms) - 1)
    old = await browser.submit(page, field__otp=CODE)

    assert ["You stopped here"] * 2 == [failed.title, old.title]
    assert "This link is used up. To connect after all, ask Ledgerly for a new one." in failed.text


async def test_an_outcome_after_the_code_is_told_at_the_sign_in() -> None:
    """As after a login without a code: words, links, and the form where it helps."""
    locked = Answer(423, (("Content-Type", "application/json"),), b'{"error": "no"}')
    source = WITH_CODE.replace("failures:\n", "failures:\n  - {when: {status: [423]}, class: locked}\n")
    _, browser, page = await _at_challenge(source, ASKS, locked)
    told = await browser.submit(page, field__otp=CODE)

    assert 423 == told.status
    assert "Acme CRM has locked sign-in for this account for now." in told.text
    assert "password" not in told.parsed.forms[0].inputs


async def test_what_is_asked_beside_a_code_is_not_called_one() -> None:
    """The sentence names the code by its own label, wherever it stands among the questions."""
    _, _, page = await _at_challenge(WITH_PIN, ASKS)

    assert "wants a one-time code: “Code from your app”" in page.text
    assert "“Your PIN" not in page.text
