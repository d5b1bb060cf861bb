"""SIGTERM at bad moments: nothing is sent after it, what was sent is settled, exit 0 within 40 s (I15)."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import CHECKOUT, Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import shown, sign_in
from tests.faults.street import House, Street, late, street

ENDS_WITHIN_S = 40.0
AT_ONCE_S = 0.5  # between the signal and the last request that a provider may see


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    with running_server(tmp_path, env={"KEYTURN_LIMIT_SIGNIN": "1000000"}) as running:
        yield running


class Stop:
    """A stop, and what it came to."""

    def __init__(self, server: Server) -> None:
        assert server.process is not None
        self._server = server
        self.at = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

    def again(self) -> None:
        """The same signal once more."""
        assert self._server.process is not None
        with contextlib.suppress(ProcessLookupError):
            self._server.process.send_signal(signal.SIGTERM)

    def ended(self) -> tuple[int, float]:
        """Exit status, and seconds from the signal on."""
        assert self._server.process is not None
        status = self._server.process.wait(ENDS_WITHIN_S + 10)
        return status, time.monotonic() - self.at

    def sent_after(self, house: House) -> list[tuple[str, str, float]]:
        """The requests that came after it: path, grant, seconds."""
        return [
            (each.path, each.grant, round(each.came - self.at, 1)) for each in house.read().asked
            if each.path in ("/token", "/revoke") and each.came > self.at + AT_ONCE_S
        ]  # fmt: skip


def asking(server: Server, requests: list[tuple[str, str, Any]]) -> list[Future[Reply | str]]:
    """Each request in a thread of its own."""
    pool = ThreadPoolExecutor(len(requests))

    def one(request: tuple[str, str, Any]) -> Reply | str:
        try:
            return server.ask(*request, timeout_s=60)
        except OSError as error:
            return type(error).__name__

    futures = [pool.submit(one, each) for each in requests]
    pool.shutdown(wait=False)
    return futures


def told(futures: list[Future[Reply | str]]) -> Counter[Any]:
    """What they were answered."""
    found = [each.result(60) for each in futures]
    return Counter(each if isinstance(each, str) else (each.status, each.code) for each in found)


def check_nothing_is_lost(server: Server, there: Street) -> None:
    """Started again, every connection works, and no intent stayed."""
    with contextlib.closing(sqlite3.connect(server.data / "keyturn.db")) as database:
        open_intents = database.execute("SELECT count(*) FROM connections WHERE intent_kind IS NOT NULL").fetchone()[0]
    for house in there.houses:
        house.provider.honest_again()
    server.start()

    assert 0 == open_intents
    assert {"active"} == {shown(server, each)["state"] for each in there.connections}
    there.end_access()
    assert {} == there.served_within(there.connections)
    assert (0, []) == (there.doubled(), there.losses())


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_line_of_150(server: Server, tmp_path: Path, times: int) -> None:
    """Eight are under way, 142 wait: the eight are served, the others told `server_stopping`, none is sent."""
    with street(server, tmp_path / "street", providers=1, accounts=150) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 5))
        futures = asking(server, [("POST", f"/v1/connections/{each['id']}/renew", None) for each in there.connections])
        wait_for(lambda: len(slow.refreshes()) >= 8, 15, 0.02)
        stop = Stop(server)
        if times == 2:
            time.sleep(0.5)
            stop.again()
        status, took = stop.ended()
        answers = told(futures)

        assert 0 == status
        assert took < ENDS_WITHIN_S
        assert [] == stop.sent_after(slow)
        assert {(200, None): 8, (503, "server_stopping"): 142} == dict(answers)
        check_nothing_is_lost(server, there)


def test_during_logins_and_disconnects(server: Server, tmp_path: Path) -> None:
    """What the provider takes 5 s over is awaited; what was not sent is refused in words."""
    with street(server, tmp_path / "street", providers=2, accounts=10) as there:
        for house in there.houses:
            for kind in ("login", "revoke"):
                house.provider.tell(kind, ["*"], late(house, 5))
        first, second = there.houses
        logins = [
            {
                "connector": first.connector,
                "owner": f"new{n}",
                "username": f"u{n}",
                "password": "correct-password-canary",
            }
            for n in range(4)
        ]
        leaving = second.connections[:4]
        futures = asking(server, [("POST", "/v1/connections", body) for body in logins])
        ended = asking(server, [("DELETE", f"/v1/connections/{each['id']}", None) for each in leaving])
        wait_for(lambda: _held(first, "/token") >= 4 and _held(second, "/revoke") >= 1, 15, 0.02)
        stop = Stop(server)
        status, took = stop.ended()
        answers, gone = told(futures), told(ended)

        assert 0 == status
        assert took < ENDS_WITHIN_S
        assert {201, 503} >= {each[0] for each in answers if isinstance(each, tuple)}, answers
        assert {200, 503} >= {each[0] for each in gone if isinstance(each, tuple)}, gone
        assert not any(isinstance(each, str) for each in [*answers, *gone]), (answers, gone)
        assert [] == [each for house in there.houses for each in stop.sent_after(house)]
        for house in there.houses:
            house.provider.honest_again()
        server.start()
        stay = [each for each in there.connections if each not in leaving]
        assert {"active"} == {shown(server, each)["state"] for each in stay}
        wait_for(lambda: {"disconnected"} == {shown(server, each)["state"] for each in leaving}, 60, 0.5)


def _held(house: House, path: str) -> int:
    """How many requests to a path came after all accounts were connected."""
    return sum((each.path == path and each.outcome == "") or each.fault == "by hand" for each in house.read().asked)


def test_during_a_back_up(server: Server, tmp_path: Path) -> None:
    """Both end well: the copy is whole, and the renewals under way are kept."""
    with street(server, tmp_path / "street", providers=1, accounts=10) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 2))
        futures = asking(
            server, [("POST", f"/v1/connections/{each['id']}/renew", None) for each in there.connections[:6]]
        )
        copy = tmp_path / "copy.db"
        wait_for(lambda: len(slow.refreshes()) == 6, 15, 0.02)
        copying = subprocess.Popen(
            [sys.executable, "-m", "keyturn", "backup", str(copy), "--data", str(server.data)],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "src")}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        stop = Stop(server)
        status, took = stop.ended()
        copied = copying.wait(60)
        with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as database:
            whole = database.execute("PRAGMA integrity_check").fetchone()[0]

        assert (0, 0, "ok") == (status, copied, whole)
        assert took < ENDS_WITHIN_S
        assert {(200, None): 6} == dict(told(futures))
        check_nothing_is_lost(server, there)


def test_without_the_database(server: Server, tmp_path: Path) -> None:
    """Another keeps it locked from before the answers on: they are spilled, and stored at the next start."""
    with street(server, tmp_path / "street", providers=1, accounts=6) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 3))
        futures = asking(server, [("POST", f"/v1/connections/{each['id']}/renew", None) for each in there.connections])
        wait_for(lambda: len(slow.refreshes()) == 6, 15, 0.02)
        over = threading.Event()
        locker = threading.Thread(target=_locked, args=(server.data / "keyturn.db", over), daemon=True)
        locker.start()
        stop = Stop(server)
        status, took = stop.ended()
        over.set()
        locker.join()

        assert 0 == status
        assert took < ENDS_WITHIN_S
        assert {(200, None): 6} == dict(told(futures))
        slow.provider.honest_again()
        server.start()
        wait_for(lambda: {2} == {shown(server, each)["generation"] for each in there.connections}, 15, 0.2)
        check_served(server, there)


def check_served(server: Server, there: Street) -> None:
    """All are active and served."""
    assert {"active"} == {shown(server, each)["state"] for each in there.connections}
    assert {} == there.served_within(there.connections)
    assert (0, []) == (there.doubled(), there.losses())


def _locked(database: Path, over: threading.Event) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        over.wait(60)
        connection.execute("ROLLBACK")


def test_a_login_in_a_browser_is_not_begun_after_it(server: Server, tmp_path: Path) -> None:
    """Who comes after the signal is refused at the port, or told 503; the provider sees nothing."""
    with street(server, tmp_path / "street", providers=1, accounts=2) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 4))
        futures = asking(server, [("POST", f"/v1/connections/{each['id']}/renew", None) for each in there.connections])
        wait_for(lambda: len(slow.refreshes()) == 2, 15, 0.02)
        stop = Stop(server)
        time.sleep(0.7)
        answers: list[Any] = []
        for number in range(3):
            try:
                answers.append(sign_in(server, slow.connector, f"u{number}", owner="late").status)
            except OSError:
                answers.append("refused")
        status, _ = stop.ended()

        assert 0 == status
        assert {"refused", 503} >= set(answers)
        assert [] == stop.sent_after(slow)
        assert {(200, None): 2} == dict(told(futures))
        check_nothing_is_lost(server, there)
