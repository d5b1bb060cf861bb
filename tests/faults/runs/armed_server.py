"""keyturn with fault points that are armed while it runs, and the nursery that its processes are forked from.

`python tests/faults/runs/armed_server.py` reads one order a line (JSON) and answers each with one line. A child of it
is a server of its own: own process id, own lease, own memory. Forking spares the two seconds that imports take.

Rule 1: the points are where the engine meets its ports; only this wiring can reach them.
Rule 2: what is armed stands in a folder that servers of one data directory share; who comes first takes it.
Rule 3: a shorter lease, a quicker beat and, where a run asks for it, a shorter time limit of token requests are all
that differs from the product otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keyturn.ports import renewals

LEASE_S = 12.0  # no request of these runs takes longer
ALIVE_FOR_S = 4.5  # three beats, as in the product
BEAT_EVERY_S = 1.5
# Before anything that is made of them is imported.
vars(renewals).update(LEASE_S=LEASE_S, ALIVE_FOR_S=ALIVE_FOR_S, BEAT_EVERY_S=BEAT_EVERY_S)

from keyturn.bootstrap import wiring  # noqa: E402
from keyturn.bootstrap.assembly import Ports  # noqa: E402
from keyturn.bootstrap.runtimes import prepare_process, run, serve  # noqa: E402
from keyturn.bootstrap.settings import read_settings  # noqa: E402
from keyturn.bootstrap.system import SystemClock  # noqa: E402
from keyturn.core.errors import StoreUnavailable  # noqa: E402

_PR_SET_PDEATHSIG = 1


class Orders:
    """What is armed: `order.json` {connection, host, at: [{point, do, s}]}, `knobs.json` {timeout_s, clock_s}."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def knob(self, name: str, otherwise: float) -> float:
        """A number that holds until it is set anew."""
        return float(self._read("knobs.json").get(name, otherwise))

    async def at(self, point: str, *, connection: str | None = None, host: str | None = None) -> None:
        """Do what is ordered for this point, if it is and nobody did it yet."""
        taken = self.take(point, connection=connection, host=host)
        if taken is None:
            return
        if taken["do"] == "wait":
            await asyncio.sleep(taken["s"])
        else:
            act(taken["do"])

    def armed(self, point: str, connection: str) -> bool:
        """Whether something is ordered for this point of a connection."""
        order = self._read("order.json")
        ours = order.get("connection") in (None, connection)
        return ours and any(entry["point"] == point for entry in order.get("at", ()))

    def take(self, point: str, *, connection: str | None = None, host: str | None = None) -> dict[str, Any] | None:
        """The entry for this point; one that is to happen once is nobody else's then."""
        order = self._read("order.json")
        for number, entry in enumerate(order.get("at", ())):
            wanted = order.get("connection") in (None, connection) if host is None else order.get("host") == host
            if entry["point"] != point or not wanted:
                continue
            once = os.O_EXCL if entry["do"] != "fail" else 0
            with contextlib.suppress(FileExistsError):
                claim = os.open(self._folder / f"taken-{order['number']}-{number}", os.O_CREAT | os.O_WRONLY | once)
                os.write(claim, str(os.getpid()).encode())
                os.close(claim)
                found: dict[str, Any] = entry
                return found
        return None

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self._folder / name).read_text())
        except FileNotFoundError:
            return {}
        return found


