"""Rows that were set aside, as `keyturn doctor` names them and puts them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.migrating import HEAD
from keyturn.adapters.store.opening import database_path
from keyturn.adapters.store.rows.set_aside import SetAside, unpark_all
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.upkeep.check import Check, Grade
from keyturn.core.errors import StoreUnavailable
from keyturn.core.problems import PROBLEMS

MOST_NAMED: Final = 20
KINDS: Final = ("connection", "revocation")
_FIX: Final = {
    "connection": "Disconnect it, or have its person sign in again. Once it is mended: keyturn doctor --unpark.",
    "revocation": "It is given up when its time is over. Once it is mended: keyturn doctor --unpark.",
}


def look_at_rows(connection: sqlite3.Connection) -> Iterator[Check]:
    """Each row that is set aside by its id and the class of its error, the first of them; older tables have none."""
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    number = 0
    for kind in KINDS:
        table = f"{kind}s"
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if "parked_at" not in columns:
            return
        aside = f"FROM {table} WHERE parked_at IS NOT NULL"
        rows = connection.execute(
            f"SELECT id, parked_why {aside} ORDER BY parked_at, id LIMIT ?",
            (MOST_NAMED,),
        ).fetchall()
        for row_id, why in rows:
            yield Check(
                "rows",
                Grade.WARNING,
                f"The {kind} {row_id} is set aside: {why if why in PROBLEMS else 'unknown'}.",
                _FIX[kind],
            )
        more = connection.execute(f"SELECT count(*) {aside}").fetchone()[0] - len(rows)
        if more:
            yield Check("rows", Grade.WARNING, f"{more} more {kind}s are set aside.", _FIX[kind])
        number += len(rows)
    if not number:
        yield Check("rows", Grade.OK, "No row is set aside.")


async def put_back(settings: Settings) -> SetAside:
    """Let all that is set aside be tried again, of the database of these settings; a server may run.

    Raises:
        StoreUnavailable: there is no database of this release, or it can't be written.
        SettingsInvalid: the URL is of none.
    """
    path = database_path(settings.data, settings.database_url)
    if not path.is_file():
        raise StoreUnavailable("there is no database yet")
    database = Database(path)
    try:
        if (
            await database.read(lambda tx: tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
            != HEAD
        ):
            raise StoreUnavailable("the tables are of another release; the next start brings older ones up")
        return await database.write(unpark_all)
    finally:
        await database.close()
