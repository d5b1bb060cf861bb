"""What runs share in one test process: servers of one data directory, the nursery they come from, and the provider hub.

A bench is made anew after a run that failed, so that no run suffers from the one before.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.running import ADMIN_KEY, CHECKOUT, ENDS_WITHIN_S, Server, ask, free_port, wait_for

HERE = Path(__file__).parent


class Orderly:
    """A process that reads one order a line and answers each with one line."""

    def __init__(self, program: Path, log: Path) -> None:
        surroundings = {key: value for key, value in os.environ.items() if not key.startswith("KEYTURN_")}
        surroundings["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)])
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(program)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=surroundings, cwd=log.parent,
            )  # fmt: skip
        self._lock = threading.Lock()

    def order(self, do: str, **more: Any) -> Any:
        """Give an order; gives the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write((json.dumps({"do": do, **more}) + "\n").encode())
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, f"{do}: the process that takes orders has ended"
        return json.loads(line)

    def close(self) -> None:
        """No more orders."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)


@dataclass(slots=True)
class Forked(Server):
    """A server that the nursery forks."""

    nursery: Orderly | None = None
    orders: Path = Path()
    pid: int = 0
    stopped: bool = False

    def start(self, *, wait: bool = True) -> Forked:
        """Fork it, and wait until it answers."""
        assert self.nursery is not None
        self.port = self.port or free_port()
        env = {
            "KEYTURN_ADMIN_API_KEY": ADMIN_KEY, "KEYTURN_EGRESS_ALLOW": "127.0.0.0/8", "KEYTURN_INSECURE_HTTP": "1",
            "KEYTURN_LOG_LEVEL": "debug", "KEYTURN_LIMIT_SIGNIN": "1000000",
        }  # fmt: skip
        self.pid = self.nursery.order(
            "start", data=str(self.data), log=str(self.log), listen=f"127.0.0.1:{self.port}", orders=str(self.orders),
            env=env,
        )  # fmt: skip
        if wait:
            self.wait_until_ready()
        return self

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        if self.pid and self.ended(0) is not None:
            self.pid = 0
        return bool(self.pid)

    def ended(self, within_s: float) -> int | None:
        """Its exit status, as soon as it has one."""
        assert self.nursery is not None
        found: int | None = self.nursery.order("wait", pid=self.pid, within_s=within_s)
        return found

    def wait_until_ready(self) -> None:
        """Until /readyz says so."""

        def ready() -> bool:
            assert self.alive, f"the server did not start:\n{self.log.read_text(errors='replace')[-2000:]}"
            with contextlib.suppress(OSError):
                return ask(self.port, "GET", "/readyz", key=None, timeout_s=5).status == 200
            return False

        wait_for(ready, 40, 0.03)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.ended(ENDS_WITHIN_S)
            self.pid = 0

    def stop(self) -> int:
        """SIGTERM, and wait; gives the exit status."""
        os.kill(self.pid, signal.SIGTERM)
        status = self.ended(ENDS_WITHIN_S)
        assert status is not None, "it did not end in time"
        self.pid = 0
        return status

    def wake(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


@dataclass(slots=True)
class Bench:
    """Servers of one data directory, and a hub of providers."""

    where: Path
    servers: list[Forked]
    hub: Orderly
    nursery: Orderly
    orders: Path
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    ordered: int = 0
    neighbours: Any = None  # runs/neighbours.py: two providers that no run strikes

    @classmethod
    def made(cls, where: Path, processes: int) -> Bench:
        """A new one, all of it running."""
        where.mkdir(parents=True, exist_ok=True)
        orders = where / "orders"
        orders.mkdir()
        nursery = Orderly(HERE / "armed_server.py", where / "nursery.log")
        hub = Orderly(HERE / "provider_hub.py", where / "hub.log")
        servers = [
            Forked(where / "data", where / f"server-{number}.log", nursery=nursery, orders=orders)
            for number in range(processes)
        ]
        bench = cls(where, servers, hub, nursery, orders)
        bench.all_up()
        return bench

    def all_up(self) -> None:
        """Start what does not run."""
        down = [each for each in self.servers if not each.alive]
        for each in down:
            each.start(wait=False)
        for each in down:
            each.wait_until_ready()

    def arm(self, entries: Sequence[dict[str, Any]], *, connection: str | None, host: str) -> None:
        """Arm points for a connection, or for all where none is named."""
        self.ordered += 1
        whole = {"number": self.ordered, "connection": connection, "host": host, "at": list(entries)}
        self._write("order.json", whole)

    def taken(self, entry: int = 0) -> int | None:
        """The process that came to an armed point first."""
        try:
            pid = (self.orders / f"taken-{self.ordered}-{entry}").read_text()
        except FileNotFoundError:
            return None
        return int(pid) if pid else None

    def disarm(self) -> None:
        """Nothing is armed any more, and no knob turned."""
        self._write("order.json", {"number": self.ordered, "at": []})
        self.knobs()

    def knobs(self, **values: float) -> None:
        """Turn knobs; those that are not named go back."""
        self._write("knobs.json", values)

    def server_of(self, pid: int) -> Forked:
        """The server with this process id."""
        return next(each for each in self.servers if each.pid == pid)

    def close(self) -> None:
        """End everything."""
        for each in self.servers:
            with contextlib.suppress(Exception):
                each.kill()
        self.nursery.close()
        self.hub.close()

    def _write(self, name: str, content: dict[str, Any]) -> None:
        fresh = self.orders / f"{name}.new"
        fresh.write_text(json.dumps(content))
        fresh.replace(self.orders / name)
