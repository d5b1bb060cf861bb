"""What a process, a row or a database goes through: the corrections R3, R4, R6, R7, R8, R10 and R11, from outside.

Each test has a server of its own, as it is stopped, or its database touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import CHECKOUT, Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, shown, sign_in
from tests.end_to_end.two_servers import two_servers
from tests.faults.runs.processes import cpu_s
from tests.faults.street import Street, house, late, street

DATABASE = "keyturn.db"
STOPS_WITHIN_S = 40.0
DUE_AT_HALF_S = 62  # such a token is renewed by the clock once it is half a minute old


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    with running_server(tmp_path, env={"KEYTURN_LIMIT_SIGNIN": "100000"}) as running:
        yield running


@contextlib.contextmanager
def database(server: Server) -> Iterator[sqlite3.Connection]:
    """The database, as somebody at the machine reaches it."""
    with contextlib.closing(sqlite3.connect(server.data / DATABASE, isolation_level=None, timeout=10)) as connection:
        yield connection


def keyturn(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, on the machine of the data."""
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith("KEYTURN_")}
    return subprocess.run(
        [sys.executable, "-m", "keyturn", *words],
        env={**surroundings, "PYTHONPATH": str(CHECKOUT / "src")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def ended_within(server: Server, seconds: float) -> tuple[int, float]:
    """The exit status after SIGTERM, and how long it took."""
    began = time.monotonic()
    assert server.process is not None
    return server.process.wait(seconds + 10), time.monotonic() - began


def forced(server: Server, connections: list[dict[str, Any]]) -> tuple[ThreadPoolExecutor, list[Any]]:
    """A renewal of each, asked for by a caller of its own."""
    pool = ThreadPoolExecutor(len(connections))

    def one(connection: dict[str, Any]) -> Reply | str:
        try:
            return server.ask("POST", f"/v1/connections/{connection['id']}/renew", timeout_s=60)
        except OSError as error:
            return type(error).__name__

    return pool, [pool.submit(one, each) for each in connections]


def test_r03_a_stop_awaits_what_was_sent(server: Server, tmp_path: Path) -> None:
    """SIGTERM while a provider takes 25 s over eight refreshes: all are settled, the callers served, exit 0 in time."""
    with street(server, tmp_path / "street", providers=1, accounts=8) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 25))
        pool, asked = forced(server, slow.connections)
        wait_for(lambda: len(slow.refreshes()) == 8, 15, 0.05)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        status, took = ended_within(server, STOPS_WITHIN_S)
        replies = [each.result(20) for each in asked]
        pool.shutdown()
        slow.provider.honest_again()
        server.start()
        looked_at = [shown(server, each) for each in slow.connections]
        seen = Counter((each["state"], each["generation"]) for each in looked_at)

        assert 0 == status
        assert took < STOPS_WITHIN_S
        assert [200] * 8 == [each if isinstance(each, str) else each.status for each in replies]
        assert {("active", 2): 8} == dict(seen)
        assert {} == there.served_within(slow.connections)
        assert [] == there.losses()


def test_r03_a_stop_sends_nothing_more(server: Server, tmp_path: Path) -> None:
    """SIGTERM with 80 callers in the line of a 2-s provider: what waits is refused in words, and nothing is lost."""
    with street(server, tmp_path / "street", providers=1, accounts=80) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 2))
        pool, asked = forced(server, slow.connections)
        wait_for(lambda: len(slow.refreshes()) >= 8, 15, 0.02)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        stopped_at = time.monotonic()
        status, took = ended_within(server, STOPS_WITHIN_S)
        replies: list[Reply | str] = [each.result(20) for each in asked]
        pool.shutdown()
        late_sends = [each for each in slow.read().asked if each.path == "/token" and each.came > stopped_at + 0.5]
        slow.provider.honest_again()
        server.start()

        assert 0 == status
        assert took < STOPS_WITHIN_S
        assert [] == late_sends
        told = Counter(each if isinstance(each, str) else (each.status, each.code) for each in replies)
        assert {(200, None), (503, "server_stopping")} == set(told), told
        assert all(each.headers["retry-after"] for each in replies if isinstance(each, Reply) and each.status == 503)
        assert {"active"} == {shown(server, each)["state"] for each in slow.connections}
        assert {} == there.served_within(slow.connections)
        assert (0, []) == (there.doubled(), there.losses())


