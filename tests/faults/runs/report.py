"""What random runs came to: each one's row, and the table of a session or of a campaign (scripts/run_campaign.py).

Rule: the figures are counted from the runs' own rows.
"""

from __future__ import annotations

import datetime
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs.faults import CELLS
from tests.faults.runs.losses import Verdict

WRITTEN_TO = Path(".cache/faults/report.md")
LOSSES = tuple(str(each) for each in Verdict if each is not Verdict.ENDED)
Row = dict[str, Any]


def add_options(parser: pytest.Parser) -> None:
    """The options of the random runs."""
    group = parser.getgroup("random fault runs")
    group.addoption("--fault-seed", type=int, action="append", help="play this seed alone (repeatable)")
    group.addoption(
        "--fault-runs", type=int, default=len(CELLS), help="how many runs to draw (default: one for each cell)"
    )
    group.addoption("--fault-base", type=int, help="the first seed (default: random, and printed)")
    group.addoption(
        "--fault-scale", type=float, default=0.2, help="the size of fleets; 1: 5,000 overdue, 10,000 due at once"
    )
    group.addoption("--fault-rows", help="a file that each run appends its row to as it ends, as a line of JSON")


def choose_base(config: pytest.Config) -> None:
    """Draw the first seed, or take the one that was drawn for all workers: they must collect the same runs."""
    if getattr(config.option, "fault_base", 0) is None:
        handed_down: dict[str, int] = getattr(config, "workerinput", {})
        config.option.fault_base = handed_down.get("fault_base") or random.SystemRandom().randrange(1, 1_000_000)


def hand_base_down(config: pytest.Config, workerinput: dict[str, Any]) -> None:
    """Tell a worker which seed was drawn."""
    base: int | None = config.getoption("fault_base", None)
    if base is not None:
        workerinput["fault_base"] = base


def drawn(config: pytest.Config) -> str:
    """Which runs these are, for the head of the session; empty where none were asked for."""
    seeds = seeds_of(config)
    if not seeds:
        return ""
    how = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    return f"random fault runs: {how} (the same again: --fault-base {seeds[0]} --fault-runs {len(seeds)})"


def seeds_of(config: pytest.Config) -> Sequence[int]:
    """The seeds that were asked for; none where the options are unknown, as in `make test`."""
    runs, base = config.getoption("fault_runs", 0), config.getoption("fault_base", 0)
    alone: list[int] | None = config.getoption("fault_seed", None)
    return alone or range(base, base + runs)


def rows_of(reports: Iterable[Any]) -> list[Row]:
    """The rows that the runs recorded."""
    found = [
        value for report in reports if getattr(report, "when", "") == "call"
        for name, value in report.user_properties if name == "fault_run"
    ]  # fmt: skip
    return sorted(found, key=lambda row: row["seed"])


def table(rows: Sequence[Row]) -> str:
    """Fault × processes, with what was counted."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["family"], row["processes"]].append(row)
    lines = [
        "| fault | processes | runs | connections | token requests | reused | kept | ended, and said so "
        f"| {' | '.join(LOSSES)} | served again after, at most | calls beside | broken promises |",
        f"|{'---|' * (11 + len(LOSSES))}",
    ]
    for (family, processes), of in [*sorted(groups.items()), (("all", 0), list(rows))]:
        cells = [sum(row[name] for row in of) for name in ("connections", "sends", "reused", "kept", "truthful")]
        cells += [sum(row["lost"].get(verdict, 0) for row in of) for verdict in LOSSES]
        cells += [f"{max(row['served_s'] for row in of)} s", sum(row["beside"] for row in of)]
        cells += [sum(1 for row in of if row["wrong"])]
        lines.append(f"| {family} | {processes or '1 and 2'} | {len(of)} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """The whole report."""
    cells = {(row["fault"], row["step"], row["processes"]) for row in rows}
    wrong = [row for row in rows if row["wrong"]]
    seeds = f"{rows[0]['seed']} to {rows[-1]['seed']}" if len(rows) > 1 else f"{rows[0]['seed']}"
    found = [
        f"{len(rows)} runs, seeds {seeds}; {len(cells)} of {len(CELLS)} cells (fault × step × processes); "
        f"{len(wrong)} runs with broken promises.",
        "",
        table(rows),
    ]
    for row in wrong:
        found += ["", f"{row['title']}  (replay: --fault-seed {row['seed']})", *(f"- {each}" for each in row["wrong"])]
    return "\n".join(found)


def each_run(rows: Sequence[Row]) -> str:
    """One line for each run, for who looks closer."""
    return "\n".join(
        f"{row['title']}: sends {row['sends']}, doubled {row['doubled']}, kept {row['kept']}, "
        f"truthful {row['truthful']}, {row['seconds']} s{', BROKEN' if row['wrong'] else ''}"
        for row in rows
    )


def keep(config: pytest.Config, row: Row) -> None:
    """Append a run's row to the file that was asked for, if one was.

    One write for one line, at the end of the file whoever wrote last: workers share the file, and a run that is
    interrupted leaves nothing in it.
    """
    name: str | None = config.getoption("fault_rows", None)
    if name is None:
        return
    path = config.rootpath / name
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**row, "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}) + "\n"
    kept = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(kept, line.encode())
    finally:
        os.close(kept)


def kept_rows(path: Path) -> dict[int, Row]:
    """Read such a file; gives the first row of each seed, so that a run that failed is not made good by a later one.

    A line that is not whole, as a full disk leaves it, counts as no row.
    """
    found: dict[int, Row] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row: Row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found.setdefault(row["seed"], row)
    return found


def write(config: pytest.Config, rows: Sequence[Row]) -> Path:
    """Write the report of a session to its file."""
    path = config.rootpath / WRITTEN_TO
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{summary(rows)}\n\n{each_run(rows)}\n", encoding="utf-8")
    return path
