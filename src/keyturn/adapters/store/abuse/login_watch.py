"""Which accounts were refused and which got in, by source: one row for each, whatever it tried how often.

Rule 1: judging and booking are one write transaction: of many logins at one moment no more are sent than may be.
Rule 2: rows hold keyed hashes; who has only the database can't try names against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.abuse_tables import login_ends
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.core.access.spraying import LIMITS, Verdict, Watched, judge
from keyturn.ports.access.abuse import Held, LoginEnd, Source

UNDER_WAY_S: Final = 60.0
LONGEST_S: Final = max(limit.per_s for limit in LIMITS.values())
_TOLD: Final = ""  # in the place of an account
_c = login_ends.c
_OF_SOURCE: Final = (_c.source == sa.bindparam("of"), _c.at > sa.bindparam("since"))
_COUNTED: Final = sa.select(
    sa.func.count().filter(_c.how == LoginEnd.REFUSED.value),
    sa.func.count().filter(_c.how == LoginEnd.PASSED.value),
    sa.func.count().filter(_c.how.is_(None), _c.account != _TOLD, _c.at >= sa.bindparam("begun")),
    sa.func.count().filter(_c.account == _TOLD),
).where(*_OF_SOURCE)
_LAST_REFUSED: Final = (
    sa.select(_c.at)
    .where(*_OF_SOURCE, _c.how == LoginEnd.REFUSED.value)
    .order_by(_c.at.desc())
    .offset(sa.bindparam("newer"))
    .limit(1)
)
_BOOKING: Final = insert(login_ends)
# An account that was refused or got in stays so until its next login has ended.
_BOOK: Final = _BOOKING.on_conflict_do_update(
    index_elements=["source", "account"],
    set_={"at": _BOOKING.excluded.at, "how": None},
    where=sa.or_(_c.how.is_(None), _c.at + LONGEST_S <= _BOOKING.excluded.at),
)
_PUT: Final = _BOOKING.on_conflict_do_update(
    index_elements=["source", "account"], set_={"at": _BOOKING.excluded.at, "how": _BOOKING.excluded.how}
)


class SqlLoginWatch:
    """Promises: the port's."""

    def __init__(self, database: Database, store_keys: StoreKeys) -> None:
        self._database = database
        self._store_keys = store_keys

    async def source_key(self, connector: str, kind: Watched, value: str, *, project: str = "default") -> str:
        """The keyed hash of a source."""
        return self._store_keys.hash_of("login source", project, connector, kind.value, value).hex()

    async def admit(self, sources: Sequence[Source], account: str, *, now: float) -> Held | bool:
        """Book a login before it is sent."""

        def body(tx: sa.Connection) -> Held | bool:
            waits = False
            for source in sources:
                found = _judged(tx, source, now)
                if isinstance(found, Held):
                    return found
                waits = waits or found is Verdict.WAIT
            if waits:
                return False
            rows = [{"source": each.key, "account": account, "at": now, "how": None} for each in sources]
            tx.execute(_BOOK, rows)
            return True

        return await self._database.write(body)

    async def end(self, sources: Sequence[Source], account: str, how: LoginEnd, *, now: float) -> None:
        """Say how it ended."""
        keys = [each.key for each in sources]
        booked = sa.and_(_c.source.in_(keys), _c.account == account)

        def body(tx: sa.Connection) -> None:
            if how is LoginEnd.NEITHER:
                tx.execute(sa.delete(login_ends).where(booked, _c.how.is_(None)))
            else:
                tx.execute(_PUT, [{"source": key, "account": account, "at": now, "how": how.value} for key in keys])

        await self._database.write(body)

    async def purge(self, *, now: float) -> int:
        """Take away what counts in no window any more."""
        outdated = sa.delete(login_ends).where(_c.at + LONGEST_S <= now)
        return await self._database.write(lambda tx: tx.execute(outdated).rowcount)


def _judged(tx: sa.Connection, source: Source, now: float) -> Held | Verdict:
    limit = LIMITS[source.kind]
    of_source = {"of": source.key, "since": now - limit.per_s}
    refused, passed, under_way, told = tx.execute(_COUNTED, {**of_source, "begun": now - UNDER_WAY_S}).one()
    verdict = judge(limit, refused=refused, under_way=under_way, passed=passed)
    if verdict is not Verdict.HOLD:
        return verdict
    if not told:
        tx.execute(_PUT, {"source": source.key, "account": _TOLD, "at": now, "how": None})
    at: float = tx.execute(_LAST_REFUSED, {**of_source, "newer": limit.accounts - 1}).scalar_one()
    return Held(source.kind, min(at + limit.per_s - now, limit.per_s), refused, begins=not told)
