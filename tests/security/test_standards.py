"""The table of the standards is whole, and what it names is there."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from scripts.write_page_standards import ORDER, STATUSES, Row, read_rows
from tests.house.sources import ROOT, tree

ASVS = (ROOT / "tests" / "security" / "asvs_5_0_ids.txt").read_text(encoding="utf-8").split("\n")
ROWS = read_rows()
SHORTEST_REASON = 4


def functions(name: str) -> set[str]:
    """The tests of one file, by its syntax tree; none where there is no such file."""
    path = ROOT / name
    if not path.is_file():
        return set()
    return {each.name for each in ast.walk(tree(path)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def wrong_of(row: Row) -> list[str]:
    """What a row lacks."""
    wrong = [test for test in row.tests if test.partition("::")[2] not in functions(test.partition("::")[0])]
    if row.status not in STATUSES:
        wrong.append(f"unknown status {row.status}")
    if row.status == "met" and not row.tests:
        wrong.append("met without a test")
    if row.status in ("written", "open", "not applicable") and row.tests and row.id != "9.1.1":
        wrong.append("a test where nothing is tested")
    if len(row.answer) < SHORTEST_REASON:
        wrong.append("no answer")
    return wrong


def test_each_requirement_of_asvs_stands_there_once() -> None:
    """Levels 1 and 2, and level 3 about secrets: none left out, none twice, none made up, each with its level."""
    expected = Counter(tuple(line.split()) for line in ASVS if line and not line.startswith("#"))
    found = Counter((row.id, str(row.level)) for row in ROWS if row.standard == "OWASP ASVS 5.0")

    assert expected == found
    assert 200 < len(found)


def test_no_row_of_the_others_stands_there_twice() -> None:
    """One row for a section, and every standard that is promised has some."""
    found = Counter((row.standard, row.id) for row in ROWS)

    assert [] == [name for name, count in found.items() if count > 1]
    assert set(ORDER) == {row.standard for row in ROWS}


@pytest.mark.parametrize("standard", ORDER)
def test_each_row_says_what_is_so(standard: str) -> None:
    """Named tests exist; what is met without one has a written answer; what doesn't apply says why."""
    wrong = [f"{row.id}: {fault}" for row in ROWS if row.standard == standard for fault in wrong_of(row)]

    assert [] == wrong


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        pytest.param(
            ("met", "An answer of some length", ("tests/none.py::test_x",)), "tests/none.py::test_x", id="file"
        ),
        pytest.param(("met", "An answer of some length", ()), "met without a test", id="no test"),
        pytest.param(("fine", "An answer of some length", ()), "unknown status fine", id="status"),
        pytest.param(("written", "", ()), "no answer", id="answer"),
        pytest.param(("written", "An answer of some length", ()), None, id="a good one"),
    ],
)
def test_wrong_of(row: tuple[str, str, tuple[str, ...]], fault: str | None) -> None:
    """The check itself finds what is wrong."""
    status, answer, tests = row

    assert ([] if fault is None else [fault]) == wrong_of(Row("RFC 6749", "1", "r", status, answer, None, tests))
