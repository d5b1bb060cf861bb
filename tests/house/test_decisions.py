"""Decision records: each number once, and the heading says it."""

from __future__ import annotations

import re

from tests.house.sources import ROOT

RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_each_number_once() -> None:
    """Two people who write one at the same time find out here."""
    numbers = [path.name[:4] for path in RECORDS]

    assert numbers
    assert sorted(set(numbers)) == numbers


def test_the_heading_says_the_number() -> None:
    """So that it is found by either."""
    for path in RECORDS:
        found = re.match(r"# (\d+)\. ", path.read_text(encoding="utf-8"))
        assert found is not None, path.name
        assert int(path.name[:4]) == int(found[1]), path.name
