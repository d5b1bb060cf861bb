"""One run's provider, connections and callers, and what was seen of them from outside."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.end_to_end.running import Reply, wait_for
from tests.end_to_end.scripted.connectors import call, connector_for, install, shown, sign_in
from tests.faults.runs.bench import Bench, Forked
from tests.faults.runs.callers import Caller, Callers
from tests.faults.runs.faults import Grant, Run
from tests.faults.runs.neighbours import Neighbours, Onlooker, Told, served

KEPT = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}
BY_GRANT: dict[Grant, dict[str, Any]] = {
    Grant.STRICT: {},
    Grant.LAST_RESORT: {"refresh": {"last_resort": True, "params": REFRESH}},
    Grant.KEPT: {"password": KEPT},
    Grant.STABLE: {"refresh": {"rotation": "stable", "params": REFRESH}},
    Grant.PASSWORD: {"password": KEPT, "refresh": {"strategy": "password_only"}},
}
LONG_S = 3600
TRIED = 6  # logins that show how fast this machine is now
OF_A_LOGIN = 4  # a token that is to end soon lives so many times as long as a login takes
OVER = frozenset({"connection_needs_reconnect", "needs_reconnect", "connection_disconnected", "connection_paused"})
OWN_WAIT = frozenset({"scope", "client", "grant_over", "password_over"})  # its own, and no outage
SETTLES_WITHIN_S = 30.0
QUICK_S = 20.0
PASSES_WITHIN_S = 8.0
PASSING = ("provider_rate_limited", "provider_unavailable", "renewal_in_progress")
HEARD_S = 1.5  # I7: another process has heard of a renewal within a second


@dataclass(slots=True)
class Story:
    """What a run is about, and what came of it."""

    bench: Bench
    run: Run
    name: str
    journal: Path
    host: str
    connector: str = ""
    connections: list[dict[str, Any]] = field(default_factory=list)
    began: float = 0.0  # monotonic, as all times here
    probed: float = 0.0
    event: tuple[float, float] | None = None  # when somebody disconnected, paused or logged in anew
    slept: tuple[float, float] | None = None
    dead: set[int] = field(default_factory=set)  # ports whose process ended on the way, or slept
    callers: list[Callers] = field(default_factory=list)
    generations: dict[int, list[int]] = field(default_factory=dict)  # by process, as one may know more than the row
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # account → its connection at the end
    last_call: dict[str, int] = field(default_factory=dict)
    last_renewal: dict[str, str | None] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # what no journal could tell
    rivals_renewed: int = 0
    killed_at: list[float] = field(default_factory=list)
    served_s: float = 0.0  # after the fault's end
    onlooker: Onlooker | None = None
    _watching: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def begun(cls, bench: Bench, run: Run) -> Story:
        """A provider and its connections; their tokens are ended where the workload wants that."""
        name = f"p{next(bench.numbers)}"
        journal = bench.where / f"{name}.jsonl"
        port = bench.hub.order(
            "new", name=name, journal=str(journal), accounts=run.connections, ttl=LONG_S,
            rotating=run.grant is not Grant.STABLE, latency_s=run.latency_s,
        )  # fmt: skip
        neighbours = Neighbours.of(bench)
        story = cls(bench, run, name, journal, f"127.0.0.1:{port}")
        provider: Any = SimpleNamespace(url=f"http://{story.host}")
        story.connector = install(story.first, connector_for(provider, **BY_GRANT[run.grant]))
        ends_early = run.workload in ("ended", "fleet") or (run.workload == "crowd" and run.seed % 3 > 0)
        life_s = story._measured_life_s() if ends_early else LONG_S
        bench.hub.order("ttl", name=name, ttl=life_s)
        story._connect(range(run.connections))
        for server in bench.servers:  # every process has used the token once
            call(server, story.connections[0], "echo")
        bench.hub.order("ttl", name=name, ttl=LONG_S)
        if ends_early:
            time.sleep(life_s + 0.1)
        elif run.workload in ("stale", "crowd"):
            bench.hub.order("end_access", name=name, ttl=LONG_S)
        neighbours.end_access()
        story.onlooker = Onlooker(list(bench.servers), story.unstruck).start()
        return story

    @property
    def struck(self) -> list[dict[str, Any]]:
        """The connections that the fault is meant for."""
        return self.connections if self.run.fleet else self.connections[:1]

    @property
    def unstruck(self) -> list[dict[str, Any]]:
        """Those that are to notice nothing: the provider's other accounts, and the neighbours."""
        own = [] if self.run.fleet else self.connections[1:]
        return [*own, *Neighbours.of(self.bench).connections]

    @property
    def first(self) -> Forked:
        """The server that is asked first."""
        return self.bench.servers[self.run.first]

    @property
    def another(self) -> Forked:
        """Another than the first, where there is one."""
        return self.bench.servers[self.run.first - 1]

    def start(self, hang_up: bool = False) -> None:
        """The workload begins."""
        self.began = self.began or time.monotonic()
        ports = [self.bench.servers[(self.run.first + n) % self.run.processes].port for n in range(2)]
        if self.run.workload == "renew":
            path = f"/v1/connections/{self.connections[0]['id']}/renew"
            crowd = [Caller(ports[0], "POST", path)]
        else:
            paths = [f"/v1/proxy/{each['id']}/echo" for each in self.struck] * self.run.callers
            crowd = [
                Caller(ports[n % 2], "GET", path, 0.2 + n * 0.005 if hang_up and n % 2 else None)
                for n, path in enumerate(paths)
            ]
        self.callers.append(Callers(crowd).start())
        if not self.run.fleet:
            threading.Thread(target=self._watch, daemon=True).start()

    def rivals(self) -> None:
        """Every process that lives is asked to renew, whatever it answers."""
        for server in self.bench.servers:
            if server.port not in self.dead:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.rivals_renewed += self._renew(server, self.connections[0], 15).status == 200

    def order(self, do: str, **more: Any) -> Any:
        """An order for this run's provider."""
        return self.bench.hub.order(do, name=self.name, **more)

    def spoil(self, fault: str) -> None:
        """What happens to the next request for a token of the account that is struck."""
        self.order("fault", faults=[fault], account="*" if self.run.fleet else "id-0")

    def recover(self) -> None:
        """The fault is over: whom the provider would serve is served within ten seconds (I20)."""
        asked = list(self.unstruck)
        if self.run.fault.name not in OWN_WAIT:
            asked += self.struck
        self.served_s, late = served(self.first, asked, OVER)
        if late:
            told = sorted({(each.status, each.code) for each in late.values()}, key=str)
            self.wrong.append(f"I20: {len(late)} of {len(asked)} not served within ten seconds: {told}")
        if self.onlooker is not None:
            self.onlooker.stop()

    def overlooked(self) -> list[Told]:
        """What was answered to calls that were to notice nothing, where it was no 200, by processes that lived."""
        told = self.onlooker.told if self.onlooker is not None else []
        return [each for each in told if each.status != 200 and each.port not in self.dead]

    def held(self) -> None:
        """Wait until the provider holds an answer back."""
        wait_for(lambda: self.order("state")["holding"], QUICK_S, 0.01)

    def settle(self) -> None:
        """Wait until nothing is under way and nothing is overdue."""
        for callers in self.callers:
            if not callers.join():
                self.wrong.append("I5: a caller never got an answer")
        try:
            wait_for(self._settled, SETTLES_WITHIN_S, 0.1)
        except AssertionError:
            self.wrong.append(f"I4: it did not settle: {self._listed()[:1]}")
        self._watching.set()

    def probe(self) -> None:
        """Ask each connection for a renewal and a call, and look at it."""
        self.probed = time.monotonic()
        if self.run.grant is Grant.LAST_RESORT:  # sent once the access token has ended by the clock, never before
            self.bench.knobs(clock_s=LONG_S + 60.0)
            served(self.first, self.connections, OVER)
            self.bench.knobs()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._probe_renewal, self.connections))
            if self.run.processes > 1:
                time.sleep(HEARD_S)
            list(pool.map(self._probe_call, self.connections))

    def revive(self, account: str) -> None:
        """A new login brings a connection back that could not be kept."""
        connection = self.seen[account]
        self.order("password", password=None, account=account)
        again = sign_in(self.first, self.connector, f"u{account.removeprefix('id-')}", owner=connection["owner"])
        if (again.status, again.json().get("id")) != (200, connection["id"]):
            self.wrong.append(f"I4: a new login did not bring it back: {again.status} {again.code}")
        elif call(self.first, connection, "echo").status != 200:
            self.wrong.append("I4: a call failed after a new login")

    def revive_lost(self) -> None:
        """Bring each back that only waits for its person."""
        for account, seen in self.seen.items():
            if seen["state"] in ("uncertain", "needs_reconnect"):
                self.revive(account)

    def close(self) -> None:
        """Nothing of this run is left to do for the next."""
        self._watching.set()
        if self.onlooker is not None:
            self.onlooker.stop()
        self.bench.disarm()
        self.order("honest_again")
        self.bench.all_up()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._forget, self.connections))
        self.order("end")

    def _measured_life_s(self) -> int:
        """How long a token has to live, so that a login and its test end before it, as busy as this machine is now."""
        began = time.monotonic()
        self._connect(range(min(TRIED, self.run.connections)))
        return max(1, math.ceil(OF_A_LOGIN * (time.monotonic() - began)))

    def _connect(self, numbers: range) -> None:
        extra: dict[str, Any] = {"keep_password": True} if "password" in BY_GRANT[self.run.grant] else {}

        def one(number: int) -> dict[str, Any]:
            server = self.bench.servers[number % self.run.processes]
            reply = sign_in(server, self.connector, f"u{number}", owner=f"o{number}", **extra)
            assert reply.status in (200, 201), reply.body
            found: dict[str, Any] = reply.json()
            return found

        with ThreadPoolExecutor(TRIED) as pool:
            self.connections = list(pool.map(one, numbers))

    def _renew(self, server: Forked, connection: dict[str, Any], timeout_s: float = 60) -> Reply:
        return server.ask("POST", f"/v1/connections/{connection['id']}/renew", timeout_s=timeout_s)

    def _probe_renewal(self, connection: dict[str, Any]) -> None:
        account: str = connection["unique_id"]
        if shown(self.another, connection)["state"] == "paused":
            self.another.ask("POST", f"/v1/connections/{connection['id']}/resume")
        deadline = time.monotonic() + PASSES_WITHIN_S
        while (code := self._renew(self.another, connection).code) in PASSING and time.monotonic() < deadline:
            time.sleep(0.3)
        self.last_renewal[account] = code

    def _probe_call(self, connection: dict[str, Any]) -> None:
        account: str = connection["unique_id"]
        self.last_call[account] = call(self.first, connection, "echo").status
        self.seen[account] = shown(self.first, connection)

    def _forget(self, connection: dict[str, Any]) -> None:
        self.first.ask("DELETE", f"/v1/connections/{connection['id']}?forget=now")

    def _listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            reply = self.first.ask("GET", f"/v1/connections?connector={self.connector}&limit=100{cursor}").json()
            found += reply["data"]
            if reply["next_cursor"] is None:
                return found
            cursor = f"&cursor={reply['next_cursor']}"

    def _settled(self) -> bool:
        if self.order("state")["busy"]:
            return False
        return all(_quiet(each) for each in self._listed())

    def _watch(self) -> None:
        """Look at the generation again and again."""
        turn = 0
        while not self._watching.wait(0.15):
            server = self.bench.servers[(turn := turn + 1) % self.run.processes]
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError, ValueError):
                path = f"/v1/connections/{self.connections[0]['id']}"
                pid, seen = server.pid, server.ask("GET", path, timeout_s=2).json()["generation"]
                self.generations.setdefault(pid, []).append(seen)


def _quiet(connection: dict[str, Any]) -> bool:
    """Nothing is overdue: an open intent makes a connection due at once; a disconnect has told the provider."""
    if connection["state"] == "disconnecting":
        return False
    if connection["renews_at"] is None or connection["state"] in ("uncertain", "needs_reconnect"):
        return True
    due = datetime.datetime.fromisoformat(connection["renews_at"])
    return due > datetime.datetime.now(datetime.UTC)
