"""The reference pages are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from keyturn.core.problems import PROBLEMS
from keyturn.web.control.application import OPERATIONS
from scripts import write_reference

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def test_the_pages_are_up_to_date() -> None:
    """`scripts/write_reference.py` would change nothing."""
    rest = (PAGES / "rest.md").read_text(encoding="utf-8")

    assert write_reference.problems_page() == (PAGES / "problems.md").read_text(encoding="utf-8")
    assert write_reference.with_calls(rest) == rest
    assert 0 == write_reference.main(["--check"])


def test_each_code_has_its_heading_and_each_call_its_place() -> None:
    """Nothing of the tables is missing on the pages."""
    problems, calls = write_reference.problems_page(), write_reference.calls()

    assert [] == [code for code in PROBLEMS if f"\n## `{code}`\n" not in problems]
    assert [] == [each.name for each in OPERATIONS if f"\n### {each.method} {each.path}\n" not in calls]


def test_a_page_that_is_not_up_to_date_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check nothing is written; without, what stands above the mark is kept."""
    (tmp_path / "rest.md").write_text("# Mine\n" + write_reference.MARK + "old\n", encoding="utf-8")
    monkeypatch.setattr(write_reference, "REFERENCE", tmp_path)
    told = write_reference.main(["--check"])
    before = sorted(each.name for each in tmp_path.iterdir())
    write_reference.main([])

    assert (1, ["rest.md"]) == (told, before)
    assert "problems.md" in capsys.readouterr().err
    assert "# Mine\n" + write_reference.MARK + write_reference.calls() == (tmp_path / "rest.md").read_text("utf-8")
    assert 0 == write_reference.main(["--check"])
