"""Connections to the SQLite file, and the one way to read and write through them.

Rule 1: a write is one function that runs from begin to end without waiting for anything but the database: it is not a
coroutine, so it can't.
Rule 2: SQLite has one writer. So has a process: a thread with one connection. It takes all that waits, runs each write
in a savepoint of its own, so that one that fails rolls back alone, and commits once for all of them. Nobody waits for a
timer: what comes while it commits is the next batch.
Rule 3: a write that began is ended even if its caller is cancelled: nobody then has to guess.
Rule 4: readers have connections of their own that can't write, and wait for nobody (WAL).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from keyturn.adapters.store.database.driver import (
    READER_PRAGMAS,
    WRITER_PRAGMAS,
    driver_of,
    made_engine,
    run_text,
    unavailable,
)
from keyturn.adapters.store.database.readers import Readers, tell
from keyturn.core.errors import StoreUnavailable

Result = TypeVar("Result")
Body = Callable[[sa.Connection], Result]

BUSY_TIMEOUT_S: Final = 5.0
HURRIED_TIMEOUT_S: Final = 1.0  # at a stop, which has 40 s for all
AT_ONCE: Final = 256  # writes of one commit
BATCH: Final = "keyturn_batch"  # the execution option of a write transaction that has it


class Batch:
    """What the writes of one commit leave to its end: said once for all of them, in their order.

    `at_end`: called with the connection and all that was left, before the commit.
    """

    def __init__(self, at_end: Callable[[sa.Connection, Sequence[Any]], None] | None = None) -> None:
        self.at_end = at_end
        self.left: list[Any] = []

    def flush(self, tx: sa.Connection) -> None:
        """Write what was left so far."""
        left, self.left = self.left, []
        if not left:
            return
        if self.at_end is None:
            raise LookupError("nobody was named who writes what is left to the end")
        self.at_end(tx, left)


@dataclass(slots=True, eq=False)
class _Write:
    body: Body[Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Queue:
    """What waits for the writer, and whether it is to end."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: list[_Write] = field(default_factory=list)
    closing: bool = False


class Database:
    """One SQLite file."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Make the file if there is none, for its owner alone; SQLite gives its journals the same rights."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"the database file can't be opened: {os.strerror(error.errno or 0)}") from None
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._writer = made_engine(path, busy_timeout_s, pragmas=WRITER_PRAGMAS)
        event.listen(self._writer, "begin", _begin_immediate)
        self._readers = Readers(made_engine(path, busy_timeout_s, pragmas=READER_PRAGMAS))
        self._watching: sqlite3.Connection | None = None
        self._queue = _Queue()
        self._thread: threading.Thread | None = None
        self._woken = False
        self._under_way: set[asyncio.Future[Any]] = set()
        self._at_end: Callable[[sa.Connection, Sequence[Any]], None] | None = None

    def provide(self, at_end: Callable[[sa.Connection, Sequence[Any]], None]) -> None:
        """Have this write what the writes of one commit left to its end."""
        self._at_end = at_end

    def hurry(self) -> None:
        """Wait no longer than a second for other writers from now on: this process is about to end."""
        self._busy_timeout_s = min(self._busy_timeout_s, HURRIED_TIMEOUT_S)

    async def read(self, body: Body[Result]) -> Result:
        """Run a function that only reads."""
        return await self._readers.run(body)

    async def read_one(self, body: Body[Result]) -> Result:
        """Run a function that reads a row by its key; what one turn of the loop asks for so is read in one go."""
        return await self._readers.run_soon(body)

    async def read_together(self, body: Body[Result]) -> Result:
        """Run a function that only reads, all of it as of one moment."""

        def together(tx: sa.Connection) -> Result:
            tx.exec_driver_sql("BEGIN")
            try:
                return body(tx)
            finally:
                tx.exec_driver_sql("ROLLBACK")

        return await self.read(together)

    def version(self) -> int | None:
        """A number that is another one after every commit, of whatever process; None: that can't be told now.

        It is read from the journal's shared memory: asking often costs next to nothing and waits for nobody.
        """
        try:
            if self._watching is None:
                self._watching = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            return int(self._watching.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            self._watching, broken = None, self._watching
            if broken is not None:
                broken.close()
            return None

    async def write(self, body: Body[Result]) -> Result:
        """Run a function within a write transaction; what it raises rolls all of it back, and nothing else."""
        loop = asyncio.get_running_loop()
        one = _Write(body, loop.create_future(), loop)
        self._under_way.add(one.done)
        one.done.add_done_callback(self._under_way.discard)
        with self._queue.changed:
            self._queue.waiting.append(one)
        if not self._woken:  # at the end of this turn of the loop: what it brings together is written together
            self._woken = True
            loop.call_soon(self._wake)
        result: Result = await asyncio.shield(one.done)
        return result

    async def empty_journal(self) -> None:
        """Move what the journal holds into the database and cut it to nothing, so that no older page stays in it.

        A reader that is under way keeps it from that; then the next checkpoint does it.
        """
        await self.read(lambda tx: tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all())

    async def close(self) -> None:
        """Wait for the writes under way, then close every connection; whoever comes after that opens anew."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        # Taken away at once: what comes while the threads end must not be handed to them.
        queue, thread, watching = self._queue, self._thread, self._watching
        readers, self._readers = self._readers, self._readers.successor()
        self._queue, self._thread, self._watching = _Queue(), None, None
        if watching is not None:
            watching.close()
        await asyncio.to_thread(_end, queue, thread, readers)

    def _wake(self) -> None:
        self._woken = False
        if self._thread is None:
            writing = self._queue
            self._thread = threading.Thread(target=self._write_all, args=(writing,), name="keyturn-write", daemon=True)
            self._thread.start()
        with self._queue.changed:
            self._queue.changed.notify()

    def _write_all(self, queue: _Queue) -> None:
        """What the writer's thread does, until the database is closed."""
        connection: sa.Connection | None = None
        while True:
            with queue.changed:
                while not queue.waiting and not queue.closing:
                    queue.changed.wait()
                batch, queue.waiting = queue.waiting[:AT_ONCE], queue.waiting[AT_ONCE:]
            if not batch:
                break
            try:
                if connection is None:
                    connection = self._writer.connect()
                _wait_at_most(connection, self._busy_timeout_s)
                self._commit(connection, batch)
            except BaseException as error:  # noqa: BLE001  (whoever waits has to hear of it)
                for each in batch:
                    each.error = each.error or (unavailable(error) if isinstance(error, SQLAlchemyError) else error)
                _give_up(connection)
                connection = None
            _answer(batch)
        if connection is not None:
            connection.close()

    def _commit(self, connection: sa.Connection, batch: list[_Write]) -> None:
        """Run all of them in one transaction; raises where the transaction as a whole failed."""
        shared = Batch(self._at_end)
        connection.execution_options(**{BATCH: shared})
        transaction = connection.begin()
        try:
            if len(batch) > 1:
                for each in batch:
                    _run_apart(connection, each, shared)
            else:
                _run(connection, batch[0])
                if batch[0].error is not None:
                    transaction.rollback()
                    return
            shared.flush(connection)
            _must_be_open(connection)
            transaction.commit()
        except BaseException:
            with suppress(SQLAlchemyError):
                transaction.rollback()
            raise


