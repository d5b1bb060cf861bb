"""How long calls took: one row for each connector, hour and bound that a call fell under.

Rule: rows are added to by one statement, so that two processes at one moment lose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.observing_tables import call_times
from keyturn.ports.observing.call_times import ConnectorHour, Counts

PARTS: Final = ("provider", "keyturn", "whole", "client_errors", "server_errors")
_c = call_times.c


class SqlCallTimes:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hours: Mapping[ConnectorHour, Counts], *, project: str = "default") -> None:
        """Add to what is stored."""
        rows = [
            {"project": project, "connector": connector, "begins_at": begins_at, "up_to_us": bound}
            | dict(zip(PARTS, numbers, strict=True))
            for (connector, begins_at), counts in hours.items()
            for bound, numbers in counts.items()
        ]
        if not rows:
            return
        adding = insert(call_times)
        adding = adding.on_conflict_do_update(
            index_elements=["project", "begins_at", "connector", "up_to_us"],
            set_={part: _c[part] + adding.excluded[part] for part in PARTS},
        )
        await self._database.write(lambda tx: tx.execute(adding, rows))

    async def read(self, since: int, until: int, *, project: str = "default") -> Mapping[ConnectorHour, Counts]:
        """The hours of this time."""
        query = sa.select(_c.connector, _c.begins_at, _c.up_to_us, *(_c[part] for part in PARTS))
        query = query.where(_c.project == project, _c.begins_at >= since, _c.begins_at < until)
        found: dict[ConnectorHour, dict[int, tuple[int, int, int, int, int]]] = {}
        for connector, begins_at, bound, a, b, c, d, e in await self._database.read(lambda tx: tx.execute(query).all()):
            found.setdefault((connector, begins_at), {})[bound] = (a, b, c, d, e)
        return found

    async def purge(self, *, before: int) -> int:
        """Take away what is older."""
        outdated = sa.delete(call_times).where(_c.begins_at < before)
        return await self._database.write(lambda tx: tx.execute(outdated).rowcount)
