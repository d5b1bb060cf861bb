"""What a run puts into a page stands between the markers of its section, and nothing else of the page is touched."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from scripts.written_by_runs import Sources, heading, put, section

MARKED = "# A page\n\n<!-- {0}: written by `make x` -->{1}<!-- end of {0} -->\n\nMore.\n"
ONE_DAY = [datetime.date(2026, 12, 7)]


def test_a_section_is_replaced(tmp_path: Path) -> None:
    """Twice the same leaves the same page."""
    page = tmp_path / "page.md"
    page.write_text(MARKED.format("runs", "\n\nold\n\n") + MARKED.format("rates", "\n\nkept\n\n"))
    put(page, "runs", r"new \1 | table")
    once = page.read_text()
    put(page, "runs", r"new \1 | table")

    assert r"new \1 | table" == section(once, "runs")
    assert "kept" == section(once, "rates")
    assert once == page.read_text()
    assert once == MARKED.format("runs", "\n\nnew \\1 | table\n\n") + MARKED.format("rates", "\n\nkept\n\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("no marker", id="none"),
        pytest.param("<!-- runs: written by x -->", id="no end"),
        pytest.param(MARKED.format("runs", "") * 2, id="two"),
        pytest.param(MARKED.format("run", ""), id="another's"),
    ],
)
def test_a_page_without_its_markers_is_refused(text: str, tmp_path: Path) -> None:
    """Figures that would be lost are an error, and the page stays as it was."""
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(ValueError, match="section runs"):
        put(page, "runs", "new")
    assert text == page.read_text()


def test_the_state_of_the_sources(tmp_path: Path) -> None:
    """A change of a source shows, committed or not; a change beside it does not."""
    sources = Sources(("src",), tmp_path)

    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)

    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    clean, first = sources.state(), sources.digest()
    (tmp_path / "page.md").write_text("x")
    beside = sources.state(), sources.digest()
    (tmp_path / "src/b.py").write_text("2")

    assert clean.endswith(", with a clean tree")
    assert (clean, first) == beside
    assert sources.state().endswith(", with changes that are not committed")
    assert first != sources.digest()


def test_the_heading_says_when_on_what_and_how() -> None:
    """A command that is typed again is not broken by the end of a line."""
    found = heading("24 runs", command="make campaign", sources=Sources(("src",)), days=ONE_DAY)

    assert found.startswith("On 7 December 2026, on commit ")
    assert found.endswith("24 runs.\nCommand: `make campaign`.")
    assert all(len(line) <= 120 for line in found.splitlines())
