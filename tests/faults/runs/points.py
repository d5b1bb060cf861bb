"""Crash points, one run each: an operation is repeated, and each time a later one of its calls is struck.

A lane is a server with a provider of its own; several lanes work on the points of one test, because a point is mostly
waiting. Each point has a fresh connection. Between two points a lane waits until its server is quiet: what the server
writes by a timer would shift the count of the operation's calls.

Rule: the points of a kind of call end with the first number that no call of the operation reaches.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import sqlite3
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Reply, Server
from tests.end_to_end.scripted.connectors import connector_for, install, sign_in
from tests.end_to_end.scripted.provider import PASSWORD
from tests.faults.runs.journal import Journal
from tests.faults.runs.provider_hub import Journalled
from tests.faults.runs.system_calls import KINDS, Blow, Trace, traced

ACCOUNTS = 2000
TICK_S = 1.15  # the scheduler writes what it counted once a second
BEAT_EVERY_S = 5.0
BEAT_FREE_S = 0.8  # longer than any operation here
MOST_CALLS = 400  # of one kind, in one operation
AGAIN = 5


@dataclass(slots=True)
class Lane:
    """A server and its provider."""

    where: Path
    server: Server
    provider: Journalled
    journal: Path
    connector: str = ""
    killed_at: list[float] = field(default_factory=list)  # monotonic
    kept: list[dict[str, Any]] = field(default_factory=list)  # connections that several points need
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    _read: int = 0  # bytes of the journal
    _whose: dict[int, str] = field(default_factory=dict)  # request → account
    _seen: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def opened(cls, where: Path, command: Sequence[str]) -> Lane:
        """Start both; `command`: the program of the server."""
        where.mkdir(parents=True)
        journal = where / "provider.jsonl"
        provider = Journalled(journal, ACCOUNTS, ttl=3600, rotating=True, latency_s=0.0)
        server = Server(where / "data", where / "server.log", command)
        lane = cls(where, server.start(), provider, journal)
        lane.connector = install(server, connector_for(provider))
        return lane

    @property
    def dead(self) -> bool:
        """True if the server has ended."""
        return self.server.process is None or self.server.process.poll() is not None

    def account(self) -> int:
        """Return the number of an account that has never logged in."""
        return next(self.numbers)

    def log_in(self, number: int) -> Reply:
        """Log an account in."""
        return sign_in(self.server, self.connector, f"u{number}", PASSWORD, owner=f"o{number}")

    def connected(self) -> dict[str, Any]:
        """Return a fresh connection."""
        reply = self.log_in(self.account())
        assert reply.status == 201, reply.body
        found: dict[str, Any] = reply.json()
        return found

    def read(self, account: str) -> Journal:
        """Return what the provider saw of an account and did for it; only rows that are new are parsed."""
        with self.journal.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        for row in map(json.loads, whole.splitlines()):
            if row["event"] == "came":
                self._whose[row["n"]] = row["account"]
            self._seen[row.get("account") or self._whose.get(row["n"], "")].append(row)
        return Journal.of(map(dict, self._seen[account]))

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Read the database without the server, so that the server counts no request."""
        with contextlib.closing(sqlite3.connect(self.server.data / "keyturn.db", timeout=10)) as database:
            return database.execute(statement, values).fetchall()

    def revocations(self) -> set[str]:
        """Return the ids of the revocations that are due."""
        return {each[0] for each in self.rows("SELECT id FROM revocations")}

    def execute(self, *statements: str) -> None:
        """Change the database beside the server."""
        path = self.server.data / "keyturn.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as database:
            for each in statements:
                database.execute(each)

    def settle(self) -> None:
        """Wait until no timer of the server is about to write, and let its next commit begin the journal again."""
        since, deadline = time.time(), time.monotonic() + TICK_S
        wal = self.server.data / "keyturn.db-wal"
        while time.monotonic() < deadline and wal.stat().st_mtime <= since + 0.01:
            time.sleep(0.03)
        time.sleep(0.1)
        beaten = max((row[0] for row in self.rows("SELECT beat_s FROM processes")), default=0.0)
        left_s = beaten + BEAT_EVERY_S - time.monotonic()
        if -0.2 < left_s < BEAT_FREE_S:
            time.sleep(left_s + 0.25)
        self.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def up(self) -> None:
        """Start the server again if it was killed."""
        self.server.wait_until_dead()
        self.server.start()

    def restart(self) -> None:
        """Stop the server, and start it again."""
        self.server.stop()
        self.server.start()

    def close(self) -> None:
        """End both."""
        self.provider.honest_again()
        with contextlib.suppress(Exception):
            self.server.stop()
        self.provider.close()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation whose calls are struck.

    begin: prepares a subject (a connection, an account, a key).
    perform: does it; returns the answer of the server.
    wrong: returns what a point left behind that breaks a promise.
    """

    name: str
    begin: Callable[[Lane], Any]
    perform: Callable[[Lane, Any], Reply]
    wrong: Callable[[Lane, Point], list[str]]
    command: Sequence[str] = (sys.executable, "-m", "keyturn", "serve")


@dataclass(slots=True)
class Point:
    """One run."""

    kind: str
    number: int
    blow: Blow | None
    subject: Any = None
    reply: Reply | None = None  # None: the server died, or hung up
    trace: Trace | None = None
    due_before: set[str] = field(default_factory=set)  # revocations of earlier points
    wrong: list[str] = field(default_factory=list)

    @property
    def struck(self) -> str:
        """The call that was struck; empty if there was none."""
        return "" if self.trace is None or self.blow is None else self.trace.struck

    @property
    def missed(self) -> bool:
        """True if another call than that of this number was struck, or none: two threads made calls of this kind."""
        if self.trace is None or self.blow is None:
            return False
        if self.trace.struck_number:
            return self.trace.struck_number != self.number
        return self.trace.made(self.kind) >= self.number

    @property
    def killed(self) -> bool:
        """True if the server died."""
        return self.trace is not None and self.trace.killed

    def __str__(self) -> str:
        blow = self.blow.name if self.blow else "not struck"
        answer = "no answer" if self.reply is None else f"{self.reply.status} {self.reply.code or ''}".strip()
        return f"{self.kind} {self.number}, {blow} ({answer}): {'; '.join(self.wrong)}\n    {self.struck}"


class Points:
    """The points of an operation under one blow."""

    def __init__(self, operation: Operation, blow: Blow) -> None:
        self.operation = operation
        self.blow = blow
        self.done: list[Point] = []
        self.wrong: list[Point] = []
        self.again = 0  # points that were made once more, as two threads made the calls
        self._lock = threading.Lock()
        self._next: dict[str, Iterator[int]] = {}

    def strike_all(self, lanes: Sequence[Lane]) -> None:
        """Strike each call of each kind that the operation makes, until it makes no further one.

        Raises:
            AssertionError: the operation without a blow left something wrong.
        """
        clean = self._run(lanes[0], Point("no call", 0, None))
        assert clean.trace is not None
        assert [] == clean.wrong, str(clean)
        for kind in KINDS:
            if clean.trace.made(kind):
                self._next[kind] = iter(range(1, MOST_CALLS))
        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(self._work, lanes))

    def struck(self) -> dict[str, int]:
        """Return the number of points for each kind of call."""
        found = [each.kind for each in self.done if each.struck]
        return {kind: found.count(kind) for kind in KINDS if kind in found}

    def _work(self, lane: Lane) -> None:
        while (point := self._take()) is not None:
            self._run(lane, point)
            for _ in range(AGAIN):
                if not point.missed or point.wrong:
                    break
                with self._lock:
                    self.again += 1
                lane.restart()  # a process that has just begun has one thread for files
                point = self._run(lane, Point(point.kind, point.number, point.blow))
            if point.missed:
                point.wrong.append("two threads make calls of this kind, so this one can't be struck")
            with self._lock:
                self.done.append(point)
                if point.wrong:
                    self.wrong.append(point)
                if not point.struck:
                    self._next.pop(point.kind, None)

    def _take(self) -> Point | None:
        with self._lock:
            for kind, numbers in self._next.items():
                return Point(kind, next(numbers), self.blow)
        return None

    def _run(self, lane: Lane, point: Point) -> Point:
        point.subject = self.operation.begin(lane)
        point.due_before = lane.revocations()
        lane.settle()
        assert lane.server.process is not None
        pid, log = lane.server.process.pid, lane.where / "trace"
        kind = point.kind if point.blow else None
        with traced(pid, log, kind=kind, number=point.number, blow=point.blow) as trace:
            thread = threading.Thread(target=self._perform, args=(lane, point))
            began = time.monotonic()
            thread.start()
            thread.join(point.blow.refused_s if point.blow and point.blow.refused_s else None)
            trace.read()
            if point.blow and point.blow.refused_s and trace.struck:
                time.sleep(max(0.0, began + point.blow.refused_s - time.monotonic()))
        thread.join()
        point.trace = trace
        if trace.killed:
            lane.killed_at.append(time.monotonic())
            try:
                lane.up()
            except AssertionError as error:
                raise AssertionError(f"{point}\n    {error}") from None  # which call it was
        point.wrong += self.operation.wrong(lane, point)
        return point

    def _perform(self, lane: Lane, point: Point) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            point.reply = self.operation.perform(lane, point.subject)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return how many points were struck: operation × blow, with the kinds of call of each operation."""
    blows = list(dict.fromkeys(row["blow"] for row in rows))
    lines = [f"| operation | calls | {' | '.join(blows)} |", f"|{'---|' * (2 + len(blows))}"]
    for operation in dict.fromkeys(row["operation"] for row in rows):
        by_blow = {row["blow"]: row["points"] for row in rows if row["operation"] == operation}
        kinds = ", ".join(kind for kind in KINDS if any(kind in points for points in by_blow.values()))
        struck = [str(sum(by_blow.get(blow, {}).values())) for blow in blows]
        lines.append(f"| {operation} | {kinds} | {' | '.join(struck)} |")
    return "\n".join(lines)
