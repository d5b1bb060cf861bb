"""What a restore writes into the copy of the back-up, in one transaction.

Rule 1: rows go over as they are, column by column: nothing sealed is opened for it.
Rule 2: a row that the database refuses is that row's trouble: it is marked as unknown, or left out.
Rule 3: what works once does not work again: challenges, links and sign-ins of the back-up are gone, and so are leases
and claims of processes that no longer run.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.backup.making import opened
from keyturn.adapters.store.backup.merging import Fate, Ground, Lineage
from keyturn.adapters.store.database.schema import (
    NOT_ENDED,
    connections,
    connector_versions,
    connectors,
    logins,
    revocations,
)
from keyturn.core.connection import Connection

ATTEMPT: Final = "restored"
_USED_ONCE: Final = ("challenges", "sign_in_links", "console_sessions", "leases", "processes")
_MARK: Final = (
    "UPDATE connections SET intent_kind = 'refresh', intent_generation = generation, intent_attempt = ?,"  # noqa: S608
    " intent_sent_at = ?, intent_tries = 1, intent_last_resort = NULL, revision = revision + 1 WHERE rowid = ?"
    f" AND refreshable = 1 AND (intent_kind IS NULL OR intent_generation <> generation) AND {NOT_ENDED}"
)
_CLEAN: Final = (
    "UPDATE connections SET lease_holder = NULL, lease_until = NULL",
    "UPDATE revocations SET claim = NULL, claim_until = NULL",
    "DELETE FROM sessions WHERE state IN ('open', 'claimed')",
)
_UPDATES: Final = frozenset({Fate.TAKEN_OVER, Fate.OPEN_THERE, Fate.ENDED})
_INSERTS: Final = frozenset({Fate.CREATED, Fate.ENDED})


@dataclass(frozen=True, slots=True)
class Change:
    """A connection's fate, and the numbers of its rows: in the back-up, and in the replaced database.

    `connection`: of one that ended, as the row says that is kept longest.
    """

    fate: Fate
    here: int | None = None
    there: int | None = None
    connection: Connection | None = None


def _names(table: sa.Table) -> str:
    return ", ".join(f'"{each.name}"' for each in table.c)


_COLUMNS: Final = _names(connections)
_TAKE: Final = (
    f"UPDATE connections SET ({_COLUMNS}) = "  # noqa: S608 - names of columns
    f"(SELECT {_COLUMNS} FROM there.connections WHERE rowid = ?) WHERE rowid = ?"
)
_ADD: Final = f"INSERT INTO connections ({_COLUMNS}) SELECT {_COLUMNS} FROM there.connections WHERE rowid = ?"  # noqa: S608
# The versions that connections and revocations are on, and which the back-up does not have.
_MISSING: Final = (
    "SELECT DISTINCT project, connector, connector_version FROM "
    "(SELECT project, connector, connector_version FROM connections"
    " UNION SELECT project, connector, connector_version FROM revocations) AS used WHERE NOT EXISTS "
    "(SELECT 1 FROM connector_versions AS v WHERE v.project = used.project AND v.connector = used.connector"
    " AND v.version = used.connector_version)"
)
_NEWEST: Final = (
    "UPDATE connectors SET latest_version = (SELECT max(version) FROM connector_versions AS v"
    " WHERE v.project = connectors.project AND v.connector = connectors.id)"
    " WHERE latest_version < (SELECT max(version) FROM connector_versions AS v"
    " WHERE v.project = connectors.project AND v.connector = connectors.id)"
)


def write_changes(
    here: Path, there: Path | None, changes: Sequence[Change], ground: Ground | None, made_at: float
) -> tuple[Mapping[Fate, int], int]:
    """Write what was decided; returns how many connections had each fate, and how many API keys are good.

    Args:
        here: the copy of the back-up, of this release's schema.
        there: the copy of the replaced database, likewise; None: it is compared with nothing.
        changes: one for each connection.
        ground: what the decisions went by.
        made_at: when the back-up was made, Unix seconds.

    Raises:
        sqlite3.Error: the copy of the back-up can't be written.
    """
    connection = opened(here)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA secure_delete=ON")
        if there is not None:
            connection.execute("ATTACH ? AS there", (f"{there.absolute().as_uri()}?mode=rw",))
        connection.execute("BEGIN IMMEDIATE")
        counts = _connections(connection, changes, made_at)
        if there is not None and ground is not None and ground.lineage is not Lineage.OLDER:
            _revocations(connection, settled=ground.whole and ground.lineage is Lineage.CONTINUES)
            _logins(connection)
            _versions(connection)
        for statement in (*_CLEAN, *(f"DELETE FROM {each}" for each in _USED_ONCE)):  # noqa: S608 - names of tables
            connection.execute(statement)
        keys: int = connection.execute("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").fetchone()[0]
        connection.execute("COMMIT")
    finally:
        connection.close()
    return counts, keys


def _connections(connection: sqlite3.Connection, changes: Sequence[Change], made_at: float) -> Counter[Fate]:
    counts: Counter[Fate] = Counter()
    # What ended gives its account free before another connection of that account is written.
    for change in sorted(changes, key=lambda each: each.fate not in (Fate.GONE, Fate.ENDED)):
        counts[_written(connection, change, made_at)] += 1
    return counts


def _written(connection: sqlite3.Connection, change: Change, made_at: float) -> Fate:
    """Write one; returns its fate, another one if the database refused the row."""
    fate = change.fate
    if fate is Fate.GONE:
        connection.execute("DELETE FROM connections WHERE rowid = ?", (change.here,))
    elif change.here is None and fate in _INSERTS:
        return fate if _tried(connection, _ADD, (change.there,)) else Fate.LEFT_OUT
    elif fate in _UPDATES and not _tried(connection, _TAKE, (change.there, change.here)):
        fate = Fate.UNKNOWN
    if fate is Fate.UNKNOWN:
        connection.execute(_MARK, (ATTEMPT, made_at, change.here))
    return fate


def _revocations(connection: sqlite3.Connection, *, settled: bool) -> None:
    """Owe what the replaced database owes. `settled`: what it no longer has was done or given up."""
    columns = _names(revocations)
    found, whole = _listed(connection, "SELECT rowid, id FROM there.revocations")
    for number, name in found:
        old = connection.execute("SELECT rowid FROM revocations WHERE id = ?", (name,)).fetchone()
        select = f"SELECT {columns} FROM there.revocations WHERE rowid = ?"  # noqa: S608 - names of columns
        if old is None:
            _tried(connection, f"INSERT INTO revocations ({columns}) {select}", (number,))
        else:
            update = f"UPDATE revocations SET ({columns}) = ({select}) WHERE rowid = ?"  # noqa: S608
            _tried(connection, update, (number, old[0]))
    if settled and whole:
        connection.execute("DELETE FROM revocations WHERE id NOT IN (SELECT id FROM there.revocations)")


def _logins(connection: sqlite3.Connection) -> None:
    """Count the logins that were made since: what an account may have is the provider's limit."""
    columns = _names(logins)
    _tried(
        connection,
        f"INSERT OR REPLACE INTO logins ({columns}) SELECT {columns} FROM there.logins",  # noqa: S608
        (),
    )


