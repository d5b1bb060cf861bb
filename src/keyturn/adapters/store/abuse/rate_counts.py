"""How many requests all processes counted: one row for each bucket and window, added to once a second.

Rule: buckets stand here as keyed hashes: an address, which is one, is nobody's business in a back-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.abuse_tables import rate_counts
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.ports.access.abuse import Slot

AT_ONCE: Final = 400  # names in one question; SQLite takes 32,766 values
_c = rate_counts.c


class SqlRateCounts:
    """Promises: the port's."""

    def __init__(self, database: Database, store_keys: StoreKeys) -> None:
        self._database = database
        self._store_keys = store_keys
        self._names: dict[str, str] = {}  # of the buckets that were asked for last: most are asked for each second

    async def exchange(
        self, counted: Mapping[Slot, int], asked: Sequence[Slot], *, keep_until: int
    ) -> Mapping[Slot, int]:
        """Add what was counted here, and read the sums."""
        known = self._names
        names = {bucket: known.get(bucket) or self._name(bucket) for bucket in {each for each, _ in (*counted, *asked)}}
        self._names = names
        rows = [
            {"bucket": names[bucket], "begins_at": begins_at, "number": number, "keep_until": keep_until}
            for (bucket, begins_at), number in counted.items()
        ]
        adding = insert(rate_counts)
        adding = adding.on_conflict_do_update(
            index_elements=["bucket", "begins_at"],
            set_={"number": _c.number + adding.excluded.number, "keep_until": adding.excluded.keep_until},
        )
        wanted = sorted({names[bucket] for bucket, _ in asked})

        def body(tx: sa.Connection) -> dict[tuple[str, int], int]:
            if rows:
                tx.execute(adding, rows)
            found: dict[tuple[str, int], int] = {}
            for first in range(0, len(wanted), AT_ONCE):
                query = sa.select(_c.bucket, _c.begins_at, _c.number)
                query = query.where(_c.bucket.in_(wanted[first : first + AT_ONCE]))
                found |= {(each.bucket, each.begins_at): each.number for each in tx.execute(query)}
            return found

        sums = await (self._database.write(body) if rows else self._database.read(body))
        return {(bucket, at): sums.get((names[bucket], at), 0) for bucket, at in asked}

    async def purge(self, *, now: float) -> int:
        """Take away windows that count no more."""
        outdated = sa.delete(rate_counts).where(_c.keep_until < now)
        return await self._database.write(lambda tx: tx.execute(outdated).rowcount)

    def _name(self, bucket: str) -> str:
        return self._store_keys.hash_of("rate bucket", bucket).hex()
