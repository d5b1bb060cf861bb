"""The whole way through the connect page, over plain HTTP and without JavaScript."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import SessionUsed
from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import PAGE_LIVES_S, Finished
from keyturn.ports.store import ConnectionFilter
from tests.fakes.egress import json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, TOKEN, make_site

REJECTED = json_answer('{"error": "invalid_grant"}', 400)

WITH_DETAILS = CONNECTOR.replace(
    '"https://auth.acme.co.uk/oauth/token"}',
    '"https://{{ env }}.acme.co.uk/token", params: {u: "{{ username }}", p: "{{ password }}", k: "{{ api_key }}"}}',
).replace(
    "client:",
    "fields:\n"
    "  - {key: env, label: Environment, type: choice, choices: {sandbox: Sandbox, live: Production}}\n"
    "  - {key: api_key, label: API key, type: secret}\n"
    "client:",
)
SELF_HOSTED = CONNECTOR.replace('"https://auth.acme.co.uk/oauth/token"', '"https://{{ server }}/oauth/token"').replace(
    "client:", "fields:\n  - {key: server, label: Your server, type: host, self_hosted: true}\nclient:"
)


async def test_a_person_connects_an_account() -> None:
    """Landing, sign-in, done: one token request, one test call, and a connection with the person's tokens."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    landing = await browser.get(await site.link(owner_label="Northwind Ltd"))
    sign_in = await browser.submit(landing)
    done = await browser.submit(sign_in, username="jo", password=CANARY)
    stored = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items

    assert "Ledgerly is asking for access to your Acme CRM account, for Northwind Ltd." in landing.text
    assert "They will be sent to auth.acme.co.uk." in landing.text
    assert ["username", "password"] == [name for name in sign_in.parsed.forms[0].inputs if name != "form"]
    assert (200, "Your Acme CRM account is connected") == (done.status, done.title)
    assert "Ledgerly can now use this account: Jo of Northwind." in done.text
    assert "Your password is not stored." in done.text
    assert None is done.parsed.refresh
    assert [("Jo of Northwind", "owner-1", "active", None)] == [
        (each.name, each.owner, each.shown_state, each.password_kept_at) for each in stored
    ]
    assert [1, 1, 1] == [page.parsed.h1 for page in (landing, sign_in, done)]


async def test_the_statement_stands_above_the_form() -> None:
    """Who asks, where the password is typed and goes, what is kept, what it opens, and when to stop."""
    site = await make_site()
    page = await site.sign_in_page(site.browser(), owner_label="Northwind Ltd")
    statement, form = page.html.index("<strong>Ledgerly</strong></bdi> is asking"), page.html.index('name="password"')

    assert statement < form
    assert "You are typing your Acme CRM password into 127.0.0.1:8800." in page.text
    assert "It will be sent to auth.acme.co.uk over an encrypted connection." in page.text
    assert "auth.<strong>acme.co.uk</strong>" in page.html
    assert "<strong>Northwind Ltd</strong>" in page.html
    assert "Your password is used once and not kept." in page.text
    assert "on a page of your own that opens once you are connected, or in Ledgerly." in page.text
    assert "at: api.acme.co.uk, any address below files.acme.co.uk." in page.text
    assert "Do not go on if you did not start this in Ledgerly." in page.text
    assert "Acme has no other login before version 7." in page.text


async def test_the_form_helps_browsers_and_people() -> None:
    """Password managers find the inputs, nothing forbids pasting, and the browser's own checks are off."""
    site = await make_site(CONNECTOR + "username: {label: E-mail, type: email, help: The one that you sign in with.}\n")
    form = (await site.sign_in_page(site.browser())).parsed.forms[0]

    assert "novalidate" in form.attributes
    assert {"type": "text", "autocomplete": "username", "inputmode": "email", "autocapitalize": "none"}.items() <= (
        form.inputs["username"].items()
    )
    assert "username-hint" == form.inputs["username"]["aria-describedby"].strip()
    assert {"type": "password", "autocomplete": "current-password", "id": "password"}.items() <= (
        form.inputs["password"].items()
    )
    assert "maxlength" not in form.inputs["password"]


