"""Many runs, each drawn from one seed: how many processes, which fault at which step, which workload and grant.

`make test-faults` draws one for each fault × step × processes; `--fault-seed N` replays one. Each is judged by the
journal of a provider that rotates strictly, in a process of its own. What may come out of which fault is a table in
`runs/faults.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.end_to_end.running import wait_for
from tests.faults.runs.bench import Bench
from tests.faults.runs.faults import CELLS, FAULTS, Grant, Run
from tests.faults.runs.journal import Journal
from tests.faults.runs.judge import Verdict, judge, left_open, told
from tests.faults.runs.report import keep, seeds_of
from tests.faults.runs.story import Story
from tests.faults.runs.strikes import STRIKES, strike

# Of `make test`: an answer lost, with two processes; kills and a disconnect in the middle have tests of their own.
SHORT = {"lost@answer": 2}

TOGETHER = (pytest.mark.short, pytest.mark.xdist_group("short random runs"))  # in one worker, as they share a bench


def short_seeds() -> list[int]:
    """The first seed of each short cell at a provider that forgives nothing."""
    runs = [Run.drawn(seed) for seed in range(30 * len(CELLS))]
    return [
        next(run.seed for run in runs if (run.fault.title, run.processes, run.grant) == (*cell, Grant.STRICT))
        for cell in SHORT.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed, named after what it draws."""
    if "seed" not in metafunc.fixturenames:
        return
    asked = seeds_of(metafunc.config)
    short = [] if metafunc.config.getoption("fault_seed", None) else short_seeds()
    runs = [
        *(pytest.param(seed, id=Run.drawn(seed).title, marks=TOGETHER) for seed in short),
        *(pytest.param(seed, id=Run.drawn(seed).title) for seed in asked if seed not in short),
    ]
    metafunc.parametrize("seed", runs)


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Bench]]:
    """A bench by its number of processes; a broken one is thrown away."""
    made: dict[int, Bench] = {}

    def bench(processes: int, *, broken: bool = False) -> Bench:
        if broken:
            made.pop(processes).close()
        elif processes not in made:
            made[processes] = Bench.made(tmp_path_factory.mktemp("bench"), processes)
        return made[processes] if not broken else None  # type: ignore[return-value]

    yield bench
    for each in made.values():
        each.close()


def play(bench: Bench, run: Run) -> Verdict:
    """Play a run to its end, and judge it."""
    story = Story.begun(bench, run)
    strike(story)
    story.settle()
    story.probe()
    account = story.connections[0]["unique_id"]
    with contextlib.suppress(AssertionError):  # else the judge says it
        wait_for(lambda: not left_open(story, Journal.read(story.journal), account, story.order("dead")), 6)
    verdict = judge(story, story.order("dead"))
    story.wrong.clear()
    story.revive_lost()
    verdict.wrong += story.wrong
    story.close()
    return verdict


@pytest.mark.timeout(180)
def test_run(
    seed: int,
    benches: Callable[..., Bench],
    record_property: Callable[[str, Any], None],
    pytestconfig: pytest.Config,
) -> None:
    """Nothing is doubled, lost without need, or claimed that is not so."""
    run, began = Run.drawn(seed), time.monotonic()
    bench: Bench | None = None
    verdict: Verdict | None = None  # stays so where the session is interrupted: such a run came to nothing
    try:
        bench = benches(run.processes)
        verdict = play(bench, run)
    except (Exception, pytest.fail.Exception) as error:  # the latter is how a test's time limit ends it
        verdict = Verdict(wrong=[f"the run broke: {type(error).__name__}: {error}"[:300]])
        raise
    finally:
        if verdict is not None:
            row = told(run, verdict, time.monotonic() - began)
            record_property("fault_run", row)
            keep(pytestconfig, row)
        if verdict is not None and verdict.wrong and bench is not None:
            benches(run.processes, broken=True)
    print(f"replay: pytest tests/faults/test_random_runs.py --fault-seed {seed}   (journals in {bench.where})")

    assert [] == verdict.wrong


@pytest.mark.short
def test_every_fault_can_be_brought_about() -> None:
    """Each row of the table has a way to strike, and as many seeds as cells meet each cell once."""
    drawn = [Run.drawn(seed) for seed in range(1000, 1000 + len(CELLS))]

    assert {fault.name for fault in FAULTS} == set(STRIKES)
    assert len(CELLS) == len({(run.fault.title, run.processes) for run in drawn}) >= 100
