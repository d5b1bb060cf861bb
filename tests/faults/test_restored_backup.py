"""A back-up is put back: only what moved since is doubted, and no refresh token is sent twice."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import CHECKOUT, Server, running_server
from tests.end_to_end.scripted.connectors import shown, sign_in
from tests.end_to_end.scripted.provider import PASSWORD
from tests.faults.street import Street, street

MOVED = 3  # of ten
DATABASE = ("keyturn.db", "keyturn.db-wal", "keyturn.db-shm")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    with running_server(tmp_path) as running:
        yield running


def keyturn(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the machine of the data."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("KEYTURN_")}
    done = subprocess.run(
        [sys.executable, "-m", "keyturn", *words],
        env={**surroundings, "PYTHONPATH": str(CHECKOUT / "src")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done


def copy_of(server: Server, path: Path) -> Path:
    """A back-up."""
    keyturn("backup", str(path), "--data", str(server.data))
    return path


def renew(server: Server, connections: list[dict[str, Any]]) -> list[int]:
    """A renewal of each."""
    return [server.ask("POST", f"/v1/connections/{each['id']}/renew").status for each in connections]


def put_back(server: Server, copy: Path, *options: str) -> str:
    """Stop, restore, start; gives what restore printed."""
    server.stop()
    done = keyturn("restore", str(copy), "--data", str(server.data), "--yes", *options)
    server.start()
    return done.stdout + done.stderr


def states(server: Server, there: Street) -> dict[str, int]:
    """How many connections are in each state."""
    return dict(Counter(shown(server, each)["state"] for each in there.connections))


@pytest.fixture
def there(server: Server, tmp_path: Path) -> Iterator[Street]:
    """One provider with ten accounts."""
    with street(server, tmp_path / "street", providers=1) as built:
        yield built


def check_nothing_is_lost(server: Server, there: Street) -> None:
    """Every connection is active, can be renewed, and no token came twice."""
    assert {"active": 10} == states(server, there)
    assert [200] * 10 == renew(server, there.connections)
    assert {} == there.served_within(there.connections)
    assert (0, []) == (there.doubled(), there.losses())


def test_the_replaced_database_is_equal(server: Server, there: Street, tmp_path: Path) -> None:
    """Nothing was renewed since: nothing is doubted."""
    copy = copy_of(server, tmp_path / "copy.db")
    put_back(server, copy, "--over-newer")

    check_nothing_is_lost(server, there)


def test_the_replaced_database_is_newer(server: Server, there: Street, tmp_path: Path) -> None:
    """Three were renewed since: their newer token sets are taken over; what was disconnected since stays so."""
    copy = copy_of(server, tmp_path / "copy.db")
    assert [200] * MOVED == renew(server, there.connections[:MOVED])
    gone = there.houses[0].connections.pop()
    assert "disconnected" == server.ask("DELETE", f"/v1/connections/{gone['id']}").json()["state"]
    put_back(server, copy, "--over-newer")
    generations = Counter(shown(server, each)["generation"] for each in there.connections)

    assert {2: MOVED, 1: 9 - MOVED} == dict(generations)
    assert "disconnected" == shown(server, gone)["state"]
    assert {"active": 9} == states(server, there)
    assert [200] * 9 == renew(server, there.connections)
    assert (0, []) == (there.doubled(), there.losses())


def test_the_replaced_database_is_older(server: Server, there: Street, tmp_path: Path) -> None:
    """The back-up is the newer of both, as after a move of the data that was done the wrong way round."""
    older = copy_of(server, tmp_path / "older.db")
    assert [200] * MOVED == renew(server, there.connections[:MOVED])
    newer = copy_of(server, tmp_path / "newer.db")
    server.stop()
    for name in DATABASE:
        (server.data / name).unlink(missing_ok=True)
    (server.data / "keyturn.db").write_bytes(older.read_bytes())
    keyturn("restore", str(newer), "--data", str(server.data), "--yes", "--over-newer")
    server.start()

    check_nothing_is_lost(server, there)


@pytest.mark.parametrize("replaced", ["unreadable", "absent"])
def test_there_is_nothing_to_compare_with(server: Server, there: Street, tmp_path: Path, replaced: str) -> None:
    """All are doubted, as after a crash: tokens serve to their end, nothing is sent again, a login repairs it."""
    copy = copy_of(server, tmp_path / "copy.db")
    assert [200] * MOVED == renew(server, there.connections[:MOVED])
    server.stop()
    for name in DATABASE:
        (server.data / name).unlink(missing_ok=True)
    if replaced == "unreadable":
        (server.data / "keyturn.db").write_bytes(os.urandom(65_536))
    keyturn("restore", str(copy), "--data", str(server.data), "--yes", "--over-newer")
    server.start()
    sent = len(there.houses[0].refreshes())
    refused = renew(server, there.connections)
    served = Counter(each.status for each in there.call_each(there.connections))
    first = there.houses[0]
    repaired = sign_in(server, first.connector, "u0", owner="o0")

    assert [409] * 10 == refused
    assert sent == len(first.refreshes())
    assert {200: 10} == dict(served)
    assert (200, "active") == (repaired.status, repaired.json()["state"])
    assert 0 == there.doubled()


def test_one_whose_renewal_was_under_way_in_the_replaced_one(server: Server, there: Street, tmp_path: Path) -> None:
    """It alone is doubted; and no copy, log or file holds a password."""
    first = there.houses[0]
    copy = copy_of(server, tmp_path / "copy.db")
    first.provider.tell("refresh", ["id-0"], "lost")
    server.ask("POST", f"/v1/connections/{first.connections[0]['id']}/renew")
    first.provider.honest_again()
    put_back(server, copy, "--over-newer")

    assert {"active": 9, "uncertain": 1} == states(server, there)
    assert [200] * 9 == renew(server, there.connections[1:])
    assert 0 == there.doubled()
    with contextlib.suppress(AssertionError):
        server.stop()
    assert [] == find_canaries([copy, server.data, server.log], [PASSWORD])
