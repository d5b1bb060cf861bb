"""The page of log events has each that the product writes, and none that it doesn't."""

from __future__ import annotations

import ast
import re

from keyturn.web.kit.refusals import EVENTS
from tests.docs.pages import page
from tests.house.sources import modules, tree

LEVELS = {"debug", "info", "warning", "error", "critical"}
ROW = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", re.MULTILINE)


def written() -> set[str]:
    """Events in the source: the first argument of a logger's method, or of the function that writes crashes down."""
    found = set(EVENTS)
    for path in modules():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            function, texts = node.func, [each.value for each in node.args if isinstance(each, ast.Constant)]
            if isinstance(function, ast.Attribute) and function.attr in LEVELS and "log" in ast.unparse(function.value):
                found |= {each for each in texts[:1] if isinstance(each, str) and re.fullmatch("[a-z_]+", each)}
            elif isinstance(function, ast.Name) and function.id == "write_down":
                found |= {each for each in texts if isinstance(each, str)}
    return found


def test_each_event_is_documented() -> None:
    """In the first column of a table of the page."""
    rows = [
        name for row in ROW.findall(page("docs/reference/log-events.md").text) for name in re.findall("[a-z_]+", row)
    ]

    assert sorted(written()) == sorted(rows)


def test_codes_of_refusals_are_documented() -> None:
    """Each stands in the row of its event."""
    text = page("docs/reference/log-events.md").text
    rows = {row.split("|")[1].strip(" `"): row for row in text.splitlines() if "_refused`" in row and row[:1] == "|"}

    assert [] == [code for event, codes in EVENTS.items() for code in codes if f"`{code}`" not in rows[event]]
