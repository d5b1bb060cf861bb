"""What the connect page does not let anybody do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from keyturn.core.messages import Answer, OutgoingRequest
from tests.fakes.egress import json_answer
from tests.web.connect.browsing import CANARY, CONNECTOR, FORM, ME, ORIGIN, TOKEN, Browser, Page, Site, make_site

REJECTED = json_answer('{"error": "invalid_grant"}', 400)
HOSTILE = "<script>alert(1)</script>\"'&amp;{{ 7*7 }}"


async def _endless(given: list[int]) -> AsyncIterator[bytes]:
    while sum(given) < 10_000_000:
        given.append(10_000)
        yield b"a" * 10_000


def _filled(page: Page, **values: str) -> dict[str, str]:
    return {**page.parsed.forms[0].values, "username": "jo", "password": CANARY, **values}


async def test_looking_at_a_link_changes_nothing() -> None:
    """Mail scanners open links and press no buttons: the link is still good, and no cookie was set."""
    site = await make_site()
    link, scanner, browser = await site.link(), site.browser(), site.browser()
    looked = [await scanner.get(link), await scanner.get(link)]
    head = await scanner.client.head(link)
    page = await browser.submit(await browser.get(link))

    assert [200, 200, 200] == [*(each.status for each in looked), head.status_code]
    assert [] == [each.headers["set-cookie"] for each in scanner.seen if "set-cookie" in each.headers]
    assert "/sign-in" == page.url[-8:]


async def test_a_link_works_once() -> None:
    """Another browser reads what happened and whom to ask; the one that claimed it is let back in."""
    site = await make_site()
    link, first, second = await site.link(return_url="https://app.example/"), site.browser(), site.browser()
    landing = await second.get(link)
    page = await first.submit(await first.get(link))
    late, opened = await second.submit(landing), await second.get(link)
    back_in = [await first.post(link, {}), await first.get(link)]

    assert [409, 409] == [late.status, opened.status]
    assert "This link was used before It works once. Ask Ledgerly for a new link." in late.text
    assert "error=session_used" in opened.html
    assert [page.url, page.url] == [each.url for each in back_in]
    assert {} == dict(second.client.cookies)


async def test_old_and_unknown_links() -> None:
    """Each has a page of its own, with what to do."""
    site = await make_site()
    link, browser = await site.link(), site.browser()
    site.world.clock.advance(30 * 60)
    old, unknown, posted = await browser.get(link), await browser.get("/c/nothing"), await browser.post("/c/x", {})

    assert [410, 404, 404] == [old.status, unknown.status, posted.status]
    assert "This page was open too long Nothing was lost. Ask Ledgerly for a new link." in old.text
    assert "Ledgerly" not in unknown.text


async def test_another_browser_finds_nothing() -> None:
    """The address of a page is worth nothing without the cookie of the browser that claimed the link."""
    site = await make_site(replies=(TOKEN, ME))
    browser, other = site.browser(), site.browser()
    page = await site.sign_in_page(browser)
    await site.sign_in_page(other)  # has a cookie, for another session
    base = page.url.removesuffix("sign-in")
    found = [await other.get(base + name) for name in ("sign-in", "details", "done", "failed")]
    found += [await other.post(page.url, _filled(page)), await other.post(base + "cancel", _filled(page))]
    done = await browser.submit(page, username="jo", password=CANARY)

    assert [404] * 6 == [each.status for each in found]
    assert {"Error: There is nothing here for this browser"} == {each.title for each in found}
    assert "Your Acme CRM account is connected" == done.title


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec_fetch_site": "cross-site"}, id="another site"),
        pytest.param({"sec_fetch_site": "same-site"}, id="a sister host"),
        pytest.param({"sec_fetch_site": "none"}, id="nobody's page"),
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "http://127.0.0.1:8801"}, id="another port"),
        pytest.param({"origin": "https://127.0.0.1:8800"}, id="another scheme"),
        pytest.param({"host": "evil.example"}, id="a name that was bound to this address"),
    ],
)
async def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    """Whatever they hold, and before anything is done: the link, the password and the session stay as they are."""
    site = await make_site()
    browser = site.browser()
    link = await site.link()
    page = await site.sign_in_page(browser)
    base = page.url.removesuffix("sign-in")
    refused = [await browser.post(url, _filled(page), **headers) for url in (link, page.url, base + "cancel")]
    refused.append(await browser.post(base + "details", _filled(page), **headers))
    again, landing = await browser.get(page.url), await browser.get(link)

    assert [403] * 4 == [each.status for each in refused]
    assert "This form was not sent from this page" in refused[0].text
    assert ([200, 200], []) == ([again.status, landing.status], site.world.egress.requests)


async def test_null_alone_is_no_evidence() -> None:
    """`Origin: null` is what any page without a referrer sends; a client that sends neither header is no browser."""
    site = await make_site(replies=(REJECTED,))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    null = await browser.client.post(page.url, data=_filled(page), headers={"origin": "null"})
    bare = await browser.client.post(page.url, data=_filled(page))

    assert (403, 422) == (null.status_code, bare.status_code)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param("abcdefghijklmnopqrstuv." + "0" * 64, id="made up"),
        pytest.param("ü" * 20 + ".ü", id="no token at all"),
    ],
)
async def test_a_form_needs_the_token_of_its_page(token: str) -> None:
    """Without it nothing is sent, and a fresh form is shown that keeps the username."""
    site = await make_site()
    browser = site.browser()
    page = await site.sign_in_page(browser)
    shown = await browser.post(page.url, _filled(page, form=token))
    cancelled = await browser.post(page.url.replace("sign-in", "cancel"), {"form": token})

    assert (403, "jo") == (shown.status, shown.parsed.forms[0].values["username"])
    assert "Nothing was sent: this form was out of date." in shown.text
    assert 403 == cancelled.status
    assert [] == site.world.egress.requests


async def test_a_token_is_good_for_one_form_of_one_browser() -> None:
    """Neither the other form's nor another session's is taken."""
    site = await make_site()
    browser, other = site.browser(), site.browser()
    page, foreign = await site.sign_in_page(browser), await site.sign_in_page(other)
    tokens = [page.parsed.forms[1].values["form"], foreign.parsed.forms[0].values["form"]]
    shown = [await browser.post(page.url, _filled(page, form=token)) for token in tokens]

    assert [403, 403] == [each.status for each in shown]
    assert [] == site.world.egress.requests


async def test_nothing_is_sent_where_the_page_no_longer_tells_the_truth() -> None:
    """A version that sends passwords elsewhere came between page and post: the person reads the new host first."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    await site.publish(CONNECTOR.replace("auth.acme.co.uk", "login.elsewhere.example"))
    shown = await browser.submit(page, username="jo", password=CANARY)
    requests = list(site.world.egress.requests)
    done = await browser.submit(shown, password=CANARY)

    assert (403, []) == (shown.status, requests)
    assert "It will be sent to login.elsewhere.example" in shown.text
    assert "Your Acme CRM account is connected" == done.title