def act(what: str) -> None:
    """Die as at a loss of power, fall asleep, or fail as a database that is gone does."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "fail":
        raise StoreUnavailable("by order of a test")


class Watched:
    """Stands before a port: methods that have a guard go through it."""

    def __init__(self, inner: Any, **guards: Callable[..., Any]) -> None:
        self._inner = inner
        self._guards = guards

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        guard = self._guards.get(name)
        if guard is None:
            return method

        async def watched(*args: Any, **kwargs: Any) -> Any:
            return await guard(method, *args, **kwargs)

        return watched


class Points:
    """The steps of a renewal, as guards of the ports that they touch."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._within: tuple[str, str] | None = None  # the step and the connection whose commit comes next

    def over(self, ports: Ports) -> Ports:
        """The ports with every point in place."""
        return replace(
            ports,
            renewals=Watched(ports.renewals, read=self._read, claim=self._claim, settle=self._settle),
            connections=Watched(ports.connections, save=self._save),
            egress=Watched(ports.egress, send=self._send),
            spill=Watched(ports.spill, write=self._spill),
        )

    def statement(self, text: str) -> None:
        """A statement is about to be executed by SQLite, in whichever thread."""
        if self._within is not None and text == "COMMIT":
            step, connection = self._within
            taken = self._orders.take(f"{step}.mid", connection=connection)
            act(taken["do"] if taken else "nothing")

    async def _read(self, method: Any, connection: str, **more: Any) -> Any:
        await self._orders.at("read.before", connection=connection)
        found = await method(connection, **more)
        await self._orders.at("read.after", connection=connection)
        return found

    async def _claim(self, method: Any, read: Any, claimed: Any, **more: Any) -> Any:
        return await self._committed("claim", read.id, lambda: method(read, claimed, **more))

    async def _settle(self, method: Any, claimed: Any, after: Any, **more: Any) -> Any:
        step = "settle" if after.generation > claimed.generation else "other"
        return await self._committed(step, claimed.id, lambda: method(claimed, after, **more))

    async def _save(self, method: Any, connection: Any, **more: Any) -> Any:
        keeps = "connection.renewed" in {each.action for each in more.get("records", ())}
        return await self._committed("settle" if keeps else "other", connection.id, lambda: method(connection, **more))

    async def _committed(self, step: str, connection: str, write: Callable[[], Any]) -> Any:
        await self._orders.at(f"{step}.before", connection=connection)
        armed = self._orders.armed(f"{step}.mid", connection)
        self._within = (step, connection) if armed else self._within
        try:
            written = await write()
        finally:
            self._within = None if armed else self._within
        if written is not None:
            await self._orders.at(f"{step}.after", connection=connection)
        return written

    async def _send(self, method: Any, request: Any, policy: Any) -> Any:
        where = urlsplit(request.url)
        if where.path != "/token":
            return await method(request, policy)
        await self._orders.at("send.before", host=where.netloc)
        answer = await method(request, replace(policy, timeout_s=self._orders.knob("timeout_s", policy.timeout_s)))
        await self._orders.at("send.after", host=where.netloc)
        return answer

    async def _spill(self, method: Any, connection: Any, token_set: Any) -> None:
        await self._orders.at("spill.before", connection=connection.id)
        await method(connection, token_set)
        await self._orders.at("spill.after", connection=connection.id)


def trace_sqlite(told: Callable[[str], None]) -> None:
    """Have every connection to SQLite that is opened from here on tell of each statement before it is executed."""
    connect = sqlite3.connect

    def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.set_trace_callback(told)
        return connection

    for module in (sqlite3, sqlite3.dbapi2):
        vars(module)["connect"] = traced


def serve_armed(order: dict[str, Any]) -> None:
    """Be a server, from here on."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    log = os.open(order["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(order["env"])
    orders = Orders(Path(order["orders"]))

    class SteppedClock(SystemClock):
        def now(self) -> float:
            return super().now() + orders.knob("clock_s", 0.0)

    vars(wiring)["SystemClock"] = SteppedClock
    points = Points(orders)
    trace_sqlite(points.statement)
    settings = read_settings(data=Path(order["data"]), listen=order["listen"])
    known = prepare_process(settings)
    run(serve(settings, known, wrap=points.over))


def born(order: dict[str, Any]) -> int:
    """Fork a server; gives its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            serve_armed(order)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    return child


def ended(child: int, within_s: float) -> int | None:
    """How a child ended, as `Popen.returncode` says it; None where it goes on."""
    deadline = time.monotonic() + within_s
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)


def main() -> None:
    """Carry out orders until nobody gives any more; then nobody is left behind."""
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            answer: int | None = born(order)
            assert answer is not None
            children.add(answer)
        else:
            answer = ended(order["pid"], order["within_s"])
            if answer is not None:
                children.discard(order["pid"])
        print(json.dumps(answer), flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
