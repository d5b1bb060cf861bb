"""Measure what a renewal and a login cost, beside a plain loop that only sends and stores.

    python bench/renewals.py [--connections 1600] [--rounds 3] [--json] [--write docs/performance.md]

A provider on eight hosts answers after 20 ms. Every connection is due at the same moment, and the broker renews them
with 64 in flight (eight places a host); between its rounds the plain loop does as many, at the same hosts, as many at
once. Rule: figures of one run are compared, never times of two.

The broker is stopped (SIGSTOP) while its connections fall due, and goes on when all of them are: nothing of the
product is bent for this. CPU is that of its process alone; bytes are those of the pages in use after a checkpoint.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE / "upstream"))
sys.path.insert(0, str(HERE.parent))

from run import Running, keyturn  # noqa: E402
from serve import free_port  # noqa: E402

from scripts.written_by_runs import Sources, heading, put  # noqa: E402

HOSTS = 8
TTL_S = 120  # a token of that is due between a minute and a minute and a half, spread
LATE_TTL_S = 62  # of the connections whose lateness is measured: due after half a minute
LATE = f"bench{HOSTS}"  # their connector
LOGINS_AT_ONCE = 4
TRACED_LOGINS = 20
SETTLING_S = 4  # what follows from the traced logins (events, counts) is written within two seconds
IDLE_S = 15
TICK = os.sysconf("SC_CLK_TCK")
SECTION = "renewals"  # of the page
SOURCES = Sources(("src", "bench", "requirements/runtime.txt"))
CONNECTOR = """
keyturn: 1
connector: {name}
title: Bench
trust: {{reason: first_party, note: The provider of the bench.}}
insecure_http: true
private_network: true
client: {{authentication: none}}
token: {{url: "http://127.0.0.1:{port}/token"}}
test: {{url: "http://127.0.0.1:{port}/me"}}
allowed_urls: ["http://127.0.0.1:{port}/"]
unique_id: "{{{{ test.id }}}}"
"""


@dataclass(slots=True)
class Round:
    """Some renewals at once."""

    count: int
    seconds: float
    cpu_s: float
    bytes_kept: float | None = None

    @property
    def each(self) -> dict[str, float]:
        """By the renewal."""
        found = {"per_s": self.count / self.seconds, "cpu_ms": 1000 * self.cpu_s / self.count}
        return found if self.bytes_kept is None else {**found, "bytes": self.bytes_kept / self.count}


@dataclass(slots=True)
class Figures:
    """What a run came to."""

    broker: list[Round] = field(default_factory=list)
    plain: list[Round] = field(default_factory=list)
    login_cpu_ms: float = 0.0
    login_syncs: float | None = None
    idle_cores: float = 0.0
    late_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Provider:
    """The token server, its journal and the life of what it gives."""

    ports: list[int]
    journal: Path
    ttl: Path

    def came(self, grant: str) -> list[tuple[float, float, str]]:
        """Monotonic time, Unix time and account of each request of this grant."""
        rows = (line.split() for line in self.journal.read_text().splitlines())
        return [(float(row[0]), float(row[1]), row[3]) for row in rows if len(row) == 4 and row[2] == grant]


@contextmanager
def provider(folder: Path, ttl_s: int) -> Iterator[Provider]:
    """A token server, until the block ends."""
    running = Provider([free_port() for _ in range(HOSTS + 1)], folder / "journal", folder / "ttl")
    running.ttl.write_text(str(ttl_s))
    ports = ",".join(map(str, running.ports))
    process = subprocess.Popen(
        [sys.executable, str(HERE / "token_server.py"), "--ports", ports, "--journal", str(running.journal),
         "--ttl", str(running.ttl)], stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield running
    finally:
        process.terminate()
        process.wait(10)


def cpu_s(pid: int) -> float:
    """User and system time that a process has used, its threads included."""
    raw = Path(f"/proc/{pid}/stat").read_text()
    values = raw[raw.rindex(")") + 2 :].split()
    return (int(values[11]) + int(values[12])) / TICK


def bytes_in_use(database: Path) -> int:
    """The pages in use, after a checkpoint."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def publish(running: Running, provider: Provider) -> list[str]:
    """A connector for each host."""
    names = [f"bench{number}" for number in range(len(provider.ports))]
    for name, port in zip(names, provider.ports, strict=True):
        running.ask("PUT", f"/v1/connectors/{name}", CONNECTOR.format(name=name, port=port))
        running.ask("POST", f"/v1/connectors/{name}/publish", {})
    return names


def log_in(running: Running, connector: str, account: str) -> dict[str, Any]:
    """Connect an account."""
    body = {"connector": connector, "owner": account, "fields": {}, "username": account, "password": "bench"}
    made: dict[str, Any] = running.ask("POST", "/v1/connections", body)
    return made