class _Held:
    """An answer that a test holds back."""

    def __init__(self, answer: Answer) -> None:
        self.asked, self.free, self._answer = asyncio.Event(), asyncio.Event(), answer

    async def reply(self, _request: OutgoingRequest) -> Answer:
        self.asked.set()
        await self.free.wait()
        return self._answer


async def _double_post(site: Site, held: _Held, app_of_second: Site) -> tuple[Page, Page]:
    browser = site.browser()
    page = await site.sign_in_page(browser)
    first = asyncio.create_task(browser.submit(page, username="jo", password=CANARY))
    await held.asked.wait()
    second = asyncio.create_task(browser.at(app_of_second).submit(page, username="jo", password=CANARY))
    for _ in range(100):  # until the second post waits for the clock
        if site.world.clock.sleepers:
            break
        await asyncio.sleep(0)
    held.free.set()
    one = await first
    while not second.done():
        site.world.clock.advance(0.2)
        await asyncio.sleep(0)
    return one, await second


@pytest.mark.parametrize("restart", [pytest.param(False, id="one process"), pytest.param(True, id="two processes")])
async def test_a_double_post_is_one_login(restart: bool) -> None:
    """The second waits for the first and shows the same result; the password goes out once."""
    held, good = _Held(REJECTED), _Held(TOKEN)
    site = await make_site(replies=(held.reply, good.reply, ME))
    rejected = await _double_post(site, held, site.restarted() if restart else site)
    done = await _double_post(site, good, site.restarted() if restart else site)

    assert [422, 422] == [each.status for each in rejected]
    assert rejected[0].text == rejected[1].text
    assert ["Your Acme CRM account is connected"] * 2 == [each.title for each in done]
    assert 3 == len(site.world.egress.requests)


