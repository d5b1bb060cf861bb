"""A connection store that tells this process's caches of every write, as soon as it has committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.revocation import Revocation
from keyturn.ports.renewals import Booking, Claimed, Found, RenewalStore
from keyturn.ports.store import (
    NOTHING_SEALED,
    Attempt,
    AttemptResult,
    ConnectionFilter,
    ConnectionStore,
    Due,
    Page,
    SealedChange,
    Use,
)


class ObservedConnections:
    """Implements `ConnectionStore` over another one."""

    def __init__(self, store: ConnectionStore) -> None:
        self._store = store
        self._listeners: list[Callable[[Connection], None]] = []

    def listen(self, listener: Callable[[Connection], None]) -> None:
        """Call this with each connection as it was written."""
        self._listeners.append(listener)

    def tell(self, connection: Connection) -> Connection:
        """It was written, or what callers read of it is another now."""
        for listener in self._listeners:
            listener(connection)
        return connection

    async def insert(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """See the port."""
        return self.tell(await self._store.insert(connection, secrets, records=records))

    async def save(
        self,
        connection: Connection,
        *,
        sealed: SealedChange = NOTHING_SEALED,
        records: Sequence[AuditRecord] = (),
        revocations: Sequence[Revocation] = (),
    ) -> Connection:
        """See the port."""
        saved = await self._store.save(connection, sealed=sealed, records=records, revocations=revocations)
        return self.tell(saved)

    async def load(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """See the port."""
        return await self._store.load(connection_id, project=project)

    async def open(
        self, connection_id: str, *, project: str = "default"
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """See the port."""
        return await self._store.open(connection_id, project=project)

    async def shown(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """See the port."""
        return await self._store.shown(connection_id, project=project)

    async def mend(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """See the port."""
        return self.tell(await self._store.mend(connection, secrets, records=records))

    async def park(
        self, connection_id: str, why: str, *, at: float, project: str = "default", revision: int | None = None
    ) -> bool:
        """See the port."""
        return await self._store.park(connection_id, why, at=at, project=project, revision=revision)

    async def unpark(self, connection_id: str | None = None) -> int:
        """See the port."""
        return await self._store.unpark(connection_id)

    async def find_account(self, connector: str, owner: str, unique_id: str, *, project: str = "default") -> str | None:
        """See the port."""
        return await self._store.find_account(connector, owner, unique_id, project=project)

    async def list(self, which: ConnectionFilter, *, cursor: str | None, limit: int, project: str = "default") -> Page:
        """See the port."""
        return await self._store.list(which, cursor=cursor, limit=limit, project=project)

    async def count(self, which: ConnectionFilter, *, project: str = "default") -> int:
        """See the port."""
        return await self._store.count(which, project=project)

    async def looks(self, now: float, *, room: Mapping[str, int], most: int, limit: int) -> Sequence[Due]:
        """See the port."""
        return await self._store.looks(now, room=room, most=most, limit=limit)

    async def move_looks(self, moves: Mapping[str, tuple[int, float]], *, due_by: float) -> None:
        """See the port."""
        await self._store.move_looks(moves, due_by=due_by)

    async def counts(self, *, project: str = "default") -> dict[tuple[str, State], int]:
        """See the port."""
        return await self._store.counts(project=project)

    async def active_versions(self, *, project: str = "default") -> Sequence[tuple[str, int]]:
        """See the port."""
        return await self._store.active_versions(project=project)

    async def versions(self, connector: str, *, project: str = "default") -> dict[int, int]:
        """See the port."""
        return await self._store.versions(connector, project=project)

    async def note_uses(self, uses: Mapping[str, Use]) -> None:
        """See the port."""
        await self._store.note_uses(uses)

    async def purge(self, *, disconnected_before: float) -> int:
        """See the port."""
        return await self._store.purge(disconnected_before=disconnected_before)


class ObservedRenewals:
    """Implements `RenewalStore` over another one. A claim changes nothing that a call goes by, and is not told."""

    def __init__(self, store: RenewalStore, tell: Callable[[Connection], Connection]) -> None:
        self._store = store
        self._tell = tell

    async def read(self, connection_id: str, *, project: str = "default") -> Found | None:
        """See the port."""
        return await self._store.read(connection_id, project=project)

    async def claim(
        self,
        read: Connection,
        claimed: Connection,
        *,
        now: float,
        booking: Booking | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> Claimed | None:
        """See the port."""
        return await self._store.claim(read, claimed, now=now, booking=booking, records=records)

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
        """See the port."""
        settled = await self._store.settle(
            claimed, after, sealed=sealed, records=records, revocations=revocations, booked=booked, goes_on=goes_on
        )
        return self._tell(settled)
