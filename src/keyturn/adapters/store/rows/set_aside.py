"""Rows that can't be read, set aside until somebody writes them anew or they are tried again.

Rule 1: only what can't be read is set aside: a row that somebody mended meanwhile stays where it is.
Rule 2: why is the class of an error, never anything that stands in the row.
Rule 3: a release that did not run here before may read what the one before it could not: it tries all of them again.
Rule 4: setting aside and putting back move no revision: they are the scheduler's business, and no writer's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import PARKED, connections, meta, revocations
from keyturn.adapters.store.rows.connection_row import PLAIN, connection_in
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.core.connection import looked_at_next
from keyturn.core.errors import RowUnreadable

RELEASE: Final = "release"  # the row of `meta` that names the release that ran here last
_c = connections.c
NOT_PARKED: Final[dict[str, Any]] = {"parked_at": None, "parked_why": None}


@dataclass(frozen=True, slots=True)
class SetAside:
    """How many rows are set aside."""

    connections: int = 0
    revocations: int = 0


NOTHING_ASIDE: Final = SetAside()


def park_connection(
    tx: sa.Connection, connection_id: str, why: str, *, at: float, project: str, revision: int | None
) -> bool:
    """Set one aside; False where it is not there, or is not (any more) what it is set aside for."""
    # One whose project can't be read is found by its id alone, which no other has.
    mine = sa.and_(_c.id == connection_id, sa.or_(_c.project == project, sa.func.typeof(_c.project) != "text"))
    rows = rows_of(tx, sa.select(*PLAIN).where(mine))
    if not rows or (revision is not None and rows[0].revision != revision):
        return False
    if why == RowUnreadable.code and _reads(rows[0]):
        return False
    tx.execute(sa.update(connections).where(mine).values(look_at=None, parked_at=at, parked_why=why))
    # Where only the mark itself was damaged, this has mended it.
    return why != RowUnreadable.code or not unpark_connections(tx, connection_id)


def unpark_connections(tx: sa.Connection, connection_id: str | None) -> int:
    """Put back those that can be read now, one or all; returns how many."""
    aside = sa.select(*PLAIN, sa.literal_column("connections.rowid", sa.Integer).label("number"))
    aside = aside.where(sa.text(PARKED))
    if connection_id is not None:
        aside = aside.where(_c.id == connection_id)
    back = 0
    for row in rows_of(tx, aside):
        try:
            read = replace(connection_in(row), **NOT_PARKED)
        except RowUnreadable:
            continue
        number = sa.literal_column("rowid", sa.Integer) == row.number
        change = sa.update(connections).where(number).values(look_at=looked_at_next(read), **NOT_PARKED)
        back += tx.execute(change).rowcount
    return back


async def count_set_aside(database: Database) -> SetAside:
    """How many there are; StoreUnavailable."""
    return await database.read(set_aside_in)


def set_aside_in(tx: sa.Connection) -> SetAside:
    """The same, within a transaction."""
    return SetAside(*(tx.execute(_counted(each)).scalar_one() for each in (connections, revocations)))


def unpark_revocations(tx: sa.Connection, revocation_id: str | None) -> int:
    """Let one or all be tried again; returns how many."""
    change = sa.update(revocations).where(sa.text(PARKED)).values(**NOT_PARKED)
    if revocation_id is not None:
        change = change.where(revocations.c.id == revocation_id)
    return tx.execute(change).rowcount


def unpark_all(tx: sa.Connection) -> SetAside:
    """Let everything be tried again; returns how many were put back."""
    return SetAside(unpark_connections(tx, None), unpark_revocations(tx, None))


async def unpark_for_release(database: Database, release: str) -> None:
    """Let everything be tried again where this release has not run here before."""
    if await database.read(_release_in) != release:
        await database.write(lambda tx: _begin_release(tx, release))


def _release_in(tx: sa.Connection) -> str | None:
    found = tx.execute(sa.select(meta.c.value).where(meta.c.name == RELEASE)).scalar()
    return None if found is None else bytes(found).decode("utf-8", "replace")


def _begin_release(tx: sa.Connection, release: str) -> None:
    unpark_all(tx)
    row = insert(meta).values(name=RELEASE, value=release.encode())
    tx.execute(row.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": row.excluded.value}))


def _counted(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table).where(sa.text(PARKED))


def _reads(row: sa.Row[Any]) -> bool:
    try:
        connection_in(row)
    except RowUnreadable:
        return False
    return True
