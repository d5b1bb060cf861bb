"""The tables of a fresh database without all the steps of Alembic, which take near half a second each time.

What the steps make of an empty database is read once per process; after that the same statements are said again, in
the transaction in which the steps would have run. A database with tables in it gets the steps themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import pytest
import sqlalchemy as sa

from keyturn.adapters.store import opening
from keyturn.adapters.store.database import migrating


@contextlib.contextmanager
def fresh_tables_at_once() -> Iterator[None]:
    """For the length of the block, stores are opened so in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "migrate", _migrate)
        yield


def _migrate(connection: sa.Connection) -> None:
    if sa.inspect(connection).get_table_names():
        migrating.migrate(connection)
        return
    for statement in _made_by_the_steps():
        connection.exec_driver_sql(statement)


@cache
def _made_by_the_steps() -> tuple[str, ...]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as made:
        migrating.migrate(made)
        driver = made.connection.dbapi_connection
        assert driver is not None
        said = [*driver.iterdump()]
    engine.dispose()
    return tuple(each for each in said if each not in ("BEGIN TRANSACTION;", "COMMIT;"))
