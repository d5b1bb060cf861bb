"""No page is released with a hole in it: a placeholder, a note of unfinished work, or a figure that no run wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT

_FENCE = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n[\n|]).)*?(?<!`)\1(?!`)", re.DOTALL)  # within a paragraph, or a table's row
_WORDS = re.compile(
    r"@@[^@\n]*@@|\?\?\?|\{\{.*?\}\}"
    r"|\b(?:TBD|TBA|TODO|FIXME|XXX|lorem ipsum|(?<!has )(?<!have )to be (?:written|filled in|measured))\b",
    re.IGNORECASE,
)
_SECTION = re.compile(r"<!-- ([\w-]+): written by .*?-->(.*?)(?:<!-- end of \1 -->|\Z)", re.DOTALL)
_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)


def holes(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and words of each placeholder outside code, empty section, and table of figures with empty cells.

    In a section that a run writes, every cell of every row has content. Elsewhere a cell may be empty, as in a list of
    things that has notes on some.
    """
    plain = _CODE.sub(_blank, _FENCE.sub(_blank, text))
    for found in _WORDS.finditer(plain):
        yield _line(text, found.start()), found.group()
    for part in _SECTION.finditer(plain):
        if f"<!-- end of {part[1]} -->" not in part.group():
            yield _line(text, part.start()), f"{part[1]}: no end"
        if not part[2].strip():
            yield _line(text, part.start()), f"{part[1]}: nothing between its markers"
        for row in _ROW.finditer(part[2]):
            if any(not cell.strip() for cell in row.group().strip("|").split("|")):
                yield _line(text, part.start(2) + row.start()), "an empty cell"


def _blank(found: re.Match[str]) -> str:
    """Keep lines and length, so that places in the text stay what they are."""
    return re.sub(r"[^\n|]", "0", found.group())


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md"))
)


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_hole(name: str) -> None:
    """Whoever wrote it, by hand or by a run."""
    found = list(holes((ROOT / name).read_text(encoding="utf-8")))

    assert [] == found


MARKED = "<!-- runs: written by `make x` -->\n{}\n<!-- end of runs -->\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("a\n@@WHEN@@\n", [(2, "@@WHEN@@")], id="a placeholder"),
        pytest.param("TBD", [(1, "TBD")], id="a word"),
        pytest.param("Figures are\nto be written.", [(2, "to be written")], id="a phrase"),
        pytest.param("It has to be written.", [], id="a duty"),
        pytest.param("about ??? ms", [(1, "???")], id="question marks"),
        pytest.param("in {{ month }} it", [(1, "{{ month }}")], id="a template"),
        pytest.param("`{{ username }}` and ``a ` TODO``", [], id="code"),
        pytest.param("```yaml\nx: '{{ y }}' # TODO\n```\n", [], id="a block of code"),
        pytest.param("```\nx\n```\n\nTODO\n\n```\ny\n```", [(5, "TODO")], id="between blocks"),
        pytest.param("a mastodon, an xxxl", [], id="longer words"),
        pytest.param(MARKED.format("\n"), [(1, "runs: nothing between its markers")], id="nothing between markers"),
        pytest.param(MARKED.format("On Monday."), [], id="something between markers"),
        pytest.param("<!-- runs: written by x -->\ntext", [(1, "runs: no end")], id="one marker"),
        pytest.param(MARKED.format("| a | b |\n|---|---|\n| 1 |  |"), [(4, "an empty cell")], id="a figure is missing"),
        pytest.param(MARKED.format("| a | b |\n|---|---|\n| 1 | `x` |"), [], id="every cell has one"),
        pytest.param("| a | b |\n|---|---|\n| 1 | |", [], id="no table of figures"),
    ],
)
def test_what_is_a_hole(text: str, found: list[tuple[int, str]]) -> None:
    """Outside code, with its line; and the neighbours that are none."""
    assert found == list(holes(text))


def test_the_pages_are_read() -> None:
    """A rule over no pages would always hold."""
    assert {"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/reliability.md", "changelog.d/README.md"} <= set(PAGES)
