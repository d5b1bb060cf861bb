"""Play many random fault runs, in pieces that can be interrupted, and write their table into docs/reliability.md.

    python -m scripts.run_campaign [--runs 260] [--base 0] [--piece 20] [--workers 2] [--no-page]

One seed is played after another, so that 130 runs in a row meet each fault at each step, with one and with two
processes. Each run's row is kept as it ends, in .cache/faults/campaign-DIGEST.jsonl. The digest is that of the sources
that decide a run: a campaign that was interrupted goes on where it stopped, and rows of other sources are never mixed
in. A run that failed is not played again; its row, its promise and how to replay it go into the page.

Exit codes: 0 all runs kept all promises, 1 some did not, 2 the campaign did not come to its end; the page is as before.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.written_by_runs import ROOT, Sources, heading, put
from tests.faults.runs.faults import CELLS
from tests.faults.runs.report import Row, kept_rows, summary

PAGE: Final = ROOT / "docs/reliability.md"
SECTION: Final = "runs"
FOLDER: Final = ".cache/faults"
TWICE: Final = 2 * len(CELLS)
SOURCES: Final = Sources(
    (
        "src",
        "tests/faults/conftest.py",
        "tests/faults/runs",
        "tests/faults/test_random_runs.py",
        "tests/end_to_end/running.py",
        "tests/end_to_end/scripted",
        "requirements/dev.txt",
    )
)


class Unfinished(Exception):
    """The campaign did not come to its end."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is asked for. `seeds`: in order; `piece`: how many runs one pytest session plays, by `workers` at once."""

    seeds: Sequence[int]
    piece: int
    workers: int

    def pieces(self, kept: Mapping[int, Row]) -> Iterator[list[int]]:
        """Yield the seeds that have no row yet, so many at a time."""
        left = [seed for seed in self.seeds if seed not in kept]
        for at in range(0, len(left), self.piece):
            yield left[at : at + self.piece]

    @property
    def command(self) -> str:
        """How to play the same again."""
        if self == campaign([]):
            return "make campaign"
        default = campaign([])
        options = [f"--runs {len(self.seeds)}"]
        options += [f"--base {self.seeds[0]}"] if self.seeds[0] != default.seeds[0] else []
        options += [f"--workers {self.workers}"] if self.workers != default.workers else []
        return f'make campaign CAMPAIGN="{" ".join(options)}"'


def options() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=TWICE, help=f"how many (default: {TWICE}, each cell twice)")
    parser.add_argument("--base", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--piece", type=int, default=20, help="runs in one pytest session (default: 20)")
    parser.add_argument("--workers", type=int, default=2, help="runs at once (default: 2)")
    parser.add_argument("--no-page", action="store_true", help="print the table, and leave the page as it is")
    return parser


def campaign(arguments: Sequence[str]) -> Campaign:
    """Read the command line."""
    given = options().parse_args(arguments)
    return Campaign(range(given.base, given.base + given.runs), given.piece, given.workers)


def play(asked: Campaign, sources: Sources = SOURCES) -> list[Row]:
    """Play what has no row yet; return the rows of all seeds, in their order.

    Raises:
        Unfinished: a run left no row, the sources were changed meanwhile, or another campaign plays the same.
    """
    root, digest = sources.root, sources.digest()
    path = root / FOLDER / f"campaign-{digest}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_suffix(".lock")):
        kept = kept_rows(path)
        begun = sum(seed in kept for seed in asked.seeds)
        print(f"{begun} of {len(asked.seeds)} runs are there already, in {path.relative_to(root)}", flush=True)
        for seeds in list(asked.pieces(kept)):
            _play_piece(asked, seeds, path, root)
            _refuse_other_sources(path, seeds, unchanged=sources.digest() == digest)
            kept = kept_rows(path)
            if missing := [seed for seed in seeds if seed not in kept]:
                raise Unfinished(f"no row of seeds {missing}: read {FOLDER}/campaign.log")
            done = [kept[seed] for seed in asked.seeds if seed in kept]
            broken = sum(1 for row in done if row["wrong"])
            print(f"{len(done)} of {len(asked.seeds)} runs, {broken} with broken promises", flush=True)
    return [kept[seed] for seed in asked.seeds]


def told(asked: Campaign, rows: Sequence[Row], sources: Sources = SOURCES) -> str:
    """Return the section of the page: when, on what and how it was played, and the table."""
    days = [datetime.datetime.fromisoformat(row["ended"]).date() for row in rows]
    minutes = sum(row["seconds"] for row in rows) / 60
    seeds = f"seed {asked.seeds[0]}" if len(rows) == 1 else f"seeds {asked.seeds[0]} to {asked.seeds[-1]}"
    what = f"{len(rows)} random runs, {seeds}, {asked.workers} at a time, {minutes:.0f} minutes of play in all"
    return f"{heading(what, command=asked.command, sources=sources, days=days)}\n\n{summary(rows)}"


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file, so that two campaigns do not play the same seeds.

    Raises:
        Unfinished: another campaign holds it.
    """
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unfinished("another campaign of these sources is under way") from error
        yield


def _play_piece(asked: Campaign, seeds: Sequence[int], path: Path, root: Path) -> None:
    """Run one pytest session; its journals and databases stay only where a run of it failed."""
    left = root / FOLDER / f"piece-{seeds[0]}"
    command = [
        *(sys.executable, "-m", "pytest", "-m", "slow or short", "-n", str(min(asked.workers, len(seeds)))),
        *("--basetemp", str(left), "-p", "no:randomly", "tests/faults/test_random_runs.py", "-k", "test_run"),
        *("--fault-rows", str(path.relative_to(root))),
        *(part for seed in seeds for part in ("--fault-seed", str(seed))),
    ]
    with (root / FOLDER / "campaign.log").open("a", encoding="utf-8") as log:
        session = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = session.wait()
        finally:
            if session.poll() is None:
                os.killpg(session.pid, signal.SIGTERM)  # its workers and their servers too
                session.wait()
    if status == 0:
        shutil.rmtree(left, ignore_errors=True)


def _refuse_other_sources(path: Path, seeds: Sequence[int], *, unchanged: bool) -> None:
    if unchanged:
        return
    rows = [row for row in kept_rows(path).values() if row["seed"] not in seeds]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    raise Unfinished("the sources were changed while runs were played; the rows of the last piece are dropped")


def _ended(_number: int, _frame: Any) -> None:
    raise Unfinished("ended by a signal; the rows that are there stay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and write the page."""
    arguments = sys.argv[1:] if arguments is None else arguments
    asked, page = campaign(arguments), not options().parse_args(arguments).no_page
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ended)
    try:
        rows = play(asked)
    except Unfinished as error:
        print(f"not finished: {error}. The same command takes it up again.", file=sys.stderr)
        return 2
    found = told(asked, rows)
    print(found)
    if page:
        put(PAGE, SECTION, found)
        print(f"written to {PAGE.relative_to(ROOT)}")
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
