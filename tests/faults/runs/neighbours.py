"""Who is to notice nothing: two providers beside the one that is struck, and somebody who calls all the time.

The neighbours live as long as the bench, so that what one run left behind in a process is seen by the next.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.end_to_end.scripted.connectors import call, connector_for, install, shown, sign_in
from tests.faults.runs.bench import Bench, Forked
from tests.faults.runs.faults import ACCOUNTS
from tests.faults.runs.journal import Journal
from tests.faults.runs.losses import LOST_STATES, Loss, losses

PROVIDERS = 2
LONG_S = 3600
EVERY_S = 0.1
SERVED_WITHIN_S = 10.0  # I20


@dataclass(slots=True)
class Neighbour:
    """A provider that no run strikes, and its connections."""

    name: str
    journal: Path
    connector: str
    connections: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Neighbours:
    """All of a bench."""

    bench: Bench
    houses: list[Neighbour] = field(default_factory=list)
    doubled: int = 0

    @classmethod
    def of(cls, bench: Bench) -> Neighbours:
        """Those of this bench; made with its first run."""
        if bench.neighbours is None:
            bench.neighbours = cls(bench, [_moved_in(bench) for _ in range(PROVIDERS)])
        found: Neighbours = bench.neighbours
        return found

    @property
    def connections(self) -> list[dict[str, Any]]:
        """All of them."""
        return [each for house in self.houses for each in house.connections]

    def end_access(self) -> None:
        """Their access tokens end: the next call of each needs a renewal.

        Every process has used each of them before, as one that nobody saw working is not taken for one that ended.
        """
        each_way = list(itertools.product(self.bench.servers, self.connections))
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda way: once(*way), each_way))
        assert {200} == {each.status for each in told}, "a neighbour was not well before the run"
        for house in self.houses:
            self.bench.hub.order("end_access", name=house.name, ttl=LONG_S)

    def newly_doubled(self) -> int:
        """How often a refresh token came, since this was last asked, that had been answered with a token."""
        before, self.doubled = self.doubled, sum(Journal.read(house.journal).doubled() for house in self.houses)
        return self.doubled - before

    def losses(self, server: Forked, killed_at: tuple[float, ...]) -> list[Loss]:
        """Who was lost; each logs in anew."""
        found: list[Loss] = []
        for house in self.houses:
            seen = {each["unique_id"]: shown(server, each) for each in house.connections}
            if not any(each["state"] in LOST_STATES for each in seen.values()):
                continue
            dead = self.bench.hub.order("dead", name=house.name)
            found += losses(Journal.read(house.journal), seen, dead=dead, killed_at=killed_at)
            for each in seen.values():
                if each["state"] in LOST_STATES:
                    sign_in(server, house.connector, f"u{each['unique_id'].removeprefix('id-')}", owner=each["owner"])
        return found


def _moved_in(bench: Bench) -> Neighbour:
    name = f"n{next(bench.numbers)}"
    journal = bench.where / f"{name}.jsonl"
    port = bench.hub.order(
        "new", name=name, journal=str(journal), accounts=ACCOUNTS, ttl=LONG_S, rotating=True, latency_s=0.02
    )
    provider: Any = SimpleNamespace(url=f"http://127.0.0.1:{port}")
    house = Neighbour(name, journal, install(bench.servers[0], connector_for(provider)))

    def one(number: int) -> dict[str, Any]:
        reply = sign_in(bench.servers[number % len(bench.servers)], house.connector, f"u{number}", owner=f"o{number}")
        assert reply.status == 201, reply.body
        found: dict[str, Any] = reply.json()
        return found

    with ThreadPoolExecutor(4) as pool:
        house.connections = list(pool.map(one, range(ACCOUNTS)))
    return house


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller got. `status`: 0 where there was no answer."""

    began: float
    ended: float
    port: int
    connection: str
    status: int
    code: str | None


@dataclass(slots=True)
class Onlooker:
    """Calls one connection after another, of every provider, through every process, as long as the fault lasts."""

    servers: list[Forked]
    connections: list[dict[str, Any]]
    told: list[Told] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Onlooker:
        """Begin: one caller for each process."""
        for server in self.servers:
            thread = threading.Thread(target=self._look, args=(server,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Call nobody any more."""
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def _look(self, server: Forked) -> None:
        for connection in itertools.cycle(self.connections):
            if self._over.wait(EVERY_S):
                return
            self.told.append(once(server, connection))


def once(server: Forked, connection: dict[str, Any]) -> Told:
    """One call."""
    began = time.monotonic()
    status, code = 0, None
    try:
        reply = call(server, connection, "echo", timeout_s=15)
        status, code = reply.status, reply.code
    except (OSError, http.client.HTTPException):
        pass
    return Told(began, time.monotonic(), server.port, connection["id"], status, code)


def served(server: Forked, connections: list[dict[str, Any]], over: frozenset[str]) -> tuple[float, dict[str, Told]]:
    """Call each until it is served, or refused for a reason that lasts; gives the seconds, and who was not in time.

    `over`: the codes of such reasons.
    """
    began, left, last = time.monotonic(), list(connections), {}
    took = 0.0
    while left and time.monotonic() - began < SERVED_WITHIN_S:
        with ThreadPoolExecutor(12) as pool:
            last = {told.connection: told for told in pool.map(lambda each: once(server, each), left)}
        done = {key for key, told in last.items() if told.status == 200 or told.code in over}
        if done:
            took = time.monotonic() - began
        left = [each for each in left if each["id"] not in done]
        if left:
            time.sleep(0.2)
    return took, {each["id"]: last[each["id"]] for each in left}
