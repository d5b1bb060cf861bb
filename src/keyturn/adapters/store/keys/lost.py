"""Giving up what a lost key had sealed.

Rule 1: nothing here opens anything; what is destroyed could not be opened any more.
Rule 2: the store's own keys go first, in one transaction with what hangs on them: accounts are hashed anew, the login
counts and stored replies that nobody can find any more go, and the audit log is chained anew at the next opening.
Rule 3: each later step is whole, so that it may be broken off and begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.audit_tables import audit_marks, audit_subjects
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import (
    AUDIT_KEY,
    FINGERPRINT,
    LOOKUP_KEY,
    REPLIES_KEY,
    StoreKeys,
    owner_of_store_key,
)
from keyturn.adapters.store.database.schema import connections, idempotency, logins, meta
from keyturn.adapters.store.database.wrapping_keys import wrapping_keys
from keyturn.adapters.store.keys.admission import current_key, row_of
from keyturn.adapters.store.keys.wrapped_columns import WRAPPED, WhenLost, WrappedColumn, count_by_key
from keyturn.adapters.store.rows.connection_row import PLAIN, columns_of, shown_in
from keyturn.adapters.store.rows.connection_seals import NO_PASSWORD
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, State
from keyturn.core.errors import KeyStateConflict, NotFound
from keyturn.ports.key_custody import KeyState, LostItem, LostParts
from keyturn.ports.keys import KeyRing

_c, _k = connections.c, wrapping_keys.c
_NO_TOKENS = {"data_key": None, "sealed_token_set": None, "sealed_fields": None, "sealed_fields_generation": None}


async def give_up_key(database: Database, ring: KeyRing, keys: DataKeys, key_id: str, now: float) -> None:
    """Mark a key as lost, make another current if it was, and make the store's own keys anew where it wrapped them.

    Raises:
        KeyStateConflict: the key is at hand, so nothing is lost.
        NotFound: neither the table nor any row knows such a key.
        KeyUnavailable: the key that takes its place can't be asked; nothing changed.
    """
    if key_id in ring.held():
        raise KeyStateConflict("this key is at hand: nothing that it sealed is lost")
    names = await database.read(lambda tx: _store_keys_under(tx, key_id))
    lookup = await keys.make(owner_of_store_key(LOOKUP_KEY))
    replies = await keys.make(owner_of_store_key(REPLIES_KEY))
    made = {LOOKUP_KEY: lookup, REPLIES_KEY: replies}
    fingerprint = ring.fingerprint().encode()

    def body(tx: sa.Connection) -> None:
        _mark_lost(tx, ring, key_id, fingerprint, now)
        for name in names:
            tx.execute(sa.delete(meta).where(meta.c.name == name))
            if name in made:
                tx.execute(sa.insert(meta).values(name=name, value=made[name].wrapped))
        if REPLIES_KEY in names or LOOKUP_KEY in names:
            tx.execute(sa.delete(idempotency))
        if LOOKUP_KEY in names:
            tx.execute(sa.delete(logins))
            _hash_anew(tx, StoreKeys(lookup, replies))
        if AUDIT_KEY in names:
            tx.execute(sa.delete(audit_marks))
            tx.execute(sa.update(audit_subjects).values(mac=None))

    await database.write(body)
    for name in (LOOKUP_KEY, REPLIES_KEY):
        keys.forget(owner_of_store_key(name))


def _empty(tx: sa.Connection, *, spoilt: Sequence[tuple[str, bool]]) -> None:
    """Take what was lost out of rows that can't be read: nobody could say in them what became of it."""
    for connection_id, tokens in spoilt:
        gone = NO_PASSWORD | (_NO_TOKENS if tokens else {})
        tx.execute(sa.update(connections).where(_c.id == connection_id).values(gone))


