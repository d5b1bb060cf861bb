"""Links lead somewhere, pictures can be read by everybody, and each page is found from the index."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, page, pages

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
ELSEWHERE = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_links_within_the_checkout_resolve(each: Page) -> None:
    """A relative link names a file that is there, and after # a heading that it has."""
    broken = [link for link in each.links() if not link.startswith(ELSEWHERE) and not resolves(each, link)]

    assert [] == broken


def resolves(each: Page, link: str) -> bool:
    """Whether a relative link leads somewhere."""
    name, _, anchor = link.partition("#")
    target = (each.path.parent / name).resolve() if name else each.path
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    if not anchor:
        return True
    found = Page(target.relative_to(ROOT).as_posix(), target.read_text(encoding="utf-8"))
    return anchor in found.anchors()


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        pytest.param("tutorial/first-connection.md", True, id="a page"),
        pytest.param("../README.md#should-you-use-this", True, id="a heading"),
        pytest.param("../README.md#should-you-use-that", False, id="a heading that is not there"),
        pytest.param("tutorial/second-connection.md", False, id="a page that is not there"),
        pytest.param("../../outside.md", False, id="outside the checkout"),
    ],
)
def test_resolves(link: str, leads: bool) -> None:
    """The check itself tells a good link from a broken one."""
    assert leads == resolves(page("docs/README.md"), link)


def test_each_page_is_in_the_index() -> None:
    """Whoever looks through docs/README.md finds every page; decisions are found by their folder."""
    listed = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in page("docs/README.md").links()}
    decisions = ROOT / "docs" / "decisions"
    lost = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs").rglob("*.md")
        if path.resolve() not in listed and path.parent != decisions and path != ROOT / "docs" / "README.md"
    ]

    assert [] == sorted(lost)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_pictures_say_what_they_show(picture: Path) -> None:
    """A picture has a title and a description, and takes nothing from elsewhere: no script, no font, no image."""
    root = ElementTree.parse(picture).getroot()  # noqa: S314  (files of the checkout)
    ids = {each.get("id"): (each.text or "").strip() for each in root.iter()}
    outside = [each.tag for each in root.iter() if each.tag in {f"{SVG}script", f"{SVG}image", f"{SVG}foreignObject"}]
    remote = re.findall(r"(?:href|src)=|url\((?!#)", picture.read_text(encoding="utf-8"))

    assert "img" == root.get("role")
    assert all(ids.get(name) for name in (root.get("aria-labelledby") or "nothing").split())
    assert [] == outside
    assert [] == remote


def test_pictures_are_shown_with_a_text() -> None:
    """Each picture stands in a page, with words for who can't see it."""
    shown = {
        (each.path.parent / link).resolve(): words
        for each in pages()
        for words, link in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", each.prose)
    }

    screens = (ROOT / "docs" / "pictures").glob("*.png")  # taken by scripts/take_screenshots.py
    assert {picture.resolve() for picture in (*PICTURES, *screens)} == set(shown)
    assert all(len(words) > 40 for words in shown.values())
