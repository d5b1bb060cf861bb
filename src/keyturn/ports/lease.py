"""Who alone does something right now, by a name: logins of an account, sending records to syslog.

A renewal's lease stands in its row: `ports/renewals.py`. Promises: `tests/contracts/lease_contract.py`.
"""

from __future__ import annotations

from typing import Protocol


class Lease(Protocol):
    """Single flight across processes, on a clock that no stepped wall clock moves.

    A lease is no state of what it is for: a holder that dies leaves nothing stuck. A holder that is known to be dead
    (same host: boot id, process id, its start time) has no lease any more.
    """

    async def acquire(self, connection_id: str, *, for_s: float) -> str | None:
        """Take the lease and return its token, or None where a living holder has it."""
        ...

    async def extend(self, connection_id: str, token: str, *, for_s: float) -> bool:
        """Heartbeat; False where the lease is no longer ours."""
        ...

    async def release(self, connection_id: str, token: str) -> None:
        """Give it back; one that is no longer ours is left alone."""
        ...
