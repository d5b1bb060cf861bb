"""Connectors' quiet hours: a row for each that has some, read by every process each second."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.operating.quiet_hours_table import quiet_hours
from keyturn.adapters.store.rows.plain_columns import json_of
from keyturn.core.audit_record import AuditRecord
from keyturn.core.renewal.quiet_hours import QuietHours, read_quiet_hours

_c = quiet_hours.c


class SqlQuietHoursStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Mapping[tuple[str, str], QuietHours]:
        """Of all projects."""
        rows = await self._database.read(lambda tx: tx.execute(sa.select(_c.project, _c.connector, _c.hours)).all())
        return {(row.project, row.connector): read_quiet_hours(json.loads(row.hours)) for row in rows}

    async def put(
        self,
        connector: str,
        hours: QuietHours | None,
        *,
        at: float,
        by: str,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> bool:
        """Write or take away."""
        which = sa.and_(_c.project == project, _c.connector == connector)
        text = None if hours is None else json_of(hours.document())

        def body(tx: sa.Connection) -> bool:
            if tx.execute(sa.select(_c.hours).where(which)).scalar() == text:
                return False
            tx.execute(sa.delete(quiet_hours).where(which))
            if text is not None:
                row = {"project": project, "connector": connector, "hours": text, "at": at, "by": by}
                tx.execute(sa.insert(quiet_hours), row)
            add_records(tx, records)
            return True

        return await self._database.write(body)
