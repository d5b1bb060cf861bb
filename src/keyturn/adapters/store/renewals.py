"""The two commits of a renewal.

Rule 1: everything is sealed before the transaction begins.
Rule 2: a write names only the columns that it changes, and happens only where the revision is the one that was read.
Rule 3: a lease is in the row: it is taken and given back by the very writes that say what it was for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.prepared import Prepared
from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.logins import SqlLoginLedger
from keyturn.adapters.store.processes import LEASED, SqlProcesses, lease_values
from keyturn.adapters.store.revocations import SqlRevocationStore, add_revocations
from keyturn.adapters.store.rows.connection_row import WITH_SEALED, columns_that_differ, connection_in
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.adapters.store.rows.set_aside import NOT_PARKED
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import StoreUnavailable
from keyturn.core.revocation import Revocation
from keyturn.ports.renewals import LEASE_S, Booking, BudgetSpent, Claimed, Found
from keyturn.ports.store import NOTHING_SEALED, Attempt, AttemptResult, RevisionConflict, SealedChange

Result = TypeVar("Result")
_c = connections.c
_BY_ID: Final = sa.and_(_c.id == sa.bindparam("which"), _c.project == sa.bindparam("of_project"))
_READ: Final = Prepared(sa.select(*WITH_SEALED, _c.lease_holder, LEASED.label("is_held")).where(_BY_ID))
_HOLDER: Final = Prepared(sa.select(_c.lease_holder).where(_BY_ID))
_NO_LEASE: Final[dict[str, Any]] = {"lease_holder": None, "lease_until": None}


class SqlRenewalStore:
    """Promises: the port's."""

    def __init__(
        self,
        database: Database,
        seals: ConnectionSeals,
        revocations: SqlRevocationStore,
        logins: SqlLoginLedger,
        processes: SqlProcesses,
    ) -> None:
        self._database = database
        self._seals = seals
        self._revocations = revocations
        self._logins = logins
        self._processes = processes
        self._updates: dict[tuple[str, ...], Prepared] = {}

    async def read(self, connection_id: str, *, project: str = "default") -> Found | None:
        """Read and unseal."""
        values = _of(connection_id, project) | lease_values(self._processes.host)
        rows = await self._database.read_one(lambda tx: rows_of(tx, _READ, values))
        if not rows:
            return None
        row = rows[0]
        connection = connection_in(row)
        held = bool(row.is_held) and not await self._forgot_dead(row.lease_holder)
        return Found(connection, await self._seals.opened(connection, row), held)

    async def claim(
        self,
        read: Connection,
        claimed: Connection,
        *,
        now: float,
        booking: Booking | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> Claimed | None:
        """Write the intent, lease the row, and book the login."""
        written = replace(claimed, revision=read.revision + 1, **NOT_PARKED)  # who writes it has read it
        changed = columns_that_differ(read, written)
        change = self._update((*changed, *_NO_LEASE), free=True)
        at_s = self._processes.host.monotonic()

        def body(tx: sa.Connection) -> Claimed | None:
            self._processes.beat_in(tx)
            values = changed | self._lease() | _where(read) | lease_values(self._processes.host)
            if not change.run(tx, values):
                found = _HOLDER.row(tx, _of(read.id, read.project))
                holder = None if found is None else found.lease_holder
                if not self._processes.forget_dead(tx, holder) or not change.run(tx, values):
                    return None
            attempt = None if booking is None else self._booked(tx, booking, now)
            add_records(tx, records)
            return Claimed(written, attempt)

        done = await self._written(body, read)
        self._processes.beaten(at_s)
        return done

    async def settle(
        self,
        claimed: Connection,
        after: Connection,
        *,
        sealed: SealedChange = NOTHING_SEALED,
        records: Sequence[AuditRecord] = (),
        revocations: Sequence[Revocation] = (),
        booked: tuple[Attempt, AttemptResult] | None = None,
        goes_on: bool = False,
    ) -> Connection:
        """Write what differs, and give the lease back."""
        same = (claimed.state, claimed.reason) == (after.state, after.reason)
        since = claimed.state_since if same else after.updated_at
        written = replace(after, revision=claimed.revision + 1, state_since=since, **NOT_PARKED)
        to_revoke = [await self._revocations.sealed(each) for each in revocations]
        changed = columns_that_differ(claimed, written) | await self._seals.changed_columns(after, sealed)
        if written.generation != claimed.generation and "sealed_token_set" not in changed:
            raise ValueError("a new generation needs its token set")
        change = self._update((*changed, *_NO_LEASE))

        def body(tx: sa.Connection) -> Connection:
            if goes_on:
                self._processes.beat_in(tx)
            lease = self._lease() if goes_on else _NO_LEASE
            kept = change.row(tx, changed | lease | _where(claimed))
            if kept is None:
                raise RevisionConflict("the connection was written by another")
            if booked is not None:
                self._logins.settle_in(tx, *booked)
            add_records(tx, records)
            add_revocations(tx, to_revoke)
            used = (kept.last_used_at, kept.worked_generation)
            if used == (written.last_used_at, written.worked_generation):
                return written
            return replace(written, last_used_at=used[0], worked_generation=used[1])

        return await self._written(body, claimed)

    def _booked(self, tx: sa.Connection, booking: Booking, now: float) -> Attempt:
        got = self._logins.reserve_in(
            tx, booking.account, now=now, limits=booking.limits, successes=booking.successes,
            challenges=booking.challenges,
        )  # fmt: skip
        if not isinstance(got, Attempt):
            raise BudgetSpent(got)
        return got

    async def _forgot_dead(self, holder: str) -> bool:
        return await self._database.write(lambda tx: self._processes.forget_dead(tx, holder))

    def _lease(self) -> dict[str, Any]:
        host = self._processes.host
        return {"lease_holder": str(host.holder), "lease_until": host.monotonic() + LEASE_S}

    def _update(self, names: tuple[str, ...], *, free: bool = False) -> Prepared:
        """The statement that writes these columns; made once for each set of them."""
        key = (*names, "free") if free else names
        known = self._updates.get(key)
        if known is None:
            change = (
                sa.update(connections)
                .where(_BY_ID, _c.revision == sa.bindparam("of_revision"))
                .values({name: sa.bindparam(name) for name in names})
            )
            change = change.where(sa.not_(LEASED)) if free else change.returning(_c.last_used_at, _c.worked_generation)
            known = self._updates[key] = Prepared(change)
        return known

    async def _written(self, body: Callable[[sa.Connection], Result], read: Connection) -> Result:
        """Run a write; what the database refuses is another's write only where the row says so."""

        def guarded(tx: sa.Connection) -> Result:
            try:
                return body(tx)
            except IntegrityError as error:
                revision = sa.select(_c.revision).where(_BY_ID)
                if tx.execute(revision, _of(read.id, read.project)).scalar() != read.revision:
                    raise RevisionConflict("the connection was written by another") from None
                name = getattr(error.orig, "sqlite_errorname", None) or "SQLITE_CONSTRAINT"
                raise StoreUnavailable(f"the database can't be used: {name}") from None

        return await self._database.write(guarded)


def _of(connection_id: str, project: str) -> dict[str, Any]:
    return {"which": connection_id, "of_project": project}


def _where(read: Connection) -> dict[str, Any]:
    return _of(read.id, read.project) | {"of_revision": read.revision}
