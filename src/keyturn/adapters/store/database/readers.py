"""Threads that read, each with a connection of its own, and how what they read comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from keyturn.adapters.store.database.driver import unavailable

Result = TypeVar("Result")
Body = Callable[[sa.Connection], Result]

READERS: Final = 4


@dataclass(slots=True, eq=False)
class _Read:
    body: Body[Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Readers:
    """The readers of one database; their threads and connections are made when they are needed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="keyturn-read")
        self._mine = threading.local()
        self._opened: list[sa.Connection] = []
        self._asked: list[_Read] = []  # since the loop's last turn

    async def run(self, body: Body[Result]) -> Result:
        """Run a function that only reads, by a thread that is free."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, body)

    async def run_soon(self, body: Body[Result]) -> Result:
        """Run a function that reads a row by its key.

        What is asked for in one turn of the loop is read by one thread, in one go: handing such a read over costs more
        than the read. Each fails alone.
        """
        loop = asyncio.get_running_loop()
        one = _Read(body, loop.create_future())
        if not self._asked:
            loop.call_soon(self._hand_over, loop)
        self._asked.append(one)
        result: Result = await one.done
        return result

    def successor(self) -> Readers:
        """Those of the same database once these are closed."""
        return Readers(self._engine)

    def close(self) -> None:
        """Wait for what is being read, then close their connections."""
        self._threads.shutdown()
        for connection in self._opened:
            connection.close()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._asked = self._asked, []
        try:
            self._threads.submit(self._read_each, asked, loop)
        except RuntimeError as error:  # they were closed within this turn
            for each in asked:
                tell(each.done, None, error)

    def _read_each(self, asked: list[_Read], loop: asyncio.AbstractEventLoop) -> None:
        for each in asked:
            try:
                each.result = self._read(each.body)
            except BaseException as error:  # noqa: BLE001  (whoever waits has to hear of it)
                each.error = error
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_tell, asked)

    def _read(self, body: Body[Result]) -> Result:
        try:
            connection: sa.Connection | None = getattr(self._mine, "connection", None)
            if connection is None:
                connection = self._mine.connection = self._engine.connect()
                self._opened.append(connection)
            try:
                return body(connection)
            finally:
                connection.rollback()
        except SQLAlchemyError as error:
            raise unavailable(error) from None


def tell(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Tell who waits how it ended, if somebody still does."""
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
        done.exception()  # read, so that one whose caller is gone is not reported as unread
    else:
        done.set_result(result)


def _tell(asked: list[_Read]) -> None:
    for each in asked:
        tell(each.done, each.result, each.error)
