"""The page on costs has the table that `bench/renewals.py` writes, and says of each row what it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

from scripts.written_by_runs import ROOT, section
from tests.docs.pages import page

# Two rounds: the broker takes 2 and 3 times the plain loop's CPU, at a half and a quarter of its rate.
MEASURED = """
import argparse, json
from renewals import Figures, Round, table, told, written
figures = Figures(
    broker=[Round(100, 2.0, 0.2, 5000.0), Round(100, 4.0, 0.6, 5000.0)],
    plain=[Round(100, 1.0, 0.1), Round(100, 1.0, 0.2)],
    login_cpu_ms=9.0, idle_cores=0.01, late_s=[0.5] * 20,
)
found = told(figures)
print(json.dumps({"found": found, "text": written(found, argparse.Namespace(rounds=2, connections=100))}))
"""


def measured() -> dict[str, Any]:
    """The bench's figures, out of rounds made up here; in a process, as it changes `sys.path`."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=ROOT / "bench", capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def rows(text: str) -> list[str]:
    """The first cells of a table, without its head."""
    return re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)[1:]


def test_the_page_has_the_rows_of_the_bench() -> None:
    """As the run wrote them, with its sentence above."""
    text = page("docs/performance.md").text
    on_the_page = section(text, "renewals")

    assert rows(measured()["text"]) == rows(on_the_page)
    assert on_the_page.startswith("On ")
    assert "\nCommand: `bench/renewals.py --connections " in on_the_page


def test_each_row_is_explained() -> None:
    """In the order of the table; a unit or a condition may stand only there."""
    after = page("docs/performance.md").text.split("<!-- end of renewals -->")[1].split("\n## ")[0]
    written, explained = rows(section(page("docs/performance.md").text, "renewals")), rows(after)

    assert len(written) == len(explained) >= 9
    assert all(row.startswith(said) for row, said in zip(written, explained, strict=True))


def test_ratios_are_medians_of_rounds() -> None:
    """Both of a round met the same machine; a ratio of medians would compare different hours."""
    found = measured()["found"]

    assert {"median": 2.5, "min": 2.0, "max": 3.0} == found["cpu_of_plain"]
    assert {"median": 0.375, "min": 0.25, "max": 0.5} == found["of_plain"]
