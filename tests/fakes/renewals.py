"""The two commits of a renewal, and the processes that live, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.revocation import Revocation
from keyturn.ports.renewals import LEASE_S, Booking, BudgetSpent, Claimed, Found
from keyturn.ports.store import NOTHING_SEALED, Attempt, AttemptResult, RevisionConflict, SealedChange
from tests.fakes.connections import FakeConnectionStore
from tests.fakes.database import FakeDatabase
from tests.fakes.leases import FakeLease
from tests.fakes.logins import FakeLoginLedger


class FakeRenewalStore:
    """Promises: `tests/contracts/renewal_store_contract.py`."""

    def __init__(
        self, database: FakeDatabase, connections: FakeConnectionStore, logins: FakeLoginLedger, leases: FakeLease
    ) -> None:
        self._database = database
        self._connections = connections
        self._logins = logins
        self._leases = leases

    async def read(self, connection_id: str, *, project: str = "default") -> Found | None:
        """Read and unseal."""
        opened = await self._connections.open(connection_id, project=project)
        if opened is None:
            return None
        return Found(*opened, self._leases.is_held(row_of(connection_id)))

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
        await self._database.write("renewals.claim")
        stored = self._connections.rows.get(read.id)
        if stored is None or stored[0].revision != read.revision or self._leases.is_held(row_of(read.id)):
            return None
        attempt = None
        if booking is not None:
            got = self._logins.reserve_now(
                booking.account, now=now, limits=booking.limits, successes=booking.successes,
                challenges=booking.challenges,
            )  # fmt: skip
            if not isinstance(got, Attempt):
                raise BudgetSpent(got)
            attempt = got
        written = self._connections.put(replace(claimed, revision=read.revision))
        self._leases.hold(row_of(read.id), LEASE_S)
        self._database.log(records)
        return Claimed(written, attempt)

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
        await self._database.write("renewals.settle")
        stored = self._connections.rows.get(claimed.id)
        if stored is None or stored[0].revision != claimed.revision:
            raise RevisionConflict("the connection was written by another")
        written = self._connections.put(replace(after, revision=claimed.revision), sealed, revocations)
        self._leases.drop(row_of(claimed.id))
        if goes_on:
            self._leases.hold(row_of(claimed.id), LEASE_S)
        if booked is not None:
            self._logins.settle_now(*booked)
        self._database.log(records)
        return written


def row_of(connection_id: str) -> str:
    """Name the lease that a row holds, among all others."""
    return f"row {connection_id}"


class FakeProcesses:
    """Promises: the port's. `living`: how many a beat counts."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.living = 1
        self.is_fresh = True

    async def beat(self) -> int:
        """Say that this one lives."""
        await self._database.write("processes.beat")
        self.is_fresh = True
        return self.living

    async def leave(self) -> None:
        """Say that this one ends."""
        await self._database.write("processes.leave")

    def fresh(self) -> bool:
        """Whether the last beat counts."""
        return self.is_fresh