def logins(running: Running, names: list[str], count: int) -> float:
    """Connect so many accounts, over all connectors; gives the CPU milliseconds of one login."""
    before = cpu_s(running.pid)
    with ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        list(pool.map(lambda n: log_in(running, names[n % len(names)], f"u{n}"), range(count)))
    return 1000 * (cpu_s(running.pid) - before) / count


@dataclass(slots=True)
class Syncs:
    """When a process synced a file, as strace saw it; in Unix seconds."""

    at: list[float] | None = None  # None: there is no strace

    def within(self, begun: float, ended: float) -> int:
        """How many there were in this time."""
        return sum(begun <= at <= ended for at in self.at or ())


@contextmanager
def syncs_traced(pid: int) -> Iterator[Syncs]:
    """Note each fsync and fdatasync of a process until the block ends; there to be read after it."""
    found, strace = Syncs(), shutil.which("strace")
    if strace is None:
        yield found
        return
    with tempfile.NamedTemporaryFile("r") as log:
        tracing = subprocess.Popen(
            [strace, "-f", "-qq", "-ttt", "-e", "trace=fsync,fdatasync", "-o", log.name, "-p", str(pid)],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1)
        yield found
        time.sleep(0.2)
        tracing.send_signal(signal.SIGINT)
        tracing.wait(10)
        # A call that was broken off by a switch of threads stands twice; its end says "resumed".
        found.at = [float(line.split()[1]) for line in log if "sync(" in line and "resumed" not in line]


def settled(pid: int) -> None:
    """Wait until the start's own work is over: five seconds with less than 3 % of a core."""
    deadline, calm = time.monotonic() + 60, 0
    while calm < 5 and time.monotonic() < deadline:
        before = cpu_s(pid)
        time.sleep(1)
        calm = calm + 1 if cpu_s(pid) - before < 0.03 else 0


def renewed_in(provider: Provider, since: float, count: int, limit_s: float) -> float:
    """Wait until so many refreshes came since then; gives the seconds from the first to the last."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        times = [at for at, _, account in provider.came("refresh_token") if at >= since and account.startswith("u")]
        if len(times) >= count:
            return times[-1] - times[0]
        time.sleep(0.2)
    raise SystemExit(f"{len(times)} of {count} renewals came within {limit_s:.0f} s")


def all_due_at(database: Path) -> float:
    """When the last of the connections is due for the scheduler, as its rows say; in Unix seconds."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        (last,) = connection.execute("SELECT max(look_at) FROM connections WHERE connector != ?", (LATE,)).fetchone()
        return float(last)


def broker_round(running: Running, provider: Provider, database: Path, count: int) -> Round:
    """Go on once all are due, and time it from the first refresh that comes to the last."""
    time.sleep(max(0.0, all_due_at(database) - time.time()) + 1)
    before, bytes_before, began = cpu_s(running.pid), bytes_in_use(database), time.monotonic()
    os.kill(running.pid, signal.SIGCONT)
    seconds = renewed_in(provider, began, count, 300)
    time.sleep(1)  # the last answers are kept
    used = cpu_s(running.pid) - before
    os.kill(running.pid, signal.SIGSTOP)
    return Round(count, seconds, used, bytes_in_use(database) - bytes_before)


