"""Connectors whose logins an operator has stopped: a row for each, read before each login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.abuse_tables import login_stops
from keyturn.adapters.store.database.engine import Database
from keyturn.core.audit_record import AuditRecord

_c = login_stops.c
_SINCE: Final = sa.select(_c.at).where(_c.project == sa.bindparam("of"), _c.connector == sa.bindparam("which"))


class SqlLoginStops:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stopped_since(self, connector: str, *, project: str = "default") -> float | None:
        """Since when; None where its logins are sent."""
        return await self._database.read(lambda tx: _since(tx, connector, project))

    async def all(self, *, project: str = "default") -> Mapping[str, float]:
        """All of them."""
        query = sa.select(_c.connector, _c.at).where(_c.project == project)
        return dict(await self._database.read(lambda tx: [(row.connector, row.at) for row in tx.execute(query)]))

    async def stop(
        self, connector: str, *, at: float, by: str, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> float:
        """Stop them; the first time stays."""
        row = {"project": project, "connector": connector, "at": at, "by": by}

        def body(tx: sa.Connection) -> float:
            since = _since(tx, connector, project)
            if since is not None:
                return since
            tx.execute(sa.insert(login_stops), row)
            add_records(tx, records)
            return at

        return await self._database.write(body)

    async def start(self, connector: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> None:
        """Let them be sent again."""
        row = sa.delete(login_stops).where(_c.project == project, _c.connector == connector)

        def body(tx: sa.Connection) -> None:
            if tx.execute(row).rowcount:
                add_records(tx, records)

        await self._database.write(body)


def _since(tx: sa.Connection, connector: str, project: str) -> float | None:
    return tx.execute(_SINCE, {"of": project, "which": connector}).scalar()
