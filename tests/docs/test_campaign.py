"""A campaign of runs is taken up where it stopped, mixes no rows of other sources, and hides no run that failed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.run_campaign import FOLDER, PAGE, SECTION, Campaign, Unfinished, alone, campaign, play, told
from scripts.written_by_runs import Sources, section
from tests.faults.runs.faults import CELLS, Run

# Runs of a checkout that is not this one: they take no time, and note each seed that is played.
CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--fault-rows")
    parser.addoption("--fault-seed", type=int, action="append")
"""
RUNS = """
import json, pathlib, pytest

@pytest.mark.slow
def test_run(pytestconfig):
    for seed in pytestconfig.getoption("fault_seed"):
        with open("played", "a") as played:
            print(seed, file=played)
        if seed == {rowless}:
            continue
        if seed == {changes}:
            pathlib.Path("src/engine.py").write_text("changed")
        row = {{"seed": seed, "wrong": ["broken"] if seed == 4 else [], "ended": "2026-12-07T10:00:00+00:00"}}
        with open(pytestconfig.getoption("fault_rows"), "a") as rows:
            print(json.dumps(row), file=rows)
"""


def checkout(folder: Path, *, rowless: int = -1, changes: int = -1) -> Sources:
    """A checkout with runs. `rowless`: the seed that leaves no row; `changes`: the one that changes the sources."""
    files = {
        "pytest.ini": "[pytest]\nmarkers =\n    slow\n    short\n",
        "src/engine.py": "as it was",
        "tests/faults/conftest.py": CONFTEST,
        "tests/faults/test_random_runs.py": RUNS.format(rowless=rowless, changes=changes),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return Sources(("src",), folder)


def played(folder: Path) -> list[int]:
    """The seeds that were played, in order."""
    return [int(line) for line in (folder / "played").read_text().split()]


def seeds(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Of rows."""
    return [row["seed"] for row in rows]


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What has a row is not played again, a run that failed least of all; a torn line is no row."""
    sources = checkout(tmp_path)
    play(Campaign([3, 4], 2, 1), sources)
    (rows,) = (tmp_path / FOLDER).glob("campaign-*.jsonl")
    with rows.open("a") as torn:
        torn.write('{"seed": 5, "wro\n')
    found = play(Campaign([3, 4, 5, 6, 7], 2, 1), sources)

    assert [3, 4, 5, 6, 7] == played(tmp_path)
    assert [3, 4, 5, 6, 7] == seeds(found)
    assert [["broken"]] == [row["wrong"] for row in found if row["wrong"]]


def test_other_sources_are_another_campaign(tmp_path: Path) -> None:
    """No row of other sources is taken for one of these; what is no source changes nothing."""
    sources = checkout(tmp_path)
    play(Campaign([1], 2, 1), sources)
    (tmp_path / "README.md").write_text("another text")
    play(Campaign([1], 2, 1), sources)
    once = played(tmp_path)
    (tmp_path / "src/engine.py").write_text("another engine")
    play(Campaign([1], 2, 1), sources)

    assert [1] == once
    assert [1, 1] == played(tmp_path)


def test_sources_that_change_meanwhile_end_it(tmp_path: Path) -> None:
    """The rows of that piece are of neither state, so they are dropped; those before it stay."""
    sources = checkout(tmp_path, changes=2)
    with pytest.raises(Unfinished, match="the sources were changed"):
        play(Campaign([0, 1, 2, 3], 2, 1), sources)
    (rows,) = (tmp_path / FOLDER).glob("campaign-*.jsonl")

    assert [0, 1] == seeds([json.loads(line) for line in rows.read_text().splitlines()])


def test_a_run_without_a_row_is_not_left_out(tmp_path: Path) -> None:
    """A table of the others would hide the one that ended its process."""
    sources = checkout(tmp_path, rowless=1)

    with pytest.raises(Unfinished, match=r"no row of seeds \[1\]"):
        play(Campaign([0, 1], 2, 1), sources)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """The second would play the same seeds."""
    with alone(tmp_path / "lock"), pytest.raises(Unfinished, match="another campaign"), alone(tmp_path / "lock"):
        pass
    with alone(tmp_path / "lock"):
        free_again = True

    assert free_again


def test_what_is_asked_for_by_default_meets_each_cell() -> None:
    """At least 200 runs, and each fault at each step with one and with two processes."""
    runs = [Run.drawn(seed) for seed in campaign([]).seeds]

    assert len(runs) >= 200
    assert len(CELLS) == len({(run.fault.title, run.processes) for run in runs})
    assert "make campaign" == campaign([]).command
    assert 'make campaign CAMPAIGN="--runs 24 --base 7"' == campaign(["--runs", "24", "--base", "7"]).command


def row(seed: int, wrong: list[str]) -> dict[str, Any]:
    """A row as `judge.told` makes it."""
    run = Run.drawn(seed)
    return {
        "seed": seed, "family": run.fault.family, "fault": run.fault.name, "step": run.fault.step, "title": run.title,
        "processes": run.processes, "connections": 10, "sends": 11, "reused": 0, "kept": 9, "truthful": 1, "lost": {},
        "served_s": 0.4, "beside": 40, "wrong": wrong, "seconds": 90.0, "ended": f"2026-12-0{7 + seed}T10:00:00+00:00",
    }  # fmt: skip


def test_the_section_says_when_and_what_and_what_failed() -> None:
    """The sentence above the table and the table are made of the same rows."""
    found = told(Campaign([0, 1], 2, 2), [row(0, []), row(1, ["I2: id-0: an answered refresh token came again"])])
    sentence = " ".join(found.split("\n\n")[0].split())

    assert sentence.startswith("From 7 December 2026 to 8 December 2026, on commit ")
    assert "2 random runs, seeds 0 to 1, 2 at a time, 3 minutes of play in all." in sentence
    assert 'Command: `make campaign CAMPAIGN="--runs 2"`.' in sentence
    assert "1 runs with broken promises." in found
    assert "| all | 1 and 2 | 2 | 20 | 22 | 0 | 18 | 2 |" in found
    assert "- I2: id-0: an answered refresh token came again" in found


def test_the_page_has_the_section() -> None:
    """With a sentence that a run wrote, and a table."""
    found = section(PAGE.read_text(encoding="utf-8"), SECTION)

    assert found.startswith(("On ", "From "))
    assert "| all | 1 and 2 |" in found
