"""A page of a connection's timeline: from its records and from its calls by the hour, each read by its own index.

Rule: a cursor is a place in both: the number below which records follow, and the time before which hours do. The first
page says how far up both go, so that what comes later is on no page that follows, though it has shown none of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.audit import of_kind
from keyturn.adapters.store.chained import routine
from keyturn.adapters.store.chained.audit_row import ROWS, in_project
from keyturn.adapters.store.chained.newest_first import newest_first
from keyturn.adapters.store.database.audit_tables import audit_routine
from keyturn.adapters.store.database.observing_tables import connection_calls
from keyturn.adapters.store.database.schema import audit
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.timeline import TimelineRow, folded
from keyturn.core.audit_record import AuditRecord
from keyturn.core.observing.call_hour import CallHour

_KIND: Final = "timeline"
_TOP: Final = [2**63 - 1, 2**63 - 1]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Which page is asked for."""

    connection_id: str
    project: str
    kind: RecordKind | None
    cursor: str | None
    limit: int

    def read(self, tx: sa.Connection) -> tuple[Sequence[TimelineRow], str | None]:
        """Its rows, and the cursor of the next one. ValidationFailed."""
        seq, begins_at = _TOP if self.cursor is None else position_in(self.cursor, _KIND, int, int)
        records = self._records(tx, seq)
        hours = [CallHour(*row) for row in self._hours(tx, begins_at)]
        if self.cursor is None:
            seq, begins_at = records[0][0] + 1 if records else 0, hours[0].begins_at + 1 if hours else 0
        shown = tuple(islice(folded(records, hours), self.limit))
        if len(records) + len(hours) == len(shown):
            return shown, None
        for row in shown:
            if isinstance(row, CallHour):
                begins_at = row.begins_at
            else:
                seq = row[0]
        return shown, cursor_of(_KIND, seq, begins_at)

    def _records(self, tx: sa.Connection, before: int) -> list[tuple[int, AuditRecord]]:
        query = ROWS.where(
            in_project(self.project, of_one=True), audit.c.connection == self.connection_id, audit.c.seq < before,
            *of_kind(self.kind),
        )  # fmt: skip
        r = audit_routine.c
        others = routine.ROWS.where(
            routine.in_project(self.project), r.connection == self.connection_id, r.seq < before,
            *routine.of_kind(self.kind),
        )  # fmt: skip
        return newest_first(tx, query, others, self.limit + 1)

    def _hours(self, tx: sa.Connection, before: int) -> Sequence[Any]:
        if self.kind in (RecordKind.RENEWALS, RecordKind.CHANGES):
            return ()
        c = connection_calls.c
        query = (
            sa.select(c.begins_at, c.calls, c.failed)
            .where(c.connection == self.connection_id, c.begins_at < before)
            .order_by(c.begins_at.desc())
            .limit(self.limit + 1)
        )
        if self.kind is RecordKind.FAILURES:
            query = query.where(c.failed > 0)
        return tx.execute(query).all()