def left_to_end(tx: sa.Connection, things: Sequence[Any]) -> None:
    """Leave these to the end of the commit."""
    tx.get_execution_options()[BATCH].left.extend(things)


def flush(tx: sa.Connection) -> None:
    """Write now what the writes before this one, and this one so far, left to the end."""
    tx.get_execution_options()[BATCH].flush(tx)


def _run(connection: sa.Connection, one: _Write) -> None:
    try:
        one.result = one.body(connection)
    except SQLAlchemyError as error:
        one.error = unavailable(error)
    except Exception as error:  # noqa: BLE001  (its caller's to hear)
        one.error = error


def _run_apart(connection: sa.Connection, one: _Write, shared: Batch) -> None:
    """Run one so that its failure takes nothing else back."""
    left, before = shared.left, len(shared.left)
    run_text(connection, "SAVEPOINT one")
    _run(connection, one)
    if one.error is not None:
        # Some failures end the transaction itself; then this raises, and all of the batch has failed.
        run_text(connection, "ROLLBACK TO one")
        del left[before:]
        shared.left = left  # if it wrote what the others had left, that was rolled back with it
    run_text(connection, "RELEASE one")


def _must_be_open(connection: sa.Connection) -> None:
    """Some failures end the transaction; where a function went on all the same, nothing was written or can be."""
    if not driver_of(connection).in_transaction:
        raise StoreUnavailable("the database can't be used: the transaction has ended")


def _answer(batch: list[_Write]) -> None:
    """Tell everybody how it ended: one wake-up for each loop, which is one."""
    for loop in {each.loop for each in batch}:
        theirs = [each for each in batch if each.loop is loop]
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, theirs)


def _tell(batch: list[_Write]) -> None:
    for each in batch:
        tell(each.done, each.result, each.error)


def _end(queue: _Queue, thread: threading.Thread | None, readers: Readers) -> None:
    if thread is not None:
        with queue.changed:
            queue.closing = True
            queue.changed.notify()
        thread.join()
    readers.close()


def _give_up(connection: sa.Connection | None) -> None:
    """Close a connection after a commit that failed: what state it is in is not known."""
    if connection is not None:
        try:
            connection.close()
        except SQLAlchemyError:
            connection.invalidate()


def _wait_at_most(connection: sa.Connection, seconds: float) -> None:
    """Say how long the next transaction waits for another's to end."""
    run_text(connection, f"PRAGMA busy_timeout={round(seconds * 1000)}")


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
