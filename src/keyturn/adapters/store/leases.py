"""Leases on SQLite: one row for each, taken by one statement.

Rule 1: time is the machine's monotonic clock, which all processes on one SQLite file share; a row of another boot
counts for nothing.
Rule 2: the lease of a process that is known to be dead is taken at once.
Rule 3: no lease is believed to last over an hour: where boots can't be told apart, the clock begins anew with each.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import leases
from keyturn.adapters.store.lease_holder import Holder, Host
from keyturn.ports.clock import Entropy

LONGEST_S: Final = 3600.0
_c = leases.c


class SqliteLease:
    """Promises: the port's."""

    def __init__(self, database: Database, host: Host, entropy: Entropy) -> None:
        self._database = database
        self._host = host
        self._entropy = entropy

    async def acquire(self, connection_id: str, *, for_s: float) -> str | None:
        """Take the lease, if nobody alive has it."""
        token = self._entropy.token(16)

        def body(tx: sa.Connection) -> str | None:
            now = self._host.monotonic()
            row = {
                "connection": connection_id,
                "token": token,
                "holder": str(self._host.holder),
                "boot_id": self._host.holder.boot_id,
                "until_s": now + min(for_s, LONGEST_S),
            }
            holder = tx.execute(sa.select(_c.holder).where(_c.connection == connection_id)).scalar()
            free = sa.not_(self._held(now))
            if holder is not None and self._host.is_dead(Holder.parse(holder)):
                free = sa.or_(free, _c.holder == holder)
            taking = (
                insert(leases).values(row).on_conflict_do_update(index_elements=["connection"], set_=row, where=free)
            )
            return token if tx.execute(taking).rowcount == 1 else None

        return await self._database.write(body)

    async def extend(self, connection_id: str, token: str, *, for_s: float) -> bool:
        """Heartbeat; False where the lease ended or is another's."""

        def body(tx: sa.Connection) -> bool:
            now = self._host.monotonic()
            extending = (
                sa.update(leases)
                .where(_c.connection == connection_id, _c.token == token, self._held(now))
                .values(until_s=now + min(for_s, LONGEST_S))
            )
            return tx.execute(extending).rowcount == 1

        return await self._database.write(body)

    async def release(self, connection_id: str, token: str) -> None:
        """Give it back, if it is still ours."""
        giving = sa.delete(leases).where(_c.connection == connection_id, _c.token == token)
        await self._database.write(lambda tx: tx.execute(giving))

    def _held(self, now: float) -> sa.ColumnElement[bool]:
        return sa.and_(_c.boot_id == self._host.holder.boot_id, _c.until_s > now, _c.until_s <= now + LONGEST_S)
