"""Break the engine on purpose, one break at a time, and write into docs/reliability.md which random runs notice.

    python -m scripts.break_engine [--only WORD] [--no-page]

Each break is a replacement of source text in a copy of this checkout, played with the runs that strike there. That
shows that those runs can fail. tests/docs/test_breaks.py holds that each text still stands in the source, once.

Exit codes: 0 each break was noticed that has to be, 1 one was not, 2 a break does not fit the source.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.run_campaign import PAGE, SOURCES
from scripts.written_by_runs import ROOT, heading, put
from tests.faults.runs.faults import CELLS, Grant, Run
from tests.faults.runs.report import Row, kept_rows

SECTION: Final = "breaks"
COPIED: Final = ("src", "tests", "examples", "pyproject.toml", "requirements", "scripts")
ENGINE: Final = "src/keyturn/engine/renewal"
STORE: Final = "src/keyturn/adapters/store/renewals.py"
PLAN: Final = "src/keyturn/core/renewal/plan.py"
LONGEST_S: Final = 900


class DoesNotFit(Exception):
    """The text that a break replaces is not in the source, or more than once."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of text in one file."""

    file: str
    old: str
    new: str

    def made(self, text: str) -> str:
        """Return the text with the replacement made.

        Raises:
            DoesNotFit: `old` does not occur exactly once.
        """
        if text.count(self.old) != 1:
            raise DoesNotFit(f"{self.file} has {text.count(self.old)} times: {self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Break:
    """A break, and the runs that strike there.

    `strikes`: fault@step, number of processes and grant of each run. `noticed`: False where other safeguards are known
    to hold by themselves, so that no run has to fail.
    """

    title: str
    edits: tuple[Edit, ...]
    strikes: tuple[tuple[str, int, Grant], ...]
    noticed: bool = True

    @property
    def seeds(self) -> list[int]:
        """The first seed of each of the runs."""
        drawn = [Run.drawn(seed) for seed in range(60 * len(CELLS))]
        return [
            next(run.seed for run in drawn if (run.fault.title, run.processes, run.grant) == strike)
            for strike in self.strikes
        ]


_FORGOTTEN = (("lost@answer", 1, Grant.STRICT), ("kill@claim.after", 2, Grant.STRICT), ("hang@answer", 2, Grant.STRICT))
_CROWDS = (("many@ended", 1, Grant.STRICT), ("many@ended", 2, Grant.STRICT))
_REPLACED = (("reconnect@held", 1, Grant.STRICT), ("reconnect@held", 2, Grant.STRICT))
_ENDED = (("disconnect@held", 1, Grant.STRICT), ("disconnect@held", 2, Grant.STRICT))
_NO_SINGLE_FLIGHT = Edit(
    f"{ENGINE}/renew.py",
    "running = self._running.get((project, connection_id))\n            joined",
    "running: _Running | None = None\n            joined",
)
_NO_LEASE = (
    Edit(STORE, "held = bool(row.is_held) and", "held = False and"),
    Edit(STORE, "change.where(sa.not_(LEASED)) if free", "change if free"),
)

BREAKS: Final = (
    Break(
        "an open intent is taken for none",
        (
            Edit(
                PLAN,
                "    if intent is None or intent.generation != connection.generation:\n        return _plan_afresh",
                "    if intent is None or intent.generation >= 0:\n        return _plan_afresh",
            ),
        ),
        _FORGOTTEN,
    ),
    Break(
        "rotation is treated as `stable`",
        (Edit(PLAN, "harmless = connector.refresh.rotation is Rotation.STABLE or in_leeway", "harmless = True"),),
        _FORGOTTEN,
    ),
    Break(
        "the generation is not looked at again before the claim",
        (
            Edit(
                f"{ENGINE}/renew.py",
                "if found.connection.generation > generation:",
                "if found.connection.generation < 0:",
            ),
        ),
        _CROWDS,
    ),
    Break("no single flight", (_NO_SINGLE_FLIGHT,), _CROWDS, noticed=False),
    Break("no lease", _NO_LEASE, _CROWDS, noticed=False),
    Break("neither lease nor single flight", (_NO_SINGLE_FLIGHT, *_NO_LEASE), _CROWDS),
    Break(
        "a late answer is kept over a newer set",
        (
            Edit(
                f"{ENGINE}/keep.py",
                "if current.ended or current.generation != kept.claimed.generation:",
                "if current.ended:",
            ),
        ),
        _REPLACED,
    ),
    Break(
        "a late answer is dropped, not revoked",
        (Edit(f"{ENGINE}/keep.py", "late = [] if same else [without_live(token_set, live)]", "late = []"),),
        (*_REPLACED, *_ENDED),
    ),
    Break(
        "a caller that hangs up ends the renewal",
        (
            Edit(
                f"{ENGINE}/renew.py",
                "return await asyncio.shield(running.task)",
                "return await running.task",
            ),
        ),
        (("hang_up@held", 1, Grant.STRICT), ("hang_up@held", 2, Grant.STRICT)),
    ),
    Break(
        "spill files are not applied",
        tuple(
            Edit(
                f"{ENGINE}/{name}.py",
                "for connection_id, generation, token_set in await self.spill.pending():",
                "for connection_id, generation, token_set in ():",
            )
            for name in ("apply_spilled", "settlement")  # by the clock, and by the renewal that finds an intent
        ),
        (("kill@spill.after", 1, Grant.STRICT), ("kill@spill.after", 2, Grant.STRICT)),
    ),
)


def played(broken: Break) -> list[Row]:
    """Play the runs of a break in a copy of the checkout; return their rows.

    Raises:
        DoesNotFit: the source has changed.
    """
    with tempfile.TemporaryDirectory(prefix="broken-") as name:
        copy = Path(name)
        for each in COPIED:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / each)
        for edit in broken.edits:
            path = copy / edit.file
            path.write_text(edit.made(path.read_text(encoding="utf-8")), encoding="utf-8")
        seeds = [part for seed in broken.seeds for part in ("--fault-seed", str(seed))]
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-m", "slow or short", "-n", "2", "-p", "no:randomly"),
                *("--basetemp", str(copy / "left"), "tests/faults/test_random_runs.py", "-k", "test_run"),
                *("--fault-rows", "rows.jsonl", *seeds),
            ],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST_S,
            check=False,
        )
        found = kept_rows(copy / "rows.jsonl")
    return [found[seed] for seed in broken.seeds if seed in found]