async def test_the_embedder_confirms_with_the_code_of_the_return_link() -> None:
    """Until then the connection can do nothing; the code stands only in the way back, on each showing of the page."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser, return_url="https://app.example/back?x=1")
    done = await browser.submit(page, username="jo", password=CANARY)
    again = await browser.at(site.restarted()).get(done.url)
    back = urlsplit(done.parsed.refresh or "")
    given = {name: values[0] for name, values in parse_qs(back.query).items()}
    before = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    confirmed = await site.world.application.connect_sessions.confirm(given["session"], given["code"], Actor("key:1"))
    after = await browser.get(done.url)

    assert ("https", "app.example", "/back") == (back.scheme, back.netloc, back.path)
    assert {"x", "session", "code"} == set(given)
    assert done.parsed.refresh in done.parsed.links
    assert done.parsed.refresh == again.parsed.refresh
    assert before.unconfirmed
    assert "until then it can do nothing" in done.text
    assert not confirmed.unconfirmed
    assert None is after.parsed.refresh
    assert given["code"] not in after.html
    assert [given["code"] in str(each.url) + str(each.headers) for each in browser.seen] == [False] * len(browser.seen)


async def test_a_restarted_server_keeps_the_session() -> None:
    """A form that was shown before the restart is good after it."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    done = await browser.at(site.restarted()).submit(page, username="jo", password=CANARY)

    assert (200, "Your Acme CRM account is connected") == (done.status, done.title)


async def test_what_decides_the_host_is_asked_before_the_password() -> None:
    """Each choice says where it leads; the sign-in then goes there and nowhere else."""
    site = await make_site(WITH_DETAILS, replies=(TOKEN, ME))
    browser = site.browser()
    details = await site.sign_in_page(browser)
    none = await browser.submit(details)
    sign_in = await browser.submit(none, field__env="live")
    done = await browser.submit(sign_in, username="jo", password=CANARY, field__api_key="key-canary")

    assert ("/details", False) == (details.url[-8:], 'name="password"' in details.html)
    assert "Production Password goes to live.acme.co.uk" in details.text
    assert (422, "Error: Where is your Acme CRM account?") == (none.status, none.title)
    assert "Choose “Environment”" in none.text
    assert 'href="#field-env-0"' in none.html
    assert "It will be sent to live.acme.co.uk over" in sign_in.text
    assert "field.env" not in sign_in.parsed.forms[0].inputs
    assert "Your Acme CRM account is connected" == done.title
    assert ["https://live.acme.co.uk/token", "https://api.acme.co.uk/me"] == [
        each.url for each in site.world.egress.requests
    ]
    assert all("live" not in str(each.url) for each in browser.seen)


async def test_a_host_of_ones_own_is_shown_before_the_password() -> None:
    """What was typed is judged, and the sign-in page shows what came of it."""
    site = await make_site(SELF_HOSTED)
    browser = site.browser()
    details = await site.sign_in_page(browser)
    wrong = await browser.submit(details, field__server="https://not a host/")
    sign_in = await browser.submit(wrong, field__server="CRM.Northwind.example")
    changed = await browser.get(sign_in.url.replace("sign-in", "details"))

    assert "You are not asked for it yet." in details.text
    assert (422, "https://not a host/") == (wrong.status, wrong.parsed.forms[0].values["field.server"])
    assert "It will be sent to crm.northwind.example over an encrypted connection. Change" in sign_in.text
    assert "crm.northwind.example" == changed.parsed.forms[0].values["field.server"]


async def test_the_sign_in_waits_for_the_details() -> None:
    """Nobody gets to the password by typing the next address."""
    site = await make_site(SELF_HOSTED)
    browser = site.browser()
    details = await site.sign_in_page(browser)
    skipped = await browser.get(details.url.replace("details", "sign-in"))

    assert details.url == skipped.url


