"""Clocks and names of the machine: an hour off, a second back and forth, another boot, a process id used again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Server, wait_for
from tests.end_to_end.scripted.connectors import shown
from tests.faults.runs.bench import Bench
from tests.faults.street import Street, street
from tests.faults.world import world

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
AT_ONCE_S = 6.0  # no lease is waited out


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Two processes whose clock can be set."""
    made = Bench.made(tmp_path / "bench", 2)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("off_s", [3600.0, -3600.0], ids=["an hour ahead", "an hour back"])
def test_an_hour_off(bench: Bench, tmp_path: Path, off_s: float) -> None:
    """30 connections: no storm, every call is served, and so it is when the clock is right again (I12)."""
    with street(bench.servers[0], tmp_path / "street") as there:
        bench.knobs(clock_s=off_s)
        first = [
            Counter(each.status for each in there.call_each(there.connections, server)) for server in bench.servers
        ]
        time.sleep(5)
        there.end_access()
        late_ones = there.served_within(there.connections)
        bench.knobs()
        again = there.served_within(there.connections, server=bench.servers[1])
        sent = sum(len(house.refreshes()) for house in there.houses)

        assert [{200: 30}] * 2 == [dict(each) for each in first]
        assert {} == late_ones
        assert {} == again
        assert sent <= 3 * 30
        assert (0, []) == (there.doubled(), there.losses())


def test_a_second_back_and_forth(bench: Bench, tmp_path: Path) -> None:
    """The clock is set a second back or ahead each second, for twenty."""
    with street(bench.servers[0], tmp_path / "street", accounts=4) as there:
        replies: Counter[int] = Counter()
        for step in range(20):
            bench.knobs(clock_s=float(step % 2 * 2 - 1))
            if step == 5:
                there.end_access()
            replies.update(each.status for each in there.call_each(there.connections, bench.servers[step % 2]))
            time.sleep(0.8)
        bench.knobs()
        sent = sum(len(house.refreshes()) for house in there.houses)

        assert {200: 240} == dict(replies)
        assert 12 == sent
        assert {} == there.served_within(there.connections)
        assert (0, []) == (there.doubled(), there.losses())


def killed_in_the_middle(server: Server, there: Street) -> dict[str, Any]:
    """kill -9 while a provider holds an answer; gives the connection."""
    first = there.houses[0]
    struck = first.connections[0]
    first.provider.tell("refresh", ["id-0"], "hold")

    def ask() -> None:
        with contextlib.suppress(OSError):
            server.ask("POST", f"/v1/connections/{struck['id']}/renew")

    threading.Thread(target=ask, daemon=True).start()
    wait_for(lambda: first.provider.holding, 15, 0.02)
    server.kill()
    first.provider.honest_again()
    return struck


def check_told_at_once(server: Server, there: Street, struck: dict[str, Any]) -> None:
    """The dead one's lease is not waited out: what it left is told as unknown, and the others are served."""
    began = time.monotonic()
    wait_for(lambda: shown(server, struck)["state"] == "uncertain", 20, 0.1)
    took = time.monotonic() - began
    there.end_access()

    assert took < AT_ONCE_S
    assert {} == there.served_within(there.neighbours(struck))
    assert 0 == there.doubled()
    assert {"rotated and lost"} == {str(each.verdict) for each in there.losses()}


def test_another_boot(tmp_path: Path) -> None:
    """The machine went down in the middle of a renewal: leases of its last boot count for nothing."""
    with world() as here:
        server = here.server(tmp_path / "data", tmp_path / "log")
        server.start()
        try:
            with street(server, tmp_path / "street", accounts=4) as there:
                struck = killed_in_the_middle(server, there)
                fresh = tmp_path / "boot_id"
                fresh.write_text("00000000-1111-2222-3333-444444444444\n")
                here.run("mount", "--bind", str(fresh), str(BOOT_ID))
                server.start()
                check_told_at_once(server, there, struck)
        finally:
            with contextlib.suppress(Exception):
                server.stop()


def test_a_process_id_that_is_used_again(tmp_path: Path) -> None:
    """The number of the process that died is another's now: that it lives says nothing."""
    server = Server(tmp_path / "data", tmp_path / "log", command=(sys.executable, "-P", "-m", "keyturn", "serve"))
    server.start()
    try:
        with street(server, tmp_path / "street", accounts=4) as there:
            assert server.process is not None
            died = server.process.pid
            struck = killed_in_the_middle(server, there)
            renamed = 0
            with contextlib.closing(sqlite3.connect(server.data / "keyturn.db", isolation_level=None)) as database:
                for table, column in (("connections", "lease_holder"), ("processes", "holder")):
                    renamed += renumbered(database, table, column, died)
            server.start()
            check_told_at_once(server, there, struck)

            assert 2 == renamed
    finally:
        with contextlib.suppress(Exception):
            server.stop()


def renumbered(database: sqlite3.Connection, table: str, column: str, died: int) -> int:
    """Put this process's id in the place of a dead one's; gives how many rows there were."""
    values = {"dead": f"/{died}/", "living": f"/{os.getpid()}/"}
    statement = f"UPDATE {table} SET {column} = replace({column}, :dead, :living) WHERE instr({column}, :dead)"  # noqa: S608
    return database.execute(statement, values).rowcount
