"""Pages that are made from the product's tables are as the tables say."""

from __future__ import annotations

import pytest

from scripts.reference_sources import FIELD_TABLE, MEANINGS, TRANSITIONS
from scripts.write_pages import DOCS, PAGES, main


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_its_generators(name: str) -> None:
    """`python -m scripts.write_pages` would change nothing."""
    assert PAGES[name]() == (DOCS / name).read_text(encoding="utf-8")


def test_check_says_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` ends with 0 and says nothing where all pages are as they should be; other words are refused."""
    assert 0 == main(["--check"])
    assert "" == capsys.readouterr().out
    assert 2 == main(["--chek"])


def test_the_connector_page_leaves_nothing_out() -> None:
    """Each key of a field and each code has its row."""
    page = PAGES["reference/connector.md"]()
    wanted = [key.name for key in FIELD_TABLE.keys]
    wanted += [fault.value for fault in MEANINGS]

    assert [] == [name for name in wanted if f"`{name}`" not in page]


def test_the_picture_of_states_has_every_step() -> None:
    """Each row of the table of transitions is an arrow and a line of text."""
    page = PAGES["explanation/states.md"]()
    steps = [(state, event, after) for state, row in TRANSITIONS.items() for event, after in row.items()]

    assert [] == [step for step in steps if "| `{}` | `{}` | `{}` |".format(*step) not in page]
    assert [] == [f"{state} --> {after}" for state, _, after in steps if f"    {state} --> {after}: " not in page]
