"""Connections, and what follows from writing one.

Rule 1: everything is sealed before the transaction begins; the transaction itself is a compare-and-set on the revision,
the records, the revocations, and nothing that could wait.
Rule 2: one account is one connection, by a unique index; who comes second is told who was first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.adapters.store.database.observing_tables import connection_calls
from keyturn.adapters.store.database.overview_indexes import PLAINLY_ACTIVE
from keyturn.adapters.store.database.prepared import Prepared
from keyturn.adapters.store.database.schema import NOT_ENDED, connections
from keyturn.adapters.store.lease_holder import Host
from keyturn.adapters.store.looks import find_due, move_looks
from keyturn.adapters.store.revocations import SqlRevocationStore, add_revocations
from keyturn.adapters.store.rows.call_hours import ADD_CALLS, call_rows
from keyturn.adapters.store.rows.connection_conditions import conditions_of
from keyturn.adapters.store.rows.connection_row import PLAIN, WITH_SEALED, columns_of, connection_in, shown_in
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.adapters.store.rows.set_aside import NOT_PARKED, park_connection, unpark_connections
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import ENDED, Connection, ConnectionSecrets, State
from keyturn.core.errors import StoreUnavailable
from keyturn.core.revocation import Revocation
from keyturn.ports.store import (
    NOTHING_SEALED,
    ConnectionFilter,
    Due,
    DuplicateAccount,
    Page,
    RevisionConflict,
    SealedChange,
    Use,
)

PURGED_AT_ONCE: Final = 5000
_c = connections.c
_BY_ID: Final = sa.and_(_c.id == sa.bindparam("which"), _c.project == sa.bindparam("of_project"))
_LOAD: Final = Prepared(sa.select(*PLAIN).where(_BY_ID))
_OPEN: Final = Prepared(sa.select(*WITH_SEALED).where(_BY_ID))
_REVISION: Final = sa.select(_c.revision).where(_BY_ID)
_ACCOUNT: Final = (
    sa.select(_c.id)
    .where(_c.project == sa.bindparam("of_project"), _c.connector == sa.bindparam("of_connector"))
    .where(_c.owner == sa.bindparam("of_owner"), _c.unique_hash == sa.bindparam("of_account"))
    .where(sa.text(f"is_unique = 1 AND {NOT_ENDED}"))
)


def _later(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The greater of what is stored and what is written: a note of use, which moves no revision, is never undone."""
    new = sa.bindparam(column.name, type_=column.type)
    return sa.func.max(sa.func.coalesce(column, new), sa.func.coalesce(new, column))


_LATER: Final = {column.name: _later(column) for column in (_c.last_used_at, _c.worked_generation)}
# Who writes says what the state is, never since when: that moves with state and reason, and with nothing else.
_SINCE: Final = sa.case(
    (
        sa.and_(_c.state == sa.bindparam("state"), _c.reason.is_not_distinct_from(sa.bindparam("reason"))),
        _c.state_since,
    ),
    else_=sa.bindparam("updated_at"),
)
_STATES: Final = frozenset(each.value for each in State)
_NO_LEASE: Final = {"lease_holder": None, "lease_until": None}
_NOTE_USE: Final = sa.update(connections).where(_c.id == sa.bindparam("which")).values(_LATER)