async def test_an_old_form_does_nothing() -> None:
    """A reloaded answer, a page from the history: nothing is sent, and no earlier result is taken for a new one."""
    site = await make_site(replies=(REJECTED,))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    await browser.submit(page, username="jo", password="first-canary")
    at_once = await browser.submit(page, username="jo", password=CANARY)
    site.world.clock.advance(11)
    later = await browser.submit(page, username="jo", password=CANARY)

    assert (422, 403) == (at_once.status, later.status)
    assert "Nothing was sent: this form was out of date." in later.text
    assert 1 == len(site.world.egress.requests)


async def test_a_login_goes_on_though_the_browser_hangs_up() -> None:
    """The session knows of the result when the person comes back."""
    held = _Held(TOKEN)
    site = await make_site(replies=(held.reply, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    post = asyncio.create_task(browser.submit(page, username="jo", password=CANARY))
    await held.asked.wait()
    post.cancel()
    held.free.set()
    for _ in range(50):
        await asyncio.sleep(0)
    back = await browser.get(page.url)

    assert "Your Acme CRM account is connected" == back.title


async def test_names_are_text() -> None:
    """Markup in names of the embedder, the connector and the account shows as it was written, and runs nowhere."""
    title = HOSTILE.removesuffix("{{ 7*7 }}")
    source = CONNECTOR.replace("title: Acme CRM", "title: '" + title.replace("'", "''") + "'")
    source = source.replace("Acme has no other", "<b>No</b> other")
    me = json_answer('{"id": 7, "name": "<img src=x onerror=alert(1)>"}')
    site = await make_site(source, replies=(REJECTED, TOKEN, me))
    browser = site.browser()
    link = await site.link(app_name="<i>App</i>", owner_label=HOSTILE, return_url="https://a.example/?q='\"><b>")
    pages = [await browser.get(link)]
    pages.append(await browser.submit(pages[-1]))
    pages.append(await browser.submit(pages[-1], username='"><script>x', password=CANARY))
    pages.append(await browser.submit(pages[-1], password=CANARY))

    for page in pages:
        for markup in ("<script>", "<img", "<i>App", "<b>"):
            assert markup not in page.html
    assert HOSTILE in pages[0].text
    assert title in pages[0].text
    assert '"><script>x' == pages[2].parsed.forms[0].values["username"]
    assert "https://a.example/?q='\"><b>&session=" in (pages[3].parsed.refresh or "")


async def test_every_answer_carries_the_headers() -> None:
    """Pages, redirects, errors: no frame, no foreign or inline script, no referrer, no cache."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    await browser.submit(page, username="jo", password=CANARY)
    await browser.get("/c/none")
    await browser.get("/elsewhere")
    browser.seen.append(await browser.client.delete(page.url))

    assert {200, 303, 404, 405} == {each.status_code for each in browser.seen}
    for each in browser.seen:
        policy = each.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert ("no-store", "no-referrer") == (each.headers["cache-control"], each.headers["referrer-policy"])
        assert ("nosniff", "same-origin") == (
            each.headers["x-content-type-options"],
            each.headers["cross-origin-opener-policy"],
        )
        for inline in ("<style", " style=", " onclick=", "<script>", "javascript:"):
            assert inline not in each.text
    assert len(browser.seen) == len({each.headers["keyturn-request-id"] for each in browser.seen})


async def test_the_cookie_is_for_this_host_and_no_script() -> None:
    """Over TLS it has the prefix that keeps sister hosts from setting it; on loopback it can't."""
    plain = await make_site()
    browser = plain.browser()
    await plain.sign_in_page(browser)
    safe = await make_site(public_url="https://connect.example")
    link = await safe.link()
    secure = Browser(safe.app, origin="https://connect.example")
    page = await secure.submit(await secure.get(link))
    set_plain, set_safe = (
        next(each.headers["set-cookie"] for each in who.seen if "set-cookie" in each.headers)
        for who in (browser, secure)
    )

    assert set_plain.startswith("keyturn-connect=")
    assert set_safe.startswith("__Host-keyturn-connect=")
    assert "/sign-in" == page.url[-8:]
    for cookie, flags in ((set_plain, False), (set_safe, True)):
        assert flags == ("; Secure" in cookie)
        assert "; HttpOnly" in cookie
        assert "; Path=/" in cookie
        assert "; SameSite=strict" in cookie
        assert "domain" not in cookie.lower()


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        pytest.param(b"a=b", "multipart/form-data; boundary=x", 415, id="multipart"),
        pytest.param(b"{}", "application/json", 415, id="JSON"),
        pytest.param(b"x=" + b"a" * 65_535, FORM, 413, id="one byte over 64 KiB"),
        pytest.param(b"x=" + b"a" * 65_534, FORM, 403, id="64 KiB: read, and without a token"),
        pytest.param(b"password=a&password=b", FORM, 400, id="an input twice"),
        pytest.param(b"password=%ff-canary", FORM, 400, id="no UTF-8"),
        pytest.param("password=ü-canary".encode(), FORM, 400, id="not encoded"),
        pytest.param(b"canary", FORM, 400, id="no pairs"),
        pytest.param(b"&".join(b"a%d=" % n for n in range(201)), FORM, 400, id="too many inputs"),
        pytest.param(b"", FORM + "; charset=UTF-8", 403, id="nothing"),
    ],
)
async def test_only_small_plain_forms_are_read(content: bytes, kind: str, status: int) -> None:
    """And nothing of another is echoed."""
    site = await make_site()
    browser = site.browser()
    page = await site.sign_in_page(browser)
    answer = await browser.client.post(page.url, content=content, headers={"content-type": kind})

    assert status == answer.status_code
    assert "canary" not in answer.text