def test_r04_a_slow_providers_backlog_holds_up_no_other(server: Server, tmp_path: Path) -> None:
    """700 overdue connections of a provider that takes 3 s; ten of another, due after them, are renewed in 12 s."""
    with street(server, tmp_path / "street", providers=0) as there:
        slow = house(server, tmp_path / "street", accounts=700, ttl=DUE_AT_HALF_S, latency_s=0)
        there.houses.append(slow)
        slow.provider.latency_s = 3
        fast = house(server, tmp_path / "street", accounts=10, ttl=DUE_AT_HALF_S)
        there.houses.append(fast)
        last_due = max(each["renews_at"] for each in fast.connections)
        wait_for(lambda: utc() >= last_due, 60, 0.2)
        wait_for(lambda: all(shown(server, each)["generation"] > 1 for each in fast.connections), 12, 0.5)

        assert len(slow.refreshes()) < 400, "the backlog is gone, so that this shows nothing"


def utc() -> str:
    """Now, as REST writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"


def test_r06_a_row_that_cannot_be_read_is_set_aside(server: Server, tmp_path: Path) -> None:
    """A broken cell, a zeroed seal and a newer release's word: everything else goes on, and readiness names them."""
    with street(server, tmp_path / "street", providers=2, accounts=5, ttl=DUE_AT_HALF_S) as there:
        cells, seal, words = (there.houses[0].connections[number]["id"] for number in range(3))
        server.stop()
        with database(server) as connection:
            connection.execute("UPDATE connections SET hosts = 'not json' WHERE id = ?", (cells,))
            connection.execute("UPDATE connections SET sealed_token_set = zeroblob(80) WHERE id = ?", (seal,))
            connection.execute(
                "UPDATE connections SET intent_kind = 'telepathy', intent_generation = 1, intent_attempt = 'a',"
                " intent_sent_at = 1, intent_tries = 1 WHERE id = ?",
                (words,),
            )
        server.start()
        sound = [each for each in there.connections if each["id"] not in (cells, seal, words)]
        wait_for(lambda: all(shown(server, each)["generation"] > 1 for each in sound), 60, 0.5)
        listed = server.ask("GET", "/v1/connections?limit=100")
        ready = server.ask("GET", "/readyz", key=None)
        states = {each["id"]: each["state"] for each in listed.json()["data"]}

        assert 200 == listed.status
        assert {"unreadable"} == {states[cells], states[words]}
        assert {"active"} == {states[each["id"]] for each in sound}
        assert (200, "set_aside") == (ready.status, ready.json()["parts"]["rows"])
        assert 0 == ready.json()["set_aside"]["revocations"]
        assert ready.json()["set_aside"]["connections"] in (2, 3)
        assert {} == there.served_within(sound)


@pytest.mark.parametrize(
    ("column", "spoilt"),
    [
        pytest.param("sealed_token_set", "zeroblob(80)", id="seal"),
        pytest.param(
            "data_key", "CAST(substr(data_key, 1, length(data_key) - 16) || zeroblob(16) AS BLOB)", id="a spoilt key"
        ),
    ],
)
def test_r07_what_does_not_open_can_be_destroyed_and_replaced(
    server: Server, tmp_path: Path, column: str, spoilt: str
) -> None:
    """Disconnect, `forget=now` and the person's new login work, and touch no other."""
    with street(server, tmp_path / "street", providers=2, accounts=4) as there:
        first = there.houses[0]
        gone, forgotten, back = (first.connections[number] for number in range(3))
        server.stop()
        with database(server) as connection:
            for each in (gone, forgotten, back):
                connection.execute(f"UPDATE connections SET {column} = {spoilt} WHERE id = ?", (each["id"],))  # noqa: S608
        server.start()
        refused = call(server, back, "echo")
        ended = server.ask("DELETE", f"/v1/connections/{gone['id']}")
        wiped = server.ask("DELETE", f"/v1/connections/{forgotten['id']}?forget=now")
        again = sign_in(server, first.connector, "u2", owner="o2")

        assert refused.status >= 400
        assert (200, "disconnected") == (ended.status, ended.json().get("state")), ended.body
        assert "not_possible" == ended.json()["revocation"]["result"]
        assert (200, "disconnected") == (wiped.status, wiped.json().get("state")), wiped.body
        assert (200, back["id"]) == (again.status, again.json().get("id")), again.body
        assert 200 == call(server, back, "echo").status
        assert {} == there.served_within(there.neighbours(gone, forgotten))