class SqlConnectionStore:
    """Promises: the port's."""

    def __init__(
        self,
        database: Database,
        store_keys: StoreKeys,
        seals: ConnectionSeals,
        revocations: SqlRevocationStore,
        host: Host,
    ) -> None:
        self._database = database
        self._store_keys = store_keys
        self._seals = seals
        self._revocations = revocations
        self._host = host

    async def insert(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Add a connection."""
        columns = self._columns(connection) | await self._seals.new_columns(connection, secrets)

        def body(tx: sa.Connection) -> Connection:
            tx.execute(sa.insert(connections), columns)
            add_records(tx, records)
            return connection

        return await self._written(connection, columns["unique_hash"], body, new=True)

    async def load(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read without opening anything sealed."""
        row = await self._row(_LOAD, connection_id, project)
        return None if row is None else connection_in(row)

    async def shown(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read as a list does."""
        row = await self._row(_LOAD, connection_id, project)
        return None if row is None else shown_in(row)

    async def open(
        self, connection_id: str, *, project: str = "default"
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """Read and unseal."""
        row = await self._row(_OPEN, connection_id, project)
        if row is None:
            return None
        connection = connection_in(row)
        return connection, await self._seals.opened(connection, row)

    async def save(
        self,
        connection: Connection,
        *,
        sealed: SealedChange = NOTHING_SEALED,
        records: Sequence[AuditRecord] = (),
        revocations: Sequence[Revocation] = (),
    ) -> Connection:
        """Write over the row that has this revision."""
        written = replace(connection, revision=connection.revision + 1, **NOT_PARKED)
        to_revoke = [await self._revocations.sealed(each) for each in revocations]
        columns = self._columns(written) | await self._seals.changed_columns(connection, sealed)
        if connection.intent is None:
            columns |= {"lease_holder": None, "lease_until": None}  # what it was held for is over
        change = (
            sa.update(connections)
            .where(_BY_ID, _c.revision == sa.bindparam("of_revision"))
            .values({name: sa.bindparam(name) for name in columns} | _LATER | {"state_since": _SINCE})
            .returning(_c.last_used_at, _c.worked_generation, _c.state_since)
        )
        values = columns | {
            "which": connection.id, "of_project": connection.project, "of_revision": connection.revision
        }  # fmt: skip

        def body(tx: sa.Connection) -> Connection:
            if "sealed_token_set" not in columns:
                _refuse_other_generation(tx, connection)
            kept = tx.execute(change, values).one_or_none()
            if kept is None:
                raise RevisionConflict("the connection was written by another")
            add_records(tx, records)
            add_revocations(tx, to_revoke)
            return replace(
                written, last_used_at=kept.last_used_at, worked_generation=kept.worked_generation,
                state_since=kept.state_since,
            )  # fmt: skip

        return await self._written(connection, columns["unique_hash"], body)

    async def mend(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Write anew over a row that can't be read."""
        written = replace(connection, revision=connection.revision + 1, **NOT_PARKED)
        columns = self._columns(written) | _NO_LEASE | await self._seals.new_columns(written, secrets)
        values = {"which": connection.id, "of_project": connection.project}
        # Its state can't be compared with what stood there: since now.
        columns["state_since"] = written.updated_at

        def body(tx: sa.Connection) -> Connection:
            found = rows_of(tx, _LOAD, values)
            if not found or shown_in(found[0]).state is not State.UNREADABLE:
                raise RevisionConflict("the connection was written by another")
            tx.execute(sa.update(connections).where(_BY_ID).values(columns), values)
            add_records(tx, records)
            return replace(written, state_since=written.updated_at)

        return await self._written(connection, columns["unique_hash"], body)

    async def park(
        self, connection_id: str, why: str, *, at: float, project: str = "default", revision: int | None = None
    ) -> bool:
        """Set a row aside that can't be read or opened."""
        return await self._database.write(
            lambda tx: park_connection(tx, connection_id, why, at=at, project=project, revision=revision)
        )

    async def unpark(self, connection_id: str | None = None) -> int:
        """Try those that are set aside again."""
        return await self._database.write(lambda tx: unpark_connections(tx, connection_id))

    async def find_account(self, connector: str, owner: str, unique_id: str, *, project: str = "default") -> str | None:
        """The id of the connection, not ended and `unique`, that has this account."""
        values = _account(project, connector, owner, self._account_hash(project, connector, owner, unique_id))
        return await self._database.read(lambda tx: tx.execute(_ACCOUNT, values).scalar())

    async def list(self, which: ConnectionFilter, *, cursor: str | None, limit: int, project: str = "default") -> Page:
        """List without opening anything sealed."""
        query = sa.select(*PLAIN).where(_c.project == project, *conditions_of(which))
        if cursor is not None:
            position = position_in(cursor, "connections", float, str)
            query = query.where(sa.tuple_(_c.created_at, _c.id) < sa.tuple_(*position))
        query = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit + 1)
        rows = await self._database.read(lambda tx: rows_of(tx, query))
        items = tuple(shown_in(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items, cursor_of("connections", float(items[-1].created_at), items[-1].id) if more else None)

    async def count(self, which: ConnectionFilter, *, project: str = "default") -> int:
        """How many of them there are."""
        query = sa.select(sa.func.count()).select_from(connections).where(_c.project == project, *conditions_of(which))
        return await self._database.read(lambda tx: tx.execute(query).scalar_one())

    async def looks(self, now: float, *, room: Mapping[str, int], most: int, limit: int) -> Sequence[Due]:
        """Rows that are to be looked at."""
        return await find_due(self._database, self._host, now, room=room, most=most, limit=limit)

    async def move_looks(self, moves: Mapping[str, tuple[int, float]], *, due_by: float) -> None:
        """Look at these later."""
        await move_looks(self._database, moves, due_by=due_by)

    async def counts(self, *, project: str = "default") -> dict[tuple[str, State], int]:
        """How many connections each connector has in each state."""
        query = (
            sa.select(_c.connector, _c.state, sa.func.count())
            .where(_c.project == project)
            .group_by(_c.connector, _c.state)
        )
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        counted: Counter[tuple[str, State]] = Counter()
        for connector, state, number in rows:
            counted[connector, State(state) if state in _STATES else State.UNREADABLE] += number
        return dict(counted)

    async def active_versions(self, *, project: str = "default") -> Sequence[tuple[str, int]]:
        """The versions of connectors that connections shown as active are on."""
        query = (
            sa.select(_c.connector, _c.connector_version)
            .where(_c.project == project, sa.text(PLAINLY_ACTIVE))
            .distinct()
            .order_by(_c.connector, _c.connector_version)
        )
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple((row.connector, row.connector_version) for row in rows)

    async def versions(self, connector: str, *, project: str = "default") -> dict[int, int]:
        """How many connections of a connector, not ended, are on each of its versions."""
        query = (
            sa.select(_c.connector_version, sa.func.count())
            .where(_c.project == project, _c.connector == connector, _c.state.not_in([each.value for each in ENDED]))
            .group_by(_c.connector_version)
        )
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return {int(version): int(number) for version, number in rows}

    async def note_uses(self, uses: Mapping[str, Use]) -> None:
        """Note by connection id when it was last called."""
        notes = [
            {"which": connection_id, "last_used_at": use.at, "worked_generation": use.worked_generation}
            for connection_id, use in uses.items()
        ]
        calls = call_rows(uses)

        def body(tx: sa.Connection) -> None:
            tx.execute(_NOTE_USE, notes)
            if calls:
                tx.execute(ADD_CALLS, calls)

        if notes:
            await self._database.write(body)

    async def purge(self, *, disconnected_before: float) -> int:
        """Take older tombstones away."""
        old = sa.delete(connections).where(
            _c.state == State.DISCONNECTED.value, _c.disconnected_at < disconnected_before
        )
        await self._purge_hours(disconnected_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)

    async def _purge_hours(self, before: float) -> None:
        """A part at a time, and found by a reader: a connection has seven hundred hours, and no writer waits for all.

        The oldest were added first, so that each part is found where the table begins.
        """
        number, too_old = sa.literal_column("rowid", sa.Integer), connection_calls.c.begins_at < before
        some = sa.select(number).select_from(connection_calls).where(too_old).order_by(number).limit(PURGED_AT_ONCE)
        while found := await self._database.read(lambda tx: tx.execute(some).scalars().all()):
            # Asked once more: a number may stand for a newer hour by now.
            gone = sa.delete(connection_calls).where(number.in_(found), too_old)
            await self._database.write(partial(_run, statement=gone))

    async def _row(self, query: Prepared, connection_id: str, project: str) -> sa.Row[Any] | None:
        values = _of(connection_id, project)
        found = await self._database.read_one(lambda tx: rows_of(tx, query, values))
        return found[0] if found else None

    async def _written(
        self, connection: Connection, account: bytes, body: Callable[[sa.Connection], Connection], *, new: bool = False
    ) -> Connection:
        values = _account(connection.project, connection.connector, connection.owner, account)

        def guarded(tx: sa.Connection) -> Connection:
            try:
                return body(tx)
            except IntegrityError as error:
                other = tx.execute(_ACCOUNT, values).scalar()
                if other is not None and other != connection.id:
                    raise DuplicateAccount(other) from None
                stored = tx.execute(_REVISION, _of(connection.id, connection.project)).scalar()
                if stored is not None and (new or stored != connection.revision):
                    raise RevisionConflict("the connection was written by another") from None
                # Anything else is a database that does not do as it should, and no word of another writer.
                name = getattr(error.orig, "sqlite_errorname", None) or "SQLITE_CONSTRAINT"
                raise StoreUnavailable(f"the database can't be used: {name}") from None

        return await self._database.write(guarded)

    def _columns(self, connection: Connection) -> dict[str, Any]:
        where = (connection.project, connection.connector, connection.owner, connection.unique_id)
        return columns_of(connection) | {"unique_hash": self._account_hash(*where)}

    def _account_hash(self, project: str, connector: str, owner: str, unique_id: str) -> bytes:
        return self._store_keys.hash_of("unique id", project, connector, owner, unique_id)


def _of(connection_id: str, project: str) -> dict[str, Any]:
    return {"which": connection_id, "of_project": project}


def _account(project: str, connector: str, owner: str, account: bytes) -> dict[str, Any]:
    return {"of_project": project, "of_connector": connector, "of_owner": owner, "of_account": account}


def _run(tx: sa.Connection, *, statement: sa.Executable) -> None:
    tx.execute(statement)


def _refuse_other_generation(tx: sa.Connection, connection: Connection) -> None:
    """A token set opens only at the generation that it was sealed for: that can't move without it."""
    keeps = _c.sealed_token_set.is_not(None)
    stored = sa.select(_c.generation).where(_BY_ID, _c.revision == connection.revision, keeps)
    found = tx.execute(stored, {"which": connection.id, "of_project": connection.project}).scalar()
    if found is not None and found != connection.generation:
        raise ValueError("a new generation needs its token set")
