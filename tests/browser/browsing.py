"""A real browser at a real server, and what every page is held to while somebody is at it.

Rule 1: a CSP report, a message on the browser's console, a script error or a request to anywhere else fails the test.
Rule 2: axe finds nothing, in both themes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from scripts.set_up_browser import find_browser
from tests.end_to_end.running import (
    Provider,
    Server,
    example_connector,
    free_port,
    install_connector,
    running_provider,
    running_server,
)

RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE: Final = {"width": 320, "height": 640}
DESK: Final = {"width": 1280, "height": 900}
LOUD: Final = ("error", "warning")


@dataclass(frozen=True)
class House:
    """The server, the example provider beside it, and the connector that describes it."""

    server: Server
    provider: Provider
    connector: str

    @property
    def origin(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.server.port}"

    def link(self, owner: str, **more: Any) -> str:
        """A connect link."""
        made = self.server.ask(
            "POST",
            "/v1/connect-sessions",
            {"connector": self.connector, "owner": owner, "app_name": "Ledgerly", **more},
        )
        assert 201 == made.status, made.body
        return str(made.json()["url"])

    def sign_in_link(self, role: str = "admin") -> str:
        """A link that signs somebody new in to the console."""
        return self.link_for(self.person(role))

    def person(self, role: str = "admin", **more: Any) -> str:
        """The id of somebody new who may sign in to the console."""
        made = self.server.ask("POST", "/v1/people", {"name": f"Browser {role}", "role": role, **more})
        return str(made.json()["id"])

    def link_for(self, person: str) -> str:
        """A link that signs one browser of this person's in."""
        made = self.server.ask("POST", f"/v1/people/{person}/sign-in-links", {})
        return str(made.json()["url"])


@contextlib.contextmanager
def running_house(where: Path, **env: str) -> Iterator[House]:
    """Start both. `env`: further settings of the server's."""
    port = free_port()
    public = {
        "KEYTURN_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "KEYTURN_OPERATOR_NAME": "Ledgerly GmbH",
        "KEYTURN_BRAND_HELP_URL": "https://ledgerly.example/help",
        **env,
    }
    with running_provider() as provider, running_server(where, port=port, env=public) as server:
        connector = install_connector(server, example_connector(provider.port))
        yield House(server, provider, connector)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, without any service of its maker."""
    quiet = [
        "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync",
    ]  # fmt: skip
    if os.geteuid() == 0:
        quiet.append("--no-sandbox")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=quiet)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A fresh profile with one page; `faults` is what no page may do."""

    context: BrowserContext
    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        """Open a path of this origin, or a whole address."""
        self.page.goto(path if path.startswith("http") else self.origin + path)

    def was_answered(self, status: int) -> None:
        """The page at hand is an answer with this status; the browser has said so, once, and that is no fault."""
        said = [each for each in self.faults if f"status of {status}" in each]
        assert 1 == len(said), self.faults
        self.faults.remove(said[0])

    def held_to_the_rules(self, where: str) -> None:
        """axe in both themes, no sideways scroll at 320 px; then what else went wrong so far."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
            bad = [f"{each['id']}: {each['nodes'][0]['target']}" for each in found.response["violations"]]
            assert [] == bad, f"{where}, {theme}"
        size = self.page.viewport_size or DESK
        self.page.set_viewport_size(PHONE)
        wide = self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        self.page.set_viewport_size(size)
        assert not wide, f"{where} scrolls sideways at 320 px"
        assert [] == self.faults, where


@contextlib.contextmanager
def visiting(browser: Browser, house: House, *, elsewhere: tuple[str, ...] = (), **options: Any) -> Iterator[Visit]:
    """Open a fresh profile; what its pages did wrong fails the test at the end.

    `elsewhere`: where else the person is led. `options`: of the browser context, such as `java_script_enabled=False`.
    """
    context = browser.new_context(viewport=DESK, **options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    visit = Visit(context, page, house.origin)
    known = {urlsplit(each).netloc for each in (house.origin, *elsewhere)}

    def judge(address: str) -> None:
        if urlsplit(address).scheme in ("http", "https") and urlsplit(address).netloc not in known:
            visit.faults.append(f"a request to {urlsplit(address).netloc}")
        visit.seen.append(address)

    context.on("request", lambda request: judge(request.url))
    page.on("pageerror", lambda error: visit.faults.append(f"script error: {error.name}"))
    page.on(
        "console",
        lambda message: (
            visit.faults.append(f"console: {message.text}") if message.type in ("error", "warning") else None
        ),
    )
    try:
        yield visit
        assert [] == [each for each in visit.faults if "status of 4" not in each]
    finally:
        context.close()
