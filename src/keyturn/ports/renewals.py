"""The two commits of a renewal, and who is alive to make them. Promises: `tests/contracts/renewal_store_contract.py`.

Rule 1: a claim says what is about to be sent, and leases the row to this process; nothing is sent without one.
Rule 2: a lease counts while its time lasts and its holder lives; a holder that is known to be dead has none.
Rule 3: what an answer leads to is written only where nobody else has written the row since.

Source: the renewal design, "The grant's row" and "A renewal, in two commits". Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.connector import LoginLimits
from keyturn.core.revocation import Revocation
from keyturn.ports.store import NOTHING_SEALED, Attempt, AttemptResult, SealedChange

LEASE_S: Final = 45.0  # from the claim on; a request to a provider takes 30 s at most
BEAT_EVERY_S: Final = 5.0
ALIVE_FOR_S: Final = 15.0  # since its last beat


class BudgetSpent(Exception):
    """A login can't be booked now, and nothing was claimed.

    `wait_s`: seconds until it can; None where logins under way could still spend what is left: ask again in a moment.
    """

    def __init__(self, wait_s: float | None) -> None:
        super().__init__("the login budget is spent")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Booking:
    """A login to be booked, as `LoginLedger.reserve`. `account`: an HMAC, never a name."""

    account: str
    limits: LoginLimits
    successes: LoginLimits
    challenges: LoginLimits


@dataclass(frozen=True, slots=True)
class Found:
    """A row as a renewal reads it. `held`: a living process has its lease: what its intent means is not known yet."""

    connection: Connection
    secrets: ConnectionSecrets
    held: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is this process's to renew. `attempt`: the login that was booked with it."""

    connection: Connection
    attempt: Attempt | None = None


class RenewalStore(Protocol):
    """Reading, claiming and settling one row."""

    async def read(self, connection_id: str, *, project: str = "default") -> Found | None:
        """Read and unseal; raises as `ConnectionStore.open`."""
        ...

    async def claim(
        self,
        read: Connection,
        claimed: Connection,
        *,
        now: float,
        booking: Booking | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> Claimed | None:
        """Write `claimed`, whose intent is new, over `read`, and lease the row for `LEASE_S`; book the login with it.

        Returns:
            The row as it then is; None where it was written since it was read, or another holds its lease.

        Raises:
            BudgetSpent: nothing was written.
            StoreUnavailable: whether it was written is not known.
        """
        ...

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
        """Write what differs between both, and give the lease back.

        `goes_on`: more requests follow: the lease is kept, and begins anew.

        Raises:
            RevisionConflict: somebody else has written the row; nothing was changed.
            StoreUnavailable: whether it was written is not known.
        """
        ...


class Processes(Protocol):
    """The processes on one database."""

    async def beat(self) -> int:
        """Say that this one lives; returns how many do."""
        ...

    async def leave(self) -> None:
        """Say that this one ends."""
        ...

    def fresh(self) -> bool:
        """Whether this one's last beat still counts; one that was stopped and woke up begins nothing before a beat."""
        ...
