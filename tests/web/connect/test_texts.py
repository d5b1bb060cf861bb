"""The texts, the templates and the files belong together, and are small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keyturn.web.connect import app
from keyturn.web.connect.texts.english import ENGLISH
from keyturn.web.connect.texts.wording import LANGUAGES, wording_for
from keyturn.web.kit.brand import MOST_LOGO_BYTES
from keyturn.web.kit.static_files import FOLDER, StaticFiles
from tests.web.connect.browsing import CANARY, CONNECTOR, make_site

ZONE = Path(app.__file__).parent
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for pattern in ("*.py", "challenge/*.py", "person/*.py", "texts/wording.py", "templates/*.html")
    for path in ZONE.glob(pattern)
}
_MADE = (
    "retired.",
    "link.",
    "duration.",
    "tries.",
    "code.tries.",
    "field.",
    "rule.",
    "exists.",
    "my.state_",
    "statement.session.",
)  # put together


def test_each_text_is_used() -> None:
    """A text that nothing shows would be translated for nobody."""
    text = "\n".join(SOURCES.values())
    unused = [
        key for key in ENGLISH
        if f'"{key}"' not in text and not key.startswith(_MADE) and not key.endswith((".title", ".next"))
    ]  # fmt: skip

    assert [] == unused


def test_templates_hold_no_words() -> None:
    """What a person reads comes from the catalogue, so that a second language is a second table."""
    words = {}
    for path, source in SOURCES.items():
        if path.suffix == ".html":
            source = re.sub(r' data-(state|next)="[^"]*"', "", source)  # addresses
            bare = re.sub(r"\{[{%].*?[}%]\}", "", source, flags=re.DOTALL)
            bare = re.sub(r"<[^>]*>| aria-[a-z]+=\"[^\"]*\"", " ", bare)
            words[path.name] = re.findall(r"[A-Za-z]{2,}", bare)

    assert {} == {name: found for name, found in words.items() if found}


def test_each_language_has_the_same_texts() -> None:
    """Keys and placeholders are those of the English table."""
    for wording in LANGUAGES.values():
        assert {k: _names(v) for k, v in ENGLISH.items()} == {k: _names(v) for k, v in wording.texts.items()}


def _names(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.2, "1 second", id="never nothing"),
        pytest.param(1, "1 second", id="one"),
        pytest.param(59.1, "1 minute", id="rounded up to a whole unit"),
        pytest.param(90, "90 seconds", id="below two minutes"),
        pytest.param(121, "3 minutes", id="never too early"),
        pytest.param(3600, "1 hour", id="an hour"),
        pytest.param(7201, "3 hours", id="hours"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    """A wait in words is never shorter than the wait."""
    assert expected == str(wording_for(None).duration(seconds))


def test_values_are_escaped_and_isolated() -> None:
    """Neither markup nor a letter that turns the direction gets out of its place."""
    shown = wording_for("fr")("return", app="<b>\u202ex")

    assert "Go back to <bdi>&lt;b&gt;\u202ex</bdi>" == str(shown)


async def test_files_are_immutable_at_their_own_address() -> None:
    """The hash is the address; another hash or name is nothing."""
    site = await make_site()
    browser = site.browser()
    page = await site.sign_in_page(browser)
    urls = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.html)
    found = [(await browser.get(url)).response for url in urls]
    wrong = [(await browser.get(url)).status for url in ("/static/0000000000000000/connect.css", "/static/x/../app.py")]

    assert ["text/css; charset=utf-8", "text/javascript; charset=utf-8"] == [x.headers["content-type"] for x in found]
    assert {"public, max-age=31536000, immutable"} == {each.headers["cache-control"] for each in found}
    assert [404, 404] == wrong


async def test_a_page_and_its_files_are_small() -> None:
    """30 kB with everything, 3 kB of script, so that the page is there before anybody doubts it."""
    site = await make_site(CONNECTOR + "notes: {warning: Ends other sessions.}\n")
    browser = site.browser(accept_language="de")  # the longer texts
    page = await browser.submit(await site.sign_in_page(browser), password=CANARY)
    script, style, helper = ((FOLDER / f"connect.{name}").stat().st_size for name in ("js", "css", "embed.js"))

    assert "Passwort" in page.text
    assert [True, True] == [script <= 3_000, helper <= 2_500]
    assert len(page.response.content) + script + style + MOST_LOGO_BYTES <= 30_000
    assert StaticFiles().url("connect.js").endswith("/connect.js")
