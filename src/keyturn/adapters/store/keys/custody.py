"""Wrapping keys: their states, and moving what one wraps to another.

Rule 1: states change in one transaction with the audit records that tell of it.
Rule 2: a data key is rewrapped outside any transaction, and written where the row still has the form that was read.
Rule 3: a key is retired in the transaction that counts what it wraps, and no spill file may need it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import DataKeys, KeyClass
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import BACKUP_MADE_AT, FINGERPRINT, LOOKUP_KEY, owner_of_store_key
from keyturn.adapters.store.database.schema import connections, meta
from keyturn.adapters.store.database.wrapping_keys import wrapping_keys
from keyturn.adapters.store.keys.admission import current_key, row_of
from keyturn.adapters.store.keys.wrapped_columns import PLACES, WrappedColumn, count_by_key, count_of
from keyturn.adapters.store.rows.connection_row import PLAIN, shown_in
from keyturn.adapters.store.rows.connection_seals import NO_PASSWORD
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.adapters.store.spill import FileSpill
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyInUse, KeyStateConflict, NotFound, SealBroken, WrongKey
from keyturn.ports.key_custody import KeyStanding, KeyState, Rewrapped
from keyturn.ports.keys import KeyRing

ASKED_AT_ONCE: Final = 8  # data keys at a key service
_PROOF: Final = (b"keyturn: is the key there?" + bytes(6))[:32]
_NAMING: Final = frozenset({"project", "name", "key_owner"})  # what says whose a data key is, beside a row's own key
_k = wrapping_keys.c


class SqlKeyCustody:
    """Promises: the port's."""

    def __init__(self, database: Database, ring: KeyRing, keys: DataKeys, spill: FileSpill) -> None:
        self._database = database
        self._ring = ring
        self._keys = keys
        self._spill = spill

    @property
    def places(self) -> Sequence[str]:
        """Every place that holds wrapped data keys."""
        return tuple(PLACES)

    async def keys(self) -> Sequence[KeyStanding]:
        """All that were ever known."""
        query = sa.select(wrapping_keys).order_by(_k.added_at, _k.id)

        def body(tx: sa.Connection) -> tuple[Sequence[sa.Row[Any]], dict[str, int]]:
            return tx.execute(query).all(), count_by_key(tx)

        rows, counts = await self._database.read(body)
        spilled = await self._spill.wrapped_by()
        return tuple(self._standing(row, counts.get(row.id, 0) + spilled.get(row.id, 0)) for row in rows)

    async def backup_made_at(self) -> float | None:
        """When the database was copied last."""
        query = sa.select(meta.c.value).where(meta.c.name == BACKUP_MADE_AT)
        found: bytes | None = await self._database.read(lambda tx: tx.execute(query).scalar())
        try:
            return float(found) if found is not None else None
        except ValueError:
            return None

    async def current_since(self) -> float:
        """Since when the current key is that."""
        query = sa.select(sa.func.coalesce(_k.current_at, _k.added_at)).where(_k.state == KeyState.CURRENT.value)
        return await self._database.read(lambda tx: float(tx.execute(query).scalars().one()))

    async def add(self, *, at: float, record: Callable[[str], AuditRecord]) -> KeyStanding:
        """Make a key, as a standby."""
        made = await self._ring.make()
        row = row_of(made, KeyState.STANDBY, at)

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(wrapping_keys), row)
            add_records(tx, [record(made.key_id)])

        await self._database.write(body)
        return await self._one(made.key_id)

    async def make_current(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Wrap with this key from now on."""
        found = await self._one(key_id)
        if found.state not in (KeyState.STANDBY, KeyState.CURRENT):
            raise KeyStateConflict(f"the key is {found.state.value}")
        if not found.at_hand:
            raise WrongKey("the key is not at hand: name it in KEYTURN_KEYS")
        provider = self._ring.held()[key_id]
        await provider.unwrap(await provider.wrap(_PROOF, b"proof"), b"proof")
        fingerprint = provider.fingerprint().encode()

        def body(tx: sa.Connection) -> None:
            if current_key(tx) == key_id:
                return
            now = sa.update(wrapping_keys)
            tx.execute(now.where(_k.state == KeyState.CURRENT.value).values(state=KeyState.STANDBY.value))
            change = now.where(_k.id == key_id, _k.state == KeyState.STANDBY.value)
            if tx.execute(change.values(state=KeyState.CURRENT.value, current_at=at)).rowcount != 1:
                raise KeyStateConflict("somebody else changed the key's state at the same moment")
            tx.execute(sa.update(meta).where(meta.c.name == FINGERPRINT).values(value=fingerprint))
            add_records(tx, records)

        await self._database.write(body)
        await self.follow()
        return await self._one(key_id)

    async def retire(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Say that a standby is needed no more."""
        found = await self._one(key_id)
        if found.state is KeyState.RETIRED:
            return found
        if found.state is not KeyState.STANDBY:
            raise KeyStateConflict(f"the key is {found.state.value}")
        spilled = (await self._spill.wrapped_by()).get(key_id, 0)

        def body(tx: sa.Connection) -> None:
            left = count_of(tx, key_id) + spilled
            if left:
                raise KeyInUse(f"it wraps {left} data keys", extensions={"data_keys": left})
            change = sa.update(wrapping_keys).where(_k.id == key_id, _k.state == KeyState.STANDBY.value)
            if tx.execute(change.values(state=KeyState.RETIRED.value, retired_at=at)).rowcount != 1:
                raise KeyStateConflict("somebody else changed the key's state at the same moment")
            add_records(tx, records)

        await self._database.write(body)
        return await self._one(key_id)

    async def outdated(self) -> int:
        """How many data keys another than the current key wraps."""
        counts, current = await self._database.read(lambda tx: (count_by_key(tx), current_key(tx)))
        return sum(count for key_id, count in counts.items() if key_id != current)

    async def rewrap(self, place: str, *, after: tuple[str, ...], limit: int) -> Rewrapped:
        """Wrap some of a place's data keys with the current key."""
        column = PLACES[place]
        row_key = column.row_key
        conditions = [sa.not_(column.named(self._ring.key_id))]
        if after:
            conditions.append(sa.tuple_(*row_key) > sa.tuple_(*(sa.literal(each) for each in after)))
        named = [each for each in column.table.c if each.name in _NAMING or each.primary_key]
        query: sa.Select[Any] = sa.select(*named, column.column.label("wrapped")).where(*column.rows(*conditions))
        query = query.order_by(*row_key).limit(limit)
        rows = await self._database.read(lambda tx: rows_of(tx, query))
        gate = asyncio.Semaphore(ASKED_AT_ONCE)
        results = await asyncio.gather(*(self._rewrapped(column, row, gate) for row in rows))
        done = await self._written(column, [each for each in results if not isinstance(each, str)])
        failures: dict[str, int] = {}
        for each in results:
            if isinstance(each, str):
                failures[each] = failures.get(each, 0) + 1
        last = tuple(str(getattr(rows[-1], each.name)) for each in row_key) if len(rows) == limit else None
        return Rewrapped(done, failures, last)

    async def follow(self) -> None:
        """Take over what another process decided."""
        current = await self._database.read(current_key)
        if current is not None and current != self._ring.key_id:
            await self._ring.use(current)

    def forget_passwords(self) -> None:
        """Let go of every key of a password in memory."""
        self._keys.forget_class(KeyClass.PASSWORD)

    async def ask(self) -> None:
        """See that the current key can be used: unwrap one of the store's own data keys."""
        await self.follow()
        query = sa.select(meta.c.value).where(meta.c.name == LOOKUP_KEY)
        wrapped = await self._database.read(lambda tx: tx.execute(query).scalar_one())
        await self._ring.unwrap(wrapped, owner_of_store_key(LOOKUP_KEY).context())

    async def destroy_passwords(self, *, at: float, record: Callable[[Connection], AuditRecord]) -> int:
        """Destroy all kept passwords with their keys; freed pages are overwritten, and the journal is emptied."""
        kept = sa.or_(*(connections.c[name].is_not(None) for name in NO_PASSWORD))
        query = sa.select(*PLAIN).where(kept)
        change = sa.update(connections).where(kept)
        columns = NO_PASSWORD | {"revision": connections.c.revision + 1, "updated_at": at}

        def body(tx: sa.Connection) -> int:
            found = [shown_in(row) for row in rows_of(tx, query)]
            tx.execute(change.values(**columns))
            add_records(tx, [record(each) for each in found])
            return len(found)

        count = await self._database.write(body)
        self.forget_passwords()
        await self._database.empty_journal()
        return count

    async def _rewrapped(
        self, column: WrappedColumn, row: sa.Row[Any], gate: asyncio.Semaphore
    ) -> tuple[sa.Row[Any], bytes] | str:
        if not isinstance(row.wrapped, bytes):
            return SealBroken.code
        async with gate:
            try:
                return row, await self._keys.rewrapped(column.owner(row), row.wrapped)
            except (SealBroken, WrongKey) as error:
                return error.code

    async def _written(self, column: WrappedColumn, found: list[tuple[sa.Row[Any], bytes]]) -> int:
        if not found:
            return 0

        def body(tx: sa.Connection) -> list[tuple[sa.Row[Any], bytes]]:
            written = []
            for row, wrapped in found:
                is_row = [each == getattr(row, each.name) for each in column.row_key]
                change = sa.update(column.table).where(*is_row, column.column == row.wrapped)
                if tx.execute(change.values({column.column.name: wrapped})).rowcount == 1:
                    written.append((row, wrapped))
            return written

        written = await self._database.write(body)
        for row, wrapped in written:
            self._keys.replaced(column.owner(row), row.wrapped, wrapped)
        return len(written)

    async def _one(self, key_id: str) -> KeyStanding:
        for each in await self.keys():
            if each.id == key_id:
                return each
        raise NotFound("there is no such key")

    def _standing(self, row: sa.Row[Any], data_keys: int) -> KeyStanding:
        return KeyStanding(
            id=row.id,
            provider=row.provider,
            state=KeyState(row.state),
            at_hand=row.id in self._ring.held(),
            data_keys=data_keys,
            added_at=row.added_at,
            current_at=row.current_at,
            retired_at=row.retired_at,
        )
