"""Connections to the SQLite file, and the one way to read and write through them.

Rule 1: a transaction is one function that runs from begin to commit without waiting for anything but the database: it
is not a coroutine, so it can't.
Rule 2: SQLite has one writer. So has a process: one connection, BEGIN IMMEDIATE, so that a write never fails half way
for want of the lock. Readers have connections of their own that can't write, and wait for nobody (WAL).
Rule 3: a write that began is ended even if its caller is cancelled: nobody then has to guess.
Rule 4: whatever the driver raises becomes StoreUnavailable with SQLite's own name for it: never SQL, never a value.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from keyturn.core.errors import StoreUnavailable

Result = TypeVar("Result")
Body = Callable[[sa.Connection], Result]

BUSY_TIMEOUT_S: Final = 5.0
READERS: Final = 4
_PRAGMAS: Final = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)
_WRITER_PRAGMAS: Final = ("PRAGMA journal_mode=WAL", *_PRAGMAS)
_READER_PRAGMAS: Final = (*_PRAGMAS, "PRAGMA query_only=ON")


class Database:
    """One SQLite file."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Make the file if there is none, for its owner alone; SQLite gives its journals the same rights."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"the database file can't be opened: {os.strerror(error.errno or 0)}") from None
        self.path = path
        self._writer = _engine(path, busy_timeout_s, size=1, pragmas=_WRITER_PRAGMAS)
        event.listen(self._writer.sync_engine, "begin", _begin_immediate)
        self._readers = _engine(path, busy_timeout_s, size=READERS, pragmas=_READER_PRAGMAS)
        self._under_way: set[asyncio.Task[Any]] = set()

    def provide(self, **things: Any) -> None:
        """Put things within reach of every write transaction: its connection's execution options hold them."""
        self._writer.sync_engine.update_execution_options(**things)

    async def read(self, body: Body[Result]) -> Result:
        """Run a function that only reads."""
        return await _mapped(self._read(body))

    async def write(self, body: Body[Result]) -> Result:
        """Run a function as one write transaction; what it raises rolls all of it back."""
        task = asyncio.ensure_future(_mapped(self._write(body)))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def empty_journal(self) -> None:
        """Move what the journal holds into the database and cut it to nothing, so that no older page stays in it.

        A reader that is under way keeps it from that; then the next checkpoint does it.
        """
        await self.read(lambda tx: tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all())

    async def close(self) -> None:
        """Wait for the writes under way, then close every connection."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._readers.dispose()
        await self._writer.dispose()

    async def _read(self, body: Body[Result]) -> Result:
        async with self._readers.connect() as connection:
            return await connection.run_sync(body)

    async def _write(self, body: Body[Result]) -> Result:
        async with self._writer.begin() as connection:
            return await connection.run_sync(body)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # read, so that one whose caller is gone is not reported as unread


def _engine(path: Path, busy_timeout_s: float, *, size: int, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        # None: the driver begins nothing by itself; `_begin_immediate` does.
        connect_args={"isolation_level": None, "timeout": busy_timeout_s},
        pool_size=size,
        max_overflow=0,
        pool_timeout=30.0,
        hide_parameters=True,
        echo=False,
        query_cache_size=500,
    )

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    return engine


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _mapped(work: Awaitable[Result]) -> Result:
    try:
        return await work
    except DBAPIError as error:
        name = getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__
        raise StoreUnavailable(f"the database can't be used: {name}") from None
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database can't be used: {type(error).__name__}") from None
