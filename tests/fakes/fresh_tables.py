"""The tables of a fresh database without all the steps of Alembic, which take near half a second each time.

What the steps make of an empty database is read once per process; after that the same statements are said again as one
script, in a transaction as the steps would have had. A database with tables in it gets the steps themselves.
Statements of SQLAlchemy that one store has compiled are not compiled again for the next: that is most of what a short
test of a store would do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from keyturn.adapters.store import opening
from keyturn.adapters.store.database import driver, engine, migrating

_COMPILED: Final[dict[Any, Any]] = {}
_DIALECT: Final[list[sa.Dialect]] = []
_own_engine = driver.made_engine


@contextlib.contextmanager
def fresh_tables_at_once() -> Iterator[None]:
    """For the length of the block, stores are opened so in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "migrate", _migrate)
        patch.setattr(engine, "made_engine", _engine)
        yield


def _migrate(connection: sa.Connection) -> None:
    if sa.inspect(connection).get_table_names():
        migrating.migrate(connection)
        return
    driver: Any = connection.connection.dbapi_connection
    # A script ends the transaction that is open; this one begins the next, which the writer's own commit ends.
    driver.executescript(f"BEGIN IMMEDIATE;\n{_made_by_the_steps()}")


def _engine(path: Path, busy_timeout_s: float, **kinds: Any) -> sa.Engine:
    made = _own_engine(path, busy_timeout_s, **kinds)
    made.update_execution_options(compiled_cache=_COMPILED)
    if not _DIALECT:
        _DIALECT.append(made.dialect)
    made.dialect = _DIALECT[0]  # the cache's keys hold it; the first engine's connects first, and learns
    return made


@cache
def _made_by_the_steps() -> str:
    memory = sa.create_engine("sqlite://")
    with memory.begin() as made:
        migrating.migrate(made)
        driver = made.connection.dbapi_connection
        assert driver is not None
        said = [*driver.iterdump()]
    memory.dispose()
    return "\n".join(each for each in said if each not in ("BEGIN TRANSACTION;", "COMMIT;"))