def _versions(connection: sqlite3.Connection) -> None:
    """Bring along the connector versions that are needed, and their connectors."""
    missing = connection.execute(_MISSING).fetchall()
    for project, connector, version in missing:
        for table, name, key in (
            (connectors, "id", (project, connector)),
            (connector_versions, "connector", (project, connector, version)),
        ):
            columns, at_version = _names(table), " AND version = ?" if len(key) > len("pc") else ""
            statement = (
                f"INSERT OR IGNORE INTO {table.name} ({columns}) SELECT {columns} FROM there.{table.name}"  # noqa: S608
                f" WHERE project = ? AND {name} = ?{at_version}"
            )
            _tried(connection, statement, key)
    if missing:
        connection.execute(_NEWEST)


def _listed(connection: sqlite3.Connection, query: str) -> tuple[list[tuple[int, object]], bool]:
    """All rows of a query that can be read, and whether that is all of them."""
    found = []
    try:
        for row in connection.execute(query):
            found.append(row)
    except sqlite3.Error:
        return found, False
    return found, True


def _tried(connection: sqlite3.Connection, statement: str, values: Iterable[object]) -> bool:
    """Run a statement that changes nothing if it fails."""
    try:
        return connection.execute(statement, tuple(values)).rowcount > 0
    except sqlite3.DatabaseError:
        return False
