"""A person's browser, as far as the documents need one: pages, their forms, cookies and redirects."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar

TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a page: where it goes, and what its inputs hold."""

    action: str
    values: Mapping[str, str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in given:
            self.forms[-1][1][given["name"]] = given.get("value", "")
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "style", "title"):
            self._unread += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "title"):
            self._unread -= 1

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.words.append(data)


@dataclass(frozen=True, slots=True)
class Page:
    """What the person sees: `text` with its white space folded."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]
    links: tuple[str, ...]


class Browser:
    """Follows links and redirects, keeps cookies, runs no scripts."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def open(self, url: str) -> Page:
        """Open an address."""
        return self._page(urllib.request.Request(url))  # noqa: S310  (an address that the product printed)

    def submit(self, page: Page, *, at: int = 0, typed: Mapping[str, str] | None = None, **more: str) -> Page:
        """Send a form of the page, with what was typed in place of what its inputs held."""
        typed = {**(typed or {}), **more}
        form = page.forms[at]
        unknown = set(typed) - set(form.values)
        assert not unknown, f"the form has no {unknown}"
        url = urllib.parse.urljoin(page.url, form.action) if form.action else page.url
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(page.url))
        body = urllib.parse.urlencode({**form.values, **typed}).encode()
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        return self._page(urllib.request.Request(url, body, headers))  # noqa: S310  (as above)

    def _page(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                url, status, text = answer.url, answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                url, status, text = error.url, error.code, error.read().decode()
        reader = _Reader()
        reader.feed(text)
        words = re.sub(r"\s+", " ", "".join(reader.words)).strip()
        forms = tuple(Form(action, values) for action, values in reader.forms)
        return Page(url, status, words, forms, tuple(reader.links))