def test_r08_a_restore_beside_the_newer_database_loses_nothing(server: Server, tmp_path: Path) -> None:
    """One of ten was renewed since the back-up: all ten work on, and no refresh token comes twice."""
    copy = tmp_path / "copy.db"
    with street(server, tmp_path / "street", providers=1, accounts=10) as there:
        (first,) = there.houses
        assert 0 == keyturn("backup", str(copy), "--data", str(server.data)).returncode
        renewed = server.ask("POST", f"/v1/connections/{first.connections[0]['id']}/renew")
        server.stop()
        done = keyturn("restore", str(copy), "--data", str(server.data), "--over-newer", "--yes")
        server.start()
        states = Counter(shown(server, each)["state"] for each in first.connections)
        forced_again = [server.ask("POST", f"/v1/connections/{each['id']}/renew").status for each in first.connections]

        assert (200, 0) == (renewed.status, done.returncode), done.stderr
        assert {"active": 10} == dict(states)
        assert [200] * 10 == forced_again
        assert {} == there.served_within(first.connections)
        assert (0, []) == (there.doubled(), there.losses())


def test_r10_a_commit_that_fails_by_a_rule_of_the_database_is_spilled(server: Server, tmp_path: Path) -> None:
    """An integrity error is no other's write: the caller gets the token and a file keeps it, past a kill -9."""
    with street(server, tmp_path / "street", providers=1, accounts=3) as there:
        (first,) = there.houses
        struck = first.connections[0]
        with database(server) as connection:
            connection.execute(
                "CREATE TRIGGER refuses BEFORE UPDATE ON connections WHEN NEW.generation > OLD.generation"
                f" AND NEW.id = '{struck['id']}' BEGIN SELECT RAISE(ABORT, 'refused by a rule'); END"
            )
        first.end_access()
        answer = call(server, struck, "echo")
        ready = server.ask("GET", "/readyz", key=None)
        assert server.process is not None
        began, used = time.monotonic(), cpu_s(server.process.pid)
        time.sleep(3)
        busy = (cpu_s(server.process.pid) - used) / (time.monotonic() - began)
        others = there.call_each(there.neighbours(struck))
        server.kill()
        with database(server) as connection:
            connection.execute("DROP TRIGGER refuses")
        server.start()
        kept = wait_for(lambda: (each := shown(server, struck))["generation"] == 2 and each, 10, 0.2)

        assert 200 == answer.status, answer.body
        assert (503, "spilling") == (ready.status, ready.json()["parts"]["store"])
        assert busy < 0.3, busy
        assert {200} == {each.status for each in others}
        assert "active" == kept["state"]
        assert 200 == call(server, struck, "echo").status
        assert 200 == server.ask("GET", "/readyz", key=None).status
        assert 1 == len(first.refreshes("id-0"))
        assert (0, []) == (there.doubled(), there.losses())


def test_r11_no_revocation_is_sent_by_two_processes(tmp_path: Path) -> None:
    """40 revocations are due when two processes start at the same moment: each token is sent by one, once."""
    with two_servers(tmp_path) as (one, another), street(one, tmp_path / "street", providers=1, accounts=20) as there:
        (first,) = there.houses
        first.provider.tell("revoke", ["*"], "unavailable")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: one.ask("DELETE", f"/v1/connections/{each['id']}"), first.connections))
        for each in (one, another):
            each.stop()
        with database(one) as connection:
            connection.execute("UPDATE revocations SET due_at = 1")
        since = time.monotonic()
        first.provider.tell("revoke", ["*"], late(first, 1.0))
        for each in (one, another):
            each.start(wait=False)
        for each in (one, another):
            each.wait_until_ready()
        wait_for(lambda: ended(another, there) == 20, 60, 0.5)
        sent = Counter(each.token for each in first.read().asked if each.path == "/revoke" and each.came > since)

        assert 40 == len(sent)
        assert {1: 40} == dict(Counter(sent.values()))


def ended(server: Server, there: Street) -> int:
    """How many connections are disconnected."""
    return sum(shown(server, each)["state"] == "disconnected" for each in there.connections)
