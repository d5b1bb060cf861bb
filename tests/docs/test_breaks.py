"""The breaks that show that the random runs can fail fit the source as it is, and one that nobody notices is said."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from scripts.break_engine import BREAKS, SECTION, Break, DoesNotFit, Edit, table, unnoticed
from scripts.run_campaign import PAGE
from scripts.written_by_runs import ROOT, section


@pytest.mark.parametrize("broken", [pytest.param(each, id=each.title) for each in BREAKS])
def test_a_break_fits(broken: Break) -> None:
    """Its text stands in the source, once, what follows is Python, and each of its runs can be drawn."""
    sources = {edit.file: (ROOT / edit.file).read_text(encoding="utf-8") for edit in broken.edits}
    before = dict(sources)
    for edit in broken.edits:
        sources[edit.file] = edit.made(sources[edit.file])

    assert all(ast.dump(ast.parse(before[name])) != ast.dump(ast.parse(text)) for name, text in sources.items())
    assert len(broken.strikes) == len(set(broken.seeds)) >= 2


@pytest.mark.parametrize("text", ["nothing of it", "twice, twice"])
def test_one_that_does_not_fit_is_refused(text: str) -> None:
    """A break that changes nothing would show that no run notices it."""
    with pytest.raises(DoesNotFit, match=r"src/x\.py has [02] times: twice"):
        Edit("src/x.py", "twice", "once").made(text)


def test_what_nobody_noticed_is_said() -> None:
    """Only a break that other safeguards hold may stay unnoticed; a run without a row never may."""
    held, to_notice = (next(each for each in BREAKS if each.noticed is noticed) for noticed in (False, True))
    green: list[dict[str, Any]] = [{"wrong": []}] * 3
    red = [{"wrong": ["I2: a | b"]}] * len(to_notice.strikes)

    assert [] == unnoticed([(held, green[: len(held.strikes)]), (to_notice, red)])
    assert [to_notice.title] == unnoticed([(to_notice, green)])
    assert [held.title] == unnoticed([(held, [])])
    assert "| 0 of 2 | none noticed |" in table([(held, green[:2])])
    assert "| `I2: a / b` |" in table([(to_notice, red)])


def test_the_page_has_every_break() -> None:
    """As `make test-breaks` wrote it."""
    found = section(PAGE.read_text(encoding="utf-8"), SECTION)

    assert [] == [each.title for each in BREAKS if f"| {each.title} |" not in found]
