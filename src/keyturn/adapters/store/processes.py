"""The processes on one database, and which leases of rows count.

Rule 1: time is the machine's monotonic clock, which all processes on one SQLite file share; a lease or a beat of
another boot counts for nothing.
Rule 2: a lease counts while its time lasts and its holder beats; of a holder that is known to be dead it ends at once.
Rule 3: no lease is believed to last over an hour: where boots can't be told apart, the clock begins anew with each.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import connections, processes
from keyturn.adapters.store.lease_holder import Holder, Host
from keyturn.ports.clock import Clock
from keyturn.ports.renewals import ALIVE_FOR_S

LONGEST_S: Final = 3600.0
_p, _c = processes.c, connections.c
_NOW: Final = sa.bindparam("now_s", type_=sa.Float)
_BOOT: Final = sa.bindparam("of_boot", type_=sa.Text)
_AFTER_BOOT: Final = sa.bindparam("after_boot", type_=sa.Text)
_ALIVE: Final = sa.and_(
    _p.holder >= _BOOT, _p.holder < _AFTER_BOOT, _p.beat_s > _NOW - ALIVE_FOR_S, _p.beat_s <= _NOW + LONGEST_S
)
# Whether a row of `connections` is leased; executed with `lease_values`.
LEASED: Final = sa.and_(
    _c.lease_holder.is_not(None),
    _c.lease_until > _NOW,
    _c.lease_until <= _NOW + LONGEST_S,
    sa.exists().where(_p.holder == _c.lease_holder, _ALIVE),
)
_BEAT: Final = insert(processes).on_conflict_do_update(
    index_elements=["holder"], set_={"beat_s": sa.bindparam("beat_s_again")}
)
_COUNT: Final = sa.select(sa.func.count()).select_from(processes).where(_ALIVE)


def lease_values(host: Host) -> dict[str, Any]:
    """What `LEASED` is executed with."""
    boot = host.holder.boot_id
    return {"now_s": host.monotonic(), "of_boot": f"{boot}/", "after_boot": f"{boot}0"}  # "0" comes after "/"


class SqlProcesses:
    """Promises: the port's."""

    def __init__(self, database: Database, host: Host, clock: Clock) -> None:
        self._database = database
        self._host = host
        self._clock = clock
        self._beat_s: float | None = None

    @property
    def host(self) -> Host:
        """Who this process is."""
        return self._host

    async def beat(self) -> int:
        """Say that this one lives; returns how many do."""

        def body(tx: sa.Connection) -> int:
            self._beat(tx, self._host.monotonic())
            tx.execute(sa.delete(processes).where(sa.not_(_ALIVE)), lease_values(self._host))
            for holder in tx.execute(sa.select(_p.holder)).scalars().all():
                self.forget_dead(tx, holder)
            return int(tx.execute(_COUNT, lease_values(self._host)).scalar_one())

        beat_s = self._host.monotonic()
        number = await self._database.write(body)
        self._beat_s = beat_s
        return number

    def beat_in(self, tx: sa.Connection) -> None:
        """The same within a write transaction, where the last one is old."""
        now = self._host.monotonic()
        if self._beat_s is None or now - self._beat_s > ALIVE_FOR_S / 3:
            self._beat(tx, now)

    def _beat(self, tx: sa.Connection, now: float) -> None:
        row = {"holder": str(self._host.holder), "beat_s": now, "begun_at": self._clock.now(), "beat_s_again": now}
        tx.execute(_BEAT, row)

    def beaten(self, at_s: float) -> None:
        """A transaction with `beat_in` in it, which began at this time, has committed."""
        if self._beat_s is None or at_s - self._beat_s > ALIVE_FOR_S / 3:
            self._beat_s = at_s

    async def leave(self) -> None:
        """Say that this one ends."""
        gone = sa.delete(processes).where(_p.holder == str(self._host.holder))
        await self._database.write(lambda tx: tx.execute(gone))
        self._beat_s = None

    def fresh(self) -> bool:
        """Whether this one's last beat still counts."""
        return self._beat_s is not None and self._host.monotonic() - self._beat_s < ALIVE_FOR_S

    def forget_dead(self, tx: sa.Connection, holder: str | None) -> bool:
        """Take away a holder that is known to be dead; False where it may live."""
        if holder is None or not self._is_dead(holder):
            return False
        tx.execute(sa.delete(processes).where(_p.holder == holder))
        return True

    def _is_dead(self, holder: str) -> bool:
        try:
            return self._host.is_dead(Holder.parse(holder))
        except ValueError:
            return True  # nobody of ours wrote that