async def test_a_body_without_an_announced_length_is_cut_off() -> None:
    """It is not read to its end."""
    site = await make_site()
    browser = site.browser()
    page = await site.sign_in_page(browser)
    given: list[int] = []
    answer = await browser.client.post(page.url, content=_endless(given), headers={"content-type": FORM})

    assert 413 == answer.status_code
    assert 80_000 >= sum(given)


async def test_our_own_faults_show_nothing() -> None:
    """A bug is a page with a request id, and not a word of what broke."""

    def broken(_request: OutgoingRequest) -> Answer:
        raise ZeroDivisionError("secret-canary")

    site = await make_site(replies=(broken,))
    browser = site.browser()
    page = await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)

    assert (500, "Error: Something went wrong on our side. It is not your fault.") == (page.status, page.title)
    assert f"Request id: {page.response.headers['keyturn-request-id']}" in page.text
    assert "canary" not in page.html.lower()


async def test_the_password_is_nowhere_but_in_the_request() -> None:
    """No page, header, cookie or address has it, nor what rests in the session."""
    site = await make_site(replies=(REJECTED, TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser, return_url="https://app.example/")
    page = await browser.submit(page, username="jo", password=CANARY)
    await browser.submit(page, password=CANARY)
    session = await site.world.stores.sessions.load(page.url.split("/")[2])
    sent = [each.body for each in site.world.egress.requests[:2]]

    assert session is not None
    for form in (CANARY, "Canary-Password"):
        assert form not in browser.everything()
        assert form not in repr(session)
    assert ORIGIN in browser.everything()
    assert [True, True] == [b"kv9-Canary-Password-%C3%BC%25%26%2B" in body for body in sent]