def table(found: Sequence[tuple[Break, Sequence[Row]]]) -> str:
    """Return a row for each break: which runs of how many failed, and what the first of them said."""
    lines = ["| break | seeds | runs that failed | what the first said |", "|---|---|---|---|"]
    for broken, rows in found:
        red = [row for row in rows if row["wrong"]]
        said = f"`{red[0]['wrong'][0].replace('|', '/')}`" if red else "none noticed"
        seeds = ", ".join(map(str, broken.seeds))
        lines.append(f"| {broken.title} | {seeds} | {len(red)} of {len(broken.strikes)} | {said} |")
    return "\n".join(lines)


def unnoticed(found: Sequence[tuple[Break, Sequence[Row]]]) -> list[str]:
    """Name each break that no run noticed though one has to, or whose runs left no row."""
    return [
        broken.title
        for broken, rows in found
        if len(rows) < len(broken.strikes) or (broken.noticed and not any(row["wrong"] for row in rows))
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play every break, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the breaks with this word in their title; the page stays as it is")
    parser.add_argument("--no-page", action="store_true", help="print the table, and leave the page as it is")
    given = parser.parse_args(arguments)
    found: list[tuple[Break, list[Row]]] = []
    for broken in (each for each in BREAKS if given.only in each.title):
        try:
            found.append((broken, played(broken)))
        except DoesNotFit as error:
            print(f"{broken.title}: {error}", file=sys.stderr)
            return 2
        print(table(found[-1:]).splitlines()[-1], flush=True)
    runs = sum(len(broken.strikes) for broken, _ in found)
    what = f"{len(found)} breaks of the engine, one at a time, each with the runs that strike there, {runs} in all"
    today = [datetime.datetime.now(datetime.UTC).date()]
    text = f"{heading(what, command='make test-breaks', sources=SOURCES, days=today)}\n\n{table(found)}"
    if not given.no_page and not given.only:
        put(PAGE, SECTION, text)
    for title in unnoticed(found):
        print(f"not noticed: {title}", file=sys.stderr)
    return int(bool(unnoticed(found)))


if __name__ == "__main__":
    raise SystemExit(main())
