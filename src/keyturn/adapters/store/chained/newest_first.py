"""Both chains as one list: their numbers are of one series, so that a number is a place in both."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.chained import routine
from keyturn.adapters.store.chained.audit_row import record_in
from keyturn.adapters.store.database.audit_tables import audit_routine
from keyturn.adapters.store.database.schema import audit
from keyturn.core.audit_record import AuditRecord


def newest_first(
    tx: sa.Connection, query: sa.Select[Any], others: sa.Select[Any] | None, limit: int
) -> list[tuple[int, AuditRecord]]:
    """Read both chains as one list: `query` over the main one's `ROWS`, `others` over the routine one's."""
    found = [
        (row.seq, record_in(row, row.owner)) for row in tx.execute(query.order_by(audit.c.seq.desc()).limit(limit))
    ]
    if others is not None:
        rows = tx.execute(others.order_by(audit_routine.c.seq.desc()).limit(limit))
        found += [(row.seq, routine.record_in(row)) for row in rows]
    return sorted(found, key=itemgetter(0), reverse=True)[:limit]