@pytest.mark.parametrize(
    ("ticked", "kept"),
    [
        pytest.param(False, "Your password is not stored.", id="left as it is"),
        pytest.param(True, "Your password, encrypted.", id="ticked"),
    ],
)
async def test_the_person_chooses_whether_the_password_is_kept(ticked: bool, kept: str) -> None:
    """With `offer` the box is empty, says the reason, and decides."""
    offer = CONNECTOR + "password: {keep: offer, reason: Tokens of Acme can’t be renewed.}\n"
    site = await make_site(offer, replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    choice = {"keep_password": "on"} if ticked else {}
    done = await browser.post(page.url, {**page.parsed.forms[0].values, "username": "jo", "password": CANARY, **choice})

    assert "keep_password" not in page.parsed.forms[0].values
    assert "Reason: Tokens of Acme can’t be renewed." in page.text
    assert kept in done.text


async def test_a_password_that_has_to_be_kept_is_said_to_be() -> None:
    """With `required` there is no choice, and the statement says so."""
    site = await make_site(
        CONNECTOR + "password: {keep: required, reason: There is no other way.}\n", replies=(TOKEN, ME)
    )
    browser = site.browser()
    page = await site.sign_in_page(browser)
    done = await browser.submit(page, username="jo", password=CANARY)

    assert "Your password is kept, encrypted: this does not work without. Reason: There is no other way." in page.text
    assert "keep_password" not in page.parsed.forms[0].inputs
    assert "Your password, encrypted. Reason: There is no other way." in done.text


async def test_every_wrong_input_is_told_at_once() -> None:
    """Summary and input say the same; username and fields stay, secrets don't; no try is spent."""
    site = await make_site(WITH_DETAILS)
    browser = site.browser()
    page = await browser.submit(await site.sign_in_page(browser), field__env="live")
    empty = await browser.submit(page, username="jo")
    half = await browser.submit(page, username="jo", field__api_key="key-canary")

    assert (422, "Error: Connect your Acme CRM account") == (empty.status, empty.title)
    assert ["#content", "#field-api_key", "#password"] == [x for x in empty.parsed.links if x.startswith("#")]
    assert 2 == empty.text.count("Type “API key”") == empty.text.count("Type “Password”")
    assert "true" == empty.parsed.forms[0].inputs["password"]["aria-invalid"]
    assert "jo" == empty.parsed.forms[0].values["username"]
    assert "Type “API key”" not in half.text
    assert "" == half.parsed.forms[0].values["field.api_key"]
    assert [] == site.world.egress.requests


async def test_a_second_try_after_a_refusal() -> None:
    """The username stays, the password goes, and the same page leads on."""
    site = await make_site(replies=(REJECTED, TOKEN, ME))
    browser = site.browser()
    page = await browser.submit(await site.sign_in_page(browser), username="jo", password="wrong-canary")
    done = await browser.submit(page, password=CANARY)

    assert ("jo", "") == (page.parsed.forms[0].values["username"], page.parsed.forms[0].values["password"])
    assert "Your Acme CRM account is connected" == done.title
    assert "canary" not in browser.everything().lower()


async def test_giving_up_leads_back_with_the_reason() -> None:
    """Cancelling ends the session, and the link back says so."""
    site = await make_site()
    browser = site.browser()
    page = await site.sign_in_page(browser, return_url="https://app.example/back")
    stopped = await browser.submit(page, form=1)
    later = await browser.get(page.url)
    session = page.url.split("/")[2]

    assert "Cancel and go back to Ledgerly" in page.text
    assert ("/failed", "You stopped here") == (stopped.url[-7:], stopped.title)
    assert f"https://app.example/back?session={session}&error=cancelled" in stopped.html.replace("&amp;", "&")
    assert stopped.url == later.url
    assert [] == site.world.egress.requests


async def test_a_repaired_connection_stays_confirmed() -> None:
    """A reconnect link says what it is for, and puts new tokens on the same connection."""
    site = await make_site(replies=(TOKEN, ME, TOKEN, ME))
    browser = site.browser()
    await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    connection = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    await site.world.stores.connections.save(replace(connection, state=State.NEEDS_RECONNECT, reason="grant_lost"))
    link = await site.world.application.connect_sessions.reconnect_link(connection.id, Actor("key:1"))
    landing = await browser.get(link.url.reveal())
    done = await browser.submit(await browser.submit(landing), username="jo", password=CANARY)
    repaired = await site.world.stores.connections.load(connection.id)

    assert "The application has lost its access to your Acme CRM account" in landing.text
    assert "Your Acme CRM account is connected" == done.title
    assert repaired is not None
    assert State.ACTIVE is repaired.state


async def test_a_repair_with_a_return_url_is_confirmed_like_a_connection() -> None:
    """Who opens a reconnect link may be another than who asked for it: calls wait for the code."""
    site = await make_site(replies=(TOKEN, ME, TOKEN, ME))
    browser, sessions = site.browser(), site.world.application.connect_sessions
    await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    connection = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    await site.world.stores.connections.save(replace(connection, state=State.NEEDS_RECONNECT, reason="grant_lost"))
    link = await sessions.reconnect_link(connection.id, Actor("key:1"), return_url="https://app.example/back")
    landing = await browser.get(link.url.reveal())
    done = await browser.submit(await browser.submit(landing), username="jo", password=CANARY)
    repaired = await site.world.stores.connections.load(connection.id)
    given = parse_qs(urlsplit(done.parsed.refresh or "").query)
    confirmed = await sessions.confirm(link.session.id, given["code"][0], Actor("key:1"))

    assert repaired is not None
    assert (State.ACTIVE, True) == (repaired.state, repaired.unconfirmed)
    assert "until then it can do nothing" in done.text
    assert (connection.id, False) == (confirmed.id, confirmed.unconfirmed)


async def test_nobody_signs_in_to_repair_what_is_gone() -> None:
    """The connection was ended after the link was made: the page says so instead of asking for a password."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)
    connection = (await site.world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)).items[0]
    link = await site.world.application.connect_sessions.reconnect_link(connection.id, Actor("key:1"))
    await site.world.stores.connections.save(replace(connection, state=State.DISCONNECTED))
    landing = await browser.get(link.url.reveal())

    assert 410 == landing.status
    assert "The connection that this link is for no longer exists." in landing.text


async def test_two_tabs_connect_two_accounts() -> None:
    """One cookie holds both sessions; neither locks the other out."""
    site = await make_site(replies=(TOKEN, ME, TOKEN, json_answer('{"id": 8, "name": "Second"}')))
    browser = site.browser()
    first, second = await site.sign_in_page(browser), await site.sign_in_page(browser)
    done = [await browser.submit(page, username="jo", password=CANARY) for page in (first, second)]

    assert ["Your Acme CRM account is connected"] * 2 == [page.title for page in done]


async def test_the_page_is_open_for_a_quarter_of_an_hour() -> None:
    """Then it says so, with the way back; a try in between gives the full time again."""
    site = await make_site(replies=(REJECTED,))
    browser = site.browser()
    page = await site.sign_in_page(browser, return_url="https://app.example/back")
    site.world.clock.advance(PAGE_LIVES_S - 1)
    tried = await browser.submit(page, username="jo", password=CANARY)
    site.world.clock.advance(PAGE_LIVES_S - 1)
    open_still = await browser.get(page.url)
    site.world.clock.advance(1)
    closed = await browser.get(page.url)

    assert [422, 200, 410] == [tried.status, open_still.status, closed.status]
    assert "Ask Ledgerly for a new link." in closed.text
    assert "error=session_expired" in closed.html


async def test_the_result_stands_though_the_row_was_written_meanwhile() -> None:
    """The connection is stored by then, so the session has to say so whoever else wrote it."""
    site = await make_site(replies=(TOKEN, ME))
    sessions, stores = site.world.application.connect_sessions, site.world.stores
    session, cookie = await sessions.claim((await site.link()).removeprefix("/c/"))
    await stores.sessions.save(replace(session, facts={"seen": 1}))
    finished = await sessions.log_in(session, username="jo", password=cookie, fields={}, keep_password=False)
    assert isinstance(finished, Finished)
    with pytest.raises(SessionUsed):
        await sessions.cancel(finished.session)

    assert ("done", 1) == (finished.session.state, finished.session.facts["seen"])
