"""Revocations that are due or will be.

Rule 1: a revocation of a connection is sealed under the connection's data key, whose wrapped form its row copies: so it
can be written while the key provider is gone, and outlives the connection's own secrets. Its place binds it to its row.
Rule 2: one that belongs to no connection has a data key of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import revocations
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals, object_of
from keyturn.adapters.store.rows.plain_columns import json_of, texts_in
from keyturn.adapters.store.rows.token_sets import parts_of, token_set_from
from keyturn.core.audit_record import AuditRecord
from keyturn.core.revocation import Revocation, RevocationCause

_c = revocations.c


def add_revocations(tx: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add sealed revocations to a write's transaction; one that is there already stays as it is."""
    if rows:
        tx.execute(insert(revocations).on_conflict_do_nothing(), rows)


class SqlRevocationStore:
    """Promises: the port's."""

    def __init__(self, database: Database, keys: DataKeys, seals: ConnectionSeals) -> None:
        self._database = database
        self._keys = keys
        self._seals = seals

    async def sealed(self, revocation: Revocation) -> dict[str, Any]:
        """Seal one for `add_revocations`."""
        owner, key = f"revocation:{revocation.id}", None
        if revocation.connection is not None:
            key = await self._seals.data_key(revocation.connection, revocation.project)
        if revocation.connection is not None and key is not None:
            owner = object_of(revocation.connection)
        else:
            key = await self._keys.make(KeyOwner(revocation.project, owner))
        wrapped = await self._keys.wrapped_now(KeyOwner(revocation.project, owner), key)
        content = {"token_set": parts_of(revocation.token_set), "values": revocation.values}
        return {
            "id": revocation.id,
            "project": revocation.project,
            "connector": revocation.connector,
            "connector_version": revocation.connector_version,
            "cause": revocation.cause.value,
            "give_up_at": revocation.give_up_at,
            "connection": revocation.connection,
            "hosts": json_of(revocation.hosts),
            "key_owner": owner,
            "data_key": wrapped,
            "sealed_tokens": key.seal(_place(revocation.id, revocation.project), encoded(content)),
        } | _progress(revocation)

    async def add(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one that belongs to no write of a connection."""
        row = await self.sealed(revocation)

        def body(tx: sa.Connection) -> None:
            add_revocations(tx, [row])
            add_records(tx, records)

        await self._database.write(body)

    async def due(self, now: float, *, limit: int) -> Sequence[Revocation]:
        """Those to try now, oldest first."""
        return await self._found(sa.select(revocations).where(_c.due_at <= now).limit(limit))

    async def of_connection(self, connection_id: str) -> Sequence[Revocation]:
        """Those still open of one connection."""
        return await self._found(sa.select(revocations).where(_c.connection == connection_id))

    async def save(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Write tries, done, due time and error of a later try; of one that is gone, nothing."""
        change = sa.update(revocations).where(_c.id == revocation.id).values(**_progress(revocation))
        await self._changed(change, records)

    async def remove(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """Done or given up."""
        await self._changed(sa.delete(revocations).where(_c.id == revocation_id), records)

    async def _changed(self, change: sa.Update | sa.Delete, records: Sequence[AuditRecord]) -> None:
        def body(tx: sa.Connection) -> None:
            tx.execute(change)
            add_records(tx, records)

        await self._database.write(body)

    async def _found(self, query: sa.Select[Any]) -> Sequence[Revocation]:
        rows = await self._database.read(lambda tx: tx.execute(query.order_by(_c.due_at, _c.id)).all())
        return tuple([await self._opened(row) for row in rows])

    async def _opened(self, row: sa.Row[Any]) -> Revocation:
        key = await self._keys.obtain(KeyOwner(row.project, row.key_owner), row.data_key)
        content = decoded(key.unseal(_place(row.id, row.project), row.sealed_tokens))
        return Revocation(
            id=row.id,
            connector=row.connector,
            connector_version=row.connector_version,
            cause=RevocationCause(row.cause),
            due_at=row.due_at,
            give_up_at=row.give_up_at,
            token_set=token_set_from(content["token_set"]),
            connection=row.connection,
            hosts=texts_in(row.hosts),
            tries=row.tries,
            done=texts_in(row.done),
            last_error=row.last_error,
            values=content["values"],
            project=row.project,
        )


def _place(revocation_id: str, project: str) -> Place:
    return Place(project, f"revocation:{revocation_id}", "tokens")


def _progress(revocation: Revocation) -> dict[str, Any]:
    return {
        "due_at": revocation.due_at,
        "tries": revocation.tries,
        "done": json_of(revocation.done),
        "last_error": revocation.last_error,
    }
