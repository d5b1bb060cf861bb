"""A disk that is really full, or takes no write, while providers answer; and each commit that fails."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import shown
from tests.faults.runs.processes import cpu_s
from tests.faults.street import Street, late, street
from tests.faults.world import World, fill, world

DISK_MIB = 64
BUSY = 0.35  # share of a core that a process may use that can't write
STORED_WITHIN_S = 10.0


@pytest.fixture
def here() -> Iterator[World]:
    """A world of one test."""
    with world() as made:
        yield made


@pytest.fixture
def server(here: World, tmp_path: Path) -> Iterator[Server]:
    """A server whose data lie on a small disk."""
    here.disk(tmp_path / "disk", DISK_MIB)
    running = here.server(tmp_path / "disk" / "data", tmp_path / "log")
    try:
        yield running.start()
    finally:
        with contextlib.suppress(Exception):
            running.stop()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Server]:
    """A server on the disk that all is on."""
    with running_server(tmp_path) as running:
        yield running


def share_of_a_core(server: Server, seconds: float = 3.0) -> float:
    """How busy it is."""
    assert server.process is not None
    used = cpu_s(server.process.pid)
    time.sleep(seconds)
    return (cpu_s(server.process.pid) - used) / seconds


def ready(server: Server) -> tuple[int, dict[str, str]]:
    """What /readyz says."""
    reply = server.ask("GET", "/readyz", key=None)
    return reply.status, reply.json()["parts"]


def answers(there: Street) -> Counter[tuple[int, str | None]]:
    """One call of each connection."""
    return Counter((each.status, each.code) for each in there.call_each(there.connections))


@pytest.mark.parametrize("spill_too", [True, False], ids=["spill folder too", "spill folder has room"])
def test_full(server: Server, here: World, tmp_path: Path, spill_too: bool) -> None:
    """Tokens that live serve; what was answered when the disk was full is used, and stored when there is room again."""
    with street(server, tmp_path / "street", accounts=10) as there:
        struck = there.houses[0]
        if not spill_too:
            here.disk(server.data / "spill", 4)
        told, filler = filled_while_answering(there, here, tmp_path / "disk")
        neighbours = Counter(each.status for house in there.houses[1:] for each in there.call_each(house.connections))
        status, parts = ready(server)
        busy = share_of_a_core(server)
        filler.unlink()
        struck.provider.honest_again()
        wait_for(
            lambda: {2} == {shown(server, each)["generation"] for each in struck.connections[:8]}, STORED_WITHIN_S, 0.2
        )

        assert {200: 8} == dict(told)
        assert {200: 20} == dict(neighbours)
        assert 503 == status, parts
        assert busy < BUSY, busy
        assert {} == there.served_within(there.connections)
        wait_for(lambda: ready(server)[0] == 200, 15, 0.3)
        assert (0, []) == (there.doubled(), there.losses())


def test_full_and_killed(server: Server, here: World, tmp_path: Path) -> None:
    """With room for spill files alone, a kill -9 loses nothing; and what can't be claimed is not sent."""
    here.disk(server.data / "spill", 4)
    with street(server, tmp_path / "street", providers=2, accounts=10) as there:
        struck, beside = there.houses
        told, filler = filled_while_answering(there, here, tmp_path / "disk")
        beside.end_access()
        refused = Counter((each.status, each.code) for each in there.call_each(beside.connections))
        server.kill()
        filler.unlink()
        struck.provider.honest_again()
        server.start()
        states = Counter(shown(server, each)["state"] for each in there.connections)

        assert {200: 8} == dict(told)
        assert {(503, "store_unavailable"): 10} == dict(refused)
        assert [] == beside.refreshes()
        assert {"active": 20} == dict(states)
        assert {} == there.served_within(there.connections)
        assert (0, []) == (there.doubled(), there.losses())


def filled_while_answering(there: Street, here: World, disk: Path) -> tuple[Counter[int], Path]:
    """Fill the disk while eight answers are out; gives what the callers were told, and what takes the room."""
    struck = there.houses[0]
    struck.provider.tell("refresh", ["*"], late(struck, 2))
    there.call_each(there.connections)
    struck.end_access()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(there.call_each, [each]) for each in struck.connections[:8]]
        wait_for(lambda: len(struck.refreshes()) == 8, 15, 0.02)
        filler = fill(here.seen(disk))
        return Counter(each.result()[0].status for each in calls), filler


def test_no_write_goes_through(server: Server, tmp_path: Path) -> None:
    """Each write of the process fails for eight seconds, as on a disk that the kernel has made read-only."""
    with street(server, tmp_path / "street", accounts=10) as there:
        there.call_each(there.connections)
        assert server.process is not None
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        served = answers(there)
        there.houses[0].end_access()
        during = answers(there)
        busy = share_of_a_core(server, 8)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        late_ones = there.served_within(there.connections)

        assert {(200, None): 30} == dict(served)
        assert {(200, None): 20, (503, "store_unavailable"): 10} == dict(during)
        assert busy < BUSY, busy
        assert {} == late_ones
        assert (0, []) == (there.doubled(), there.losses())


@pytest.mark.parametrize("where", ["claim", "settle", "fail"])
@pytest.mark.parametrize("how", ["a rule of the database", "the writer's place taken"])
def test_each_commit_fails(plain: Server, tmp_path: Path, where: str, how: str) -> None:
    """One connection's commit fails for four seconds: it alone waits, and ten seconds after all is as it should be."""
    with street(plain, tmp_path / "street", accounts=4) as there:
        struck = there.houses[0].connections[0]
        if where == "fail":
            there.houses[0].provider.tell("refresh", ["id-0"], "plain500")
        condition = {
            "claim": "NEW.intent_attempt IS NOT NULL",
            "settle": "NEW.generation > OLD.generation",
            "fail": "OLD.intent_attempt IS NOT NULL AND NEW.generation = OLD.generation",
        }[where]
        there.end_access()
        path = plain.data / "keyturn.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:
            if how == "a rule of the database":
                database.execute(
                    f"CREATE TRIGGER refuses BEFORE UPDATE ON connections WHEN NEW.id = '{struck['id']}'"
                    f" AND {condition} BEGIN SELECT RAISE(ABORT, 'refused by a rule'); END"
                )
            else:
                there.call_each(there.neighbours(struck))
                database.execute("BEGIN IMMEDIATE")
            first = there.call_each([struck])[0]
            others = Counter(each.status for each in there.call_each(there.neighbours(struck)))
            time.sleep(4)
            database.execute("DROP TRIGGER refuses" if how == "a rule of the database" else "ROLLBACK")
        there.houses[0].provider.honest_again()
        late_ones = there.served_within(there.connections)

        assert first.status in (200, 502, 503), first.body
        assert first.status == 200 or where != "settle" or how != "a rule of the database"
        assert {200: 11} == dict(others)
        assert {} == late_ones
        assert (0, []) == (there.doubled(), there.losses())
