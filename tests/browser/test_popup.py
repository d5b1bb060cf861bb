"""Connecting in a popup: what the page that opened it hears, and from whom it takes nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import House, visiting

pytestmark = pytest.mark.slow

PAGE = """<!doctype html><html lang="en"><title>An embedder</title><button id="open">Connect</button>
<script src="{origin}/connect.js"></script>
<script>
window.heard = [];
document.getElementById("open").addEventListener("click", () => Keyturn.open("{link}", {{
  onReady: () => heard.push("ready"), onDone: () => heard.push("done"),
  onFailed: () => heard.push("failed"), onExit: () => heard.push("exit")}}));
</script>"""


@pytest.fixture(name="embedder")
def _embedder() -> Iterator[ThreadingHTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.server.page.encode()  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_embedder_hears_the_end(house: House, browser: Browser, embedder: ThreadingHTTPServer) -> None:
    """From the click to the message; the connection is there afterwards."""
    origin = f"http://127.0.0.1:{embedder.server_port}"
    embedder.page = PAGE.format(origin=house.origin, link=house.link("popup", origin=origin))  # type: ignore[attr-defined]
    with visiting(browser, house) as visit:
        visit.page.goto(origin)
        with visit.page.expect_popup() as opened:
            visit.page.locator("#open").click()
        popup = opened.value
        popup.get_by_role("button").first.click()
        popup.locator("#username").fill("demo")
        popup.locator("#password").fill("correct-horse-7")
        popup.get_by_role("button", name=re.compile("^connect", re.I)).click()
        expect(popup).to_have_url(re.compile("/done"))
        visit.page.wait_for_function("window.heard.includes('done')")
        assert ["ready", "done"] == visit.page.evaluate("[...new Set(heard)]")[:2]
        visit.faults.clear()  # the embedder's own page is of another origin, and its icon is none
    listed = house.server.ask("GET", "/v1/connections?owner=popup").json()["data"]
    assert ["active"] == [each["state"] for each in listed]