def plain_round(provider: Provider, database: Path, count: int) -> Round:
    """The same by the plain loop."""
    ports = ",".join(map(str, provider.ports[:HOSTS]))
    done = subprocess.run(
        [sys.executable, str(HERE / "plain_loop.py"), "--ports", ports, "--count", str(count),
         "--database", str(database)], capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    return Round(count, found["seconds"], found["cpu_s"])


def measure(given: argparse.Namespace) -> Figures:
    """All of it."""
    figures = Figures()
    with tempfile.TemporaryDirectory(dir=given.where) as name:
        folder = Path(name)
        with provider(folder, LATE_TTL_S) as token_server, keyturn(folder, KEYTURN_LIMIT_SIGNIN="1000000") as running:
            database = folder / "data" / "keyturn.db"
            names = publish(running, token_server)
            _logins_and_lateness(running, token_server, LATE, figures)
            token_server.ttl.write_text(str(TTL_S))
            figures.login_cpu_ms = logins(running, names[:HOSTS], given.connections)
            os.kill(running.pid, signal.SIGSTOP)
            try:
                _rounds(running, token_server, folder, database, given, figures)
            finally:
                os.kill(running.pid, signal.SIGCONT)
    return figures


def _logins_and_lateness(running: Running, token_server: Provider, connector: str, figures: Figures) -> None:
    """Traced logins, and how late their first renewal by the clock is, where there is a place for each."""
    settled(running.pid)
    made, times = list[dict[str, Any]](), list[tuple[float, float]]()
    with syncs_traced(running.pid) as syncs:
        for number in range(TRACED_LOGINS):
            begun = time.time()
            made.append(log_in(running, connector, f"late{number}"))
            times.append((begun, time.time()))
    if syncs.at is not None:
        figures.login_syncs = statistics.median(syncs.within(*each) for each in times)
    time.sleep(SETTLING_S)
    before = cpu_s(running.pid)
    time.sleep(IDLE_S)
    figures.idle_cores = (cpu_s(running.pid) - before) / IDLE_S
    due = {f"late{number}": _unix(each["renews_at"]) for number, each in enumerate(made)}
    time.sleep(max(0.0, max(due.values()) - time.time() + 3))
    came = {account: at for _, at, account in token_server.came("refresh_token")}
    figures.late_s = [came.get(account, float("inf")) - at for account, at in due.items()]


def _rounds(
    running: Running, token_server: Provider, folder: Path, database: Path, given: argparse.Namespace, figures: Figures
) -> None:
    for number in range(given.rounds):
        figures.plain.append(plain_round(token_server, folder / "plain.db", given.connections))
        figures.broker.append(broker_round(running, token_server, database, given.connections))
        print(f"round {number + 1}: {figures.broker[-1].each}, plain {figures.plain[-1].each}", file=sys.stderr)


def _unix(text: str) -> float:
    import datetime

    return datetime.datetime.fromisoformat(text).timestamp()


def told(figures: Figures) -> dict[str, Any]:
    """Medians, with the lowest and the highest."""

    def of(rounds: list[Round], name: str) -> dict[str, float]:
        values = [each.each[name] for each in rounds]
        return {"median": statistics.median(values), "min": min(values), "max": max(values)}

    def to_plain(name: str) -> dict[str, float]:
        """By the round, as both of a round met the same machine."""
        pairs = zip(figures.broker, figures.plain, strict=True)
        ratios = [ours.each[name] / limit.each[name] for ours, limit in pairs]
        return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}

    late = sorted(figures.late_s)
    return {
        "renewals_per_s": of(figures.broker, "per_s"),
        "renewal_cpu_ms": of(figures.broker, "cpu_ms"),
        "renewal_bytes": of(figures.broker, "bytes"),
        "plain_per_s": of(figures.plain, "per_s"),
        "plain_cpu_ms": of(figures.plain, "cpu_ms"),
        "of_plain": to_plain("per_s"),
        "cpu_of_plain": to_plain("cpu_ms"),
        "login_cpu_ms": figures.login_cpu_ms,
        "login_syncs": figures.login_syncs,
        "idle_cores": figures.idle_cores,
        "late_p95_s": late[int(0.95 * (len(late) - 1))],
    }


def table(found: dict[str, Any]) -> str:
    """The same for people."""

    def of(name: str, digits: int = 1) -> str:
        value = found[name]
        return f"{value['median']:.{digits}f} ({value['min']:.{digits}f}..{value['max']:.{digits}f})"

    syncs = "not counted: no strace" if found["login_syncs"] is None else f"{found['login_syncs']:.1f}"
    return "\n".join(
        [
            "| what | the broker | a plain loop: send and store |",
            "|---|---|---|",
            f"| renewals a second, 64 in flight | {of('renewals_per_s', 0)} | {of('plain_per_s', 0)} |",
            f"| CPU each, ms | {of('renewal_cpu_ms', 2)} | {of('plain_cpu_ms', 2)} |",
            f"| of the plain loop's rate | {of('of_plain', 2)} | 1 |",
            f"| of the plain loop's CPU | {of('cpu_of_plain', 2)} | 1 |",
            f"| bytes that stay, each | {of('renewal_bytes', 0)} | – |",
            f"| a login: CPU, ms | {found['login_cpu_ms']:.1f} | – |",
            f"| a login: fsyncs | {syncs} | – |",
            f"| idle, share of a core | {100 * found['idle_cores']:.1f} % | – |",
            f"| late by the clock, p95 | {found['late_p95_s']:.1f} s | – |",
        ]
    )


def written(found: dict[str, Any], given: argparse.Namespace) -> str:
    """The section of the page: when, on what and how it was measured, and the table."""
    what = f"median (lowest..highest) of {given.rounds} rounds of {given.connections} renewals each"
    command = f"bench/renewals.py --connections {given.connections} --rounds {given.rounds}"
    today = [datetime.datetime.now(datetime.UTC).date()]
    return f"{heading(what, command=command, sources=SOURCES, days=today)}\n\n{table(found)}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--where", help="a folder on the disk to measure; the system's folder for temporary files")
    parser.add_argument("--write", type=Path, help="a page to write the table into, between its markers")
    given = parser.parse_args()
    found = told(measure(given))
    print(json.dumps(found, indent=1) if given.json else table(found))
    if given.write is not None:
        put(given.write, SECTION, written(found, given))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
