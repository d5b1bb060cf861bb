"""Connections of the driver, as the store wants them, and its errors.

Rule: whatever the driver raises becomes StoreUnavailable with SQLite's own name for it: never SQL, never a value.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from keyturn.core.errors import StoreUnavailable

_PRAGMAS: Final = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)
WRITER_PRAGMAS: Final = ("PRAGMA journal_mode=WAL", *_PRAGMAS)
READER_PRAGMAS: Final = (*_PRAGMAS, "PRAGMA query_only=ON")


def made_engine(path: Path, busy_timeout_s: float, *, pragmas: tuple[str, ...]) -> sa.Engine:
    """An engine whose connections begin with these pragmas, and begin no transaction by themselves."""
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=str(path)),
        # None: the driver begins nothing by itself; `_begin_immediate` does. A connection is closed by another thread.
        connect_args={"isolation_level": None, "timeout": busy_timeout_s, "check_same_thread": False},
        poolclass=sa.NullPool,
        hide_parameters=True,
        echo=False,
        query_cache_size=500,
    )

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    event.listen(engine, "connect", prepare)
    return engine


def driver_of(tx: sa.Connection) -> sqlite3.Connection:
    """The driver's connection under a transaction."""
    driver: sqlite3.Connection = tx.connection.driver_connection  # type: ignore[assignment]
    return driver


def run_text(tx: sa.Connection, text: str) -> None:
    """Run a statement of the transaction itself, which takes no values."""
    try:
        driver_of(tx).execute(text).close()
    except sqlite3.Error as error:
        raise raised_by_driver(error) from None


def raised_by_driver(error: sqlite3.Error) -> BaseException:
    """The error that SQLAlchemy would have raised, without statement or values in it."""
    return DBAPIError.instance("a statement", None, error, sqlite3.Error, hide_parameters=True)


def unavailable(error: SQLAlchemyError) -> StoreUnavailable:
    """What a caller is told of an error."""
    if isinstance(error, DBAPIError):
        name = getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__
    else:
        name = type(error).__name__
    return StoreUnavailable(f"the database can't be used: {name}")
