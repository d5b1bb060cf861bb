"""A link in a popup: which pages let it be, whom they tell what, and the script for the page that opens it."""

from __future__ import annotations

import pytest

from keyturn.core.errors import ValidationFailed
from keyturn.core.urls.return_urls import origin_allowed
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, TOKEN, Browser, Page, make_site

APP = "https://app.example"


def _told(page: Page) -> tuple[str | None, str]:
    """To whom, and what."""
    body = page.html[page.html.index("<body") :].partition(">")[0]
    origin = APP if f'data-origin="{APP}"' in body else None
    return origin, body.partition('data-tells="')[2].partition('"')[0]


def _opener_policies(browser: Browser) -> set[str]:
    return {each.headers["cross-origin-opener-policy"] for each in browser.seen}


async def test_each_page_of_a_popup_tells_the_one_origin() -> None:
    """And lets it hold on to the window, on redirects as well; no message has more than a word and the session's id."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    landing = await browser.get(await site.link(origin=APP))
    sign_in = await browser.submit(landing)
    done = await browser.submit(sign_in, username="jo", password=CANARY)
    session = done.url.split("/")[2]

    assert [(APP, "ready"), (APP, "ready"), (APP, "done")] == [_told(each) for each in (landing, sign_in, done)]
    assert {"unsafe-none"} == _opener_policies(browser)
    assert f'data-session="{session}"' in done.html
    assert "frame-ancestors 'none'" in done.response.headers["content-security-policy"]


async def test_a_popup_that_is_given_up() -> None:
    """Is told as such, and not as a failure."""
    site = await make_site()
    browser = site.browser()
    sign_in = await site.sign_in_page(browser, origin=APP)
    stopped = await browser.submit(sign_in, 1)

    assert (APP, "exit") == _told(stopped)


async def test_a_popup_that_can_come_to_nothing_more() -> None:
    """A page that expired, or a connector that was set up wrongly."""
    site = await make_site()
    browser = site.browser()
    sign_in = await site.sign_in_page(browser, origin=APP)
    other = await site.link(origin=APP)
    await site.publish(CONNECTOR.replace("client: {authentication: none}\n", ""))
    wrong = await browser.get(other)
    site.world.clock.advance(3600)
    expired = await browser.get(sign_in.url)

    assert [(APP, "failed")] * 2 == [_told(each) for each in (wrong, expired)]


async def test_with_a_return_url_the_popup_goes_back_there() -> None:
    """The code is in that address only; the message comes first, as it needs no answer."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    sign_in = await site.sign_in_page(browser, origin=APP, return_url=f"{APP}/back")
    done = await browser.submit(sign_in, username="jo", password=CANARY)
    body = done.html[done.html.index("<body") :].partition(">")[0]

    assert (APP, "done") == _told(done)
    assert (done.parsed.refresh or "").startswith(f"{APP}/back?session=")
    assert "code" not in body


async def test_pages_in_the_whole_window_cut_their_opener_off() -> None:
    """Whoever opened such a link has no hold on the page, and hears nothing."""
    site = await make_site(replies=(TOKEN, ME))
    browser = site.browser()
    sign_in = await site.sign_in_page(browser, return_url=f"{APP}/back")
    done = await browser.submit(sign_in, username="jo", password=CANARY)

    assert [(None, "")] * 2 == [_told(each) for each in (sign_in, done)]
    assert {"same-origin"} == _opener_policies(browser)


async def test_the_script_for_embedders() -> None:
    """Any site may load it; it is small, and checks who speaks."""
    site = await make_site()
    answer = (await site.browser().get("/connect.js")).response

    assert (200, "text/javascript; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert ("cross-origin", "*") == (
        answer.headers["cross-origin-resource-policy"],
        answer.headers["access-control-allow-origin"],
    )
    assert len(answer.content) <= 2_500
    assert "event.origin !== here || event.source !== popup" in answer.text
    assert 'postMessage("' not in answer.text


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        pytest.param("https://app.example", True, id="https"),
        pytest.param("https://app.example:8443", True, id="with a port"),
        pytest.param("http://localhost:3000", True, id="loopback"),
        pytest.param("http://[::1]:3000", True, id="loopback, IPv6"),
        pytest.param("*", False, id="any"),
        pytest.param("null", False, id="none"),
        pytest.param("http://app.example", False, id="plain http"),
        pytest.param("https://app.example/", False, id="with a path"),
        pytest.param("https://app.example?x", False, id="with a query"),
        pytest.param("https://App.example", False, id="capitals, which no browser sends"),
        pytest.param("https://app.example:443", False, id="the port that goes unsaid"),
        pytest.param("https://app.example:", False, id="a port that is none"),
        pytest.param("https://jo@app.example", False, id="a user name"),
        pytest.param("https://", False, id="no host"),
    ],
)
def test_which_origins_are_taken(origin: str, allowed: bool) -> None:
    """Exactly those that a browser can have as its own."""
    assert allowed == origin_allowed(origin)


async def test_an_origin_that_is_none_makes_no_link() -> None:
    """Said at the member."""
    site = await make_site()
    with pytest.raises(ValidationFailed) as raised:
        await site.link(origin="https://app.example/path")

    assert ["/origin"] == [each.pointer for each in raised.value.errors]
