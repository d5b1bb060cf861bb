"""The limit that `renewals.py` compares with: send a refresh, store the answer, nothing else.

    python bench/plain_loop.py --ports 8801,8802 --count 1000 --database FILE

As many at once as the broker has places (8 a host). A request is on a new connection, and each answer is one durable
commit of one row in SQLite, as a program of a page would do it. Prints seconds, CPU and the bytes that stay, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import uvloop

AT_ONCE = 8


class Store:
    """One table, one writer."""

    def __init__(self, database: Path) -> None:
        self._database = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, answer BLOB, ends_at REAL)")
        self._writer = ThreadPoolExecutor(1)

    async def keep(self, account: str, answer: bytes) -> None:
        """Store an answer in the place of the one before, durably."""
        ends_at = time.time() + json.loads(answer)["expires_in"]
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, account, answer, ends_at)

    def _write(self, account: str, answer: bytes, ends_at: float) -> None:
        self._database.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", (account, answer, ends_at))


async def renew_all(ports: list[int], count: int, store: Store) -> None:
    """Spread over the hosts, `AT_ONCE` at each."""
    names = iter(range(count))

    async def one_place(session: aiohttp.ClientSession, port: int) -> None:
        for number in names:
            form = {"grant_type": "refresh_token", "refresh_token": f"rt-{'x' * 32}~p{number}"}
            async with session.post(f"http://127.0.0.1:{port}/token", data=form) as answer:
                await store.keep(f"p{number}", await answer.read())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0)) as session:
        await asyncio.gather(*(one_place(session, port) for port in ports for _ in range(AT_ONCE)))


def main() -> None:
    """Run, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True)
    given = parser.parse_args()
    store, before = Store(given.database), resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    uvloop.run(renew_all([int(port) for port in given.ports.split(",")], given.count, store))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"count": given.count, "seconds": time.monotonic() - began, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
