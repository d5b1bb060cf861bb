"""A browser without JavaScript: reads forms off pages, fills them in, keeps cookies, follows nothing by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp

from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.web.connect.app import make_connect
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import Reply, json_answer

ORIGIN = "http://127.0.0.1:8800"
FORM = "application/x-www-form-urlencoded"
CANARY = "kv9-Canary-Password-ü%&+"  # stands in no page, cookie or address

CONNECTOR = """\
keyturn: 1
connector: acme
title: Acme CRM
trust: {reason: legacy, note: Acme has no other login before version 7.}
client: {authentication: none}
token: {url: "https://auth.acme.co.uk/oauth/token"}
test: {url: "https://api.acme.co.uk/me"}
connection_name: "{{ test.name }}"
allowed_urls: ["https://api.acme.co.uk/", "https://*.files.acme.co.uk/v1"]
unique_id: "{{ test.id }}"
"""

TOKEN = json_answer('{"access_token": "at-canary", "token_type": "bearer", "expires_in": 3600}')
ME = json_answer('{"id": 7, "name": "Jo of Northwind"}')


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self.refresh: str | None = None
        self.links: list[str] = []
        self.h1 = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(given.get("action", ""), given))
        elif tag == "input" and self.forms:
            kind = given.get("type", "text")
            if kind not in ("radio", "checkbox") or "checked" in given:
                self.forms[-1].values[given["name"]] = given.get("value", "")
            self.forms[-1].inputs[given["name"]] = given
        elif tag == "select" and self.forms:
            self.forms[-1].values[given["name"]] = ""
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "meta" and given.get("http-equiv") == "refresh":
            self.refresh = given["content"].partition("url=")[2]
        self.h1 += tag == "h1"


@dataclass
class _Form:
    action: str
    attributes: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A page that was shown, and what can be done on it."""

    url: str
    response: httpx.Response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def html(self) -> str:
        """The source."""
        return self.response.text

    @property
    def text(self) -> str:
        """What a person reads, white space in one piece."""
        body = re.sub(r"<(script|style|title)[^>]*>.*?</\1>", " ", self.html, flags=re.DOTALL)
        bare = re.sub(r"<[^>]+>", "", re.sub(r"</(p|li|h1|h2|div|label|button|a|legend)>", " ", body))
        return re.sub(r"\s+", " ", unescape(bare)).strip()

    @property
    def title(self) -> str:
        """The window's title."""
        found = re.search(r"<title>(.*?)</title>", self.html, re.DOTALL)
        return unescape(found[1]) if found else ""

    @property
    def parsed(self) -> _Page:
        """Forms, links and the like."""
        page = _Page()
        page.feed(self.html)
        return page


class Browser:
    """One person's browser."""

    def __init__(self, app: ASGIApp, *, origin: str = ORIGIN, headers: Mapping[str, str] | None = None) -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=origin, headers=headers)
        self.seen: list[httpx.Response] = []

    def at(self, site: Site) -> Browser:
        """The same browser, cookies and all, at pages that were started anew."""
        other = Browser(site.app)
        other.client.cookies = self.client.cookies
        return other

    async def get(self, path: str) -> Page:
        """Open an address; follows redirects as a browser does."""
        return await self._follow(await self.client.get(path))

    async def post(self, path: str, values: Mapping[str, str], **headers: str) -> Page:
        """Post a form as a browser does from a page with `Referrer-Policy: no-referrer`."""
        sent = {"origin": "null", "sec-fetch-site": "same-origin", "content-type": FORM}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.client.post(path, content=urlencode(values), headers=sent)
        return await self._follow(answer)

    async def submit(self, page: Page, form: int = 0, **values: str) -> Page:
        """Fill in a form of a page and press its button."""
        found = page.parsed.forms[form]
        filled = {**found.values, **{name.replace("__", "."): value for name, value in values.items()}}
        return await self.post(found.action or page.url, filled)

    async def _follow(self, response: httpx.Response) -> Page:
        self.seen.append(response)
        for _ in range(5):
            if response.status_code != 303:
                break
            response = await self.client.get(response.headers["location"])
            self.seen.append(response)
        return Page(response.url.path, response)

    def everything(self) -> str:
        """Every page, header and address that this browser has seen."""
        parts = [f"{each.url} {each.headers.multi_items()} {each.text}" for each in self.seen]
        return "\n".join(parts)


@dataclass(frozen=True)
class Site:
    """A world with the connect pages in front of it."""

    world: FakeWorld
    app: ASGIApp

    def browser(self, **headers: str) -> Browser:
        """A fresh browser."""
        return Browser(self.app, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def restarted(self) -> Site:
        """The same stores, behind pages that were started anew."""
        return Site(self.world, make_connect(self.world.application))

    async def publish(self, source: str) -> None:
        """Publish a connector as it is, whatever lint would say."""
        connector = await self.world.application.edit_connector.read(source)
        now = self.world.clock.now()
        await self.world.stores.connectors.put_draft(connector, source, at=now)
        await self.world.stores.connectors.publish(connector, source, str(hash(source)), at=now)

    async def link(self, connector: str = "acme", **asked: str | None) -> str:
        """Make a connect link; returns its path."""
        request = SessionRequest(connector, "owner-1", **{"app_name": "Ledgerly", **asked})  # type: ignore[arg-type]
        made = await self.world.application.connect_sessions.create(request, Actor("key:test"))
        return made.url.reveal().removeprefix(ORIGIN)

    async def sign_in_page(self, browser: Browser, connector: str = "acme", **asked: str | None) -> Page:
        """Go from a new link to the page that follows its landing."""
        landing = await browser.get(await self.link(connector, **asked))
        return await browser.submit(landing)


async def make_site(
    *sources: str,
    replies: tuple[Reply, ...] = (),
    clock: FakeClock | None = None,
    public_url: str | None = None,
) -> Site:
    """A site with published connectors."""
    world = make_world(clock=clock)
    world.egress.will_reply(*replies)
    application = world.application
    if public_url:
        application = replace(application, public_url=public_url)
    site = Site(world, make_connect(application))
    for source in sources or (CONNECTOR,):
        await site.publish(source)
    return site