@dataclass(frozen=True, slots=True)
class SqlLostKeys:
    """Promises: the port's."""

    database: Database

    async def connections(self, key_id: str, *, limit: int) -> Sequence[LostParts]:
        """Some of those that are left."""
        both = [each for each in WRAPPED if each.lost is WhenLost.CONNECTION]
        tokens = next(each for each in both if each.column is _c.data_key)
        query: sa.Select[Any] = (
            sa.select(*PLAIN, tokens.named(key_id).label("lost_tokens"))
            .where(sa.or_(*(sa.and_(*each.rows(each.named(key_id))) for each in both)))
            .order_by(_c.id)
            .limit(limit)
        )
        while True:
            rows = await self.database.read(lambda tx: rows_of(tx, query))
            shown = [(shown_in(row), bool(row.lost_tokens)) for row in rows]
            spoilt = [(each.id, lost) for each, lost in shown if each.state is State.UNREADABLE]
            if spoilt:
                await self.database.write(partial(_empty, spoilt=spoilt))
            if not rows or len(spoilt) < len(rows):
                return tuple(LostParts(*each) for each in shown if each[0].state is not State.UNREADABLE)

    async def give_up(
        self, connection: Connection, *, tokens: bool, records: Sequence[AuditRecord] = ()
    ) -> Connection | None:
        """Write the connection without what was lost."""
        written = replace(connection, revision=connection.revision + 1)
        columns = columns_of(written) | NO_PASSWORD | (_NO_TOKENS if tokens else {})
        change = sa.update(connections).where(
            _c.id == connection.id, _c.project == connection.project, _c.revision == connection.revision
        )

        def body(tx: sa.Connection) -> Connection | None:
            if tx.execute(change.values(**columns)).rowcount != 1:
                return None
            add_records(tx, records)
            return written

        return await self.database.write(body)

    async def give_up_others(self, key_id: str, *, record: Callable[[LostItem], AuditRecord]) -> Mapping[str, int]:
        """Destroy the rest."""
        others = [each for each in WRAPPED if each.lost in (WhenLost.REMOVE, WhenLost.EMPTY)]
        counts = {each.place: await self._given_up(each, key_id, record) for each in others}
        await self.database.empty_journal()
        return {place: count for place, count in counts.items() if count}

    async def _given_up(self, column: WrappedColumn, key_id: str, record: Callable[[LostItem], AuditRecord]) -> int:
        table, rows = column.table, column.rows(column.named(key_id))
        sealed = [each.name for each in table.c if each.name.startswith("sealed_")]
        empty = dict.fromkeys((column.column.name, *sealed))

        def body(tx: sa.Connection) -> int:
            found = [_item(column, row) for row in tx.execute(sa.select(table).where(*rows))]
            gone = sa.delete(table).where(*rows)
            tx.execute(gone if column.lost is WhenLost.REMOVE else sa.update(table).where(*rows).values(**empty))
            add_records(tx, [record(each) for each in found])
            return len(found)

        return await self.database.write(body)


def _store_keys_under(tx: sa.Connection, key_id: str) -> set[str]:
    column = next(each for each in WRAPPED if each.lost is WhenLost.STORE)
    return set(tx.execute(sa.select(meta.c.name).where(*column.rows(column.named(key_id)))).scalars())


def _mark_lost(tx: sa.Connection, ring: KeyRing, key_id: str, fingerprint: bytes, now: float) -> None:
    known = tx.execute(sa.select(_k.state).where(_k.id == key_id)).scalar()
    if known is None and key_id not in count_by_key(tx):
        raise NotFound("there is no such key")
    unknown = {"id": key_id, "provider": "", "fingerprint": "", "added_at": now, "state": KeyState.LOST.value}
    tx.execute(insert(wrapping_keys).on_conflict_do_nothing(), unknown)
    was_current = current_key(tx) in (key_id, None)
    tx.execute(sa.update(wrapping_keys).where(_k.id == key_id).values(state=KeyState.LOST.value))
    if was_current:
        tx.execute(insert(wrapping_keys).on_conflict_do_nothing(), row_of(ring, KeyState.STANDBY, now))
        change = sa.update(wrapping_keys).where(_k.id == ring.key_id)
        tx.execute(change.values(state=KeyState.CURRENT.value, current_at=now))
        tx.execute(insert(meta).values(name=FINGERPRINT, value=fingerprint).on_conflict_do_update(
            index_elements=["name"], set_={"value": fingerprint}))  # fmt: skip


def _hash_anew(tx: sa.Connection, keys: StoreKeys) -> None:
    rows = tx.execute(sa.select(_c.id, _c.project, _c.connector, _c.owner, _c.unique_id)).all()
    for row in rows:
        unique_hash = keys.hash_of("unique id", row.project, row.connector, row.owner, row.unique_id)
        tx.execute(sa.update(connections).where(_c.id == row.id).values(unique_hash=unique_hash))


def _item(column: WrappedColumn, row: sa.Row[Any]) -> LostItem:
    members = row._mapping
    connector = members["id"] if column.table.name == "connectors" else members.get("connector")
    return LostItem(column.place, members["project"], connector, members.get("connection"))
